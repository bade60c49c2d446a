//! Readings of a line: as it is, and as those take it who undo JSON's escapes or percent-encoding.

use std::borrow::Cow;
use std::ops::Range;

use super::marks::Mark;

/// Stands for a character that is part of a secret that was found. No reading has it otherwise: it is a control character.
pub(super) const TAKEN: char = '\u{1}';
/// How often JSON may stand in JSON.
const DEEPEST: usize = 2;

/// One reading of a line: its characters, and of which stretch of the line each is made.
#[derive(Default)]
pub(super) struct View {
    pub(super) chars: Vec<char>,
    spans: Vec<Range<usize>>,
    /// Whether it takes a plus for a blank, as forms do.
    pub(super) plus_is_blank: bool,
}

impl View {
    /// A line as it is shown: control characters are blanks, blanks in a row are one, and characters that only steer how
    /// text is shown are gone.
    pub(super) fn of(line: &str) -> Self {
        let mut view = Self::default();
        line.chars().for_each(|c| view.push(c, 0..0));
        view.spans = (0..view.chars.len()).map(|index| index..index + 1).collect();
        view
    }

    /// All readings of it, itself among them: JSON's escapes undone twice at most, percent-encoding once, in any order.
    pub(super) fn readings(&self) -> Vec<Self> {
        let mut all = vec![self.mapped(|c, _| Some((c, 1)), false)];
        let mut done = vec![(0, false)];
        let mut at = 0;
        while let (Some(view), Some((escapes, percent))) = (all.get(at), done.get(at).copied()) {
            let json = Some(view).filter(|_| escapes < DEEPEST).and_then(Self::without_escapes);
            let other = [false, true].map(|plus| if percent { None } else { view.percent_decoded(plus) });
            done.extend(json.iter().map(|_| (escapes + 1, percent)));
            done.extend(other.iter().flatten().map(|_| (escapes, true)));
            all.extend(json.into_iter().chain(other.into_iter().flatten()));
            at += 1;
        }
        all
    }

    /// Its characters without regard to case.
    pub(super) fn folded(&self) -> Vec<char> {
        self.chars.iter().copied().map(fold).collect()
    }

    /// What was found here, in terms of the line.
    pub(super) fn mark<'s>(
        &self,
        found: Range<usize>,
        shown: Cow<'s, str>,
        secret: bool,
    ) -> Option<Mark<'s>> {
        let spans = self.spans.get(found)?;
        Some(Mark { range: spans.first()?.start..spans.last()?.end, shown, secret })
    }

    /// Its characters, with [`TAKEN`] for those that the marks cover, which are in order and apart.
    pub(super) fn without(&self, marks: &[Mark<'_>]) -> Vec<char> {
        let mut marks = marks.iter().peekable();
        let taken = self.chars.iter().zip(&self.spans).map(|(c, span)| {
            while marks.next_if(|mark| mark.range.end <= span.start).is_some() {}
            let covered = marks.peek().is_some_and(|mark| mark.range.start < span.end);
            if covered { TAKEN } else { *c }
        });
        taken.collect()
    }

    fn push(&mut self, c: char, span: Range<usize>) {
        let c = if c.is_control() || c.is_whitespace() { ' ' } else { c };
        match (self.chars.last(), self.spans.last_mut()) {
            _ if steers(c) => (),
            (Some(' '), Some(last)) if c == ' ' => last.end = span.end,
            _ => {
                self.chars.push(c);
                self.spans.push(span);
            }
        }
    }

    /// The reading in which `read` tells what character stands at the head of the rest, and how many characters make it;
    /// what it cannot read stands for itself.
    fn mapped(&self, read: impl Fn(char, &[char]) -> Option<(char, usize)>, plus_is_blank: bool) -> Self {
        let mut view = Self { plus_is_blank, ..Self::default() };
        let mut at = 0;
        while let Some((first, rest)) = self.chars.get(at..).and_then(<[char]>::split_first) {
            let (c, length) = read(*first, rest).unwrap_or((*first, 1));
            let last = self.spans.get(at + length - 1).or(self.spans.last());
            if let (Some(first), Some(last)) = (self.spans.get(at), last) {
                view.push(c, first.start..last.end);
            }
            at += length;
        }
        view
    }

    /// Without the escapes of JSON (RFC 8259 section 7); none if there are none.
    fn without_escapes(&self) -> Option<Self> {
        let escaped = |first, rest: &[char]| if first == '\\' { escape(rest) } else { None };
        self.chars.contains(&'\\').then(|| self.mapped(escaped, self.plus_is_blank))
    }

    /// Percent-decoded (RFC 3986 section 2.1), with a plus for a blank if that is wanted; none where that is nothing new.
    fn percent_decoded(&self, plus_is_blank: bool) -> Option<Self> {
        let needed = if plus_is_blank { '+' } else { '%' };
        let read = |first: char, rest: &[char]| match first {
            '%' => percent(rest),
            '+' if plus_is_blank => Some((' ', 1)),
            _ => None,
        };
        self.chars.contains(&needed).then(|| self.mapped(read, plus_is_blank))
    }
}

/// A character without regard to its case. What has capitals of more than one letter has small letters only.
pub(super) fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut capitals = c.to_uppercase();
    let capital = if capitals.len() == 1 { capitals.next().unwrap_or(c) } else { c };
    capital.to_lowercase().next().unwrap_or(capital)
}

/// Whether a character shows nothing and only steers: direction of writing, joining, breaking, tags.
const fn steers(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// What an escape stands for, and its length with the backslash before `rest`.
fn escape(rest: &[char]) -> Option<(char, usize)> {
    match rest.first()? {
        c @ ('"' | '\\' | '/') => Some((*c, 2)),
        'b' | 'f' | 'n' | 'r' | 't' => Some((' ', 2)),
        'u' => {
            let unit = hexadecimal(rest.get(1..5)?)?;
            if let Some(c) = char::from_u32(unit) {
                return Some((c, 6));
            }
            let low = rest.get(5..11).filter(|next| next.starts_with(&['\\', 'u']));
            let low = low.and_then(|next| hexadecimal(next.get(2..)?)).filter(|low| low & 0xfc00 == 0xdc00);
            let pair = low.and_then(|low| char::from_u32(0x1_0000 + ((unit & 0x3ff) << 10) + (low & 0x3ff)));
            pair.filter(|_| unit < 0xdc00).map_or(Some((char::REPLACEMENT_CHARACTER, 6)), |c| Some((c, 12)))
        }
        _ => None,
    }
}

/// What percent-encoded bytes stand for, and how many characters with the sign before `rest`.
fn percent(rest: &[char]) -> Option<(char, usize)> {
    let byte = |at: usize| u8::try_from(hexadecimal(rest.get(at..at + 2)?)?).ok();
    let mut bytes = vec![byte(0)?];
    while bytes.len() < 4 && rest.get(bytes.len() * 3 - 1) == Some(&'%') {
        let Some(next) = byte(bytes.len() * 3) else { break };
        bytes.push(next);
    }
    let valid = bytes.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    Some(valid.map_or((char::REPLACEMENT_CHARACTER, 3), |c| (c, 3 * c.len_utf8())))
}

fn hexadecimal(digits: &[char]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, c| Some(sum * 16 + c.to_digit(16)?))
}
