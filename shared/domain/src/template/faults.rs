//! What can be wrong in a template, and where.

use core::fmt;

use super::html::HtmlFault;
use super::{TemplateKind, Wildcard};

/// Which text of a template a fault lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The name of an e-mail's sender.
    From,
    /// The subject of an e-mail.
    Subject,
    /// The plain text of an e-mail.
    Text,
    /// The HTML of an e-mail.
    Html,
    /// The text of an SMS.
    Sms,
}

impl Part {
    /// Most characters that a template's text may have here.
    #[must_use]
    pub const fn most(self) -> usize {
        match self {
            Self::From => 128,
            Self::Subject => 200,
            Self::Text => 20_000,
            Self::Html => 100_000,
            Self::Sms => 1_000,
        }
    }

    /// Whether it is one line, of which headers are made.
    #[must_use]
    pub const fn is_header(self) -> bool {
        matches!(self, Self::From | Self::Subject)
    }

    /// Where it stands in a template's document.
    #[must_use]
    pub const fn members(self) -> &'static [&'static str] {
        match self {
            Self::From => &["email", "from", "name"],
            Self::Subject => &["email", "subject"],
            Self::Text => &["email", "text"],
            Self::Html => &["email", "html"],
            Self::Sms => &["sms", "text"],
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::From => "from",
            Self::Subject => "subject",
            Self::Text => "text",
            Self::Html => "html",
            Self::Sms => "sms",
        })
    }
}

/// How often one wildcard may stand in a part: each time, its value is put in.
pub(super) const MOST_OF_ONE: usize = 50;

/// What is wrong in a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// Double brackets around something that is no wildcard.
    #[error("{written} is no wildcard; write one of {offered}", offered = offered(*.kind, *.part))]
    Unknown {
        /// What stands there, shortened.
        written: String,
        /// The template's kind.
        kind: TemplateKind,
        /// Where it stands.
        part: Part,
    },
    /// Double brackets that are not closed on the same line.
    #[error("[[ has no ]] on the same line")]
    Unclosed,
    /// A wildcard that has no value in templates of this kind.
    #[error("{wildcard} has no value in a template of the kind {kind}; it offers {offered}", wildcard = .wildcard.as_str(), kind = .kind.as_str(), offered = offered(*.kind, *.part))]
    NotOffered {
        /// The wildcard.
        wildcard: Wildcard,
        /// The template's kind.
        kind: TemplateKind,
        /// Where it stands.
        part: Part,
    },
    /// A picture or colour outside HTML, in a form that has an HTML part.
    #[error("{} may stand in the HTML part only, because only HTML can show it", .0.as_str())]
    OutsideHtml(Wildcard),
    /// A picture or colour in a form without an HTML part.
    #[error("{} needs an HTML part, because only HTML can show it; this form has none", .0.as_str())]
    NeedsHtml(Wildcard),
    /// A picture between `<` and `>`.
    #[error("{} becomes an <img> tag of its own, so it cannot stand inside another tag, a style or a comment", .0.as_str())]
    PictureInTag(Wildcard),
    /// A value where it could change what the HTML does.
    #[error("{} cannot stand here: outside of text a value may be in a quoted alt or title only, and [[LINK]] alone in a quoted href", .0.as_str())]
    ValueInTag(Wildcard),
    /// A wildcard that must not be shown in lists of mails and notifications.
    #[error("{text} is secret, so it cannot stand in a subject, which lists of mails and providers' events show", text = .0.as_str())]
    SecretInSubject(Wildcard),
    /// A wildcard in a sender's name.
    #[error("a sender's name is the same in all mails: it cannot have wildcards")]
    WildcardInName,
    /// What the message is for is missing.
    #[error("{} is missing, without which the reader {}", .0.as_str(), without(*.0))]
    Missing(Wildcard),
    /// HTML without link and picture.
    #[error("[[LINK]] or [[QRCODE]] is missing, so the reader could not enrol")]
    NoLinkNorQr,
    /// What the message is for stands only where it goes away together with the authorization code.
    #[error(
        "the line or paragraph of [[AUTHZCODE]] is left out when no code is required, so {} must stand elsewhere too", .0.as_str()
    )]
    LeavesWithCode(Wildcard),
    /// HTML that is none any more without the authorization code.
    #[error(
        "the line or paragraph of [[AUTHZCODE]] is left out when no code is required, and what is left would not be \
         allowed: give it a paragraph of its own"
    )]
    BreaksWithoutCode,
    /// Nothing but blanks.
    #[error("this part must not be empty")]
    Empty,
    /// A header has one line.
    #[error(
        "{0} cannot have line breaks, control characters or marks that turn the direction of writing: they could add headers to the mail, or hide what it says"
    )]
    ControlInHeader(&'static str),
    /// A character that breaks no line and is none that is written.
    #[error("there is a control character; only line breaks and tabs may stand here")]
    Control,
    /// Longer than [`Part::most`].
    #[error("this part has more than {0} characters")]
    TooLong(usize),
    /// The same wildcard again and again.
    #[error("{} stands here more than {MOST_OF_ONE} times", .0.as_str())]
    TooOften(Wildcard),
    /// An SMS of too many parts.
    #[error("with usual values this text takes {parts} parts, more than {most}{why}", why = why(*.forced_by))]
    TooManyParts {
        /// Parts that it takes.
        parts: usize,
        /// Parts that it may take.
        most: usize,
        /// The character that makes the parts shorter.
        forced_by: Option<char>,
    },
    /// What the HTML must not have.
    #[error(transparent)]
    Html(#[from] HtmlFault),
}

/// What may stand in a part.
fn offered(kind: TemplateKind, part: Part) -> String {
    let fits = |wildcard: &&Wildcard| match part {
        Part::Html => true,
        Part::Subject => !wildcard.is_secret() && !Wildcard::LOOK.contains(wildcard),
        Part::From | Part::Text | Part::Sms => !wildcard.is_picture() && !Wildcard::LOOK.contains(wildcard),
    };
    let all = kind.offers().iter().chain(Wildcard::LOOK).filter(fits);
    all.map(|wildcard| wildcard.as_str()).collect::<Vec<_>>().join(", ")
}

const fn without(wildcard: Wildcard) -> &'static str {
    match wildcard {
        Wildcard::Link => "could not enrol",
        Wildcard::Password => "would not learn the new password",
        _ => "would not learn the code",
    }
}

fn why(forced_by: Option<char>) -> String {
    forced_by.map_or_else(String::new, |character| {
        format!(
            "; because of the character {character} (U+{:04X}) a part has 67 characters, not 153",
            u32::from(character)
        )
    })
}

/// One fault, with the place where it is. What concerns a whole part is reported at its beginning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part}, line {line}, column {column}: {what}")]
pub struct TemplateFault {
    /// The text it lies in.
    pub part: Part,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: FaultKind,
}
