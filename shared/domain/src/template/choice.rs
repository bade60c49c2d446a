//! Which template makes a message's texts.

use super::{Shape, TemplateHead, TemplateKind, TemplateName, builtin};
use crate::contact::Locale;
use crate::ids::PolicyId;
use crate::message::Channel;

/// The texts that were chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// A tenant's own, in the version that was the latest.
    Own {
        /// What it is called.
        name: TemplateName,
        /// The version.
        version: u64,
    },
    /// What every tenant has from the start.
    BuiltIn {
        /// The language.
        locale: &'static str,
    },
}

impl Chosen {
    /// The built-in texts in a language, or in English where there are none.
    #[must_use]
    pub fn built_in(locale: &Locale) -> Self {
        Self::BuiltIn { locale: builtin::locale(locale.as_str()).unwrap_or(builtin::ENGLISH) }
    }

    /// The language of its texts.
    #[must_use]
    pub fn locale(&self) -> &str {
        match self {
            Self::Own { name, .. } => name.locale.as_str(),
            Self::BuiltIn { locale } => locale,
        }
    }
}

/// For whom a template is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The languages that they may be written to in, the best first.
    pub languages: &'a [Locale],
    /// The policies that cover them, the one that counts first.
    pub policies: &'a [PolicyId],
    /// Whether the message carries an authorization code: texts that do not show it are passed over, because nobody
    /// could use the link.
    pub with_code: bool,
}

/// The texts for a message of `kind` on `channel`.
///
/// The reader's language comes first, then who has written for whom: for each language, the policies that cover them,
/// then their tenant, then Otpost itself. Within each of these a region or script may be left off (`de-AT`, then `de`;
/// RFC 4647 section 3.4). English is always there.
#[must_use]
pub fn choose(heads: &[TemplateHead], kind: TemplateKind, channel: Channel, reader: Reader<'_>) -> Chosen {
    let scopes = || reader.policies.iter().map(Some).chain([None]);
    for language in reader.languages.iter().chain([&Locale::default()]) {
        for policy in scopes() {
            let found = language.ranges().into_iter().find_map(|range| {
                heads.iter().find(|head| {
                    head.name.kind == kind
                        && head.name.policy.as_ref() == policy
                        && head.serves(channel)
                        && (!reader.with_code || head.shape(channel) == Shape::WithCode)
                        && head.name.locale.as_str().eq_ignore_ascii_case(&range)
                })
            });
            if let Some(head) = found {
                return Chosen::Own { name: head.name.clone(), version: head.version };
            }
        }
        if let Some(locale) = language.ranges().into_iter().find_map(|range| builtin::locale(&range)) {
            return Chosen::BuiltIn { locale };
        }
    }
    Chosen::BuiltIn { locale: builtin::ENGLISH }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn head(name: &str, email: bool, sms: bool) -> TemplateHead {
        let name = TemplateName::try_from(name).unwrap();
        let (created_at, updated_at) = (Timestamp::default(), Timestamp::default());
        let shape = |there: bool| match (there, name.policy.is_some()) {
            (false, _) => Shape::Missing,
            (true, false) => Shape::WithoutCode,
            (true, true) => Shape::WithCode,
        };
        let (email, sms) = (shape(email), shape(sms));
        TemplateHead { name, version: 3, email, sms, bytes: 9, created_at, updated_at }
    }

    fn chosen(heads: &[TemplateHead], languages: &[&str], policies: &[&str]) -> String {
        chosen_for(heads, languages, policies, false)
    }

    fn chosen_for(heads: &[TemplateHead], languages: &[&str], policies: &[&str], with_code: bool) -> String {
        let languages: Vec<_> = languages.iter().map(|text| Locale::try_from(*text).unwrap()).collect();
        let policies: Vec<_> = policies.iter().map(|text| PolicyId::try_from(*text).unwrap()).collect();
        let reader = Reader { languages: &languages, policies: &policies, with_code };
        match choose(heads, TemplateKind::PushToken, Channel::Email, reader) {
            Chosen::Own { name, version } => format!("{name} {version}"),
            Chosen::BuiltIn { locale } => locale.to_owned(),
        }
    }

    #[test]
    fn the_language_comes_first_then_who_has_written() {
        let heads = [
            head("push_token.en", true, false),
            head("push_token.en.staff", true, true),
            head("push_token.fr", true, false),
            head("push_token.de.staff", false, true),
            head("mobile_code.it", true, true),
            head("push_token.es", false, false),
        ];
        assert_eq!(chosen(&heads, &["en-GB"], &[]), "push_token.en 3");
        assert_eq!(chosen(&heads, &["en-GB"], &["night", "staff"]), "push_token.en.staff 3");
        assert_eq!(chosen(&heads, &["fr-CA", "en"], &["staff"]), "push_token.fr 3");
        assert_eq!(chosen(&heads, &["de-AT"], &["staff"]), "de", "that of the policy is for texts only");
        assert_eq!(
            chosen(&heads, &["it", "fr"], &[]),
            "push_token.fr 3",
            "another kind's counts for nothing"
        );
        assert_eq!(chosen(&heads, &["es"], &[]), "push_token.en 3", "one that was removed is not there");
        assert_eq!(chosen(&heads, &["ja"], &["staff"]), "push_token.en.staff 3");
        assert_eq!(chosen(&[], &[], &[]), "en");
    }

    #[test]
    fn a_tenants_english_comes_before_the_built_in_one() {
        let heads = [head("push_token.en", true, true)];
        assert_eq!(chosen(&heads, &[], &[]), "push_token.en 3");
        assert_eq!(chosen(&heads, &["ja"], &[]), "push_token.en 3");
        assert_eq!(chosen(&heads, &["de"], &[]), "de");
    }

    #[test]
    fn a_code_is_shown_where_there_is_one() {
        let heads = [head("push_token.en", true, true), head("push_token.en.staff", true, true)];
        assert_eq!(chosen_for(&heads, &["en"], &[], true), "en", "the tenant's does not show it");
        assert_eq!(chosen_for(&heads, &["en"], &["staff"], true), "push_token.en.staff 3");
    }

    #[test]
    fn a_region_is_left_off_within_each_scope() {
        let heads = [
            head("push_token.de", true, true),
            head("push_token.de-CH", true, true),
            head("push_token.de.staff", true, true),
        ];
        assert_eq!(chosen(&heads, &["de-CH-1996"], &[]), "push_token.de-CH 3");
        assert_eq!(chosen(&heads, &["de-AT"], &[]), "push_token.de 3");
        assert_eq!(chosen(&heads, &["de-CH"], &["staff"]), "push_token.de.staff 3");
    }
}
