//! What a message says that comes by another channel than it was first sent by.

use crate::message::Channel;

/// The sentence at its beginning, in a language: that it may be the second of its kind, because what went by `first` may
/// not have arrived. English where the language is not known.
#[must_use]
pub fn came_instead(first: Channel, locale: &str) -> &'static str {
    let german = locale.split('-').next().is_some_and(|language| language.eq_ignore_ascii_case("de"));
    match (first, german) {
        (Channel::Sms, false) => "You get this by e-mail because our text message may not have reached you.",
        (Channel::Sms, true) => {
            "Sie erhalten dies per E-Mail, weil unsere SMS Sie vielleicht nicht erreicht hat."
        }
        (Channel::Email, false) => "You get this by text because our e-mail may not have reached you.",
        (Channel::Email, true) => {
            "Sie erhalten dies per SMS, weil unsere E-Mail Sie vielleicht nicht erreicht hat."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Encoding, measure};
    use super::*;

    #[test]
    fn it_says_why_it_comes_in_the_readers_language() {
        for (first, channels) in
            [(Channel::Sms, ["by e-mail", "per E-Mail"]), (Channel::Email, ["by text", "per SMS"])]
        {
            let [english, german] = channels;
            for (locale, says) in
                [("en-GB", english), ("fr", english), ("", english), ("de", german), ("DE-at", german)]
            {
                let words = came_instead(first, locale);
                assert!(words.contains(says) && words.ends_with('.'), "{locale}: {words}");
            }
        }
    }

    #[test]
    fn a_text_can_say_it_in_the_gsm_alphabet() {
        for locale in ["en", "de"] {
            let size = measure(came_instead(Channel::Email, locale));
            assert_eq!((size.encoding, size.parts), (Encoding::Gsm7, 1));
        }
    }
}
