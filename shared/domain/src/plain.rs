//! Short texts that people or devices give, to be shown as they are: names, reasons, versions.

/// `text` without blanks at its ends, if that has 1 to `most` characters and no control characters.
pub(crate) fn plain(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    let good = (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    good.then(|| text.to_owned())
}

/// The line and paragraph separators, which are no control characters to Unicode.
pub(crate) const fn breaks_line(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}')
}

/// The embedding, override and isolate marks (Unicode annex 9, section 2), with which a text could turn what is around it.
pub(crate) const fn turns(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
