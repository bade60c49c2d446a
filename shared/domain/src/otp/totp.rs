//! Time-based codes (RFC 6238), computed by `totp-rs`.

use super::{Algorithm, Code, OtpParameters, Period};
use crate::secret::Seed;

/// The time step that `unix_seconds` lies in: T of RFC 6238 section 4.2, with T0 = 0. It has 64 bits, so
/// it goes on after the year 2038.
#[must_use]
pub fn step(unix_seconds: u64, period: Period) -> u64 {
    // The period is 15 at least.
    unix_seconds / period.seconds()
}

/// The first second of a time step; the greatest number if that lies beyond it.
#[must_use]
pub fn starts_at(step: u64, period: Period) -> u64 {
    step.saturating_mul(period.seconds())
}

/// The code that a token shows during `step` (RFC 6238 section 4.2). The step stands for the time, so the
/// period plays no part here.
#[must_use]
pub fn code(seed: &Seed, step: u64, params: &OtpParameters) -> Code {
    Keyed::new(seed, *params).code(step)
}

/// A generator that has taken its seed.
pub(super) struct Keyed(totp_rs::Totp);

impl Keyed {
    /// With a step of one second, the time that `totp-rs` is given *is* the step: nothing is multiplied, so
    /// nothing overflows. Its lenient constructor is the one that takes imported seeds of 10 to 15 bytes;
    /// the other limits it would check are held by our own types.
    pub(super) fn new(seed: &Seed, params: OtpParameters) -> Self {
        let algorithm = match params.algorithm {
            Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
            Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
            Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
        };
        Self(
            totp_rs::Builder::new()
                .with_algorithm(algorithm)
                .with_digits(params.digits.count())
                .with_step_duration(1)
                .with_secret(seed.expose())
                .build_noncompliant(),
        )
    }

    pub(super) fn code(&self, step: u64) -> Code {
        Code::write(format_args!("{}", self.0.generate(step)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Digits, Kind, hotp};
    use super::*;

    /// RFC 6238 appendix B: time, step, then the codes of SHA-1, SHA-256, SHA-512.
    const VECTORS: [(u64, u64, [&str; 3]); 6] = [
        (59, 0x1, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, 0x0235_23EC, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, 0x0235_23ED, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, 0x0273_EF07, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, 0x03F9_40AA, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, 0x27BC_86AA, ["65353130", "77737706", "47863826"]),
    ];

    /// The vectors' seeds: the ten digits repeated to the length of the hash's output, which the RFC shows
    /// in its reference code only.
    fn seed(algorithm: Algorithm) -> Seed {
        let length = match algorithm {
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        };
        Seed::new(b"1234567890".iter().copied().cycle().take(length).collect()).unwrap()
    }

    #[test]
    fn rfc_6238_appendix_b() {
        for (time, expected_step, codes) in VECTORS {
            assert_eq!(step(time, Period::default()), expected_step);
            for (algorithm, expected) in
                [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512].into_iter().zip(codes)
            {
                let params = OtpParameters { kind: Kind::default(), algorithm, digits: Digits::Eight };
                assert_eq!(code(&seed(algorithm), expected_step, &params).expose(), expected);
                assert_eq!(
                    hotp::code(&seed(algorithm), expected_step, algorithm, Digits::Eight).expose(),
                    expected
                );
            }
        }
    }

    #[test]
    fn steps_beyond_32_bits() {
        // RFC 6238 section 4.2: T must be wider than 32 bits.
        let period = Period::new(15).unwrap();
        assert_eq!(step(u64::from(u32::MAX) * 15 + 15, period), u64::from(u32::MAX) + 1);
        assert_eq!(starts_at(1 << 40, period), 15 << 40);
        assert_eq!(starts_at(u64::MAX, period), u64::MAX);
        let params = OtpParameters::default();
        let late = code(&seed(Algorithm::Sha1), u64::MAX, &params);
        assert_eq!(
            late.expose(),
            hotp::code(&seed(Algorithm::Sha1), u64::MAX, Algorithm::Sha1, Digits::Six).expose()
        );
    }

    proptest! {
        /// RFC 6238 section 4: TOTP is HOTP over the time step. Two implementations, one answer.
        #[test]
        fn both_generators_agree(
            bytes in proptest::collection::vec(any::<u8>(), 10..=64),
            algorithm in prop_oneof![Just(Algorithm::Sha1), Just(Algorithm::Sha256), Just(Algorithm::Sha512)],
            digits in prop_oneof![Just(Digits::Six), Just(Digits::Seven), Just(Digits::Eight)],
            period in 15_u64..=120,
            time in any::<u64>(),
        ) {
            let seed = Seed::imported(bytes).unwrap();
            let period = Period::new(period).unwrap();
            let params = OtpParameters { kind: Kind::Totp(period), algorithm, digits };
            let step = step(time, period);
            let ours = hotp::code(&seed, step, algorithm, digits);
            let theirs = code(&seed, step, &params);
            prop_assert_eq!(theirs.expose(), ours.expose());

            // And as other programs use that crate: with the time and the period.
            let oracle = totp_rs::Builder::new()
                .with_algorithm(totp_rs::Algorithm::try_from(algorithm.as_str().to_owned()).unwrap())
                .with_digits(digits.count())
                .with_step_duration(period.seconds())
                .with_secret(seed.expose())
                .build_noncompliant();
            prop_assert_eq!(oracle.generate(time).to_string(), ours.expose());
        }

        #[test]
        fn a_step_starts_where_the_last_one_ends(time in 0..u64::MAX / 2, period in 15_u64..=120) {
            let period = Period::new(period).unwrap();
            let step = step(time, period);
            prop_assert!(starts_at(step, period) <= time);
            prop_assert!(time < starts_at(step + 1, period));
        }
    }
}
