//! A mail as MIME: text and HTML as alternatives, pictures inline beside the HTML.

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use otpost_domain::contact::EmailAddress;
use otpost_domain::ids::MessageId;
use otpost_service::provider::OutgoingEmail;

/// The Message-ID of a mail: the same for each try, so that whoever gets a mail twice can know it (RFC 5322 section
/// 3.6.4).
#[must_use]
pub fn message_id(id: &MessageId, from: &EmailAddress) -> String {
    format!("<{id}@{}>", from.domain())
}

/// Builds the mail. Amazon SES puts a Message-ID of its own in the place of ours.
///
/// # Errors
/// When an address or another header cannot be written; says nothing of its value.
pub fn compose(id: &MessageId, mail: &OutgoingEmail) -> Result<Vec<u8>, &'static str> {
    let to = address(&mail.to).ok_or("the recipient's address cannot be written")?;
    let from = address(&mail.from).ok_or("the sender's address cannot be written")?;
    let mut message = Message::builder()
        .from(Mailbox::new(mail.from_name.as_deref().map(one_line), from))
        .to(Mailbox::new(None, to))
        .subject(one_line(mail.subject.expose()))
        .message_id(Some(message_id(id, &mail.from)))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"));
    if let Some(reply_to) = &mail.reply_to {
        let reply_to = address(reply_to).ok_or("the address for answers cannot be written")?;
        message = message.reply_to(Mailbox::new(None, reply_to));
    }
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

fn address(address: &EmailAddress) -> Option<Address> {
    address.expose().parse().ok()
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
    use otpost_domain::qr;
    use otpost_domain::secret::SecretText;
    use otpost_domain::time::Timestamp;
    use otpost_service::texts::InlinePng;

    const LINK: &str = "https://otp.example.org/e/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn id() -> MessageId {
        MessageId::new(Timestamp::from_seconds(1_800_000_000), [1; 10])
    }

    fn mail() -> OutgoingEmail {
        OutgoingEmail {
            to: EmailAddress::try_from("jane@example.org").unwrap(),
            from: EmailAddress::try_from("otp@mail.example.org").unwrap(),
            from_name: Some("Acme, \"Ltd\" – Zürich".to_owned()),
            reply_to: EmailAddress::try_from("help@example.org").ok(),
            subject: SecretText::new("Ihr Zugang für Zürich"),
            text: SecretText::new(format!("Grüezi\n\n{LINK}\n")),
            html: Some(SecretText::new(format!("<p>Grüezi</p><img src=\"cid:qr@otpost\" alt=\"{LINK}\">"))),
            pictures: vec![InlinePng { content_id: "qr@otpost", png: qr::png(LINK, 8).unwrap() }],
        }
    }

    #[test]
    fn an_encoded_word_in_a_name_stays_as_it_is() {
        for text in ["Hi =?utf-8?B?4oCuZXZpbA0KQmNjOiB4QHkueg==?=", "Hi =?utf-8?Q?a=0D=0ABcc:_x@y.z?= é"] {
            let subject = SecretText::new(text);
            let mail = OutgoingEmail { subject, from_name: Some(text.to_owned()), ..mail() };
            let bytes = compose(&id(), &mail).unwrap();
            let parsed = MessageParser::default().parse(&bytes).unwrap();
            assert_eq!(parsed.subject(), Some(text.replace("=?", "= ?").as_str()));
            let name = parsed.from().unwrap().first().unwrap().name().unwrap();
            assert!(name.contains("= ?utf-8?") && !name.contains("Bcc: x@y.z"), "{name}");
        }
    }

    #[test]
    fn an_independent_parser_finds_text_html_and_the_picture() {
        let bytes = compose(&id(), &mail()).unwrap();
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        assert_eq!(parsed.subject(), Some("Ihr Zugang für Zürich"));
        let from = parsed.from().unwrap().first().unwrap();
        assert_eq!(
            (from.name(), from.address()),
            (Some("Acme, \"Ltd\" – Zürich"), Some("otp@mail.example.org"))
        );
        assert_eq!(parsed.reply_to().unwrap().first().unwrap().address(), Some("help@example.org"));
        assert_eq!(parsed.message_id().unwrap(), format!("{}@mail.example.org", id()));
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
        let mut evil = mail();
        evil.subject = SecretText::new("a\r\nBcc: b@example.org");
        evil.from_name = Some("a\r\nBcc: c@example.org".to_owned());
        let bytes = compose(&id(), &evil).unwrap();
        assert!(MessageParser::default().parse(&bytes).unwrap().bcc().is_none());
    }
}
