use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::numbering::calling_code;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
const COOL_DOWN: Duration = Duration::from_secs(30);
const LIFE: Duration = Duration::from_mins(5);
/// What sealing adds: see [`crate::sealing`].
const OVERHEAD: usize = 2 + 12 + 16;

fn user(name: &str) -> Addressee {
    Addressee::User(UserId::try_from(name).unwrap())
}

fn email(text: &str) -> Contact {
    Contact::Email(EmailAddress::try_from(text).unwrap())
}

fn phone(text: &str) -> Contact {
    Contact::Phone(PhoneNumber::try_from(text).unwrap())
}

fn transaction(text: &str) -> Transaction {
    Transaction::try_from(text).unwrap()
}

fn place(source: SourceClass) -> Place {
    Place { addressee: user("jane"), purpose: CodePurpose::SignIn, source }
}

fn claims() -> Claims {
    Claims {
        place: place(SourceClass::Stranger),
        generation: Generation([7; 8]),
        secret: Secret::new([9; 32]),
        digits: 6,
        expires_at: Timestamp::from_seconds(1_800_000_300),
        authenticates: true,
        confirms: None,
    }
}

/// All that claims say, to be compared.
fn said(claims: &Claims) -> impl PartialEq + fmt::Debug {
    (
        claims.place.clone(),
        claims.generation,
        *claims.secret.expose(),
        claims.digits,
        claims.expires_at,
        (claims.authenticates, claims.confirms),
    )
}

fn addressees() -> impl Strategy<Value = Addressee> {
    let users = "[a-z0-9_@+-][a-z0-9._@+-]{0,127}".prop_map(|name| user(&name));
    let mails = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,64}@([a-z0-9]{1,20}\\.){1,5}[a-z]{2,8}";
    let phones = "[1-9][0-9]{6,14}";
    prop_oneof![
        users,
        mails.prop_map(|text| Addressee::Bare(email(&text))),
        phones.prop_map(|text| Addressee::Bare(phone(&format!("+{text}")))),
    ]
}

fn any_claims() -> impl Strategy<Value = Claims> {
    let place =
        (addressees(), prop::sample::select(CodePurpose::ALL), prop::sample::select(SourceClass::ALL));
    (place, any::<[u8; 8]>(), any::<[u8; 32]>(), 6..=10_u8, any::<u64>(), any::<bool>(), 0..3_usize).prop_map(
        |((addressee, purpose, source), generation, secret, digits, millis, authenticates, channel)| Claims {
            place: Place { addressee, purpose, source },
            generation: Generation(generation),
            secret: Secret::new(secret),
            digits,
            expires_at: Timestamp::from_millis(millis),
            authenticates,
            confirms: Channel::ALL.get(channel).copied(),
        },
    )
}

proptest! {
    #[test]
    fn claims_come_back_as_they_were(claims in any_claims()) {
        let back = Claims::decode(&claims.encode()).unwrap();
        prop_assert_eq!(said(&back), said(&claims));
    }

    /// Whatever decodes is what would be written.
    #[test]
    fn nothing_but_claims_decodes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Some(claims) = Claims::decode(&bytes) {
            prop_assert_eq!(claims.encode().to_vec(), bytes);
        }
    }

    #[test]
    fn claims_with_one_byte_changed_say_something_else_or_nothing(
        claims in any_claims(), at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let whole = claims.encode();
        let mut bytes = whole.to_vec();
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Some(read) = Claims::decode(&bytes) {
            prop_assert_eq!(read.encode().to_vec(), bytes.clone());
            prop_assert_eq!(said(&read) == said(&claims), bytes.as_slice() == whole.as_slice());
        }
    }

    #[test]
    fn ids_come_back_as_they_were(sealed in prop::collection::vec(any::<u8>(), 0..=446)) {
        let id = ChallengeId::new(sealed);
        let text = id.expose();
        prop_assert!(text.len() <= MOST_OF_ID);
        let back = ChallengeId::try_from(text.as_str()).unwrap();
        prop_assert_eq!(back.sealed(), id.sealed());
    }

    /// Whatever reads as an id is its own spelling.
    #[test]
    fn an_id_has_one_spelling(text in "(chl_)?[A-Za-z0-9_+/= -]{0,12}") {
        if let Ok(id) = ChallengeId::try_from(text.as_str()) {
            prop_assert_eq!(id.expose(), text);
        }
    }

    #[test]
    fn codes_have_the_digits_that_were_asked_for(secret in any::<[u8; 32]>(), digits in 6..=10_u8) {
        let secret = Secret::new(secret);
        for purpose in CodePurpose::ALL {
            let code = secret.code(digits, *purpose, None);
            prop_assert_eq!(code.expose().len(), usize::from(digits));
            prop_assert!(code.expose().bytes().all(|b| b.is_ascii_digit()));
            let read = SentCode::parse(code.expose()).unwrap();
            prop_assert_eq!(read.expose(), code.expose());
        }
    }

    #[test]
    fn codes_are_read_in_groups_and_nothing_else(text in "[0-9 \t\u{a0}\u{202f}]{0,20}|\\PC{0,14}") {
        let blank = |c: &char| matches!(c, ' ' | '\t' | '\u{a0}' | '\u{202f}');
        let rest: String = text.chars().filter(|c| !blank(c)).collect();
        let good = (6..=10).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_digit());
        match SentCode::parse(&text) {
            Ok(code) => prop_assert!(good && code.expose() == rest),
            Err(_) => prop_assert!(!good),
        }
    }
}

#[test]
fn claims_that_are_cut_or_of_another_format_do_not_decode() {
    for addressee in [user("jane"), Addressee::Bare(email("jane@example.org"))] {
        let claims = Claims { place: Place { addressee, ..place(SourceClass::Known) }, ..claims() };
        let whole = claims.encode();
        let header = 5 + 8 + 8 + 32 + 1;
        for end in 0..=header {
            assert!(Claims::decode(&whole[..end]).is_none(), "{end} bytes");
        }
        // Of these, any value but the one that was written is none, or says something else.
        let with = |at: usize, value: u8| {
            let mut bytes = whole.to_vec();
            bytes[at] = value;
            Claims::decode(&bytes)
        };
        for other in (0..=255).filter(|other| *other != 1) {
            assert!(with(0, other).is_none(), "format {other}");
        }
        assert!(with(1, 5).is_none() && with(2, 2).is_none(), "no such purpose or source");
        for digits in 0..=255 {
            assert_eq!(with(3, digits).is_some(), (6..=10).contains(&digits), "{digits} digits");
        }
        assert!(with(4, 6).is_none() && with(4, 0).is_some());
        assert!(with(header - 1, b'x').is_none(), "no such kind of addressee");
        let capital = whole[header].to_ascii_uppercase();
        let spelt = with(header, capital).map(|read| said(&read) == said(&claims));
        assert_ne!(spelt, Some(true), "another spelling");
    }
}

#[test]
fn the_longest_claims_fit_into_an_id() {
    let of = |addressee| {
        let claims = Claims {
            place: Place { addressee, purpose: CodePurpose::Transaction, source: SourceClass::Stranger },
            digits: 10,
            expires_at: Timestamp::from_millis(u64::MAX),
            ..claims()
        };
        let sealed = ChallengeId::new(vec![0xff; claims.encode().len() + OVERHEAD]);
        let text = sealed.expose();
        assert_eq!(ChallengeId::try_from(text.as_str()).unwrap(), sealed);
        text.len()
    };
    let label = |letters: usize| "b".repeat(letters);
    let longest =
        format!("{}@{}.{}.{}", "a".repeat(64), label(63), label(63), "c".repeat(254 - 65 - 64 - 64));
    assert_eq!(longest.len(), 254);
    // 54 bytes, the addressee, what sealing adds; four characters for three bytes.
    assert_eq!(of(user(&"u".repeat(128))), 4 + (54_usize + 128 + OVERHEAD).div_ceil(3) * 4 - 1);
    assert_eq!(of(Addressee::Bare(email(&longest))), 4 + ((54_usize + 254 + OVERHEAD) * 4).div_ceil(3));
    assert!(of(Addressee::Bare(email(&longest))) <= MOST_OF_ID);
    assert!(of(Addressee::Bare(phone("+123456789012345"))) < MOST_OF_ID);
}

#[test]
fn only_ids_are_read_as_ids() {
    for good in ["chl_", "chl_AA", "chl_AAA", "chl_AAAA", "chl_-_-_"] {
        assert_eq!(ChallengeId::try_from(good).unwrap().expose(), good);
    }
    let too_long = format!("chl_{}", "A".repeat(MOST_OF_ID));
    // One character holds no byte; the last bits of a text that is not full must be zero.
    let bad =
        ["", "chl", "CHL_AAAA", "msg_AAAA", "chl_A", "chl_AB", "chl_AAB", "chl_AA==", "chl_AA A", "chl_+/AA"];
    for bad in bad.into_iter().chain([" chl_AAAA", "chl_AAAA ", "chl_ÄÄ", too_long.as_str()]) {
        assert!(ChallengeId::try_from(bad).is_err(), "{bad}");
    }
    let longest = format!("chl_{}", "A".repeat(MOST_OF_ID - 4));
    assert!(ChallengeId::try_from(longest.as_str()).is_ok());
    assert!(ChallengeId::try_from(format!("{longest}AAAA").as_str()).is_err());
}

#[test]
fn secrets_are_not_shown() {
    let secret = Secret::new([0xab; 32]);
    let code = secret.code(6, CodePurpose::SignIn, None);
    let mac = secret.mac(CodePurpose::SignIn, None, &code);
    let shown = format!("{:?} {:?} {:?} {:?}", secret, code, mac, claims());
    assert!(!shown.contains(code.expose()) && !shown.contains("171") && !shown.contains("ab, "), "{shown}");
    assert_eq!(format!("{:?}", ChallengeId::new(vec![1; 3])), "ChallengeId(3 bytes)");
    assert_eq!(format!("{:?}", SealedOrder(vec![1; 3])), "SealedOrder(3 bytes)");
}

/// Computed with Python's `hmac` and `hashlib`: HMAC-SHA-256 over `otpost challenge/1`, `code` or `mac`, the purpose, the
/// transaction and the code, each after its length in 8 bytes, the most significant first.
#[test]
fn codes_and_what_proves_them_follow_from_the_secret() {
    let counting: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let pay = "Pay 12.50 € to Jane";
    let table = [
        (
            counting,
            6,
            "sign_in",
            None,
            "143471",
            "708ff99f1be396328cfc0a5d594cbe98363bd3cd2716ce72a7badbfa1012b3a2",
        ),
        (
            counting,
            8,
            "enrolment",
            None,
            "37337735",
            "fc750e7d16b2345d48f6ab89dbbc583e8eccec0e66ad38fd1ef07243a02f652f",
        ),
        (
            counting,
            10,
            "password_reset",
            None,
            "6610916501",
            "4e6bb8ce5bb515c5c7f40d99dd597ea1e7ca3f1b5808115ae86c332ccd9695a0",
        ),
        (
            counting,
            7,
            "transaction",
            Some("x"),
            "7761222",
            "34c10f90bb098541bdcae30fc465bd1239c746feddb24e75992e1d5b8a3a88c6",
        ),
        (
            [0xff; 32],
            6,
            "transaction",
            Some(pay),
            "016572",
            "de1d8c11d3ef9f528ed4e4422aced34d6032fa8b715ea5b815ebc5c34cf1e881",
        ),
        (
            [0xff; 32],
            9,
            "sign_in",
            None,
            "094470078",
            "5b0419afe138d55979ea10407857ddded28e803b8c83c208cd075f84400c4d57",
        ),
        (
            [0; 32],
            6,
            "sign_in",
            None,
            "413638",
            "cb399c2ae207c4c41872b51142ada87671d7d4ae5c4cd7a8400f811d123d9be0",
        ),
    ];
    for (secret, digits, purpose, text, code, mac) in table {
        let (secret, purpose) = (Secret::new(secret), CodePurpose::parse(purpose).unwrap());
        let text = text.map(transaction);
        let made = secret.code(digits, purpose, text.as_ref());
        assert_eq!(made.expose(), code);
        let proof = secret.mac(purpose, text.as_ref(), &made);
        assert_eq!(data_encoding::HEXLOWER.encode(&proof.0), mac);
    }
    // Two zeros at the beginning are part of the code.
    assert_eq!(Secret::new([174; 32]).code(6, CodePurpose::SignIn, None).expose(), "001469");
}

#[test]
fn a_codes_proof_is_good_for_nothing_else() {
    let (secret, other) = (Secret::new([1; 32]), Secret::new([2; 32]));
    let [code, another] = ["123456", "123457"].map(|text| SentCode::parse(text).unwrap());
    let (pay, more) = (transaction("Pay 1 €"), transaction("Pay 9 €"));
    let mut proofs = Vec::new();
    for secret in [&secret, &other] {
        for purpose in CodePurpose::ALL {
            for text in [None, Some(&pay), Some(&more)] {
                for code in [&code, &another] {
                    proofs.push(secret.mac(*purpose, text, code));
                }
            }
        }
    }
    for (at, proof) in proofs.iter().enumerate() {
        assert!(proof.is(&proof.clone()));
        assert!(proofs.iter().skip(at + 1).all(|other| !other.is(proof)), "{at}");
    }
    let codes = |secret: &Secret| {
        let all = CodePurpose::ALL.iter().flat_map(|purpose| {
            [None, Some(&pay), Some(&more)].map(|text| secret.code(10, *purpose, text).expose().to_owned())
        });
        all.collect::<BTreeSet<_>>()
    };
    assert_eq!(codes(&secret).len(), 15);
    assert!(codes(&secret).is_disjoint(&codes(&other)));
}

#[test]
fn transactions_are_one_line_of_140_characters() {
    for good in ["x", "Pay 12.50 € to Jane", &"ü".repeat(140), " trimmed ", "<b>&amp;[[CODE]]%code%"] {
        assert_eq!(transaction(good).as_str(), good.trim());
    }
    let long = "x".repeat(141);
    for bad in ["", "  ", &long, "a\nb", "a\rb", "a\tb", "a\u{2028}b", "a\u{202e}b", "a\u{2066}b", "a\0"] {
        assert!(Transaction::try_from(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_calling_code_has_one_to_three_digits() {
    let table = [
        ("+447700900123", 2),
        ("+12125551234", 1),
        ("+18005551234", 1),
        ("+79123456789", 1),
        ("+77012345678", 1),
        ("+353871234567", 3),
        ("+491511234567", 2),
        ("+99900000000", 3),
        ("+351912345678", 3),
        ("+20100123456", 2),
        ("+212612345678", 3),
        ("+8613812345678", 2),
        ("+85212345678", 3),
        ("+38344123456", 3),
        ("+88213123456", 3),
        ("+6834002", 3),
    ];
    for (number, digits) in table {
        assert_eq!(calling_code(&PhoneNumber::try_from(number).unwrap()), digits, "{number}");
    }
}

#[test]
fn recipients_are_shown_as_policy_wants_it() {
    let table = [
        ("jane.doe@mail.example.com", "j***@m***.com", "***@m***.com"),
        ("+447700900123", "+44 7*** ***123", "***123"),
        ("+12125551234", "+1 2*** ***234", "***234"),
        ("+79123456789", "+7 9*** ***789", "***789"),
        ("+353871234567", "+353 8*** ***567", "***567"),
        ("+99900000000", "+999 0*** ***000", "***000"),
        // Of a short number the first digit would be most of what is hidden.
        ("+6834002", "+683 *** ***002", "***002"),
        ("+29021234", "+290 *** ***234", "***234"),
    ];
    for (text, usual, end) in table {
        let contact = if text.contains('@') { email(text) } else { phone(text) };
        assert_eq!(Mask::Usual.contact(&contact), usual);
        assert_eq!(Mask::End.contact(&contact), end);
        assert_eq!(Mask::Hidden.contact(&contact), "***");
    }
    for mask in Mask::ALL {
        assert_eq!(Mask::parse(mask.as_str()), Some(*mask));
    }
}

/// A recipient's form: letters and digits that may differ are all the same.
fn form(shown: &str) -> String {
    let code = shown.split(' ').next().filter(|code| code.starts_with('+')).unwrap_or_default();
    let rest = shown.get(code.len()..).unwrap_or_default();
    let (rest, top) = rest.rsplit_once('.').unwrap_or((rest, ""));
    let same = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let rest: String = rest.chars().map(|c| if c.is_ascii_lowercase() { 'a' } else { same(c) }).collect();
    format!("{rest}{}", if top.is_empty() { "" } else { ".top" })
}

#[test]
fn decoys_look_like_recipients() {
    let real = [(Channel::Email, email("jane@example.org")), (Channel::Sms, phone("+447700900123"))];
    let bytes = |name: u8| -> [u8; 32] {
        let key = crate::sealing::DataKey::new([3; 32]);
        let binding = crate::sealing::Binding { tenant: "acme", record: &format!("{name}"), kind: "decoy" };
        crate::sealing::derive(&key, &binding)
    };
    for (channel, contact) in real {
        for mask in Mask::ALL {
            let decoys: Vec<_> = (0..200).map(|name| mask.decoy(channel, &bytes(name), "en")).collect();
            for (name, decoy) in (0..).zip(&decoys) {
                assert_eq!(form(decoy), form(&mask.contact(&contact)), "{decoy}");
                assert_eq!(decoy, &mask.decoy(channel, &bytes(name), "en"), "the same each time");
            }
            let distinct: BTreeSet<_> = decoys.iter().collect();
            let least = match (mask, channel) {
                (Mask::Hidden, _) => 1,
                (Mask::End, Channel::Email) => 40,
                _ => 100,
            };
            assert!(distinct.len() >= least, "{} of {mask:?} {channel:?}", distinct.len());
        }
    }
}

#[test]
fn decoys_are_of_the_languages_country() {
    let table = [
        ("en", "+44 7"),
        ("en-GB", "+44 7"),
        ("en-US", "+1 2"),
        ("en-IE", "+353 8"),
        ("en-AU", "+61 4"),
        ("de", "+49 1"),
        ("de-AT", "+43 6"),
        ("de-CH", "+41 7"),
        ("fr", "+33 6"),
        ("fr-BE", "+32 4"),
        ("it", "+39 3"),
        ("es-ES", "+34 6"),
        ("nl", "+31 6"),
        ("pl", "+48 5"),
        ("pt", "+351 9"),
        ("sv", "+46 7"),
        ("da", "+45 2"),
        ("xx", "+44 7"),
    ];
    for (language, start) in table {
        let decoy = Mask::Usual.decoy(Channel::Sms, &[250; 32], language);
        assert!(decoy.starts_with(start), "{language}: {decoy}");
    }
}

#[test]
fn rows_are_found_by_tenant_and_addressee() {
    let [acme, other] = ["acme", "other"].map(|tenant| TenantId::try_from(tenant).unwrap());
    let key = |addressee: &Addressee| addressee.key(&acme);
    assert_eq!(key(&user("Jane")), "U#jane");
    let bare = Addressee::Bare(email("Jane@Example.org"));
    assert!(key(&bare).starts_with("CT#") && !key(&bare).to_lowercase().contains("jane"));
    assert_eq!(key(&bare), key(&Addressee::Bare(email("jane@example.org"))), "one mailbox, one count");
    assert_ne!(key(&bare), key(&Addressee::Bare(email("june@example.org"))));
    assert_ne!(key(&bare), bare.key(&other));
    assert_ne!(key(&bare), key(&Addressee::Bare(phone("+447700900123"))));
}

fn at(after: Duration) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000).plus(after)
}

fn mac(of: u8) -> CodeMac {
    CodeMac([of; 32])
}

/// A code that was made at zero; nobody has guessed yet.
pub(crate) fn fresh(source: SourceClass) -> Challenge {
    Challenge {
        place: place(source),
        generation: Generation([1; 8]),
        mac: mac(1),
        expires_at: at(LIFE),
        guesses: 0,
        most_guesses: 5,
        failures: 0,
        guessed_at: Timestamp::default(),
        last: None,
        last_request: None,
        resent: 0,
        mailed: false,
        spent: false,
        most_resends: 3,
        cool_until: at(COOL_DOWN),
        message: MessageId::new(at(Duration::ZERO), [1; 10]),
        order: SealedOrder(vec![1]),
    }
}

fn guess(of: u8, request: u8, after: Duration) -> Guess {
    Guess {
        generation: Generation([1; 8]),
        mac: mac(of),
        request: BearerHash::of(&[&[request]]),
        at: at(after),
    }
}

const RIGHT: u8 = 1;
const WRONG: u8 = 2;

#[test]
fn a_right_code_is_accepted_once() {
    for source in SourceClass::ALL {
        let right = guess(RIGHT, 1, SECOND);
        let challenge = fresh(*source);
        assert_eq!(challenge.judge(&right), Judged::Counts);
        let used = challenge.guessed(&right);
        assert!(used.is_used() && !used.is_live(at(SECOND)));
        assert_eq!((used.guesses, used.failures_in_a_row()), (1, 0));
        assert_eq!(used.judge(&right), Judged::AcceptedBefore, "the same request");
        assert_eq!(used.judge(&guess(RIGHT, 2, SECOND)), Judged::Over, "another request");
        assert_eq!(used.judge(&guess(WRONG, 2, SECOND)), Judged::Over);
    }
}

#[test]
fn a_wrong_code_counts_once_for_each_request() {
    let wrong = guess(WRONG, 1, SECOND);
    let counted = fresh(SourceClass::Stranger).guessed(&wrong);
    assert_eq!((counted.guesses, counted.failures, counted.guessed_at), (1, 1, at(SECOND)));
    assert_eq!(counted.judge(&wrong), Judged::WrongBefore);
    assert!(!counted.is_used() && counted.is_live(at(SECOND)));
    assert_eq!(counted.judge(&guess(WRONG, 2, SECOND)), Judged::Counts);
    assert_eq!(counted.judge(&guess(RIGHT, 2, SECOND)), Judged::Counts);
}

#[test]
fn a_code_takes_so_many_guesses_and_no_more() {
    for source in SourceClass::ALL {
        let mut challenge = fresh(*source);
        for request in 0..5 {
            assert!(challenge.is_live(at(SECOND)));
            let wrong = guess(WRONG, request, SECOND);
            assert_eq!(challenge.judge(&wrong), Judged::Counts);
            challenge = challenge.guessed(&wrong);
        }
        assert!(!challenge.is_live(at(SECOND)));
        assert_eq!(challenge.judge(&guess(RIGHT, 9, SECOND)), Judged::Exhausted);
        assert_eq!(challenge.judge(&guess(WRONG, 4, SECOND)), Judged::WrongBefore, "the last request again");
        let last = Challenge { guesses: 4, ..challenge };
        let last = last.guessed(&guess(RIGHT, 9, SECOND));
        assert!(last.is_used(), "the last guess may be right");
    }
}

#[test]
fn a_code_is_over_from_the_moment_that_it_expires() {
    let challenge = fresh(SourceClass::Stranger);
    let before = LIFE.saturating_sub(MILLI);
    for (after, judged) in [(before, Judged::Counts), (LIFE, Judged::Over), (LIFE + MILLI, Judged::Over)] {
        for of in [RIGHT, WRONG] {
            assert_eq!(challenge.judge(&guess(of, 1, after)), judged, "{after:?}");
        }
        assert_eq!(challenge.is_live(at(after)), judged == Judged::Counts);
    }
    let other = Guess { generation: Generation([2; 8]), ..guess(RIGHT, 1, SECOND) };
    assert_eq!(challenge.judge(&other), Judged::Over, "of another code");
    let used = challenge.guessed(&guess(RIGHT, 1, SECOND));
    assert_eq!(used.judge(&guess(RIGHT, 1, LIFE)), Judged::Over, "whoever asks again asks in time");
    let again = Guess { generation: Generation([2; 8]), ..guess(RIGHT, 1, SECOND) };
    assert_eq!(used.judge(&again), Judged::Over);
}

#[test]
fn wrong_codes_have_a_budget_over_all_codes() {
    for source in SourceClass::ALL {
        let budget = source.budget();
        let almost = Challenge { failures: budget - 1, ..fresh(*source) };
        assert_eq!(almost.judge(&guess(RIGHT, 1, SECOND)), Judged::Counts);
        let after = almost.guessed(&guess(WRONG, 1, SECOND));
        assert_eq!(after.judge(&guess(RIGHT, 2, SECOND)), Judged::Exhausted);
        let wait = Start::Wait { retry_after: LOCKED_OUT, why: Why::Failures };
        for later in [SECOND, LIFE, LOCKED_OUT * 9] {
            assert_eq!(after.start(true, false, at(later)), wait, "only an operator helps");
        }
        let right = Challenge { failures: budget - 1, ..fresh(*source) }.guessed(&guess(RIGHT, 1, SECOND));
        assert_eq!(right.start(true, false, at(SECOND)), Start::New, "the last that counts was right");
    }
    // Signing in and confirming transactions, by known devices and strangers.
    assert_eq!(2 * (SourceClass::Known.budget() + SourceClass::Stranger.budget()), 100);
}

/// The wait after so many wrong codes, at the moment of the last one; `None` where there is none.
fn wait_after(failures: u32) -> Option<Duration> {
    let challenge = Challenge {
        failures,
        guessed_at: at(LIFE),
        guesses: 5,
        last: Some(mac(WRONG)),
        ..fresh(SourceClass::Stranger)
    };
    match challenge.start(true, false, at(LIFE)) {
        Start::Wait { retry_after, why } => {
            assert_eq!(why, Why::Failures);
            if retry_after < LOCKED_OUT {
                let end = LIFE + retry_after;
                let still = challenge.start(true, false, at(end.saturating_sub(MILLI)));
                assert_eq!(still, Start::Wait { retry_after: MILLI, why });
                assert_eq!(challenge.start(true, false, at(end)), Start::New);
            }
            Some(retry_after)
        }
        other => {
            assert_eq!(other, Start::New);
            None
        }
    }
}

#[test]
fn waits_after_wrong_codes_grow() {
    for failures in 0..10 {
        assert_eq!(wait_after(failures), None, "{failures}");
    }
    let seconds: Vec<_> = (10..40).map(|failures| wait_after(failures).unwrap().as_secs()).collect();
    assert_eq!(seconds[..8], [30, 60, 120, 240, 480, 960, 1920, 3600]);
    assert!(seconds[8..].iter().all(|wait| *wait == 3600));
    assert_eq!(wait_after(40), Some(LOCKED_OUT));
    assert_eq!(wait_after(u32::MAX), Some(LOCKED_OUT));
    let known = Challenge { failures: 9, ..fresh(SourceClass::Known) };
    assert_eq!(known.start(true, false, at(COOL_DOWN)), Start::Again);
}

fn cooling(left: Duration) -> Start {
    Start::Wait { retry_after: left, why: Why::CoolDown }
}

fn enough(left: Duration) -> Start {
    Start::Wait { retry_after: left, why: Why::SentEnough }
}

#[test]
fn who_asks_for_a_code_joins_the_one_that_is_good() {
    let live = fresh(SourceClass::Stranger);
    let almost = COOL_DOWN.saturating_sub(MILLI);
    let last = LIFE.saturating_sub(MILLI);
    let ended = Challenge { expires_at: at(SECOND), ..live.clone() };
    let exhausted = Challenge { guesses: 5, ..live.clone() };
    let used = live.clone().guessed(&guess(RIGHT, 1, SECOND));
    let sent = Challenge { resent: 3, ..live.clone() };
    // The challenge, whether it would tell the same, whether its message failed, when, and what is done.
    let table = [
        (&live, true, false, Duration::ZERO, Start::OnItsWay),
        (&live, true, false, almost, Start::OnItsWay),
        (&live, true, false, COOL_DOWN, Start::Again),
        (&live, true, false, last, Start::Again),
        (&live, true, false, LIFE, Start::New),
        (&live, true, true, Duration::ZERO, Start::Again),
        (&live, false, false, Duration::ZERO, cooling(COOL_DOWN)),
        (&live, false, false, almost, cooling(MILLI)),
        (&live, false, false, COOL_DOWN, Start::New),
        (&live, false, true, Duration::ZERO, Start::New),
        (&sent, true, false, COOL_DOWN, enough(LIFE.saturating_sub(COOL_DOWN))),
        (&sent, true, false, last, enough(MILLI)),
        (&sent, true, false, LIFE, Start::New),
        (&sent, false, false, COOL_DOWN, Start::New),
        (&ended, true, false, SECOND, cooling(COOL_DOWN.saturating_sub(SECOND))),
        (&ended, true, false, COOL_DOWN, Start::New),
        (&exhausted, true, false, SECOND, cooling(COOL_DOWN.saturating_sub(SECOND))),
        (&exhausted, true, false, COOL_DOWN, Start::New),
        (&used, true, false, SECOND, Start::New),
        (&used, false, false, SECOND, Start::New),
    ];
    for (line, (challenge, same, failed, after, done)) in table.into_iter().enumerate() {
        assert_eq!(challenge.start(same, failed, at(after)), done, "line {line}");
    }
}

#[test]
fn a_code_is_sent_again_after_the_cool_down_so_often() {
    let live = fresh(SourceClass::Stranger);
    let this = live.generation;
    let almost = COOL_DOWN.saturating_sub(MILLI);
    assert_eq!(live.resend(this, false, at(Duration::ZERO)), Some(cooling(COOL_DOWN)));
    assert_eq!(live.resend(this, false, at(almost)), Some(cooling(MILLI)));
    assert_eq!(live.resend(this, false, at(COOL_DOWN)), Some(Start::Again));
    assert_eq!(live.resend(this, false, at(LIFE)), None, "expired");
    assert_eq!(live.resend(Generation([2; 8]), false, at(COOL_DOWN)), None, "of another code");
    let over = [
        live.clone().guessed(&guess(RIGHT, 1, SECOND)),
        Challenge { guesses: 5, ..live.clone() },
        Challenge { expires_at: at(SECOND), ..live.clone() },
    ];
    assert!(over.iter().all(|over| over.resend(this, true, at(COOL_DOWN)).is_none()));
    let mut sent = live;
    let mut after = COOL_DOWN;
    for times in 1..=3 {
        assert_eq!(sent.resend(this, false, at(after)), Some(Start::Again));
        let message = MessageId::new(at(after), [times; 10]);
        sent = sent.sent_again(message.clone(), false, at(after + COOL_DOWN));
        assert_eq!((sent.resent, &sent.message), (times.into(), &message));
        let wait = sent.resend(this, false, at(after + almost));
        assert_eq!(wait, Some(cooling(MILLI)), "the cool-down begins anew");
        after += COOL_DOWN;
    }
    assert_eq!(sent.resend(this, false, at(after)), Some(enough(LIFE.saturating_sub(after))));
    assert_eq!((sent.guesses, sent.failures, sent.expires_at), (0, 0, at(LIFE)), "nothing else changes");
}

#[test]
fn a_failed_message_gives_the_cool_down_back_but_not_for_ever() {
    for most_resends in [0, 1, 3, u32::MAX] {
        let mut challenge = Challenge { most_resends, ..fresh(SourceClass::Stranger) };
        let this = challenge.generation;
        let most = if most_resends == u32::MAX { 9 } else { 2 * most_resends + 1 };
        for _ in 0..most {
            assert_eq!(challenge.resend(this, true, at(SECOND)), Some(Start::Again));
            assert_eq!(challenge.start(true, true, at(SECOND)), Start::Again);
            let message = challenge.message.clone();
            challenge = challenge.sent_again(message, false, at(SECOND + COOL_DOWN));
        }
        if most_resends < u32::MAX {
            let wait = enough(LIFE.saturating_sub(SECOND));
            assert_eq!(challenge.resend(this, true, at(SECOND)), Some(wait));
            assert_eq!(challenge.start(true, true, at(SECOND)), wait);
        }
    }
}

#[test]
fn what_policy_allows_is_what_it_says_for_everyone() {
    let limits = Limits::of(&Settings::default());
    let usual = Limits { life: LIFE, attempts: 5, cool_down: COOL_DOWN, resends: 3 };
    assert_eq!(limits, usual);
}
