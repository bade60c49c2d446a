//! Templates of the messages that people receive.
//!
//! A template has an e-mail form, an SMS form, or both. It is checked when it is saved, so that filling cannot fail.
//! Values are put in once and never searched for wildcards again; in HTML they are escaped; their line breaks and control
//! characters become spaces. So no name that a user chose can add a wildcard, a tag, or a header to a message.
//!
//! [`choose`] says whose texts a message gets; [`builtin`] are there from the start.

mod brand;
pub mod builtin;
mod choice;
mod document;
mod fallback;
mod faults;
mod filling;
mod form;
mod html;
mod kind;
mod name;
mod purpose;
mod sample;
mod senders;
mod sms;
mod stored;
mod test_text;
mod wildcards;

pub use brand::{Brand, BrandDocument, Colour, InvalidColour, InvalidLogo, Logo, MOST_OF_LOGO};
pub use choice::{Chosen, Reader, choose};
pub use document::TemplateDocument;
pub use fallback::came_instead;
pub use faults::{FaultKind, Part, TemplateFault};
pub use form::{
    EmailForm, EmailTexts, FilledEmail, FilledSms, From, Image, Look, MOST_PARTS, SmsForm, Values,
};
pub use html::HtmlFault;
pub use kind::TemplateKind;
pub use name::{InvalidTemplateName, TemplateName};
pub use purpose::CodePurpose;
pub use sample::Sample;
pub use senders::{SenderReview, may_send_from, review_senders, sender_faults};
pub use sms::{Encoding, Forced, SmsSize, measure};
pub use stored::{
    MOST_NAMES, MOST_OF_TEXTS, MOST_TEMPLATES, MOST_VERSIONS, Shape, TemplateHead, TemplateVersion,
};
pub use test_text::{InvalidTest, TestCode, TestText};
pub use wildcards::Wildcard;

/// Line and column of a character's first place in a text.
fn position_of(text: &str, character: char) -> Option<(usize, usize)> {
    text.find(character).map(|byte| wildcards::position(text, byte))
}

#[cfg(test)]
mod tests;
