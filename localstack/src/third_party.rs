//! The third party that turns mails into texts: a mail to a number at [`DOMAIN`] arrives on the
//! [phone](crate::phone) too. It looks at every mail, whoever carries it.

use mail_parser::MessageParser;

use crate::host;
use crate::phone::{Phone, Text};

/// The domain whose mailboxes are numbers in international form, such as `447700900123@sms.example.net`.
pub const DOMAIN: &str = "sms.example.net";

/// A number has 8 to 15 digits and does not begin with 0 (ITU-T E.164 section 6).
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// The third party.
#[derive(Clone, Debug)]
pub struct ThirdParty {
    phone: Phone,
}

impl ThirdParty {
    /// One whose texts arrive on `phone`.
    #[must_use]
    pub fn new(phone: Phone) -> Self {
        Self { phone }
    }

    /// Reads a mail that was taken, as MIME. Each number that it is for gets its plain text; any other mail is left
    /// alone.
    pub fn read(&self, mime: &[u8]) {
        let Some(mail) = MessageParser::default().parse(mime) else { return };
        let addresses = |header: Option<&mail_parser::Address<'_>>| -> Vec<String> {
            let all = header.into_iter().flat_map(mail_parser::Address::iter);
            all.filter_map(|one| one.address().map(str::to_owned)).collect()
        };
        let from = addresses(mail.from()).into_iter().next().unwrap_or_default();
        let body = mail.body_text(0).unwrap_or_default().replace("\r\n", "\n").trim_end().to_owned();
        for to in addresses(mail.to()).iter().filter_map(|to| number(to)) {
            let (from, body) = (from.clone(), body.clone());
            self.phone.receive(Text { to, from, body, by: "email_to_sms", at: host::unix_time() });
        }
    }
}

/// The number that an address stands for, in international form.
fn number(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let digits = local.strip_prefix('+').unwrap_or(local);
    let fits = DIGITS.contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    (fits && domain.eq_ignore_ascii_case(DOMAIN)).then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(mail: &str) -> Vec<Text> {
        let phone = Phone::default();
        ThirdParty::new(phone.clone()).read(mail.replace('\n', "\r\n").as_bytes());
        phone.texts()
    }

    fn mail(to: &str) -> String {
        format!("From: Acme <otp@acme.example>\nTo: {to}\nSubject: x\n\nYour code is 314159\n")
    }

    #[test]
    fn a_mail_to_a_number_becomes_a_text() {
        let before = host::unix_time();
        let texts = texts(&mail("447700900123@sms.example.net"));
        let [text] = texts.as_slice() else { panic!("one text") };
        assert_eq!((text.to.as_str(), text.from.as_str()), ("+447700900123", "otp@acme.example"));
        assert_eq!((text.body.as_str(), text.by), ("Your code is 314159", "email_to_sms"));
        assert!(text.at >= before);
    }

    #[test]
    fn each_number_gets_it_and_nobody_else() {
        let to = "<+447700900123@SMS.example.net>, jane@example.org, \"Joe\" <41790000001@sms.example.net>";
        let numbers: Vec<_> = texts(&mail(to)).into_iter().map(|text| text.to).collect();
        assert_eq!(numbers, ["+447700900123", "+41790000001"]);
    }

    #[test]
    fn what_is_no_number_there_is_left_alone() {
        for to in [
            "jane@sms.example.net",
            "447700900123@example.net",
            "447700900123@sms.example.net.example.org",
            "07700900123@sms.example.net",
            "1234567@sms.example.net",
            "1234567890123456@sms.example.net",
            "++447700900123@sms.example.net",
        ] {
            assert_eq!(texts(&mail(to)), [], "{to}");
        }
        assert_eq!(texts(""), []);
    }

    #[test]
    fn its_plain_text_is_decoded() {
        let mime = "From: a@example.org\nTo: 447700900123@sms.example.net\nMIME-Version: 1.0\n\
            Content-Type: multipart/alternative; boundary=b\n\n\
            --b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n\
            Gr=C3=BCezi, 20 =E2=82=AC\nzwei\n--b\nContent-Type: text/html\n\n<p>Other</p>\n--b--\n";
        assert_eq!(texts(mime).remove(0).body, "Grüezi, 20 €\nzwei");
    }
}
