//! What a sender function adds to the way of a message: one request to its provider.

use std::fmt;
use std::time::Duration;

use otpost_domain::contact::{EmailAddress, PhoneNumber};
use otpost_domain::gateway::{Credentials, Kind, Settings};
use otpost_domain::outcome::Report;
use otpost_domain::secret::SecretText;

use crate::ports::MessageRef;
use crate::texts::InlinePng;

/// A provider, as its sender function knows it.
pub trait Provider: Send + Sync {
    /// Makes one request and says what became of it. It ends within [`Order::deadline`], whatever the provider does.
    fn send(&self, order: &Order<'_>) -> impl Future<Output = Report> + Send;

    /// The settings of the deployment's own account, for messages that go by no gateway; none where it has none.
    fn own(&self) -> Option<&Settings> {
        None
    }

    /// The kind of gateway whose settings and credentials it understands.
    fn kind(&self) -> Kind;
}

/// One request to a provider.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The message that it carries. The Message-ID of a mail derives from its id and is the same for each hop.
    pub message: &'a MessageRef,
    /// The hop that this request is.
    pub hop: u16,
    /// The gateway's settings, of the provider's kind.
    pub settings: &'a Settings,
    /// The gateway's credentials, if it has any: of the settings' kind.
    pub credentials: Option<&'a Credentials>,
    /// What is to be sent.
    pub letter: &'a Letter,
    /// How long the message is still worth having.
    pub life: Duration,
    /// Where the provider is to tell what becomes of it; none where it cannot be told.
    pub receipts: Option<&'a str>,
    /// How long the request may take in all: connecting, asking, and the answer.
    pub deadline: Duration,
    /// Whether what becomes of the mail may be told of the message: not of one that a third party makes a text of.
    pub followed: bool,
    /// Whether an operator waits for what the provider says: then more may be asked, and more is told.
    pub test: bool,
}

impl Order<'_> {
    /// What the provider may know the request by: no other request of any tenant has it, and nothing personal is in it.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}/{}/{}", self.message.tenant, self.message.id, self.hop)
    }
}

/// What is to be sent.
#[derive(Clone, Debug)]
pub enum Letter {
    /// A mail.
    Email(OutgoingEmail),
    /// A text.
    Text(OutgoingText),
}

/// A rendered mail.
#[derive(Clone, Debug)]
pub struct OutgoingEmail {
    /// The recipient.
    pub to: EmailAddress,
    /// From whom it comes.
    pub from: EmailAddress,
    /// The sender's name.
    pub from_name: Option<String>,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<EmailAddress>,
    /// Subject line. It holds no link and no code, except where a third party that turns mails into texts wants it so.
    pub subject: SecretText,
    /// Text part.
    pub text: SecretText,
    /// HTML part.
    pub html: Option<SecretText>,
    /// The pictures that the HTML part shows.
    pub pictures: Vec<InlinePng>,
}

/// A rendered text.
#[derive(Clone)]
pub struct OutgoingText {
    /// The recipient.
    pub to: PhoneNumber,
    /// What it says.
    pub text: SecretText,
    /// The code in it, for providers that keep the words around it themselves.
    pub code: Option<SecretText>,
}

impl fmt::Debug for OutgoingText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OutgoingText(…)")
    }
}
