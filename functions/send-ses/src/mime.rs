//! A mail as MIME: text and HTML as alternatives, the QR picture inline beside the HTML.

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use otpost_service::send::OutgoingEmail;

/// Who mails come from: an address, and a name where the tenant gives none.
#[derive(Clone, Debug)]
pub struct Sender {
    address: Address,
    domain: String,
}

/// The configured sender is no mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sender must be a mailbox such as Otpost <otp@example.org>")]
pub struct BadSender;

impl Sender {
    /// Reads a mailbox, e.g. `Otpost <otp@example.org>`.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, BadSender> {
        let mailbox: Mailbox = text.parse().map_err(|_| BadSender)?;
        let domain = mailbox.email.domain().to_owned();
        Ok(Self { address: mailbox.email, domain })
    }
}

/// Builds the mail. Its Message-ID derives from the message's id; SES puts its own in that place.
///
/// # Errors
/// When the recipient or another header cannot be written; says nothing of its value.
pub fn compose(sender: &Sender, mail: &OutgoingEmail) -> Result<Vec<u8>, &'static str> {
    let to = mail.to.expose().parse::<Address>().map_err(|_| "the recipient's address cannot be written")?;
    let from = match &mail.from {
        Some(address) => address.expose().parse().map_err(|_| "the sender's address cannot be written")?,
        None => sender.address.clone(),
    };
    let message = Message::builder()
        .from(Mailbox::new(Some(one_line(&mail.from_name)), from))
        .to(Mailbox::new(None, to))
        .subject(one_line(&mail.subject))
        .message_id(Some(format!("<{}@{}>", mail.message.id, sender.domain)))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"));
    let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(mail.text.expose().to_owned());
    let built = match &mail.html {
        None => message.singlepart(text),
        Some(html) => {
            let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(html.expose().to_owned());
            let alternatives = MultiPart::alternative().singlepart(text);
            let png = ContentType::parse("image/png").map_err(|_| "the pictures' type cannot be written")?;
            message.multipart(if mail.pictures.is_empty() {
                alternatives.singlepart(html)
            } else {
                let related = MultiPart::related().singlepart(html);
                alternatives.multipart(mail.pictures.iter().fold(related, |related, picture| {
                    let id = picture.content_id;
                    // The part before the @ names the file.
                    let file = format!("{}.png", id.split('@').next().unwrap_or(id));
                    let attachment = Attachment::new_inline_with_name(id.to_owned(), file);
                    related.singlepart(attachment.body(picture.png.clone(), png.clone()))
                }))
            })
        }
    };
    built.map(|message| message.formatted()).map_err(|_| "the mail cannot be built")
}

/// Header values hold no line break, wherever they come from, and nothing that readers would decode (RFC 2047 section 2):
/// what looks like an encoded word is text here.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.replace("=?", "= ?")
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::{MessageParser, MimeHeaders as _};
    use otpost_domain::ids::{MessageId, TenantId};
    use otpost_domain::qr;
    use otpost_domain::secret::SecretText;
    use otpost_domain::time::Timestamp;
    use otpost_service::ports::MessageRef;
    use otpost_service::texts::InlinePng;

    const LINK: &str = "https://otp.example.org/e/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn mail() -> OutgoingEmail {
        OutgoingEmail {
            message: MessageRef {
                tenant: TenantId::try_from("acme").unwrap(),
                id: MessageId::new(Timestamp::from_seconds(1_800_000_000), [1; 10]),
            },
            to: SecretText::new("jane@example.org"),
            from_name: "Acme, \"Ltd\" – Zürich".to_owned(),
            subject: "Ihr Zugang für Zürich".to_owned(),
            text: SecretText::new(format!("Grüezi\n\n{LINK}\n")),
            html: Some(SecretText::new(format!("<p>Grüezi</p><img src=\"cid:qr@otpost\" alt=\"{LINK}\">"))),
            from: None,
            pictures: vec![InlinePng { content_id: "qr@otpost", png: qr::png(LINK, 8).unwrap() }],
        }
    }

    #[test]
    fn an_encoded_word_in_a_name_stays_as_it_is() {
        let sender = Sender::parse("Otpost <otp@mail.example.org>").unwrap();
        for text in ["Hi =?utf-8?B?4oCuZXZpbA0KQmNjOiB4QHkueg==?=", "Hi =?utf-8?Q?a=0D=0ABcc:_x@y.z?= é"] {
            let mail = OutgoingEmail { subject: text.to_owned(), from_name: text.to_owned(), ..mail() };
            let bytes = compose(&sender, &mail).unwrap();
            let parsed = MessageParser::default().parse(&bytes).unwrap();
            assert_eq!(parsed.subject(), Some(text.replace("=?", "= ?").as_str()));
            let name = parsed.from().unwrap().first().unwrap().name().unwrap();
            assert!(name.contains("= ?utf-8?") && !name.contains("Bcc: x@y.z"), "{name}");
        }
    }

    #[test]
    fn an_independent_parser_finds_text_html_and_the_picture() {
        let sender = Sender::parse("Otpost <otp@mail.example.org>").unwrap();
        let bytes = compose(&sender, &mail()).unwrap();
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        assert_eq!(parsed.subject(), Some("Ihr Zugang für Zürich"));
        let from = parsed.from().unwrap().first().unwrap();
        assert_eq!(
            (from.name(), from.address()),
            (Some("Acme, \"Ltd\" – Zürich"), Some("otp@mail.example.org"))
        );
        assert!(parsed.message_id().unwrap().starts_with("msg_"));
        assert!(parsed.body_text(0).unwrap().contains(LINK));
        assert!(parsed.body_html(0).unwrap().contains("cid:qr@otpost"));
        assert_eq!(parsed.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
        let pictures: Vec<_> = parsed.attachments().collect();
        assert_eq!(pictures.len(), 1);
        assert_eq!(pictures[0].content_id(), Some("qr@otpost"));
        assert_eq!(pictures[0].contents(), qr::png(LINK, 8).unwrap());
    }

    #[test]
    fn no_value_adds_a_header() {
        let sender = Sender::parse("otp@example.org").unwrap();
        let mut evil = mail();
        evil.subject = "a\r\nBcc: b@example.org".to_owned();
        evil.from_name = "a\r\nBcc: c@example.org".to_owned();
        let bytes = compose(&sender, &evil).unwrap();
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        assert!(parsed.bcc().is_none());
        evil.to = SecretText::new("jane@example.org\r\nBcc: d@example.org");
        assert!(compose(&sender, &evil).is_err());
    }

    #[test]
    fn a_sender_is_a_mailbox() {
        assert!(Sender::parse("Otpost").is_err());
    }
}
