//! What proves who asks, by the words before it: `Basic`, `Bearer`, `AUTH` with a mechanism; and signed tokens.

use std::borrow::Cow;
use std::ops::Range;

use super::general::{Found, run, stands};
use super::view::TAKEN;

const SHOWN: Cow<'static, str> = Cow::Borrowed("[credential]");
/// Mechanisms of SASL.
const MECHANISMS: [&str; 11] = [
    "cram-md5",
    "digest-md5",
    "external",
    "gssapi",
    "login",
    "ntlm",
    "oauthbearer",
    "plain",
    "scram-sha-1",
    "scram-sha-256",
    "xoauth2",
];
/// Long words that follow where people write about these things; short ones are no credentials.
const HARMLESS: [&str; 8] = [
    "authentication",
    "authorization",
    "credential",
    "credentials",
    "mechanism",
    "mechanisms",
    "rejected",
    "required",
];
/// Letters of a word that is taken for a credential even if there are only small ones.
const LONG: usize = 8;
/// Characters of a signed token at least.
const LEAST_SIGNED: usize = 20;

/// What a word makes of the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Any,
    Mechanism,
    Credential,
}

/// What is hidden of `chars`.
pub(super) fn found(chars: &[char]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut next = Next::Any;
    let mut last = 0;
    while let Some(word) = word(chars, last) {
        let is = |text: &str| word.len() == text.len() && stands(chars, word.start, text);
        let apart = chars.get(last..word.start).unwrap_or_default().iter().any(|c| !" :=\"'".contains(*c));
        let of = if apart { Next::Any } else { next };
        let credential = of == Next::Credential && !is_harmless(chars, &word);
        last = word.end;
        next = if is("basic")
            || is("bearer")
            || (of == Next::Mechanism && MECHANISMS.iter().any(|name| is(name)))
        {
            Next::Credential
        } else if is("auth") {
            Next::Mechanism
        } else {
            Next::Any
        };
        if (credential && next == Next::Any) || is_signed(chars, &word) {
            found.push((word, SHOWN));
        }
    }
    found
}

/// The first word from `at` on, of the characters that credentials are made of (RFC 9110 section 11.2).
fn word(chars: &[char], at: usize) -> Option<Range<usize>> {
    let such = |c: char| c == TAKEN || c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    let start = at + run(chars, at, |c| !such(c));
    let end = start + run(chars, start, such);
    (start < end).then_some(start..end)
}

fn is_harmless(chars: &[char], word: &Range<usize>) -> bool {
    let text: String = chars.get(word.clone()).unwrap_or_default().iter().collect();
    let text = text.trim_end_matches('.');
    let small =
        text.bytes().skip(1).all(|b| b.is_ascii_lowercase()) && text.bytes().all(|b| b.is_ascii_alphabetic());
    let lower = text.to_ascii_lowercase();
    (small && text.len() < LONG) || HARMLESS.contains(&lower.as_str()) || MECHANISMS.contains(&lower.as_str())
}

/// Whether a word has three parts in base64, the first of which begins with a brace (RFC 7519 section 3).
fn is_signed(chars: &[char], word: &Range<usize>) -> bool {
    let text = chars.get(word.clone()).unwrap_or_default();
    let braced = text.windows(3).any(|three| three == ['e', 'y', 'J']);
    text.len() >= LEAST_SIGNED && braced && text.iter().filter(|c| **c == '.').count() >= 2
}
