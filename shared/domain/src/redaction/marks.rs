//! What is to be hidden of a line, and the line without it.

use std::borrow::Cow;
use std::ops::Range;

/// A stretch of a line that is not shown.
#[derive(Clone)]
pub(super) struct Mark<'s> {
    pub(super) range: Range<usize>,
    /// What stands in its place.
    pub(super) shown: Cow<'s, str>,
    /// Whether a secret that was named is in it.
    pub(super) secret: bool,
}

impl Mark<'_> {
    fn rank(&self) -> (bool, usize) {
        (self.secret, self.range.len())
    }
}

/// The marks in order, those that overlap as one. It is shown as the one of them that counts most: one of a secret, then the
/// longest.
pub(super) fn merged(mut marks: Vec<Mark<'_>>) -> Vec<Mark<'_>> {
    marks.sort_by_key(|mark| (mark.range.start, mark.range.end));
    let mut apart: Vec<(Mark<'_>, (bool, usize))> = Vec::new();
    for mark in marks {
        let rank = mark.rank();
        match apart.last_mut().filter(|(last, _)| mark.range.start < last.range.end) {
            Some((last, best)) => {
                last.range.end = last.range.end.max(mark.range.end);
                last.secret |= mark.secret;
                if rank > *best {
                    *best = rank;
                    last.shown = mark.shown;
                }
            }
            None => apart.push((mark, rank)),
        }
    }
    apart.into_iter().map(|(mark, _)| mark).collect()
}

/// The line with what is shown in the place of the marks, which are in order and apart.
pub(super) fn written(line: &[char], marks: &[Mark<'_>]) -> String {
    let mut text = String::new();
    let mut at = 0;
    for mark in marks {
        text.extend(line.get(at..mark.range.start).unwrap_or_default());
        text.push_str(&mark.shown);
        at = mark.range.end;
    }
    text.extend(line.get(at..).unwrap_or_default());
    text
}
