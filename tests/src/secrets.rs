//! What the tests know and no log may: remembered as they go, looked for once all are done.

use std::collections::BTreeSet;
use std::sync::Mutex;

use otpost_local::World;
use otpost_local::build::FUNCTIONS;

static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Remembers a key, a link, a code, an address or a seed.
///
/// # Panics
/// When a test has panicked while it held the list.
pub fn remember(secret: &str) {
    // What is shorter than a code is none, and stands in every line.
    if secret.len() < 6 {
        return;
    }
    KNOWN.lock().expect("not poisoned").insert(secret.to_owned());
}

/// The lines of all functions' logs that hold something that no log may hold, without the secret.
///
/// # Panics
/// When a log cannot be read.
pub async fn told_by_logs(world: &World) -> (usize, Vec<String>) {
    let known = KNOWN.lock().expect("not poisoned").clone();
    let (mut looked_at, mut found) = (0, Vec::new());
    for function in FUNCTIONS {
        for line in world.function_log(function).await.expect("a log") {
            looked_at += 1;
            if line.text.contains("\"error\":") && line.text.contains("ERROR") {
                eprintln!("{function}: {}", line.text);
            }
            let mut words = line.text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_@.+".contains(c)));
            let secret = words.find(|word| known.contains(*word) || looks_secret(word));
            let leaks = secret.is_some()
                || ["otpauth:", "/e/", "Bearer otp_"].iter().any(|sign| line.text.contains(sign));
            if leaks {
                found.push(format!("{function}: {}", line.text));
            }
        }
    }
    (looked_at, found)
}

/// An address that is not masked, a telephone number, a whole API key, a code of 256 bits, a seed in Base32, or an
/// authorization code.
fn looks_secret(word: &str) -> bool {
    let random =
        word.len() == 43 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let mixed = word.bytes().any(|b| b.is_ascii_uppercase()) && word.bytes().any(|b| b.is_ascii_digit());
    let seed = word.len() == 32 && word.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b));
    let groups = word.split_once('-').is_some_and(|(first, second)| first.len() == 4 && second.len() == 4);
    let upper = word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
    let authorization = groups && upper && word.bytes().any(|b| b.is_ascii_uppercase());
    (random && mixed)
        || seed
        || authorization
        || is_address(word)
        || is_number(word)
        || (word.starts_with("otp_") && word.len() > 60)
}

fn is_address(word: &str) -> bool {
    let (local, domain) = word.split_once('@').unwrap_or_default();
    // What is left of a masked one when its stars part it, such as `@e`, has nothing on one side.
    !local.is_empty() && domain.contains('.') && !word.contains('*')
}

/// A number in international form: those of the tests are of the United Kingdom, or Twilio's own for tests.
fn is_number(word: &str) -> bool {
    let digits = word.trim_start_matches('+');
    digits.len() >= 9
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (word.starts_with('+') || digits.starts_with("447700"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_looks() {
        let code = otpost_domain::ids::BearerCode::new(b"An example of 32 bytes in a code");
        assert!(looks_secret(code.expose()) && looks_secret("jane@tenant-1.example.org"));
        assert!(
            looks_secret("+447700900123") && looks_secret("447700900123") && looks_secret("ops@example.net")
        );
        assert!(looks_secret("K7TM-4QXA") && looks_secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"));
        for harmless in
            ["j***@t***.org", "msg_06dr3qk1fs2v8n7p4g5h6j7k8m", "OTP0123456789AB", "2026-1122", "answered"]
        {
            assert!(!looks_secret(harmless), "{harmless}");
        }
    }
}
