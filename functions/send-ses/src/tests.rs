use otpost_domain::outcome::Outcome;

use crate::outcome::{TABLE, classified};

fn outcome(code: &str, message: &str, status: u16) -> Outcome {
    classified(code, message, status).0.outcome()
}

#[test]
fn every_code_of_the_table_is_found_by_its_own_row() {
    for (code, words, class, why) in TABLE {
        assert_eq!(
            classified(code, &format!("So {words} it is."), 400),
            (class, format!("Amazon SES {code}: {why}"))
        );
    }
}

#[test]
fn the_accounts_trouble_is_never_the_recipients() {
    let unverified =
        "Email address is not verified. The following identities failed the check in region EU-WEST-2";
    assert_eq!(outcome("MessageRejected", unverified, 400), Outcome::ConfigurationBad);
    for code in
        ["AccessDeniedException", "AccountSuspendedException", "SendingPausedException", "NotFoundException"]
    {
        assert_eq!(outcome(code, "", 400), Outcome::ConfigurationBad, "{code}");
    }
    assert_eq!(outcome("TooManyRequestsException", "Daily message quota exceeded.", 429), Outcome::QuotaGone);
}

#[test]
fn codes_that_are_not_known_follow_their_status() {
    let later = Outcome::Retry { after: None };
    for (status, expected) in [
        (429, later.clone()),
        (500, later.clone()),
        (503, later),
        (401, Outcome::ConfigurationBad),
        (403, Outcome::ConfigurationBad),
        (400, Outcome::ContentBad),
    ] {
        assert_eq!(outcome("Unheard", "j@example.org", status), expected);
        assert!(
            !classified("Unheard", "j@example.org", status).1.contains('@'),
            "no words of the provider's"
        );
    }
}
