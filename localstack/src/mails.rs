//! Mails as the viewer keeps them.

use anyhow::{Context as _, Result};
use data_encoding::BASE64;
use serde::Deserialize;

use crate::proxy;

/// A mail that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The viewer's own id.
    pub id: String,
    /// From, as in the header.
    pub from: String,
    /// Recipients, as in the header.
    pub to: Vec<String>,
    /// Subject.
    pub subject: String,
    /// The plain text part.
    pub text: String,
    /// The HTML part; the viewer writes inline pictures into it.
    pub html: String,
    /// Attachments and inline parts.
    pub attachments: Vec<Attachment>,
}

/// A part of a mail beside its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Media type.
    pub content_type: String,
    /// `inline` or `attachment`.
    pub disposition: String,
    /// Content id, without angle brackets.
    pub content_id: Option<String>,
    /// File name.
    pub filename: Option<String>,
    /// The decoded bytes.
    pub content: Vec<u8>,
}

impl Mail {
    /// Whether `address` is among the recipients.
    #[must_use]
    pub fn is_to(&self, address: &str) -> bool {
        self.to.iter().any(|recipient| {
            recipient.split(',').any(|one| one.trim() == address || one.contains(&format!("<{address}>")))
        })
    }

    /// The first link in the text that starts with `base`.
    #[must_use]
    pub fn link(&self, base: &str) -> Option<&str> {
        let start = self.text.find(base)?;
        let rest = self.text.get(start..)?;
        let end = rest.find(|c: char| c.is_whitespace() || "<>\"')".contains(c)).unwrap_or(rest.len());
        rest.get(..end)
    }

    /// The first inline PNG.
    #[must_use]
    pub fn inline_png(&self) -> Option<&Attachment> {
        let inline = |part: &&Attachment| part.content_type == "image/png" && part.content_id.is_some();
        self.attachments.iter().find(inline)
    }
}

/// All mails of the viewer at `viewer`, oldest first.
///
/// # Errors
/// The viewer does not answer, or its store has a mail we cannot read.
pub async fn fetch(viewer: &str) -> Result<Vec<Mail>> {
    let response = proxy::client().get(format!("{viewer}/store")).send().await?.error_for_status()?;
    parse(&response.text().await?)
}

/// Reads the viewer's store.
///
/// # Errors
/// A mail cannot be read.
pub fn parse(json: &str) -> Result<Vec<Mail>> {
    let store: Store = serde_json::from_str(json).context("the viewer's store is odd")?;
    store.emails.into_iter().map(Mail::try_from).collect()
}

#[derive(Deserialize)]
struct Store {
    emails: Vec<Email>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Email {
    message_id: String,
    from: String,
    destination: Destination,
    subject: String,
    body: Texts,
    attachments: Vec<Part>,
}

#[derive(Deserialize)]
struct Destination {
    to: Vec<String>,
}

#[derive(Deserialize)]
struct Texts {
    #[serde(default)]
    text: String,
    #[serde(default)]
    html: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    content: String,
    content_type: String,
    #[serde(default)]
    content_disposition: Option<String>,
    #[serde(default)]
    content_id: Option<String>,
    #[serde(default)]
    filename: Option<String>,
}

impl TryFrom<Email> for Mail {
    type Error = anyhow::Error;

    fn try_from(email: Email) -> Result<Self> {
        Ok(Self {
            id: email.message_id,
            from: email.from,
            to: email.destination.to,
            subject: email.subject,
            text: email.body.text,
            html: email.body.html,
            attachments: email.attachments.into_iter().map(Attachment::try_from).collect::<Result<_>>()?,
        })
    }
}

impl TryFrom<Part> for Attachment {
    type Error = anyhow::Error;

    fn try_from(part: Part) -> Result<Self> {
        let content_id =
            part.content_id.map(|id| id.trim_start_matches('<').trim_end_matches('>').to_owned());
        Ok(Self {
            content_type: part.content_type,
            disposition: part.content_disposition.unwrap_or_default(),
            content_id,
            filename: part.filename,
            content: BASE64.decode(part.content.as_bytes()).context("an attachment is not base64")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: &str = r#"{"templates":{},"emails":[{"messageId":"ses-1","from":"Otpost <otp@example.org>","replyTo":[],
      "destination":{"to":["Jane Doe <jane@example.org>, joe@example.org"],"cc":[],"bcc":[]},"subject":"Hello","at":1,
      "body":{"text":"Open http://127.0.0.1:8400/e/abc-1.\nThen (http://127.0.0.1:8400/e/abc-1) again"},
      "attachments":[
        {"type":"attachment","content":"AQID","contentType":"image/png","contentDisposition":"inline",
         "contentId":"<qr@otpost>","cid":"qr@otpost","size":3,"related":true},
        {"content":"aGk=","contentType":"text/plain","filename":"a.txt","size":2}]}]}"#;

    #[test]
    fn the_store_is_read_with_its_inline_parts() {
        let mails = parse(STORE).unwrap();
        let [mail] = mails.as_slice() else { panic!("one mail") };
        assert_eq!(mail.subject, "Hello");
        assert_eq!(mail.html, "");
        assert!(mail.is_to("jane@example.org") && mail.is_to("joe@example.org"));
        assert!(!mail.is_to("ane@example.org") && !mail.is_to("jane@example.or"));
        let png = mail.inline_png().unwrap();
        assert_eq!((png.content.as_slice(), png.content_id.as_deref()), (&[1, 2, 3][..], Some("qr@otpost")));
        assert_eq!(mail.attachments[1].filename.as_deref(), Some("a.txt"));
    }

    #[test]
    fn the_link_ends_where_the_text_goes_on() {
        let mut mail = parse(STORE).unwrap().remove(0);
        mail.text = "Open\nhttp://127.0.0.1:8400/e/abc_1\nor not".to_owned();
        assert_eq!(mail.link("http://127.0.0.1:8400/e/"), Some("http://127.0.0.1:8400/e/abc_1"));
        mail.text = "<http://127.0.0.1:8400/e/x>".to_owned();
        assert_eq!(mail.link("http://127.0.0.1:8400/e/"), Some("http://127.0.0.1:8400/e/x"));
        assert_eq!(mail.link("https://elsewhere/"), None);
    }

    #[test]
    fn what_is_no_store_is_an_error() {
        assert!(parse("{}").is_err());
        assert!(parse(&STORE.replace("AQID", "%%%%")).is_err());
    }
}
