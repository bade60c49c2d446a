//! Numbers of six digits and more, which may be codes or telephones; ids and status codes stay.

use std::borrow::Cow;
use std::ops::Range;

use super::general::{Found, run};

/// Digits that an error code may have at most.
const MOST_OF_CODE: usize = 5;
/// Characters that an id has at least.
const SHORTEST_ID: usize = 9;
/// Groups of hexadecimal digits in a UUID (RFC 9562 section 4).
const UUID: [usize; 5] = [8, 4, 4, 4, 12];

/// What is hidden of `chars`.
pub(super) fn found(chars: &[char]) -> Vec<Found> {
    let kept = kept(chars);
    let mut found = Vec::new();
    // The number that is being read: where it begins and ends, and how many digits it has.
    let mut number: Option<(Range<usize>, usize)> = None;
    let mut end = |number: Option<(Range<usize>, usize)>| {
        let long = number.filter(|(_, digits)| *digits > MOST_OF_CODE);
        found.extend(long.map(|(range, _)| (range, Cow::Borrowed("[number]"))));
    };
    for (at, _) in chars.iter().zip(&kept).enumerate().filter(|(_, (c, kept))| c.is_numeric() && !**kept) {
        match &mut number {
            Some((range, digits)) if joins(chars.get(range.end..at).unwrap_or_default()) => {
                range.end = at + 1;
                *digits += 1;
            }
            _ => {
                let plus = at.checked_sub(1).filter(|before| chars.get(*before) == Some(&'+'));
                end(number.replace((plus.unwrap_or(at)..at + 1, 1)));
            }
        }
    }
    end(number);
    found
}

/// Whether a character may stand between the digits of one number.
pub(super) fn is_separator(c: char) -> bool {
    is_bracket(c) || matches!(c, ' ' | '-' | '.' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn is_bracket(c: char) -> bool {
    matches!(c, '(' | ')' | '[' | ']')
}

/// Whether the digits on both sides of `gap` are of one number: a single separator, or a bracket with one around it.
fn joins(gap: &[char]) -> bool {
    let brackets = gap.len() == 1 || gap.iter().copied().any(is_bracket);
    gap.is_empty() || (gap.len() <= 3 && brackets && gap.iter().copied().all(is_separator))
}

/// Which characters stay because they are of an id or of a status.
fn kept(chars: &[char]) -> Vec<bool> {
    let ids = ids(chars);
    let statuses = (0..chars.len()).filter_map(|at| status(chars, at));
    let mut kept = vec![false; chars.len()];
    let mut keep = |range: Range<usize>| kept.get_mut(range).unwrap_or_default().fill(true);
    ids.into_iter().chain(statuses).for_each(&mut keep);
    if let Some(range) = reply(chars) {
        keep(range);
    }
    kept
}

/// The status of a reply at the head of a line, perhaps after who says it (RFC 5321 section 4.2.1), with the enhanced one
/// behind it; none if another number follows.
fn reply(chars: &[char]) -> Option<Range<usize>> {
    let start = if matches!(chars, [who, ':', ' ', ..] if who.is_ascii_alphabetic()) { 3 } else { 0 };
    let digits = run(chars, start, |c| c.is_ascii_digit());
    let first = chars.get(start).is_some_and(|c| ('2'..='5').contains(c));
    let after = start + 3;
    let bounded = chars.get(after).is_none_or(|c| *c == ' ' || *c == '-');
    let enhanced = enhanced(chars, after + 1).map(|status| status.end);
    let alone = enhanced.is_some() || !chars.get(after + 1).is_some_and(|c| c.is_numeric());
    (digits == 3 && first && bounded && alone).then_some(start..enhanced.unwrap_or(after))
}

/// A status in the middle of a line.
fn status(chars: &[char], at: usize) -> Option<Range<usize>> {
    let before = at.checked_sub(1).and_then(|before| chars.get(before));
    let goes_on = before.is_some_and(|c| c.is_alphanumeric() || *c == '.' || *c == '-');
    enhanced(chars, at).filter(|_| !goes_on)
}

/// An enhanced status code from `at` on: class, subject and detail (RFC 3463 section 2).
fn enhanced(chars: &[char], at: usize) -> Option<Range<usize>> {
    let [class, '.', subject, '.', rest @ ..] = chars.get(at..)? else { return None };
    let detail = rest.iter().take(4).take_while(|c| c.is_ascii_digit()).count();
    let goes_on = match rest.get(detail..).unwrap_or_default() {
        ['.', next, ..] => next.is_numeric(),
        [next, ..] => next.is_alphanumeric(),
        [] => false,
    };
    let good = matches!(class, '2' | '4' | '5') && subject.is_ascii_digit() && (1..=3).contains(&detail);
    (good && !goes_on).then_some(at..at + 4 + detail)
}

/// Where ids are.
fn ids(chars: &[char]) -> Vec<Range<usize>> {
    let mut ids = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let length = run(chars, at, |c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if length < SHORTEST_ID {
            at += length + 1;
            continue;
        }
        let mut start = at;
        let groups: Vec<Range<usize>> = chars
            .get(at..at + length)
            .unwrap_or_default()
            .split(|c| !c.is_ascii_alphanumeric())
            .map(|group| {
                let range = start..start + group.len();
                start = range.end + 1;
                range
            })
            .collect();
        ids.extend(ids_among(chars, &groups));
        at += length;
    }
    ids
}

/// The ids among groups of letters and digits with hyphens between them.
fn ids_among(chars: &[char], groups: &[Range<usize>]) -> Vec<Range<usize>> {
    let of = |group: &Range<usize>| chars.get(group.clone()).unwrap_or_default();
    let hexadecimal = |group: &Range<usize>| of(group).iter().all(char::is_ascii_hexdigit);
    let lettered = |group: &Range<usize>| of(group).iter().any(char::is_ascii_alphabetic);
    let mut ids: Vec<_> = groups.iter().filter(|group| is_id(of(group))).cloned().collect();
    let uuids = groups.windows(UUID.len()).filter(|five| {
        five.iter().map(Range::len).eq(UUID) && five.iter().all(hexadecimal) && five.iter().any(lettered)
    });
    let uuids: Vec<_> = uuids.flatten().cloned().collect();
    // Amazon SES puts a UUID between more hexadecimal digits.
    if !uuids.is_empty() && groups.iter().all(hexadecimal) {
        ids.extend(groups.iter().cloned());
    }
    ids.extend(uuids);
    // Queue ids of Exim: the time, the process, and a fraction.
    if let [time, process, fraction] = groups {
        let lengths = [time.len(), process.len(), fraction.len()];
        let timely = of(time).first() == Some(&'1') && lettered(time);
        if timely && (lengths == [6, 6, 2] || lengths == [6, 11, 4]) {
            ids.extend(groups.iter().cloned());
        }
    }
    ids
}

/// Whether letters and digits are so mixed that they are an id, and not a word with a number beside it.
fn is_id(group: &[char]) -> bool {
    let kinds = || group.iter().map(char::is_ascii_digit);
    let changes = kinds().zip(kinds().skip(1)).filter(|(one, next)| one != next).count();
    let longest = group.split(|c| !c.is_ascii_digit()).map(<[char]>::len).max().unwrap_or_default();
    let long = group.len() >= 10 && changes >= 3 && longest * 2 <= group.len();
    // Queue ids of Postfix.
    let short = (SHORTEST_ID..=16).contains(&group.len()) && group.iter().all(char::is_ascii_hexdigit);
    long || (short && changes >= 2 && longest + 2 <= group.len())
}
