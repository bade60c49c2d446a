//! What the codes mean with which Twilio tells that a text did not arrive.
//!
//! Nothing is decided by them: Twilio splits its codes over time. They are explained to operators, in the words that the
//! sender has for them where it meets the same.

/// What is a code of Twilio's; any other number in its place is not repeated, because it could be anything.
const CODES: std::ops::RangeInclusive<u32> = 10_000..=99_999;

/// Codes and what they mean, in their order: part of a sentence, without a full stop.
pub const TABLE: &[(u32, &str)] = &[
    (21211, "the number is not valid"),
    (21408, "the account is not open for texts to the number's country"),
    (21610, "the recipient has told this sender to stop"),
    (21611, "the sender's queue is full"),
    (21612, "there is no way from this sender to this number"),
    (21614, "the number cannot get texts"),
    (21617, "the text is too long"),
    (21635, "the number is a landline"),
    (21703, "the messaging service has no sender"),
    (30001, "the queue is full"),
    (30002, "the account is suspended"),
    (30003, "the handset is switched off or out of reach"),
    (30004, "the number is blocked for texts"),
    (30005, "the number is not known or not in service"),
    (30006, "the number is a landline, or its carrier is out of reach"),
    (30007, "Twilio or the carrier took the text for spam"),
    (30008, "it was not delivered, and the carrier does not say why"),
    (30022, "the rate that the carriers allow for this sender is exceeded"),
    (30034, "the sender is not registered with the carriers of the United States"),
    (30036, "it was still in the queue when its time was over"),
    (30450, "blocked as fraud, with the whole destination, for some minutes"),
    (30453, "blocked as fraud, with the whole destination, for some hours"),
    (30454, "a trial account's limit of messages is reached"),
    (63038, "the account's limit of messages a day is reached"),
];

/// What a code means, if it is known.
#[must_use]
pub fn explain(code: u32) -> Option<&'static str> {
    TABLE
        .binary_search_by_key(&code, |(code, _)| *code)
        .ok()
        .and_then(|index| TABLE.get(index))
        .map(|(_, told)| *told)
}

/// A reason: the code that came with a status, and what it means, or else what the status alone says.
pub(super) fn reason(code: Option<&str>, status: &str) -> String {
    let code = code.and_then(|code| code.parse().ok()).filter(|code| CODES.contains(code));
    match (code, code.and_then(explain)) {
        (Some(code), told) => format!("Twilio {code}: {}", told.unwrap_or(status)),
        (None, _) => format!("Twilio: {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_table_is_found() {
        assert!(TABLE.is_sorted_by_key(|(code, _)| *code));
        for (code, told) in TABLE {
            assert!(CODES.contains(code));
            assert_eq!(explain(*code), Some(*told));
            assert_eq!(reason(Some(&code.to_string()), "x"), format!("Twilio {code}: {told}"));
            assert!(!told.ends_with('.') && !told.is_empty());
        }
    }

    #[test]
    fn only_codes_are_repeated() {
        assert_eq!(reason(Some("30999"), "it did not arrive"), "Twilio 30999: it did not arrive");
        for other in ["", "0", "482913", "+447700900123", "30003x", "Your code is 482913"] {
            assert_eq!(reason(Some(other), "it did not arrive"), "Twilio: it did not arrive", "{other}");
        }
        assert_eq!(reason(None, "it could not be sent"), "Twilio: it could not be sent");
    }
}
