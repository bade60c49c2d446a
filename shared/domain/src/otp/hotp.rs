//! Counter-based codes (RFC 4226), and the same computation over SHA-256 and SHA-512 (RFC 6238 section 1.2).

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::{Algorithm, Code, Digits};
use crate::secret::Seed;

/// The code that a token shows for `counter` (RFC 4226 section 5.3).
#[must_use]
pub fn code(seed: &Seed, counter: u64, algorithm: Algorithm, digits: Digits) -> Code {
    Keyed::new(seed, algorithm, digits).code(counter)
}

/// An HMAC that has taken its key, so that many counters cost one key set-up.
pub(super) struct Keyed {
    mac: KeyedMac,
    digits: Digits,
}

enum KeyedMac {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

impl Keyed {
    pub(super) fn new(seed: &Seed, algorithm: Algorithm, digits: Digits) -> Self {
        let mac = match algorithm {
            Algorithm::Sha1 => KeyedMac::Sha1(keyed(seed)),
            Algorithm::Sha256 => KeyedMac::Sha256(keyed(seed)),
            Algorithm::Sha512 => KeyedMac::Sha512(keyed(seed)),
        };
        Self { mac, digits }
    }

    /// The counter goes in as 8 bytes, most significant first (RFC 4226 section 5.2).
    pub(super) fn code(&self, counter: u64) -> Code {
        let number = match &self.mac {
            KeyedMac::Sha1(mac) => truncated(mac.clone(), counter),
            KeyedMac::Sha256(mac) => truncated(mac.clone(), counter),
            KeyedMac::Sha512(mac) => truncated(mac.clone(), counter),
        };
        Code::from_number(*number, self.digits)
    }
}

#[expect(clippy::expect_used, reason = "an HMAC takes keys of any length (RFC 2104 section 3)")]
fn keyed<M: KeyInit>(seed: &Seed) -> M {
    M::new_from_slice(seed.expose()).expect("an HMAC takes keys of any length")
}

/// Dynamic truncation (RFC 4226 section 5.3): the low 4 bits of the last byte say where 4 bytes start that
/// are read as a number, without its sign bit.
fn truncated(mut mac: impl Mac, counter: u64) -> Zeroizing<u32> {
    mac.update(&counter.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = digest.last().map_or(0, |last| usize::from(last & 0x0f));
    // The shortest digest has 20 bytes and the offset is 15 at most, so the 4 bytes are always there.
    let word = digest.get(offset..).and_then(<[u8]>::first_chunk::<4>).copied().unwrap_or_default();
    Zeroizing::new(u32::from_be_bytes(word) & 0x7fff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4226 appendix D.
    const SEED: &[u8] = b"12345678901234567890";

    /// RFC 4226 appendix D: the HMAC values for counters 0 to 9.
    const DIGESTS: [&str; 10] = [
        "cc93cf18508d94934c64b65d8ba7667fb7cde4b0",
        "75a48a19d4cbe100644e8ac1397eea747a2d33ab",
        "0bacb7fa082fef30782211938bc1c5e70416ff44",
        "66c28227d03a2d5529262ff016a1e6ef76557ece",
        "a904c900a64b35909874b33e61c5938a8e15ed1c",
        "a37e783d7b7233c083d4f62926c7a25f238d0316",
        "bc9cd28561042c83f219324d3c607256c03272ae",
        "a4fb960c0bc06e1eabb804e5b397cdc4b45596fa",
        "1b3c89f65e6c9e883012052823443f048b4332db",
        "1637409809a679dc698207310c8c7fc07290d9e5",
    ];

    /// RFC 4226 appendix D: the truncated numbers in decimal, before the modulo, for counters 0 to 9.
    const NUMBERS: [u32; 10] = [
        1_284_755_224,
        1_094_287_082,
        137_359_152,
        1_726_969_429,
        1_640_338_314,
        868_254_676,
        1_918_287_922,
        82_162_583,
        673_399_871,
        645_520_489,
    ];

    /// RFC 4226 appendix D: the codes for counters 0 to 9.
    const CODES: [&str; 10] =
        ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];

    #[test]
    fn rfc_4226_appendix_d_codes() {
        let seed = Seed::new(SEED.to_vec()).unwrap();
        for (counter, expected) in (0..).zip(CODES) {
            assert_eq!(code(&seed, counter, Algorithm::Sha1, Digits::Six).expose(), expected);
        }
    }

    #[test]
    fn rfc_4226_appendix_d_digests() {
        let seed = Seed::new(SEED.to_vec()).unwrap();
        for (counter, expected) in (0_u64..).zip(DIGESTS) {
            let digest =
                keyed::<Hmac<Sha1>>(&seed).chain_update(counter.to_be_bytes()).finalize().into_bytes();
            assert_eq!(data_encoding::HEXLOWER.encode(&digest), expected);
        }
    }

    #[test]
    fn rfc_4226_appendix_d_intermediate_numbers() {
        let seed = Seed::new(SEED.to_vec()).unwrap();
        for (counter, expected) in (0..).zip(NUMBERS) {
            assert_eq!(*truncated(keyed::<Hmac<Sha1>>(&seed), counter), expected);
        }
    }

    #[test]
    fn longer_codes_are_the_same_number_with_more_digits() {
        let seed = Seed::new(SEED.to_vec()).unwrap();
        for (counter, number) in (0..).zip(NUMBERS) {
            let eight = code(&seed, counter, Algorithm::Sha1, Digits::Eight);
            assert_eq!(eight.expose(), format!("{:08}", number % 100_000_000));
            let seven = code(&seed, counter, Algorithm::Sha1, Digits::Seven);
            assert_eq!(seven.expose(), eight.expose().get(1..).unwrap());
        }
    }

    #[test]
    fn the_last_counter_works() {
        let seed = Seed::new(SEED.to_vec()).unwrap();
        assert_eq!(code(&seed, u64::MAX, Algorithm::Sha512, Digits::Eight).expose().len(), 8);
    }
}
