//! What templates are called.

use core::fmt;

use super::TemplateKind;
use crate::contact::Locale;
use crate::ids::PolicyId;

/// Which texts a template has: of what kind, in what language, and for whom. Written `push_token.de`, or
/// `push_token.de.staff` for those whom the policy `staff` covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TemplateName {
    /// The kind of message.
    pub kind: TemplateKind,
    /// The language; in the usual case of letters.
    pub locale: Locale,
    /// The policy whose people it is for; the whole tenant without one.
    pub policy: Option<PolicyId>,
}

/// What was given is no template's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a kind of template and a language, such as push_token.de, and after another dot a policy where it is for \
     that policy's people"
)]
pub struct InvalidTemplateName;

impl TryFrom<&str> for TemplateName {
    type Error = InvalidTemplateName;

    fn try_from(text: &str) -> Result<Self, InvalidTemplateName> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next();
        let kind = part().and_then(TemplateKind::parse).ok_or(InvalidTemplateName)?;
        let locale = part().and_then(|text| Locale::try_from(text).ok()).ok_or(InvalidTemplateName)?;
        let policy = part().map(PolicyId::try_from).transpose().map_err(|_| InvalidTemplateName)?;
        Ok(Self { kind, locale: locale.usual_case(), policy })
    }
}

impl fmt::Display for TemplateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.as_str(), self.locale.as_str())?;
        self.policy.as_ref().map_or(Ok(()), |policy| write!(f, ".{policy}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for name in ["push_token.de", "email_otp.zh-Hant-TW", "mobile_code.en-GB.night-shift"] {
            assert_eq!(TemplateName::try_from(name).unwrap().to_string(), name);
        }
        let name = TemplateName::try_from("push_token.DE-at").unwrap();
        assert_eq!((name.to_string().as_str(), name.policy), ("push_token.de-AT", None));
        for bad in [
            "",
            "push_token",
            "push_token.",
            "push.de",
            "push_token.d",
            "push_token.de.",
            "push_token.de.a.b",
        ] {
            assert_eq!(TemplateName::try_from(bad), Err(InvalidTemplateName), "{bad}");
        }
    }
}
