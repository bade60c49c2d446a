use otpost_domain::outcome::Outcome::{
    self, ConfigurationBad as Config, ContentBad as Content, QuotaGone as Quota, RecipientBad as Recipient,
};
use proptest::prelude::*;

use super::*;
use crate::reply::Reply;

const LATER: Outcome = Outcome::Retry { after: None };

fn judged(stage: Stage, text: &str) -> (Outcome, String) {
    let (code, told) = text.split_once(' ').unwrap_or((text, ""));
    let reply = Reply { code: code.parse().unwrap(), lines: vec![told.to_owned()] };
    meaning(stage, &Fault::Refused(reply))
}

/// Stages, outcomes, and answers that have them.
const ANSWERS: &[(Stage, Outcome, &[&str])] = {
    use Stage::{Auth, Data, Ehlo, End, Greeting, Mail, Rcpt, Starttls};
    &[
        (Greeting, LATER, &["421 4.3.2 too busy", "450 4.7.1 slow down"]),
        (Greeting, Config, &["554 5.7.1 blocked", "521 5.3.2 takes no mail", "550 x"]),
        (Ehlo, LATER, &["421 x", "451 4.7.1 x"]),
        (Ehlo, Config, &["500 x", "501 5.5.2 x", "502 x", "504 x", "550 5.7.1 x", "554 x"]),
        (Starttls, LATER, &["454 4.7.0 TLS not available", "421 x"]),
        (Starttls, Config, &["501 x", "502 x", "503 x", "554 x"]),
        (Auth, LATER, &["421 x", "454 4.7.0 Temporary", "454 Throttling failure", "451 4.3.0 x", "450 x"]),
        (
            Auth,
            Config,
            &[
                "535 5.7.8 Error: authentication failed",
                "535 x",
                "530 5.7.0 Must issue a STARTTLS command first",
                "534 5.7.9 x",
                "538 5.7.11 x",
                "432 4.7.12 A password transition is needed",
                "432 x",
                "454 4.7.12 x",
                "504 5.5.4 x",
                "525 5.7.13 x",
                "500 5.5.6 x",
                "501 x",
                "502 x",
                "503 5.5.1 x",
                "550 5.1.1 no such user",
                "554 5.7.0 x",
                "555 x",
            ],
        ),
        (Mail, LATER, &["421 4.7.0 x", "450 x", "451 4.3.0 x", "452 4.3.1 x", "454 4.7.0 x", "455 x"]),
        (
            Mail,
            Config,
            &[
                "530 5.7.0 Authentication required",
                "530 5.7.1 x",
                "535 5.7.8 x",
                "550 5.7.1 Authentication required",
                "550 sender refused",
                "550 5.1.8 x",
                "553 5.7.1 Sender address rejected: not owned by user",
                "553 5.1.7 x",
                "553 x",
                "551 x",
                "501 5.1.7 x",
                "503 x",
                "554 5.7.1 x",
                "550 5.1.1 x",
                "555 5.5.4 x",
                "599 x",
            ],
        ),
        (Mail, Content, &["552 5.3.4 too big", "552 x", "554 5.3.4 x", "550 5.2.3 x"]),
        (Mail, Quota, &["550 5.4.5 Daily user sending limit exceeded"]),
        (
            Rcpt,
            LATER,
            &[
                "421 x",
                "450 4.2.0 Greylisted",
                "450 4.2.1 x",
                "451 4.7.1 x",
                "452 4.2.2 over quota",
                "452 4.5.3 x",
                "454 x",
                "499 x",
            ],
        ),
        (
            Rcpt,
            Recipient,
            &[
                "550 5.1.1 User unknown",
                "550 5.1.1 User unknown in relay recipient table",
                "550 x",
                "551 5.1.6 x",
                "551 x",
                "553 5.1.3 x",
                "553 x",
                "550 5.1.0 x",
                "550 5.1.2 x",
                "556 5.1.10 null MX",
                "556 x",
                "501 5.1.3 x",
                "550 5.2.1 disabled",
                "552 5.2.2 Mailbox full",
                "550 5.2.2 x",
                "550 5.4.1 Recipient address rejected",
                "554 5.4.1 Recipient address rejected: Access denied",
                "554 Recipient address rejected",
                "550 <newsletter-sender@example.org>: User unknown",
                "550 unknown user relay@example.org",
                "550 no such user: authentication",
            ],
        ),
        (
            Rcpt,
            Config,
            &[
                "550 5.7.1 Relaying denied",
                "554 5.7.1 Relay access denied",
                "554 5.7.1 <jane@example.org>: Recipient address rejected: Relay access denied",
                "550 5.7.1 x",
                "553 5.7.1 x",
                "551 5.7.1 x",
                "550 5.7.0 Relaying denied",
                "550 5.1.0 Authentication required",
                "503 5.5.1 This server requires authentication",
                "550 5.7.60 x",
                "550 5.7.23 SPF",
                "550 5.7.511 x",
                "550 5.7.606 x",
                "530 5.7.0 Authentication required",
                "535 5.7.8 x",
                "550 5.7.8 x",
                "550 5.1.7 x",
                "550 5.1.8 Sender address rejected: Domain not found",
                "550 relay not permitted",
                "554 relay access denied",
                "550 Authentication is required for relaying",
                "550 Sender verify failed",
                "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
            ],
        ),
        (
            Rcpt,
            Content,
            &[
                "552 5.3.4 x",
                "552 5.2.3 x",
                "550 5.2.3 x",
                "552 x",
                "550 5.6.1 x",
                "550 5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission",
                "550 5.7.133 the sender was not authenticated; authentication required",
                "554 5.7.1 <jane@example.org>: Recipient address rejected: Access denied",
                "550 5.7.0 x",
                "550 5.7.2 x",
                "550 5.3.2 x",
                "503 5.5.1 x",
                "501 5.5.2 x",
                "501 x",
                "554 x",
                "555 x",
                "599 x",
            ],
        ),
        (Rcpt, Quota, &["454 Throttling failure: Daily message quota exceeded."]),
        (Rcpt, Quota, &["550 5.4.5 x"]),
        (Data, LATER, &["421 x", "450 x", "451 x", "452 x"]),
        (
            Data,
            Config,
            &["503 5.5.1 x", "554 5.5.1 no valid recipients", "530 5.7.0 x", "550 5.7.1 x", "502 x"],
        ),
        (Data, Content, &["552 5.3.4 x", "552 x"]),
        (End, Quota, &["454 Throttling failure: Daily message quota exceeded."]),
        (End, LATER, &["454 Throttling failure: Maximum sending rate exceeded.", "451 not verified yet"]),
        (End, LATER, &["421 4.3.0 x", "450 x", "451 4.7.1 x", "452 4.3.1 x", "452 4.2.2 x"]),
        (
            End,
            Content,
            &[
                "554 5.7.1 Message rejected as spam",
                "554 x",
                "550 5.7.1 x",
                "550 x",
                "552 5.3.4 Message too big",
                "552 x",
                "552 5.2.2 x",
                "550 5.1.1 x",
                "554 5.6.0 x",
                "500 x",
                "599 x",
            ],
        ),
        (
            End,
            Config,
            &[
                "530 x",
                "535 5.7.8 x",
                "550 5.7.26 DMARC",
                "550 5.7.25 no PTR",
                "554 5.7.23 SPF",
                "554 Message rejected: Email address is not verified. The following identities failed the check",
                "554 Sending paused for this account.",
                "554 Access denied: User `x' is not authorized to perform `ses:SendRawEmail' on resource `y'",
                "550 5.7.1 You are not authorized to send mail with this address",
                "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
                "550 5.7.60 x",
                "554 5.2.252 SendAsDenied; otp@example.org not allowed to send as a@example.org",
                "554 5.2.252 x",
                "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied",
                "550 5.1.8 x",
                "550 5.7.606 x",
                "550 Sender verify failed",
            ],
        ),
        (End, Quota, &["552 5.4.5 x"]),
    ]
};

#[test]
fn each_code_has_its_outcome_by_stage() {
    for (stage, outcome, answers) in ANSWERS {
        for answer in *answers {
            assert_eq!(judged(*stage, answer).0, *outcome, "{stage}: {answer}");
        }
    }
}

#[test]
fn the_reason_has_stage_and_codes_and_no_word_of_the_servers() {
    let (_, why) = judged(Stage::Rcpt, "550 5.1.1 <jane@example.org> unknown");
    assert_eq!(why, "SMTP 550 5.1.1 at RCPT: the mailbox does not exist or is closed");
    let (_, why) = judged(Stage::Auth, "535 otpost is locked");
    assert_eq!(why, "SMTP 535 at AUTH: user or password are wrong");
}

#[test]
fn what_breaks_off_is_tried_again_until_the_final_dot() {
    for stage in Stage::ALL {
        for broken in [Broken::Off, Broken::Nonsense, Broken::Endless, Broken::Late] {
            let expected = if stage == Stage::End { Outcome::Unknown } else { LATER };
            assert_eq!(meaning(stage, &Fault::Broken(broken)).0, expected, "{stage} {broken:?}");
        }
    }
}

#[test]
fn what_only_an_operator_can_mend_is_the_configurations() {
    for fault in [
        Fault::Host(NoConnection::NotAllowed),
        Fault::Tls(TlsFault::Wrong("expired")),
        Fault::Lacks("no STARTTLS"),
    ] {
        assert_eq!(meaning(Stage::Connect, &fault).0, Config);
    }
    for host in [NoConnection::Unresolved, NoConnection::Refused, NoConnection::Silent] {
        assert_eq!(meaning(Stage::Connect, &Fault::Host(host)).0, LATER);
    }
    assert_eq!(meaning(Stage::Tls, &Fault::Tls(TlsFault::Passing("cut"))).0, LATER);
    assert_eq!(meaning(Stage::Mail, &Fault::TooLarge).0, Content);
}

proptest! {
    #[test]
    fn a_recipient_is_bad_only_by_an_answer_to_rcpt(
        stage in prop::sample::select(Stage::ALL.to_vec()),
        code in 400_u16..600,
        enhanced in prop::option::of((0_u16..10, prop_oneof![0_u16..40, 0_u16..700])),
        words in prop::option::of(prop::sample::select(
            vec![About::Sender, About::Account, About::Quota, About::Recipient],
        )),
    ) {
        let (verdict, why) = verdict(stage, code, enhanced, words);
        prop_assert!(verdict != Verdict::Recipient || (stage == Stage::Rcpt && code >= 500));
        let policy = enhanced.is_some_and(|(subject, _)| subject == 7) || matches!(code, 530 | 534 | 535 | 538);
        prop_assert!(!policy || verdict != Verdict::Recipient);
        let password = stage == Stage::Auth && (code == 432 || enhanced == Some((7, 12)));
        let quota = words == Some(About::Quota);
        prop_assert_eq!(verdict == Verdict::Later, code < 500 && !password && !quota);
        prop_assert!(!quota || verdict == Verdict::Quota);
        prop_assert!(!why.is_empty());
    }
}
