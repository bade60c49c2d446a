//! Short texts that people or devices give, to be shown as they are: names, reasons, versions.

/// `text` without blanks at its ends, if that has 1 to `most` characters and no control characters.
pub(crate) fn plain(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    let good = (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    good.then(|| text.to_owned())
}
