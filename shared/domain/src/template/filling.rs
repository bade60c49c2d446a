//! One text of a template: checked once, filled many times.

use core::fmt::Write as _;
use core::ops::Range;

use zeroize::Zeroizing;

use super::wildcards::{Found, Piece, Wildcard, position, scan};
use super::{FaultKind, Part, QrImage, TemplateFault, Values};

/// A text that was checked, split into its pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    written: String,
    pieces: Vec<Piece>,
    /// The pieces that remain when no authorization code is required.
    without_code: Vec<Piece>,
}

impl Source {
    pub(super) fn parse(part: Part, written: &str, has_html: bool) -> Result<Self, Vec<TemplateFault>> {
        let found = scan(written);
        let mut faults = whole_part(part, written);
        faults.extend(found.iter().filter_map(|found| misplaced(part, written, has_html, found)));

        let pieces = pieces(found);
        let reduced = without_code(part, written);
        let without_code = self::pieces(scan(&reduced));
        if !written.trim().is_empty() {
            let at_start = |what| TemplateFault { part, line: 1, column: 1, what };
            faults.extend(no_way_to_enrol(part, &pieces, &without_code).map(at_start));
        }
        if faults.is_empty() {
            Ok(Self { written: written.to_owned(), pieces, without_code })
        } else {
            Err(faults)
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.written
    }

    pub(super) fn holds(&self, wildcard: Wildcard) -> bool {
        holds(&self.pieces, wildcard)
    }

    /// Fills plain text. The picture cannot stand here: the check has seen to that.
    pub(super) fn fill_text(&self, values: &Values<'_>) -> Zeroizing<String> {
        self.fill(values, |out, wildcard| {
            out.push_str(&single_line(value(values, wildcard)));
        })
    }

    /// Fills HTML: values are escaped, and the picture is a tag of its own.
    pub(super) fn fill_html(&self, values: &Values<'_>, qr: &QrImage<'_>) -> Zeroizing<String> {
        self.fill(values, |out, wildcard| match wildcard {
            Wildcard::QrCode => push_image(out, qr),
            other => push_escaped(out, &single_line(value(values, other))),
        })
    }

    fn fill(&self, values: &Values<'_>, put: impl Fn(&mut String, Wildcard)) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(self.written.len() * 2));
        let pieces = if values.authz_code.is_some() { &self.pieces } else { &self.without_code };
        for piece in pieces {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Wildcard(wildcard) => put(&mut out, *wildcard),
            }
        }
        out
    }
}

/// The faults of a part as a whole.
fn whole_part(part: Part, written: &str) -> Vec<TemplateFault> {
    let mut faults = Vec::new();
    let mut at_start = |what| {
        faults.push(TemplateFault { part, line: 1, column: 1, what });
    };
    if written.trim().is_empty() {
        at_start(FaultKind::Empty);
    }
    if written.chars().count() > part.most() {
        at_start(FaultKind::TooLong(part.most()));
    }
    if part == Part::Subject && written.chars().any(|c| breaks_line(c) || c.is_control()) {
        at_start(FaultKind::ControlInSubject);
    }
    faults
}

/// The fault of one stretch, if it must not stand where it does.
fn misplaced(part: Part, written: &str, has_html: bool, found: &Found<'_>) -> Option<TemplateFault> {
    let (what, range) = match found {
        Found::Literal(_) => return None,
        Found::Unknown(text, range) => (FaultKind::Unknown((*text).to_owned()), range),
        Found::Unclosed(range) => (FaultKind::Unclosed, range),
        Found::Wildcard(wildcard, range) => {
            let before = written.get(..range.start).unwrap_or_default();
            (forbidden(*wildcard, part, has_html, before)?, range)
        }
    };
    let (line, column) = position(written, range.start);
    Some(TemplateFault { part, line, column, what })
}

/// Why a wildcard must not stand here.
fn forbidden(wildcard: Wildcard, part: Part, has_html: bool, before: &str) -> Option<FaultKind> {
    match (wildcard, part) {
        (Wildcard::QrCode, Part::Html) => inside_tag(before).then_some(FaultKind::QrInsideTag),
        (Wildcard::QrCode, _) if has_html => Some(FaultKind::QrOutsideHtml),
        (Wildcard::QrCode, _) => Some(FaultKind::QrNeedsHtml),
        (Wildcard::Link | Wildcard::AuthzCode, Part::Subject) => Some(FaultKind::SecretInSubject(wildcard)),
        _ => None,
    }
}

/// Whether the text that comes before ends within `<…`.
fn inside_tag(before: &str) -> bool {
    before.rfind('<') > before.rfind('>')
}

fn no_way_to_enrol(part: Part, pieces: &[Piece], without_code: &[Piece]) -> Option<FaultKind> {
    let missing = match part {
        Part::Subject => return None,
        Part::Text | Part::Sms => FaultKind::NoLink,
        Part::Html => FaultKind::NoLinkNorQr,
    };
    // Outside HTML a picture is a fault anyway and leads nowhere.
    let leads = |pieces: &[Piece]| {
        holds(pieces, Wildcard::Link) || (part == Part::Html && holds(pieces, Wildcard::QrCode))
    };
    match (leads(pieces), leads(without_code)) {
        (true, true) => None,
        (true, false) => Some(FaultKind::LinkLeavesWithCode),
        (false, _) => Some(missing),
    }
}

fn holds(pieces: &[Piece], wildcard: Wildcard) -> bool {
    pieces.contains(&Piece::Wildcard(wildcard))
}

fn pieces(found: Vec<Found<'_>>) -> Vec<Piece> {
    found
        .into_iter()
        .filter_map(|found| match found {
            Found::Literal(text) => Some(Piece::Literal(text.to_owned())),
            Found::Wildcard(wildcard, _) => Some(Piece::Wildcard(wildcard)),
            // These are faults: no source is made of such a text.
            Found::Unknown(..) | Found::Unclosed(_) => None,
        })
        .collect()
}

/// The text without the stretches that only make sense with an authorization code.
fn without_code(part: Part, written: &str) -> String {
    let mut rest = written.to_owned();
    while let Some(place) = rest.find(Wildcard::AuthzCode.as_str()) {
        let paragraph = if part == Part::Html { paragraph_around(&rest, place) } else { None };
        rest.replace_range(paragraph.unwrap_or_else(|| line_around(&rest, place)), "");
    }
    rest
}

/// The line that `place` lies in, with its line end.
fn line_around(text: &str, place: usize) -> Range<usize> {
    let start = text.get(..place).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let end = text.get(place..).and_then(|after| after.find('\n')).map_or(text.len(), |end| place + end + 1);
    start..end
}

/// The `<p>…</p>` around `place`, with the blanks before it and the line end after it where it has its own
/// lines.
fn paragraph_around(text: &str, place: usize) -> Option<Range<usize>> {
    // ASCII lower case leaves every byte in its place.
    let lower = text.to_ascii_lowercase();
    let (before, after) = (lower.get(..place)?, lower.get(place..)?);
    let start = before.rmatch_indices("<p").map(|(at, _)| at).find(|at| {
        let next = lower.as_bytes().get(at + "<p".len());
        next.is_some_and(|byte| *byte == b'>' || byte.is_ascii_whitespace())
    })?;
    if before.get(start..)?.contains("</p>") {
        return None;
    }
    let end = place + after.find("</p>")? + "</p>".len();

    let indent = before.get(..start)?.trim_end_matches([' ', '\t']).len();
    let own_line = indent == 0 || before.get(..indent)?.ends_with('\n');
    let following = lower.get(end..)?;
    let line_end = ["\r\n", "\n"].into_iter().find(|line_end| following.starts_with(line_end));
    match line_end {
        Some(line_end) if own_line => Some(indent..end + line_end.len()),
        _ => Some(start..end),
    }
}

fn value<'a>(values: &Values<'a>, wildcard: Wildcard) -> &'a str {
    match wildcard {
        Wildcard::Link => values.link,
        Wildcard::AuthzCode => values.authz_code.unwrap_or_default(),
        Wildcard::Username => values.username,
        Wildcard::DisplayName => values.display_name,
        Wildcard::Tenant => values.tenant,
        Wildcard::Expires => values.expires,
        Wildcard::QrCode => "",
    }
}

/// The value on one line: what breaks lines, controls, or turns the direction of writing becomes a space.
fn single_line(value: &str) -> Zeroizing<String> {
    let harmless = |c: char| {
        if c.is_control() || breaks_line(c) || turns(c) { ' ' } else { c }
    };
    Zeroizing::new(value.chars().map(harmless).collect())
}

/// The line and paragraph separators, which are no control characters to Unicode.
fn breaks_line(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}')
}

/// The embedding, override and isolate marks (Unicode annex 9, section 2), with which a name could turn
/// the text around it.
fn turns(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn push_escaped(out: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
}

fn push_image(out: &mut String, qr: &QrImage<'_>) {
    let side = qr.side;
    out.push_str("<img src=\"cid:");
    push_escaped(out, &single_line(qr.cid));
    // Writing to a string cannot fail.
    let _ = write!(out, "\" width=\"{side}\" height=\"{side}\" alt=\"");
    push_escaped(out, &single_line(qr.alt));
    let _ = write!(out, "\" style=\"display:block;border:0;width:{side}px;height:{side}px\">");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_found_around_the_code_only() {
        let reduced = |html: &str| without_code(Part::Html, html);
        assert_eq!(reduced("a<p>[[AUTHZCODE]]</p>b"), "ab");
        assert_eq!(reduced("a\n  <P style=\"x\">\n[[AUTHZCODE]]\n</P>\nb"), "a\nb");
        // A closed paragraph before, or another tag that begins alike, does not enclose it.
        assert_eq!(reduced("<p>x</p>\n[[AUTHZCODE]]\n<p>y</p>"), "<p>x</p>\n<p>y</p>");
        assert_eq!(reduced("<pre>x\n[[AUTHZCODE]]\n</pre></p>"), "<pre>x\n</pre></p>");
        assert_eq!(reduced("x\n<p>[[AUTHZCODE]]\ny"), "x\ny");
        assert_eq!(reduced("<p>[[AUTHZCODE]]</p><p>[[AUTHZCODE]] again [[AUTHZCODE]]</p>!"), "!");
    }

    #[test]
    fn lines_go_whole() {
        let reduced = |text: &str| without_code(Part::Text, text);
        assert_eq!(reduced("[[AUTHZCODE]]"), "");
        assert_eq!(reduced("a\nb [[AUTHZCODE]] c\nd"), "a\nd");
        assert_eq!(reduced("a\n[[AUTHZCODE]]"), "a\n");
        assert_eq!(reduced("a\r\n[[AUTHZCODE]]\r\nb"), "a\r\nb");
        assert_eq!(reduced("<p>a\n[[AUTHZCODE]]\n</p>"), "<p>a\n</p>");
    }

    #[test]
    fn tags_are_noticed() {
        assert!(inside_tag("<a href=\""));
        assert!(!inside_tag("<a href=\"x\">"));
        assert!(!inside_tag("no tag"));
    }

    #[test]
    fn one_line_stays_one_line() {
        assert_eq!(single_line("a\r\nb\u{2028}c\u{85}d\u{202e}e\tf").as_str(), "a  b c d e f");
        assert_eq!(single_line("Zoë 🔑").as_str(), "Zoë 🔑");
    }
}
