//! What a refusal says in words, where its codes do not say it.
//!
//! Servers echo addresses, and whoever owns one chose its words: addresses are cut out before anything is looked for,
//! and what is looked for are phrases and not single words.

use crate::reply::Reply;

/// What an answer is about by its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Who sends: relaying, the authentication, the sender's address, the host that sends.
    Sender,
    /// What the sender may do with this account. It counts at the end of a mail only: before it, the same words may be
    /// about the recipient.
    Account,
    /// How much the account may send a day.
    Quota,
    /// Who receives.
    Recipient,
}

const SENDER: &[&str] = &[
    "relay not permitted",
    "relay not allowed",
    "relay access denied",
    "relay denied",
    "relay prohibited",
    "relaying denied",
    "relaying not",
    "relaying is",
    "relaying prohibited",
    "relaying to",
    "for relaying",
    "for relay",
    "no relaying",
    "not relay",
    "unable to relay",
    "allowed to relay",
    "permitted to relay",
    "authorized to relay",
    "rcpthosts",
    "authentication required",
    "authentication is required",
    "authentication needed",
    "authentication first",
    "requires authentication",
    "require authentication",
    "auth required",
    "auth first",
    "authenticate first",
    "please authenticate",
    "must authenticate",
    "need to authenticate",
    "be authenticated",
    "not authenticated",
    "sender verify",
    "sender verification",
    "sender address rejected",
    "sender rejected",
    "sender denied",
    "sender refused",
    "invalid sender",
    "client host rejected",
    "helo command rejected",
    "blocked using",
    "banned sending ip",
    "sendasdenied",
    "permissions to send as",
];

const ACCOUNT: &[&str] = &[
    "not verified",
    "verified sender",
    "sending paused",
    "not authorized to send",
    "not authorized to perform",
    "not allowed to send as",
];

const QUOTA: &[&str] = &["daily message quota exceeded"];

const RECIPIENT: &[&str] = &["recipient address rejected"];

/// What `reply` is about by its words, if they are known.
pub(crate) fn about(reply: &Reply) -> Option<About> {
    let text = plain(&reply.text());
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    // Relaying comes before the recipient: it is said of a recipient's address.
    let known = [
        (QUOTA, About::Quota),
        (SENDER, About::Sender),
        (RECIPIENT, About::Recipient),
        (ACCOUNT, About::Account),
    ];
    known.into_iter().find_map(|(phrases, about)| has(phrases).then_some(about))
}

/// The words alone, in small letters: without addresses, and without the codes that stand before each line.
fn plain(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('<') {
        kept.push_str(before);
        match from.split_once('>') {
            Some((_, after)) => rest = after,
            // It does not end, so it is a sign like any other.
            None => rest = from,
        }
        kept.push(' ');
    }
    kept.push_str(rest);
    let is_code = |word: &str| word.bytes().all(|b| b.is_ascii_digit() || b".#()".contains(&b));
    let words = kept.split_whitespace().filter(|word| !word.contains('@') && !is_code(word));
    words.collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(text: &str) -> Option<About> {
        about(&Reply { code: 550, lines: text.lines().map(str::to_owned).collect() })
    }

    #[test]
    fn known_phrases_say_what_it_is_about() {
        for (text, expected) in [
            ("relay not permitted", About::Sender),
            ("<jane@example.org>: Relay access denied", About::Sender),
            ("<jane@example.org>: Recipient address rejected: Relay access denied", About::Sender),
            ("jane@example.org... Relaying denied. Proper authentication required.", About::Sender),
            ("Unable to relay for jane@example.org", About::Sender),
            ("we do not relay", About::Sender),
            ("5.7.1 relay\n5.7.1 not permitted", About::Sender),
            ("sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", About::Sender),
            ("SMTP authentication is required.", About::Sender),
            ("This server requires authentication", About::Sender),
            ("Sender verify failed", About::Sender),
            ("<otp@example.org>: Sender address rejected: Access denied", About::Sender),
            ("SendAsDenied; otp@example.org not allowed to send as a@example.org", About::Sender),
            ("Client does not have permissions to send as this sender", About::Sender),
            ("<jane@example.org>: Recipient address rejected: Access denied", About::Recipient),
            ("Message rejected: Email address is not verified.", About::Account),
            ("Sending paused for this account.", About::Account),
            ("Throttling failure: Daily message quota exceeded.", About::Quota),
        ] {
            assert_eq!(said(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn an_echoed_address_says_nothing() {
        for text in [
            "<newsletter-sender@example.org>: User unknown",
            "<\"relay not permitted\"@example.org>: User unknown",
            "<jane@relay.example.org> no such user",
            "no such user: authentication@example.org",
            "[relay@example.org]: rejected",
            "unknown user \"rcpthosts@example.org\"",
            "<relay@example.org",
            "1 < 2",
            "no such user: sender",
            "the sender was told",
            "",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_in_an_address_says_nothing(
            local in "[a-z .]{0,20}", phrase in prop::sample::select([SENDER, ACCOUNT, QUOTA, RECIPIENT].concat()),
        ) {
            prop_assert_eq!(said(&format!("<{local}{phrase}@example.org>: User unknown")), None);
            let one_word = phrase.replace(' ', ".");
            prop_assert_eq!(said(&format!("{one_word}@example.org: User unknown")), None);
            let beside = format!("<{local}@example.org>: {phrase}");
            prop_assert!(said(&beside).is_some());
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}", signs in "[<>@ .]{0,20}") {
            let _ = (said(&text), said(&signs));
        }
    }
}
