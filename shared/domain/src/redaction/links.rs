//! Links: their users, queries and fragments go, and enrolment links as a whole.

use std::borrow::Cow;

use super::general::{Found, run, run_before, stands};
use super::view::TAKEN;

/// Characters of a path that are shown.
const MOST_OF_PATH: usize = 40;
/// Characters of the secret part of an enrolment link: 32 bytes in base64 without padding.
const BEARER: usize = 43;
/// How far before an enrolment link's secret its beginning is looked for.
const WIDEST_HEAD: usize = 300;

/// What is hidden of the links in `chars`.
pub(super) fn found(chars: &[char]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let scheme =
            at.checked_sub(1).and_then(|last| chars.get(last)).is_some_and(char::is_ascii_alphanumeric);
        if scheme && stands(chars, at, "://") {
            let end = end(chars, at + 3);
            found.extend(inside(chars, at + 3, end));
            at = end;
        } else {
            at += 1;
        }
    }
    found.extend(enrolments(chars));
    found
}

/// Where a link ends: with what cannot be in one, or with what usually ends the sentence around it.
fn end(chars: &[char], from: usize) -> usize {
    let length = run(chars, from, |c| c == TAKEN || !(c == ' ' || "\"'<>\\`{}|^".contains(c)));
    let link = chars.get(from..from + length).unwrap_or_default();
    from + length - link.iter().rev().take_while(|c| ".,;:!?)]".contains(**c)).count()
}

/// What is hidden between the scheme of a link and its end (RFC 3986 section 3).
fn inside(chars: &[char], from: usize, end: usize) -> Vec<Found> {
    let mut found = Vec::new();
    let authority = run(chars.get(..end).unwrap_or_default(), from, |c| !"/?#".contains(c));
    let path = from + authority;
    let user = chars.get(from..path).and_then(|authority| authority.iter().rposition(|c| *c == '@'));
    found.extend(user.map(|at| (from..from + at + 1, Cow::Borrowed(""))));
    let shown = run(chars.get(..end).unwrap_or_default(), path, |c| !"?#".contains(c)).min(MOST_OF_PATH);
    if path + shown < end {
        found.push((path + shown..end, Cow::Borrowed("…")));
    }
    found
}

/// Enrolment links, whether or not they begin with a scheme.
fn enrolments(chars: &[char]) -> Vec<Found> {
    let mut found = Vec::new();
    for at in (0..chars.len()).filter(|at| stands(chars, *at, "/e/")) {
        let secret = run(chars, at + 3, |c| c == TAKEN || c.is_ascii_alphanumeric() || "-_".contains(c));
        if secret >= BEARER {
            let head = run_before(chars, at.saturating_sub(WIDEST_HEAD), at, |c| {
                c.is_alphanumeric() || c == TAKEN || "-._~:/@%[]".contains(c)
            });
            found.push((at - head..at + 3 + secret, Cow::Borrowed("[link]")));
        }
    }
    found
}
