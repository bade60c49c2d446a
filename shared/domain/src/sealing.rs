//! Sealing of what must not lie in clear at rest: seeds, codes that await delivery, addresses in messages.
//!
//! AES-256-GCM under a key that is derived for each record with HKDF-SHA-256 (RFC 5869) from the tenant's
//! data key. A record's tenant, id and kind go into both the derivation and the associated data, so sealed
//! bytes that are moved to another row do not open.
//!
//! A sealed value is: format byte `0x01`, key version, nonce (12 bytes), ciphertext, tag (16 bytes).

use core::fmt;
use core::hint::black_box;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The only format so far.
const FORMAT: u8 = 1;
const KEY: usize = 32;
const NONCE: usize = 12;
const TAG: usize = 16;
const PURPOSE: &[u8] = b"otpost/1";

/// A tenant's data key in clear: 32 bytes, wiped when dropped.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; KEY]>);

/// A data key does not have 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a data key has 32 bytes")]
pub struct DataKeyLength;

impl DataKey {
    /// Takes the key's bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key of one record (RFC 5869 sections 2.2 and 2.3, no salt).
    #[expect(clippy::expect_used, reason = "HKDF refuses only outputs above 255 hashes")]
    fn for_record(&self, binding: &[u8]) -> Aes256Gcm {
        let mut key = Zeroizing::new([0_u8; KEY]);
        Hkdf::<Sha256>::new(None, self.0.as_slice())
            .expand_multi_info(&[PURPOSE, binding], key.as_mut_slice())
            .expect("32 bytes are one hash");
        Aes256Gcm::new((&*key).into())
    }
}

impl TryFrom<&[u8]> for DataKey {
    type Error = DataKeyLength;

    /// Copies the bytes that a key service has unwrapped; wiping the original is the caller's part.
    fn try_from(bytes: &[u8]) -> Result<Self, DataKeyLength> {
        <[u8; KEY]>::try_from(bytes).map(Self::new).map_err(|_| DataKeyLength)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(redacted)")
    }
}

/// What a sealed value belongs to. It opens only under the same three texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The tenant's id.
    pub tenant: &'a str,
    /// The id of the record that holds the value.
    pub record: &'a str,
    /// What the value is, for example `seed` or `recipient`.
    pub kind: &'a str,
}

impl Binding<'_> {
    /// Each text with its length before it (8 bytes), so that no two bindings read alike.
    fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [self.tenant, self.record, self.kind] {
            // A usize never has more than 64 bits here, so nothing is lost.
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// Why a sealed value does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There are too few bytes to be a sealed value.
    #[error("the sealed value is too short")]
    Malformed,
    /// The format byte is not one that this version knows.
    #[error("the sealed value has an unknown format")]
    UnknownVersion,
    /// It was changed, moved to another record, or sealed under another key.
    #[error("the sealed value was changed or belongs elsewhere")]
    Tampered,
}

/// Seals `plaintext`. `key_version` names the data key and is kept in clear, but protected.
///
/// The nonce must come from the entropy port. Records have keys of their own, so a nonce must differ only
/// among the values sealed under one binding.
#[must_use]
pub fn seal(
    key: &DataKey,
    key_version: u8,
    binding: &Binding<'_>,
    nonce: [u8; NONCE],
    plaintext: &[u8],
) -> Vec<u8> {
    let binding = binding.encoded();
    let header = [FORMAT, key_version];
    let aad = [header.as_slice(), &binding].concat();
    let ciphertext = encrypted(&key.for_record(&binding), nonce, &aad, plaintext);
    [header.as_slice(), &nonce, &ciphertext].concat()
}

#[expect(clippy::expect_used, reason = "AES-GCM refuses only texts above 64 GiB")]
fn encrypted(cipher: &Aes256Gcm, nonce: [u8; NONCE], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    cipher
        .encrypt(&nonce.into(), Payload { msg: plaintext, aad })
        .expect("the text fits into memory, so it is short enough")
}

/// 32 bytes that follow from a data key and a binding alone: HKDF-SHA-256 (RFC 5869) under another purpose than that of
/// records' keys, so that they are the key of nothing.
#[must_use]
pub fn derive(key: &DataKey, binding: &Binding<'_>) -> [u8; KEY] {
    expanded(key, &binding.encoded())
}

#[expect(clippy::expect_used, reason = "HKDF refuses only outputs above 255 hashes")]
fn expanded(key: &DataKey, binding: &[u8]) -> [u8; KEY] {
    let mut bytes = [0; KEY];
    Hkdf::<Sha256>::new(None, key.0.as_slice())
        .expand_multi_info(&[b"otpost/derived/1", binding], &mut bytes)
        .expect("32 bytes are one hash");
    bytes
}

/// Opens a sealed value.
///
/// # Errors
/// [`OpenError::Malformed`] if it is cut, [`OpenError::UnknownVersion`] if its format is not ours,
/// [`OpenError::Tampered`] if any bit differs, or the key or binding is another.
pub fn open(key: &DataKey, binding: &Binding<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (header, nonce, ciphertext) = split(sealed)?;
    let binding = binding.encoded();
    let aad = [header.as_slice(), &binding].concat();
    key.for_record(&binding)
        .decrypt(&(*nonce).into(), Payload { msg: ciphertext, aad: &aad })
        .map(Zeroizing::new)
        .map_err(|_| OpenError::Tampered)
}

/// Does the work of an [`open`] and throws it away, so that the answer for a user without a token takes as long as that
/// for one with a token.
pub fn burn(key: &DataKey) {
    let sealed = [[FORMAT, 1].as_slice(), &[0; NONCE + TAG + 20]].concat();
    let binding = Binding { tenant: "nobody", record: "OTP000000000000", kind: "token-seed" };
    // Black boxes keep the compiler from seeing that nobody wants the answer.
    let _ = black_box(open(key, black_box(&binding), black_box(&sealed)));
}

/// Which version of the data key opens this value.
///
/// # Errors
/// [`OpenError::Malformed`] or [`OpenError::UnknownVersion`]. Whether the value is genuine, only [`open`]
/// can tell.
pub fn key_version_of(sealed: &[u8]) -> Result<u8, OpenError> {
    let ([_, key_version], ..) = split(sealed)?;
    Ok(*key_version)
}

type Parts<'a> = (&'a [u8; 2], &'a [u8; NONCE], &'a [u8]);

fn split(sealed: &[u8]) -> Result<Parts<'_>, OpenError> {
    match sealed.first() {
        None => return Err(OpenError::Malformed),
        Some(&FORMAT) => {}
        Some(_) => return Err(OpenError::UnknownVersion),
    }
    let (header, rest) = sealed.split_first_chunk().ok_or(OpenError::Malformed)?;
    let (nonce, ciphertext) = rest.split_first_chunk().ok_or(OpenError::Malformed)?;
    if ciphertext.len() < TAG { Err(OpenError::Malformed) } else { Ok((header, nonce, ciphertext)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BINDING: Binding<'_> = Binding { tenant: "demo", record: "tok_1", kind: "seed" };

    fn key() -> DataKey {
        DataKey::new([0x42; 32])
    }

    #[test]
    fn layout_and_key_version() {
        let sealed = seal(&key(), 9, &BINDING, [7; 12], b"secret");
        assert_eq!(sealed.len(), 2 + 12 + 6 + 16);
        assert_eq!(&sealed[..14], [1, 9, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]);
        assert_eq!(key_version_of(&sealed), Ok(9));
        assert_eq!(open(&key(), &BINDING, &sealed).unwrap().as_slice(), b"secret");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let sealed = seal(&key(), 1, &BINDING, [7; 12], b"secret");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 8 { OpenError::UnknownVersion } else { OpenError::Tampered };
            assert_eq!(open(&key(), &BINDING, &changed).unwrap_err(), expected, "bit {bit}");
        }
    }

    #[test]
    fn another_owner_or_key_opens_nothing() {
        let sealed = seal(&key(), 1, &BINDING, [7; 12], b"secret");
        let elsewhere = [
            Binding { tenant: "demo2", ..BINDING },
            Binding { record: "tok_2", ..BINDING },
            Binding { kind: "code", ..BINDING },
            // The same letters, divided in another way.
            Binding { tenant: "demot", record: "ok_1", ..BINDING },
            Binding { record: "tok_1s", kind: "eed", ..BINDING },
        ];
        for binding in elsewhere {
            assert_eq!(open(&key(), &binding, &sealed).unwrap_err(), OpenError::Tampered, "{binding:?}");
        }
        assert_eq!(open(&DataKey::new([0x43; 32]), &BINDING, &sealed).unwrap_err(), OpenError::Tampered);
    }

    #[test]
    fn cut_values_are_refused() {
        let sealed = seal(&key(), 1, &BINDING, [7; 12], b"");
        for length in 0..sealed.len() {
            assert_eq!(open(&key(), &BINDING, &sealed[..length]).unwrap_err(), OpenError::Malformed);
            assert_eq!(key_version_of(&sealed[..length]), Err(OpenError::Malformed));
        }
        let longer = seal(&key(), 1, &BINDING, [7; 12], b"secret");
        assert_eq!(open(&key(), &BINDING, &longer[..longer.len() - 1]).unwrap_err(), OpenError::Tampered);
    }

    #[test]
    fn records_have_keys_of_their_own() {
        // The same nonce and text under two records: the bytes have nothing in common.
        let one = seal(&key(), 1, &BINDING, [7; 12], &[0; 32]);
        let two = seal(&key(), 1, &Binding { record: "tok_2", ..BINDING }, [7; 12], &[0; 32]);
        assert_ne!(one[14..46], two[14..46]);
    }

    #[test]
    fn keys_have_32_bytes_and_a_silent_debug() {
        assert!(DataKey::try_from([1; 32].as_slice()).is_ok());
        assert_eq!(DataKey::try_from([1; 31].as_slice()).unwrap_err(), DataKeyLength);
        assert_eq!(DataKey::try_from([1; 33].as_slice()).unwrap_err(), DataKeyLength);
        assert_eq!(format!("{:?}", key()), "DataKey(redacted)");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(
            key in any::<[u8; 32]>(),
            version in any::<u8>(),
            nonce in any::<[u8; 12]>(),
            text in proptest::collection::vec(any::<u8>(), 0..300),
            (tenant, record, kind) in ("\\PC{0,20}", "\\PC{0,20}", "\\PC{0,20}"),
        ) {
            let binding = Binding { tenant: &tenant, record: &record, kind: &kind };
            let sealed = seal(&DataKey::new(key), version, &binding, nonce, &text);
            prop_assert_eq!(key_version_of(&sealed), Ok(version));
            let opened = open(&DataKey::new(key), &binding, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), &text[..]);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(open(&key(), &BINDING, &bytes).is_err());
            let mut ours = bytes;
            if let Some(first) = ours.first_mut() {
                *first = FORMAT;
            }
            prop_assert!(open(&key(), &BINDING, &ours).is_err());
        }

        #[test]
        fn different_bindings_never_encode_alike(a in ("[ab]{0,4}", "[ab]{0,4}", "[ab]{0,4}"), b in ("[ab]{0,4}", "[ab]{0,4}", "[ab]{0,4}")) {
            let left = Binding { tenant: &a.0, record: &a.1, kind: &a.2 };
            let right = Binding { tenant: &b.0, record: &b.1, kind: &b.2 };
            prop_assert_eq!(left.encoded() == right.encoded(), a == b);
        }
    }
}
