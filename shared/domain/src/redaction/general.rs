//! What is hidden whether or not it was named.

use std::borrow::Cow;
use std::ops::Range;

use super::view::TAKEN;
use super::{credentials, links, numbers};

/// A stretch, and what stands in its place.
pub(super) type Found = (Range<usize>, Cow<'static, str>);

/// What separates the parts of an address: in the clear, percent-encoded, escaped in JSON.
const AT: [&str; 3] = ["@", "%40", "\\u0040"];
/// How far the beginning of a quoted local part is looked for (RFC 5321 section 4.5.3.1.1, and the quotes).
const WIDEST_QUOTED: usize = 66;

/// All that is hidden of `chars`.
pub(super) fn found(chars: &[char]) -> Vec<Found> {
    let mut found = links::found(chars);
    found.extend(credentials::found(chars));
    let users: Vec<_> = found.iter().map(|(range, _)| range.clone()).collect();
    found.extend(addresses(chars, &users));
    found.extend(numbers::found(chars));
    found
}

/// How many of `chars` from `at` on are such.
pub(super) fn run(chars: &[char], at: usize, such: impl Fn(char) -> bool) -> usize {
    chars.iter().skip(at).take_while(|c| such(**c)).count()
}

/// How many of `chars` before `at`, not before `least`, are such.
pub(super) fn run_before(chars: &[char], least: usize, at: usize, such: impl Fn(char) -> bool) -> usize {
    let before = chars.get(least..at).unwrap_or_default();
    before.iter().rev().take_while(|c| such(**c)).count()
}

/// Whether `text` stands at `at`, in any case.
pub(super) fn stands(chars: &[char], at: usize, text: &str) -> bool {
    text.chars()
        .zip(at..)
        .all(|(expected, at)| chars.get(at).is_some_and(|c| c.eq_ignore_ascii_case(&expected)))
}

/// Addresses of mail, masked. The `@` of a link's user is not one: `hidden` has it.
fn addresses(chars: &[char], hidden: &[Range<usize>]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut hidden = hidden.to_vec();
    hidden.sort_by_key(|range| range.start);
    let mut hidden = hidden.into_iter().peekable();
    // No address begins before the separator of the one before.
    let mut least = 0;
    for at in 0..chars.len() {
        let Some(separator) = AT.iter().find(|text| stands(chars, at, text)) else { continue };
        while hidden.next_if(|range| range.end <= at).is_some() {}
        if hidden.peek().is_some_and(|range| range.start <= at) {
            continue;
        }
        let after = at + separator.len();
        let local = local(chars, least, at);
        let domain = domain(chars, after);
        if local > 0 && domain > 0 {
            let name = chars.get(after..after + domain).unwrap_or_default();
            found.push((at - local..after + domain, Cow::Owned(masked(chars.get(at - local), name))));
        }
        least = after;
    }
    found
}

/// How long the local part before `at` is. It has no slash, though it might (RFC 5322 section 3.2.3): paths have many.
fn local(chars: &[char], least: usize, at: usize) -> usize {
    let Some('"') = at.checked_sub(1).and_then(|last| chars.get(last)) else {
        return run_before(chars, least, at, |c| {
            c == TAKEN || c.is_alphanumeric() || "!#$%&'*+-=?^_`{|}~.".contains(c)
        });
    };
    let least = least.max(at.saturating_sub(WIDEST_QUOTED));
    let inside = run_before(chars, least, at - 1, |c| c != '"');
    if at - 1 - inside > least { inside + 2 } else { 0 }
}

/// How long the domain from `at` on is: a name, or an address in brackets (RFC 5321 section 4.1.3).
fn domain(chars: &[char], at: usize) -> usize {
    if chars.get(at) == Some(&'[') {
        let inside = run(chars, at, |c| c == TAKEN || c.is_alphanumeric() || "[.:".contains(c));
        return inside + usize::from(chars.get(at + inside) == Some(&']'));
    }
    let length = run(chars, at, |c| c == TAKEN || c.is_alphanumeric() || "-._".contains(c));
    let name = chars.get(at..at + length).unwrap_or_default();
    length - name.iter().rev().take_while(|c| **c == '.').count()
}

/// `j***@e***.org`.
fn masked(local: Option<&char>, domain: &[char]) -> String {
    let first =
        |c: Option<&char>| c.copied().filter(|c| c.is_alphanumeric()).map(String::from).unwrap_or_default();
    let top: String = domain.iter().rev().take_while(|c| c.is_alphabetic()).collect();
    let top: String = top.chars().rev().collect();
    let dotted = domain.len() > top.len() && !top.is_empty() && domain.contains(&'.');
    let top = if dotted { format!(".{top}") } else { String::new() };
    format!("{}***@{}***{top}", first(local), first(domain.first()))
}
