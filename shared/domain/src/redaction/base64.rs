//! What lies in base64 (RFC 4648 sections 4 and 5), whatever stands around it there or before it.

use std::ops::Range;

use super::search::Secret;
use super::view::View;

/// Fewer characters hold nothing.
const LEAST: usize = 2;

/// A run of characters of base64, of either alphabet.
pub(super) struct Run {
    /// Where it is, with its padding.
    pub(super) range: Range<usize>,
    /// What it may say, without regard to case, by how many characters before it are not of it.
    readings: Vec<Vec<char>>,
}

impl Run {
    /// Whether a secret is in it. What is short must be all of it, for chance would find that anywhere.
    pub(super) fn hold(&self, secret: &Secret) -> bool {
        if secret.is_short() {
            return self.readings.first().is_some_and(|whole| secret.is(whole));
        }
        self.range.len() > secret.least()
            && self.readings.iter().any(|reading| !secret.hits(reading).is_empty())
    }
}

/// The runs among `chars`.
pub(super) fn runs(chars: &[char]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let rest = chars.get(at..).unwrap_or_default();
        let symbols: Vec<u32> = rest.iter().copied().map_while(symbol).collect();
        let padding = rest.iter().skip(symbols.len()).take_while(|c| **c == '=').count();
        let end = at + symbols.len() + padding;
        if symbols.len() >= LEAST {
            let readings = (0..4).map(|skipped| decoded(symbols.get(skipped..).unwrap_or_default()));
            runs.push(Run { range: at..end, readings: readings.collect() });
        }
        at = end.max(at + 1);
    }
    runs
}

fn symbol(c: char) -> Option<u32> {
    let base = |first: char| u32::from(c).checked_sub(u32::from(first));
    match c {
        'A'..='Z' => base('A'),
        'a'..='z' => base('a').map(|value| value + 26),
        '0'..='9' => base('0').map(|value| value + 52),
        '+' | '-' => Some(62),
        '/' | '_' => Some(63),
        _ => None,
    }
}

fn decoded(symbols: &[u32]) -> Vec<char> {
    let quanta = symbols.chunks(4).flat_map(|quantum| {
        // A last quantum of two or three symbols has one or two bytes.
        let bits =
            quantum.iter().chain([0; 3].iter()).take(4).fold(0, |bits: u32, symbol| bits << 6 | symbol);
        let [_, bytes @ ..] = bits.to_be_bytes();
        bytes.into_iter().take(quantum.len().saturating_sub(1))
    });
    let bytes: Vec<u8> = quanta.collect();
    View::of(&String::from_utf8_lossy(&bytes)).folded()
}
