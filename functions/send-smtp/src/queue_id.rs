//! By what name a server knows a mail that it took.

use crate::reply::Reply;

/// The id in the answer to a mail's end, in the words of servers that are common.
pub(crate) fn of(reply: &Reply) -> Option<String> {
    let text = reply.text();
    let words: Vec<&str> = text.split(' ').collect();
    let after = |name: &str| {
        let found = words.iter().find_map(|word| word.strip_prefix(name))?;
        Some(found.trim_end_matches([',', ']', ')']))
    };
    let behind = |first: &str, second: &str| {
        let at = words.windows(2).position(|pair| pair == [first, second])?;
        words.get(at + 2).copied()
    };
    let before = |phrase: &str| text.split_once(phrase)?.0.rsplit(' ').next();
    let alone = || match words.as_slice() {
        // Amazon SES.
        ["Ok" | "OK", id] => Some(*id),
        _ => None,
    };
    let exchange = after("[InternalId=").filter(|id| is_id(id));
    let other = || {
        behind("queued", "as") // Postfix
            .or_else(|| after("id=")) // Exim
            .or_else(|| before(" Message accepted for delivery")) // Sendmail
            .or_else(|| before(" - gsmtp")) // Google
            .or_else(alone)
            .filter(|id| is_id(id) && !may_be_told(id))
    };
    exchange.or_else(other).map(str::to_owned)
}

/// Whether it may be a telephone number or a code, which nobody is to read in a record: digits and signs, and no more
/// digits than a number has (E.164).
fn may_be_told(text: &str) -> bool {
    !text.bytes().any(|b| b.is_ascii_alphabetic()) && text.bytes().filter(u8::is_ascii_digit).count() <= 15
}

/// It is shown and logged, so it must be no text of the server's.
fn is_id(text: &str) -> bool {
    (5..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+/".contains(&b))
        && text.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<String> {
        of(&Reply { code: 250, lines: text.lines().map(str::to_owned).collect() })
    }

    #[test]
    fn usual_answers_have_an_id() {
        for (text, id) in [
            ("2.0.0 Ok: queued as 4bXk2w6nZyz1", "4bXk2w6nZyz1"),
            ("2.0.0 Ok: queued as 9D1F82A0C5", "9D1F82A0C5"),
            ("OK id=1tFabc-0000000ABCD-1xyZ", "1tFabc-0000000ABCD-1xyZ"),
            (
                "2.6.0 <m@example.org> [InternalId=21474836481, Hostname=a.example.com] Queued mail for delivery",
                "21474836481",
            ),
            ("2.6.0 <m@example.org> [InternalId=123456] Queued mail for delivery", "123456"),
            ("2.0.0 Ok: queued as 1234567890123456", "1234567890123456"),
            ("2.0.0 4AM8abcd012345 Message accepted for delivery", "4AM8abcd012345"),
            ("2.0.0 OK  1732000000 5b1f17b1804b1-432.123 - gsmtp", "5b1f17b1804b1-432.123"),
            ("Ok 0102018f0000-aaaa-bbbb-cccc-000000", "0102018f0000-aaaa-bbbb-cccc-000000"),
        ] {
            assert_eq!(found(text).as_deref(), Some(id), "{text}");
        }
    }

    #[test]
    fn other_words_are_no_id() {
        for text in [
            "2.0.0 Ok",
            "OK",
            "Ok thanks",
            "queued as",
            "queued as jane@example.org1",
            "id=",
            "id=<script1>",
            "Message accepted for delivery",
            "2.0.0 Ok: queued as 447700900123",
            "2.0.0 Ok: queued as +447700900123",
            "2.0.0 Ok: queued as +44-7700-900123",
            "OK id=123456",
            "2.0.0 123456 Message accepted for delivery",
            "Ok 123456",
            "",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
