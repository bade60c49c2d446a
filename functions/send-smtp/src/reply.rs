//! A server's answer (RFC 5321 section 4.2).

/// An enhanced status code (RFC 3463) without its class, which is that of the reply code.
pub(crate) type Enhanced = (u16, u16);

/// An answer, whole.
pub(crate) struct Reply {
    /// The three digits.
    pub(crate) code: u16,
    /// What stands behind them, a text a line.
    pub(crate) lines: Vec<String>,
}

impl Reply {
    /// Whether the server did what it was asked (RFC 5321 section 4.2.1).
    pub(crate) const fn is_positive(&self) -> bool {
        matches!(self.code, 200..=299)
    }

    /// The enhanced code at the beginning of a line, if it is of the class of the reply code (RFC 2034 section 4); else
    /// one as qmail writes it, `(#5.7.1)`.
    pub(crate) fn enhanced(&self) -> Option<Enhanced> {
        let first = self.lines.iter().filter_map(|line| line.split_whitespace().next());
        let marked = self.lines.iter().flat_map(|line| line.split_whitespace());
        let marked = marked.filter_map(|word| word.strip_prefix("(#")?.split(')').next());
        first.chain(marked).find_map(|word| {
            let mut numbers = word.splitn(3, '.');
            let (class, subject, detail) =
                (number(numbers.next()?)?, number(numbers.next()?)?, numbers.next()?);
            (class == self.code / 100).then_some((subject, number(detail)?))
        })
    }

    /// What it says, in one line.
    pub(crate) fn text(&self) -> String {
        let words = self.lines.iter().flat_map(|line| line.split_whitespace());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// One to three digits (RFC 3463 section 2).
fn number(text: &str) -> Option<u16> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// A line of an answer: its code, whether it is the last, and its text.
pub(crate) fn line(text: &str) -> Option<(u16, bool, &str)> {
    let (digits, rest) = text.split_at_checked(3)?;
    let code = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    let last = !rest.starts_with('-');
    let told = if rest.is_empty() { rest } else { rest.strip_prefix(['-', ' '])? };
    (200..600).contains(&code).then_some((code, last, told))
}

/// What a server offers in its answer to EHLO (RFC 5321 section 4.1.1.1).
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Offers {
    /// STARTTLS (RFC 3207).
    pub(crate) starttls: bool,
    /// Mechanisms of AUTH (RFC 4954), in capitals.
    pub(crate) mechanisms: Vec<String>,
    /// SIZE (RFC 1870): the server wants to hear how large a mail is.
    pub(crate) size: bool,
    /// The most bytes that it takes, if it says so.
    pub(crate) most: Option<usize>,
}

impl Offers {
    pub(crate) fn of(reply: &Reply) -> Self {
        let mut offers = Self::default();
        // The first line is the server's name.
        for line in reply.lines.iter().skip(1) {
            // Before there was a standard, servers wrote `AUTH=LOGIN`.
            let line = line.to_ascii_uppercase().replacen("AUTH=", "AUTH ", 1);
            let mut words = line.split_whitespace();
            match words.next() {
                Some("STARTTLS") => offers.starttls = true,
                Some("AUTH") => offers.mechanisms.extend(words.map(str::to_owned)),
                Some("SIZE") => {
                    offers.size = true;
                    offers.most = words.next().and_then(|word| word.parse().ok()).filter(|most| *most > 0);
                }
                _ => {}
            }
        }
        offers
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reply(code: u16, lines: &[&str]) -> Reply {
        Reply { code, lines: lines.iter().map(|line| (*line).to_owned()).collect() }
    }

    #[test]
    fn lines_are_read() {
        assert_eq!(line("250-SIZE 100"), Some((250, false, "SIZE 100")));
        assert_eq!(line("250 ok"), Some((250, true, "ok")));
        assert_eq!(line("354"), Some((354, true, "")));
        assert_eq!(line("250-"), Some((250, false, "")));
        for wrong in
            ["", "25", "25x ok", "2500 ok", "250ok", "199 ok", "600 ok", "SSH-2.0", "é50 ok", "+25 a"]
        {
            assert_eq!(line(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn enhanced_codes_are_of_the_replys_class() {
        assert_eq!(reply(550, &["5.1.1 no such user"]).enhanced(), Some((1, 1)));
        assert_eq!(reply(550, &["see below", "5.7.26 x"]).enhanced(), Some((7, 26)));
        assert_eq!(reply(451, &["4.7.500 busy"]).enhanced(), Some((7, 500)));
        assert_eq!(reply(553, &["sorry, not in my list (#5.7.1)."]).enhanced(), Some((7, 1)));
        for none in ["4.1.1 x", "5.1 x", "5.1.1.1 x", "5.1.x", "no", "", "5.1.1000 x", "5.+1.1 x"] {
            assert_eq!(reply(550, &[none]).enhanced(), None, "{none}");
        }
    }

    #[test]
    fn offers_are_read_whatever_their_case() {
        let read = |lines: &[&str]| Offers::of(&reply(250, lines));
        let offers =
            read(&["STARTTLS.example.org", "size 1000", "Auth plain LOGIN", "StartTLS", "AUTH=NTLM"]);
        assert!(offers.starttls);
        assert_eq!((offers.size, offers.most), (true, Some(1000)));
        assert_eq!(offers.mechanisms, ["PLAIN", "LOGIN", "NTLM"]);
        assert_eq!(read(&["STARTTLS"]), Offers::default());
        for unlimited in ["SIZE", "SIZE 0"] {
            let offers = read(&["x", unlimited]);
            assert_eq!((offers.size, offers.most), (true, None));
        }
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_is_read_or_refused(code in 200_u16..600, lines in prop::collection::vec("\\PC{0,40}", 0..4)) {
            for text in &lines {
                if let Some((code, _, told)) = line(text) {
                    prop_assert!(text.starts_with(&code.to_string()) && text.ends_with(told));
                }
            }
            let reply = Reply { code, lines };
            let _ = (reply.enhanced(), crate::words::about(&reply), Offers::of(&reply));
            let id = crate::queue_id::of(&reply);
            prop_assert!(id.is_none_or(|id| id.len() <= 128 && !id.contains(['@', ' ', '<'])));
        }

        #[test]
        fn every_code_is_read_as_it_stands(code in 200_u16..600, last in any::<bool>(), told in "[a-z ]{0,9}") {
            let text = format!("{code}{}{told}", if last { ' ' } else { '-' });
            prop_assert_eq!(line(&text), Some((code, last, told.as_str())));
        }
    }
}
