//! Secrets that were named, and where they are. Every search takes time in proportion to the line, whatever is in it.

use std::collections::HashSet;
use std::ops::Range;

use zeroize::Zeroizing;

use super::numbers::is_separator;
use super::view::{View, fold};
use crate::contact::PhoneNumber;

/// Shorter values are found as whole words only.
const LEAST: usize = 4;
/// Characters of a text in a row by which it is known.
const GRAM: usize = 20;
/// Digits at the end of a telephone number by which it is known.
const TAIL: usize = 7;
/// Most zeros that are no digits of a number and stand among them: 00 in the place of the plus, and a trunk prefix.
const MOST_ZEROS: usize = 3;
/// Most characters between two digits of one number.
const WIDEST_GAP: usize = 3;

/// A secret.
pub(super) struct Secret {
    form: Form,
    shown: String,
}

enum Form {
    Word(Word),
    /// Digits, whatever separates them: `tail`, at their end, will do.
    Digits {
        all: Zeroizing<Vec<char>>,
        tail: Word,
    },
    /// Long words, by all stretches of [`GRAM`] characters.
    Text(HashSet<u64>),
}

/// Characters in a row, and by how much a search must go back where one of them is another (Knuth, Morris and Pratt).
struct Word {
    chars: Zeroizing<Vec<char>>,
    borders: Vec<usize>,
}

impl Secret {
    /// The forms of a value; none of one that shows nothing.
    pub(super) fn value(value: &str, shown: &str) -> Vec<Self> {
        let chars = normal(value);
        let digits = chars.len() >= LEAST && chars.iter().all(char::is_ascii_digit);
        let spaced = digits.then(|| Form::Digits { all: chars.clone(), tail: Word::new(chars.clone()) });
        let word = (!chars.is_empty()).then(|| Form::Word(Word::new(chars)));
        word.into_iter().chain(spaced).map(|form| Self { form, shown: shown.to_owned() }).collect()
    }

    /// The words of a message.
    pub(super) fn text(text: &str, shown: &str) -> Vec<Self> {
        let chars = normal(text);
        if chars.len() < GRAM {
            return Self::value(text, shown);
        }
        vec![Self { form: Form::Text(chars.windows(GRAM).map(hash).collect()), shown: shown.to_owned() }]
    }

    /// A telephone number.
    pub(super) fn phone(number: &PhoneNumber) -> Self {
        let all: Vec<char> = number.expose().chars().filter(char::is_ascii_digit).collect();
        let tail = all.iter().copied().skip(all.len().saturating_sub(TAIL)).collect();
        let form = Form::Digits { all: Zeroizing::new(all), tail: Word::new(Zeroizing::new(tail)) };
        Self { form, shown: number.masked() }
    }

    /// What stands in its place.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// How many characters at least it has where it is found.
    pub(super) fn least(&self) -> usize {
        match &self.form {
            Form::Word(word) => word.chars.len(),
            Form::Digits { tail, .. } => tail.chars.len(),
            Form::Text(_) => GRAM,
        }
    }

    /// Whether it counts as a whole word only.
    pub(super) fn is_short(&self) -> bool {
        self.least() < LEAST
    }

    /// Whether `chars`, without regard to case, are this value and nothing else.
    pub(super) fn is(&self, chars: &[char]) -> bool {
        matches!(&self.form, Form::Word(word) if word.chars.as_slice() == chars)
    }

    /// Where it is in `chars`, which are without regard to case.
    pub(super) fn hits(&self, chars: &[char]) -> Vec<Range<usize>> {
        match &self.form {
            Form::Word(word) => {
                let mut hits = word.hits(chars);
                if self.is_short() {
                    hits.retain(|hit| is_whole(chars, hit));
                }
                hits
            }
            Form::Digits { all, tail } => digits(chars, all, tail),
            Form::Text(grams) => chars
                .windows(GRAM)
                .enumerate()
                .filter(|(_, window)| grams.contains(&hash(window)))
                .map(|(start, _)| start..start + GRAM)
                .collect(),
        }
    }
}

impl Word {
    fn new(chars: Zeroizing<Vec<char>>) -> Self {
        let mut borders = Vec::with_capacity(chars.len());
        let mut matched = 0;
        for (index, c) in chars.iter().enumerate() {
            if index > 0 {
                matched = advance(&chars, &borders, matched, *c);
            }
            borders.push(matched);
        }
        Self { chars, borders }
    }

    fn hits(&self, chars: &[char]) -> Vec<Range<usize>> {
        let mut hits = Vec::new();
        let mut matched = 0;
        for (index, c) in chars.iter().enumerate() {
            matched = advance(&self.chars, &self.borders, matched, *c);
            if matched == self.chars.len() {
                hits.push(index + 1 - matched..index + 1);
            }
        }
        hits
    }
}

/// How many characters of `word` the text ends with after `c`, when it ended with `matched` before.
fn advance(word: &[char], borders: &[usize], mut matched: usize, c: char) -> usize {
    while word.get(matched) != Some(&c) {
        let Some(before) = matched.checked_sub(1) else { return 0 };
        matched = borders.get(before).copied().unwrap_or_default();
    }
    matched + 1
}

/// Where the digits of `tail` are with nothing or separators between them, with what of `all`, of a trunk prefix, of 00 and
/// of a plus stands before.
fn digits(chars: &[char], all: &[char], tail: &Word) -> Vec<Range<usize>> {
    // What is no separator parts numbers; it stands once among the digits.
    let mut row: Vec<(usize, char)> = Vec::new();
    for (index, c) in chars.iter().enumerate().filter(|(_, c)| c.is_ascii_digit()) {
        if let Some((last, _)) = row.last() {
            let gap = chars.get(last + 1..index).unwrap_or_default();
            if gap.len() > WIDEST_GAP || !gap.iter().copied().all(is_separator) {
                row.push((index, ' '));
            }
        }
        row.push((index, *c));
    }
    let only: Vec<_> = row.iter().map(|(_, c)| *c).collect();
    let before = all.get(..all.len().saturating_sub(tail.chars.len())).unwrap_or_default();
    let preceded = |start: usize, expected: char| {
        start.checked_sub(1).filter(|previous| only.get(*previous) == Some(&expected))
    };
    let hits = tail.hits(&only).into_iter().filter_map(|hit| {
        let mut start = hit.start;
        let (mut before, mut zeros) = (before.iter().rev().peekable(), 0);
        loop {
            if let Some(previous) = before.peek().and_then(|digit| preceded(start, **digit)) {
                before.next();
                start = previous;
            } else if let Some(previous) = preceded(start, '0').filter(|_| zeros < MOST_ZEROS) {
                zeros += 1;
                start = previous;
            } else {
                break;
            }
        }
        let (from, to) = (row.get(start)?.0, row.get(hit.end.checked_sub(1)?)?.0 + 1);
        let plus = from.checked_sub(1).filter(|at| chars.get(*at) == Some(&'+'));
        Some(plus.unwrap_or(from)..to)
    });
    hits.collect()
}

fn is_whole(chars: &[char], hit: &Range<usize>) -> bool {
    let beside = [hit.start.checked_sub(1), Some(hit.end)];
    beside.into_iter().flatten().all(|at| !chars.get(at).is_some_and(|c| c.is_alphanumeric()))
}

/// A value as it is compared: as a line is read, without blanks at its ends, without regard to case.
fn normal(value: &str) -> Zeroizing<Vec<char>> {
    let chars = Zeroizing::new(View::of(value).chars);
    let blank = |c: &&char| **c == ' ';
    let start = chars.iter().take_while(blank).count();
    let end = chars.len() - chars.iter().skip(start).rev().take_while(blank).count();
    Zeroizing::new(chars.get(start..end).unwrap_or_default().iter().copied().map(fold).collect())
}

/// Two texts of one hash are hidden alike: too much, never too little.
fn hash(chars: &[char]) -> u64 {
    chars
        .iter()
        .fold(0, |sum: u64, c| sum.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(*c) + 1))
}
