//! One text of a template: checked once, filled many times.

use core::fmt::Write as _;
use core::ops::Range;

use zeroize::Zeroizing;

use super::faults::MOST_OF_ONE;
use super::html::{self, HtmlFault, Place, Places};
use super::wildcards::{Found, Piece, Wildcard, position, scan};
use super::{FaultKind, Image, Look, Part, TemplateFault, TemplateKind, Values};
use crate::plain::{breaks_line, turns};

/// Characters of something wrong that a fault repeats.
const MOST_REPEATED: usize = 40;
/// Faults of one sort that are told of a part.
const MOST_FAULTS: usize = 100;

/// A text split into its pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    written: String,
    pieces: Vec<Piece>,
    /// The pieces that remain when no authorization code is required.
    without_code: Vec<Piece>,
}

impl Source {
    /// Splits a text that was checked before, whatever the rules are now: what is no wildcard stays as it is.
    pub(super) fn checked_before(part: Part, written: &str) -> Self {
        let reduced = without_code(part, written);
        Self {
            written: written.to_owned(),
            pieces: pieces(scan(written)),
            without_code: pieces(scan(&reduced)),
        }
    }

    pub(super) fn parse(
        kind: TemplateKind,
        part: Part,
        written: &str,
        has_html: bool,
    ) -> Result<Self, Vec<TemplateFault>> {
        let (mut faults, found) = (whole_part(part, written), scan(written));
        let too_large = faults
            .iter()
            .any(|fault| matches!(fault.what, FaultKind::TooLong(_) | FaultKind::Html(HtmlFault::TooLarge)));
        let mut add = |byte: usize, what: FaultKind| {
            let (line, column) = position(written, byte);
            faults.push(TemplateFault { part, line, column, what });
        };
        let often = too_often(&found);
        for (wildcard, byte) in &often {
            add(*byte, FaultKind::TooOften(*wildcard));
        }
        if too_large || !often.is_empty() {
            // Nothing more is told of what is too large to be looked at.
            return Err(faults);
        }
        let places = (part == Part::Html).then(|| Places::of(written));
        let wrong = found.into_iter().filter_map(|found| match found {
            Found::Literal(_) => None,
            Found::Unknown(text, range) => Some((range.start, unknown(kind, part, text))),
            Found::Unclosed(range) => Some((range.start, FaultKind::Unclosed)),
            Found::Wildcard(wildcard, range) => misplaced(kind, part, has_html, wildcard)
                .or_else(|| misplaced_in_html(places.as_ref()?, written, wildcard, &range))
                .map(|what| (range.start, what)),
        });
        wrong.take(MOST_FAULTS).for_each(|(byte, what)| add(byte, what));
        if part == Part::Html {
            for (byte, fault) in html::faults(written).into_iter().take(MOST_FAULTS) {
                add(byte, fault.into());
            }
            if let Some(byte) =
                written.find(Wildcard::AuthzCode.as_str()).filter(|_| breaks_without_code(written))
            {
                add(byte, FaultKind::BreaksWithoutCode);
            }
        }
        let source = Self::checked_before(part, written);
        if !written.trim().is_empty() {
            source.useless(kind, part).into_iter().for_each(|what| add(0, what));
        }
        if faults.is_empty() {
            Ok(source)
        } else {
            faults.sort_by_key(|fault| (fault.line, fault.column));
            Err(faults)
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.written
    }

    pub(super) fn holds(&self, wildcard: Wildcard) -> bool {
        holds(&self.pieces, wildcard)
    }

    /// Line and column of a wildcard's first place.
    pub(super) fn position(&self, wildcard: Wildcard) -> (usize, usize) {
        let places = scan(&self.written).into_iter();
        let mut found = places.filter_map(|found| match found {
            Found::Wildcard(here, range) if here == wildcard => Some(range.start),
            _ => None,
        });
        position(&self.written, found.next().unwrap_or_default())
    }

    /// The wildcards in it, in the order in which they are documented.
    pub(super) fn wildcards(&self) -> impl Iterator<Item = Wildcard> {
        Wildcard::ALL.into_iter().filter(|wildcard| self.holds(*wildcard))
    }

    /// Fills plain text. Pictures cannot stand here: the check has seen to that.
    pub(super) fn fill_text(&self, values: &Values<'_>) -> Zeroizing<String> {
        self.fill(values, |out, wildcard| {
            out.push_str(&single_line(value(values, wildcard)));
        })
    }

    /// Fills HTML: values are escaped, and pictures are tags of their own.
    pub(super) fn fill_html(&self, values: &Values<'_>, look: &Look<'_>) -> Zeroizing<String> {
        self.fill(values, |out, wildcard| match (wildcard, look.logo) {
            (Wildcard::QrCode, _) => push_image(out, &look.qr),
            (Wildcard::Logo, Some(logo)) => push_image(out, &logo),
            // Writing to a string cannot fail.
            (Wildcard::Colour, _) => drop(write!(out, "{}", look.colour)),
            (Wildcard::OnColour, _) => drop(write!(out, "{}", look.colour.on())),
            (other, _) => push_escaped(out, &single_line(value(values, other))),
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

    /// Whether readers see the value of a wildcard: in HTML it must stand in text, or be what a link leads to. With
    /// `with_code`, in a message with an authorization code.
    pub(super) fn shows(&self, part: Part, wildcard: Wildcard, with_code: bool) -> bool {
        if part != Part::Html {
            return holds(if with_code { &self.pieces } else { &self.without_code }, wildcard);
        }
        let written = if with_code { self.written.clone() } else { without_code(part, &self.written) };
        let places = Places::of(&written);
        scan(&written).into_iter().any(|found| match found {
            Found::Wildcard(here, range) if here == wildcard => {
                matches!(places.at(range.start), Place::Text | Place::Address)
            }
            _ => false,
        })
    }

    /// Why its reader could not do what it is for.
    fn useless(&self, kind: TemplateKind, part: Part) -> Option<FaultKind> {
        let demanded = kind.demands().filter(|_| !part.is_header())?;
        let enrols_by_picture = part == Part::Html && demanded == Wildcard::Link;
        let serves = |with_code| {
            self.shows(part, demanded, with_code)
                || (enrols_by_picture && self.shows(part, Wildcard::QrCode, with_code))
        };
        match (serves(true), serves(false)) {
            (true, true) => None,
            (true, false) => Some(FaultKind::LeavesWithCode(demanded)),
            (false, _) if enrols_by_picture => Some(FaultKind::NoLinkNorQr),
            (false, _) => Some(FaultKind::Missing(demanded)),
        }
    }
}

fn unknown(kind: TemplateKind, part: Part, text: &str) -> FaultKind {
    let mut written: String = text.chars().take(MOST_REPEATED).collect();
    if written.len() < text.len() {
        written.push('…');
    }
    FaultKind::Unknown { written, kind, part }
}

/// The wildcards that stand in a part too often, with their first place.
fn too_often(found: &[Found<'_>]) -> Vec<(Wildcard, usize)> {
    let places = |wildcard| {
        found.iter().filter_map(move |found| match found {
            Found::Wildcard(here, range) if *here == wildcard => Some(range.start),
            _ => None,
        })
    };
    let often = Wildcard::ALL.into_iter().filter(|wildcard| places(*wildcard).count() > MOST_OF_ONE);
    often.map(|wildcard| (wildcard, places(wildcard).next().unwrap_or_default())).collect()
}

/// The faults of a part as a whole.
fn whole_part(part: Part, written: &str) -> Vec<TemplateFault> {
    let mut faults = Vec::new();
    let mut at = |byte: usize, what| {
        let (line, column) = position(written, byte);
        faults.push(TemplateFault { part, line, column, what });
    };
    if written.trim().is_empty() {
        at(0, FaultKind::Empty);
    }
    if written.len() > part.most() && written.chars().count() > part.most() {
        at(0, FaultKind::TooLong(part.most()));
    } else if part == Part::Html && written.len() > html::MOST_BYTES {
        at(0, HtmlFault::TooLarge.into());
    }
    let bad = |c: char| {
        if part.is_header() {
            c.is_control() || breaks_line(c) || turns(c)
        } else {
            c.is_control() && !"\r\n\t".contains(c)
        }
    };
    if let Some(byte) = written.find(bad) {
        let header = if part == Part::From { "a sender's name" } else { "a subject" };
        at(byte, if part.is_header() { FaultKind::ControlInHeader(header) } else { FaultKind::Control });
    }
    faults
}

/// Why a wildcard must not stand in a part at all.
fn misplaced(kind: TemplateKind, part: Part, has_html: bool, wildcard: Wildcard) -> Option<FaultKind> {
    let looks = Wildcard::LOOK.contains(&wildcard);
    if part == Part::From {
        return Some(FaultKind::WildcardInName);
    }
    if !looks && !kind.offers().contains(&wildcard) {
        return Some(FaultKind::NotOffered { wildcard, kind, part });
    }
    if part != Part::Html && (looks || wildcard.is_picture()) {
        let fault = if has_html { FaultKind::OutsideHtml } else { FaultKind::NeedsHtml };
        return Some(fault(wildcard));
    }
    (part == Part::Subject && wildcard.is_secret()).then_some(FaultKind::SecretInSubject(wildcard))
}

/// Whether HTML that is fine becomes something else once the stretches around the authorization code are left out, such
/// as a tag of what was a comment.
fn breaks_without_code(written: &str) -> bool {
    let misplaced = |html: &str| {
        let places = Places::of(html);
        scan(html).into_iter().any(|found| match found {
            Found::Wildcard(wildcard, range) => misplaced_in_html(&places, html, wildcard, &range).is_some(),
            _ => false,
        })
    };
    let fine = |html: &str| html::faults(html).is_empty() && !misplaced(html);
    fine(written) && !fine(&without_code(Part::Html, written))
}

/// Only in text, an alternative text or a title can a value do no harm, and only the link, alone, can be a link.
fn misplaced_in_html(
    places: &Places,
    written: &str,
    wildcard: Wildcard,
    range: &Range<usize>,
) -> Option<FaultKind> {
    if wildcard.is_colour() {
        return None;
    }
    let fault = if wildcard.is_picture() { FaultKind::PictureInTag } else { FaultKind::ValueInTag };
    let good = match places.at(range.start) {
        Place::Text => true,
        Place::Words => !wildcard.is_picture(),
        Place::Address => {
            let before = written.get(..range.start).unwrap_or_default();
            let after = written.get(range.end..).unwrap_or_default();
            wildcard == Wildcard::Link && before.ends_with(['"', '\'']) && after.starts_with(['"', '\''])
        }
        Place::Tag | Place::AttributeValue | Place::Comment | Place::Style | Place::Raw => false,
    };
    (!good).then(|| fault(wildcard))
}

fn holds(pieces: &[Piece], wildcard: Wildcard) -> bool {
    pieces.contains(&Piece::Wildcard(wildcard))
}

fn pieces(found: Vec<Found<'_>>) -> Vec<Piece> {
    found
        .into_iter()
        .map(|found| match found {
            Found::Wildcard(wildcard, _) => Piece::Wildcard(wildcard),
            // What is unknown is a fault, unless the text was checked by other rules.
            Found::Literal(text) | Found::Unknown(text, _) => Piece::Literal(text.to_owned()),
            Found::Unclosed(_) => Piece::Literal("[[".to_owned()),
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
        Wildcard::Code => values.code,
        Wildcard::Password => values.password,
        Wildcard::Expires => values.expires,
        Wildcard::Purpose => values.purpose,
        Wildcard::Time => values.time,
        Wildcard::Username => values.username,
        Wildcard::DisplayName => values.display_name,
        // Where there is no logo.
        Wildcard::Tenant | Wildcard::Logo => values.tenant,
        Wildcard::QrCode | Wildcard::Colour | Wildcard::OnColour => "",
    }
}

/// The value on one line: what breaks lines, controls, or turns the direction of writing becomes a space.
fn single_line(value: &str) -> Zeroizing<String> {
    let harmless = |c: char| {
        if c.is_control() || breaks_line(c) || turns(c) { ' ' } else { c }
    };
    Zeroizing::new(value.chars().map(harmless).collect())
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

fn push_image(out: &mut String, image: &Image<'_>) {
    let Image { width, height, .. } = image;
    out.push_str("<img src=\"cid:");
    push_escaped(out, &single_line(image.cid));
    // Writing to a string cannot fail.
    let _ = write!(out, "\" width=\"{width}\" height=\"{height}\" alt=\"");
    push_escaped(out, &single_line(image.alt));
    let _ = write!(out, "\" style=\"display:block;border:0;width:{width}px;height:{height}px\">");
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
    fn one_line_stays_one_line() {
        assert_eq!(single_line("a\r\nb\u{2028}c\u{85}d\u{202e}e\tf").as_str(), "a  b c d e f");
        assert_eq!(single_line("Zoë 🔑").as_str(), "Zoë 🔑");
    }
}
