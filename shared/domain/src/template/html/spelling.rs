//! Texts as clients understand them, which need not be as they are written.

/// A text in lower case, with the place in its source of each of its characters.
#[derive(Debug, Default)]
pub(super) struct Spelling {
    text: String,
    /// A place for each byte of the text.
    places: Vec<usize>,
}

impl FromIterator<(char, usize)> for Spelling {
    fn from_iter<I: IntoIterator<Item = (char, usize)>>(characters: I) -> Self {
        let mut spelling = Self::default();
        for (character, place) in characters {
            spelling.text.push(character.to_ascii_lowercase());
            spelling.places.resize(spelling.text.len(), place);
        }
        spelling
    }
}

impl Spelling {
    /// The text of a raw element, which means what it says. It begins at the byte `start`.
    pub(super) fn raw(source: &str, start: usize) -> Self {
        source.char_indices().map(|(byte, character)| (character, start + byte)).collect()
    }

    /// The value of an attribute, in which references stand for characters.
    pub(super) fn attribute(source: &str, start: usize) -> Self {
        let mut rest = source;
        core::iter::from_fn(|| {
            let place = start + source.len() - rest.len();
            let (character, length) = match reference(rest) {
                Some(found) => found,
                None => rest.chars().next().map(|character| (character, character.len_utf8()))?,
            };
            rest = rest.get(length..).unwrap_or_default();
            Some((character, place))
        })
        .collect()
    }

    /// An attribute's value as a URL: blanks before it and line ends and tabs within it do not count.
    pub(super) fn url(source: &str) -> String {
        let url = Self::attribute(source, 0).text;
        url.trim_start_matches(|character| character <= ' ').replace(['\t', '\r', '\n'], "")
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where a byte of the text comes from.
    pub(super) fn place(&self, byte: usize) -> usize {
        self.places.get(byte).or(self.places.last()).copied().unwrap_or_default()
    }

    pub(super) fn characters(&self) -> impl Iterator<Item = (char, usize)> {
        self.text.char_indices().map(|(byte, character)| (character, self.place(byte)))
    }
}

/// The character that a reference at the beginning of a text stands for, and the reference's length.
fn reference(text: &str) -> Option<(char, usize)> {
    let after = text.strip_prefix('&')?;
    let (code, end) = if let Some(number) = after.strip_prefix('#') {
        let (digits, radix) = number.strip_prefix(['x', 'X']).map_or((number, 10), |hex| (hex, 16));
        let end = digits.find(|digit: char| !digit.is_digit(radix)).unwrap_or(digits.len());
        let (number, end) = digits.split_at_checked(end).filter(|(number, _)| !number.is_empty())?;
        // A number that is none to Unicode stands for the replacement character.
        let code = u32::from_str_radix(number, radix).ok().filter(|code| *code != 0).and_then(char::from_u32);
        (code.unwrap_or(char::REPLACEMENT_CHARACTER), end.strip_prefix(';').unwrap_or(end))
    } else {
        let end = after.find(|character: char| !character.is_ascii_alphanumeric())?;
        let (name, end) = after.split_at_checked(end)?;
        let end = end.strip_prefix(';')?;
        let (code, _) = NAMED.iter().find(|(_, names)| names.split(' ').any(|known| known == name))?;
        (*code, end)
    };
    Some((code, text.len() - end.len()))
}

/// The names of ASCII's characters, by which something forbidden could be written so that it does not look
/// like it (HTML, section 13.5).
const NAMED: &[(char, &str)] = &[
    ('\t', "Tab"),
    ('\n', "NewLine"),
    ('!', "excl"),
    ('"', "quot QUOT"),
    ('#', "num"),
    ('$', "dollar"),
    ('%', "percnt"),
    ('&', "amp AMP"),
    ('\'', "apos"),
    ('(', "lpar"),
    (')', "rpar"),
    ('*', "ast midast"),
    ('+', "plus"),
    (',', "comma"),
    ('.', "period"),
    ('/', "sol"),
    (':', "colon"),
    (';', "semi"),
    ('<', "lt LT"),
    ('=', "equals"),
    ('>', "gt GT"),
    ('?', "quest"),
    ('@', "commat"),
    ('[', "lsqb lbrack"),
    ('\\', "bsol"),
    (']', "rsqb rbrack"),
    ('^', "Hat"),
    ('_', "lowbar UnderBar"),
    ('`', "grave DiacriticalGrave"),
    ('{', "lcub lbrace"),
    ('|', "verbar vert VerticalLine"),
    ('}', "rcub rbrace"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_clients_do() {
        for written in [
            "javascript:",
            "java&#115;cript:",
            "java&#115cript:",
            "JAVA&#0000083;CRIPT&colon;",
            " \u{1}java\tscript:",
            "java&Tab;sc&NewLine;ript:",
            "java&#10;script:",
        ] {
            assert_eq!(Spelling::url(written), "javascript:", "{written}");
        }
        assert_eq!(Spelling::url("?a=1&b=2&amp;c"), "?a=1&b=2&c");
        assert_eq!(Spelling::url("&#;&#x;&#99999999999;&;&nope;&"), "&#;&#x;\u{fffd}&;&nope;&");
    }

    #[test]
    fn places_are_those_of_the_source() {
        let spelling = Spelling::attribute("ä&#65;b", 10);
        assert_eq!(spelling.text(), "äab");
        assert_eq!([0, 1, 2, 3].map(|byte| spelling.place(byte)), [10, 10, 12, 17]);
    }
}
