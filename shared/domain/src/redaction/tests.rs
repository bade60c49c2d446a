use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;
use crate::gateway::Kind;

fn redacted(redaction: &Redaction, line: &str) -> String {
    redaction.lines(&Said::line(line)).concat()
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::try_from(text).unwrap()
}

fn phone(text: &str) -> PhoneNumber {
    PhoneNumber::try_from(text).unwrap()
}

fn credentials(kind: Kind, parts: &[(Part, &str)]) -> Credentials {
    let parts = parts.iter().map(|(part, text)| (*part, SecretText::new(*text)));
    Credentials::from_parts(kind, parts).unwrap()
}

#[track_caller]
fn all_shown(redaction: &Redaction, cases: &[(&str, &str)]) {
    for (said, shown) in cases {
        assert_eq!(redacted(redaction, said), *shown, "{said}");
    }
}

#[test]
fn what_helps_an_operator_stays() {
    for line in [
        "S: 550 5.1.1 <[hidden]>: Recipient address rejected: User unknown in local recipient table",
        "S: 250-SIZE 10240",
        "S: 250-AUTH PLAIN LOGIN XOAUTH2",
        "S: 250-AUTH=PLAIN LOGIN",
        "C: AUTH PLAIN [redacted]",
        "C: [2345 bytes]",
        "550 5.7.26 This mail has been blocked because the sender is unauthenticated.",
        "421-4.7.0 Try again later, closing connection.",
        "535 5.7.8 Error: authentication failed: Basic authentication is disabled",
        "The bearer token is missing",
        "HTTP 400",
        "Twilio 21211",
        "S: 250 2.0.0 Ok: queued as 4bXk7G2z1z6",
        "S: 250 2.0.0 Ok: queued as 9F12345678",
        "S: 250 OK id=1tXyZ2-0004aB-2c",
        "S: 250 OK id=1qD7Fh-000000004Kc-1234",
        "SM0a1b2c3d4e5f60718293a4b5c6d7e8f9 of 0123456789abcdef0123456789abcdef",
        "template 5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11 of otpost-88888888-9999-4aaa-8bbb-000000000000",
        "0102018f3b2c1d4e-5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11-000000",
        "see https://www.twilio.com/docs/errors/21211.",
        "see (https://mail.example.org:8443/a)",
    ] {
        assert_eq!(redacted(&Redaction::new(), line), line);
    }
}

#[test]
fn whatever_looks_like_a_persons_goes() {
    let link = "A".repeat(20) + "b-_9" + &"c".repeat(19);
    let cases = [
        ("RCPT TO:<jane.doe+x@mail.example.org>", "RCPT TO:<j***@m***.org>"),
        ("\"jane doe\"@example.org, ü@exämple.org", "***@e***.org, ü***@e***.org"),
        ("jane%40example.org jane\\u0040example.org a@localhost", "j***@e***.org j***@e***.org a***@l***"),
        ("a@b@c.org, x@[192.0.2.1] and @ alone", "b***@c***.org, x***@*** and @ alone"),
        ("Your code is 123456.", "Your code is [number]."),
        ("123 456 / 123-456 / (123) 45.67 / +1 (415) 555 2671", "[number] / [number] / ([number] / [number]"),
        ("code12345 G-123456 x1234567y ٤٤٧٧٠٠٩٠", "code12345 G-[number] x[number]y [number]"),
        ("550 447700900123 and 21211: 30003", "[number] and 21211: 30003"),
        ("Authorization: Bearer abc.def-123 and", "Authorization: Bearer [credential] and"),
        ("authorization: basic b3Rwb3N0Og==", "authorization: basic [credential]"),
        ("C: AUTH PLAIN AG90cG9zdABodW50ZXIy", "C: AUTH PLAIN [credential]"),
        ("{\"bearer\": \"tokenoftwelve\"}", "{\"bearer\": \"[credential]\"}"),
        ("key eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln end", "key [credential] end"),
        ("https://me:pw@h.example/a?b=c#d end", "https://h.example/a… end"),
        ("https://h.example?b=c, then", "https://h.example…, then"),
        (
            "https://h.example/123/567/9abcdefghijklmnopqrstuvwxyzabcdefghijkl",
            "https://h.example/123/567/9abcdefghijklmnopqrstuvwxyzabcd…",
        ),
    ];
    all_shown(&Redaction::new(), &cases);
    for said in [
        format!("https://otp.example.org/e/{link}"),
        format!("https:\\/\\/otp.example.org\\/e\\/{link}?a=b"),
        format!("https%3A%2F%2Fotp.example.org%2Fe%2F{link}"),
        format!("otp.example.org/e/{link}"),
        format!("/e/{link}"),
    ] {
        let shown = redacted(&Redaction::new(), &format!("at {said} it is"));
        assert!(
            shown.starts_with("at [link]") && shown.ends_with(" it is") && !shown.contains("b-_9"),
            "{shown}"
        );
    }
}

#[test]
fn a_recipients_number_goes_in_all_its_forms() {
    let redaction = Redaction::new().recipient(&phone("+447700900123"));
    for form in [
        "+447700900123",
        "447700900123",
        "00447700900123",
        "07700900123",
        "7700900123",
        "0900123",
        "+44 7700 900123",
        "+44 (0)7700 900-123",
        "0 77 00 90 01 23",
        "0044.7700.900.123",
        "[44] [7700] 900123",
        "07700\u{2011}900\u{a0}123",
        "%2B447700900123",
        "\\u002b447700900123",
        "KzQ0NzcwMDkwMDEyMw==",
    ] {
        let shown = redacted(&redaction, &format!("550 5.1.1 to {form}, 21211"));
        let shown = shown.replace("([number]", "").replace(['(', '['], "");
        assert_eq!(shown, "550 5.1.1 to +44***123, 21211", "{form}");
    }
    assert_eq!(redacted(&redaction, "+447700900124 12345"), "[number]");
}

#[test]
fn a_recipients_address_is_masked_in_all_its_forms() {
    let redaction = Redaction::new().recipient(&email("Jane.O'Neil@example.org"));
    let cases = [
        ("<JANE.O'NEIL@EXAMPLE.ORG> is unknown", "<J***@e***.org> is unknown"),
        ("to=jane.o%27neil%40example.org&", "to=J***@e***.org&"),
        ("\"jane.o\\u0027neil\\u0040example.org\"", "\"J***@e***.org\""),
        ("SmFuZS5PJ05laWxAZXhhbXBsZS5vcmc", "J***@e***.org"),
    ];
    all_shown(&redaction, &cases);
}

#[test]
fn credentials_go_in_all_their_forms() {
    let smtp = credentials(Kind::Smtp, &[(Part::User, "otpost"), (Part::Password, "pa \"s:/é")]);
    let redaction = Redaction::new().credentials(&smtp);
    let both = BASE64.encode("\0otpost\0pa \"s:/é".as_bytes());
    let cases = [
        ("235 OTPOST has PA \"S:/É", "235 [user] has [password]"),
        ("pa+%22s%3A%2F%c3%a9 and pa%20%22s:/é", "[password] and [password]"),
        ("{\"p\":\"pa \\\"s:\\/\\u00e9\"}", "{\"p\":\"[password]\"}"),
        (&format!("334 {both}"), "334 [password]"),
        (&format!("x{}y", BASE64.encode("otpost".as_bytes())), "[user]"),
    ];
    all_shown(&redaction, &cases);

    let short = credentials(Kind::Smtp, &[(Part::User, "ab"), (Part::Password, "q")]);
    let redaction = Redaction::new().credentials(&short);
    let cases = [
        ("cab ab: Q, quite %71 \\u0071", "cab [user]: [password], quite [password] [password]"),
        ("YWI= cQ AGFiAHE= YWIAcQ", "[user] [password] [password] [password]"),
    ];
    all_shown(&redaction, &cases);

    let uuid = "88888888-9999-4aaa-8bbb-ccccddddeeee";
    let key = format!("a-b-11111111-2222-4333-8444-555566667777-{uuid}");
    let notify = credentials(Kind::GovukNotify, &[(Part::ApiKey, &key)]);
    let redaction = Redaction::new().credentials(&notify);
    all_shown(&redaction, &[(&format!("{key}, {uuid}"), "[api_key], [api_key]")]);

    let sid = "SK00112233445566778899aabbccddeeff";
    let parts = [(Part::ApiKeySid, sid), (Part::ApiKeySecret, "0123456789abcdefXYZ")];
    let redaction = Redaction::new().credentials(&credentials(Kind::Twilio, &parts));
    let basic = BASE64.encode(format!("{sid}:0123456789abcdefXYZ").as_bytes());
    assert!(!redacted(&redaction, &format!("x {basic}")).contains(&basic[..8]));
}

#[test]
fn texts_go_in_part_and_as_a_whole() {
    let text = SecretText::new("Your Acme code is 314159.\r\n\r\nNever tell it to anybody.");
    let redaction = Redaction::new().text(&text).hide("314159", "[code]");
    let cases = [
        ("body: your acme code is 314159.\\n\\nNever tell it to anybody.", "body: [text]"),
        ("cut: Your Acme code is 314159.", "cut: [text]"),
        ("31 41 59, 314-159, 9314159", "[code], [code], 9[code]"),
        ("Your Acme c", "Your Acme c"),
    ];
    all_shown(&redaction, &cases);
    let short = Redaction::new().text(&SecretText::new(" Hallo  Welt\n"));
    all_shown(&short, &[("a hallo welt b", "a [text] b")]);
}

#[test]
fn what_stands_in_the_place_of_one_secret_does_not_show_another() {
    let redaction = Redaction::new().hide("hunter22", "[word]").hide("word", "[hunter22]");
    assert_eq!(redacted(&redaction, "is hunter22"), "[hidden]");
    let redaction = Redaction::new().hide("hidden", "x").hide("number", "y");
    assert_eq!(redacted(&redaction, "123456"), "");
    let redaction = Redaction::new().recipient(&phone("+447700900123")).hide("123", "[pin]");
    assert_eq!(redacted(&redaction, "to 07700900123"), "[hidden]");
    assert_eq!(redacted(&Redaction::new().hide("", "x").hide(" \u{200b}", "x"), "a b"), "a b");
    assert_eq!(format!("{redaction:?}"), "Redaction(2 values)");
}

#[test]
fn lines_and_their_number_are_limited() {
    let mut said = Said::default();
    (0..52).for_each(|line| said.add(format!("line {line}")));
    let lines = Redaction::new().lines(&said);
    assert_eq!(lines.len(), MOST_LINES);
    assert_eq!([&lines[19], &lines[20], &lines[21]], ["line 19", "[13 more lines]", "line 33"]);
    assert_eq!(lines.last().unwrap(), "line 51");
    let long = redacted(&Redaction::new(), &"é ".repeat(500));
    assert_eq!(long.chars().count(), MOST_OF_LINE);
    assert!(long.ends_with('…'));
    assert_eq!(redacted(&Redaction::new(), " a\r\n\tb\u{0}c\u{202e}d\u{2066}e\u{85}\u{2028}f "), "a b cde f");
}

/// With time that grew as the square of their lengths, these would take many minutes.
#[test]
fn long_lines_take_time_in_proportion() {
    let redaction = Redaction::new()
        .recipient(&phone("+10000000000"))
        .recipient(&email("aaaaaaaa@a.aa"))
        .hide(&"a".repeat(1_000), "[a]")
        .hide("aaab", "[b]")
        .hide("000000", "[zero]")
        .text(&SecretText::new("a ".repeat(1_000)));
    for piece in [
        "a",
        "0 ",
        "a@",
        "%40",
        "a%40",
        "\\u0040",
        "\\",
        "%61",
        "a://",
        "/e/a",
        "\"@",
        "a.b.eyJ.",
        "5.1.1-",
        "a0-",
        "AUTH PLAIN ",
        "\\ud83d",
    ] {
        let line = piece.repeat(64 * 1024 / piece.len());
        assert!(redacted(&redaction, &line).chars().count() <= MOST_OF_LINE, "{piece}");
    }
}

/// All but letters, digits and what the API of a browser leaves.
const SOME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');

fn json(text: &str, all: bool) -> String {
    let mut units = [0; 2];
    let escape = |c: char| match c {
        '"' | '\\' | '/' => format!("\\{c}"),
        c if all || !c.is_ascii() || c.is_control() => {
            let units: Vec<_> =
                c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect();
            units.concat()
        }
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// The forms in which protocols carry a value.
fn forms(secret: &str) -> Vec<String> {
    let plain = [
        format!("\0otpost\0{secret}"),
        format!("{secret}\0{secret}"),
        format!("user:{secret}"),
        secret.to_owned(),
        format!("ab{secret}cdé"),
    ];
    let encodings = [&BASE64, &BASE64_NOPAD, &BASE64URL, &BASE64URL_NOPAD];
    let base64 = plain.iter().flat_map(|text| encodings.map(|encoding| encoding.encode(text.as_bytes())));
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let every: Vec<_> = secret.bytes().map(|b| format!("%{b:02x}")).collect();
    let form = utf8_percent_encode(secret, SOME).to_string().replace("%20", "+");
    let others = [
        secret.to_owned(),
        secret.to_ascii_uppercase(),
        secret.to_ascii_lowercase(),
        percent.to_ascii_lowercase(),
        percent,
        every.concat(),
        form,
        json(secret, false),
        json(secret, true),
        json(&json(secret, false), false),
        utf8_percent_encode(&json(secret, false), SOME).to_string(),
        json(&BASE64.encode(secret.as_bytes()), false),
        utf8_percent_encode(&BASE64.encode(secret.as_bytes()), NON_ALPHANUMERIC).to_string(),
    ];
    base64.chain(others).collect()
}

/// A value as people choose them, of at least four characters that show something.
fn any_secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{4,40}",
        "[a-zA-Z0-9]{4,64}",
        "[0-9]{4,10}",
        "[a-z0-9.+_-]{1,12}@[a-z]{1,8}\\.[a-z]{2,3}",
        "[a-zäßéжш語😀\"\\\\/%+=&~ ]{4,20}",
        "https://[a-z]{1,8}\\.example/e/[A-Za-z0-9_-]{43}",
    ]
    .prop_map(|text| text.trim().to_owned())
    .prop_filter("long enough", |text| {
        // Labels are words of ours: a secret that is one of them hides the whole line, and shows nothing to compare.
        View::of(text).chars.len() >= 4 && !"[hidden]".contains(&text.to_ascii_lowercase())
    })
}

/// What stands around a value; it ends with nothing that an escape begins with.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ -~]{0,30}",
        "\\PC{0,20}",
        ".{0,20}",
        "[A-Za-z0-9+/=_-]{0,30}",
        "[éж語😀\u{202e}\u{a0}\u{200b}\\\\%\"@:/.0-9 -]{0,30}",
    ]
    .prop_map(|text| text.trim_end_matches(['\\', '%']).to_owned())
}

/// Whether `shown` has the beginning of `form` in it, of which a line has room for no more; whatever the case of the letters of
/// ASCII, and however many blanks there are.
fn shows(shown: &str, form: &str) -> bool {
    let plain = |text: &str| View::of(text).chars.iter().collect::<String>().trim().to_ascii_lowercase();
    let beginning: String = plain(form).chars().take(150).collect();
    plain(shown).contains(beginning.trim_end())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_secret_shows_in_no_form(
        secret in any_secret(),
        other in any_secret(),
        before in any_text(),
        after in any_text(),
        form in any::<prop::sample::Index>(),
    ) {
        let redaction = Redaction::new().hide(&secret, "[x]").hide(&other, "[y]");
        let forms = forms(&secret);
        let form = form.get(&forms);
        let line = format!("{before}{form}{after}");
        let shown = redacted(&redaction, &line);
        prop_assert!(!shows(&shown, &secret), "{line:?} gives {shown:?}");
        prop_assert!(!shows(&shown, form), "{line:?} gives {shown:?}");
        for text in [&secret, &other] {
            prop_assert!(!shows(&shown, text), "{line:?} gives {shown:?}");
        }
    }

    /// Nor does a text of many words, nor a part of it.
    #[test]
    fn a_text_shows_in_no_form(
        text in "[A-Za-z0-9äé.,!\"\\\\/%+ ]{30,120}",
        from in 0_usize..10,
        before in any_text(),
        after in any_text(),
        form in any::<prop::sample::Index>(),
    ) {
        let part: String = text.chars().skip(from).collect();
        prop_assume!(View::of(part.trim()).chars.len() >= 22);
        let redaction = Redaction::new().text(&SecretText::new(text.as_str()));
        let forms = forms(part.trim());
        let form: &String = form.get(&forms);
        let shown = redacted(&redaction, &format!("{before}{form}{after}"));
        prop_assert!(!shows(&shown, part.trim()) && !shows(&shown, form), "{shown:?}");
    }

    /// Digits of a number in a row, with or without what separates them, are never seven of the recipient's.
    #[test]
    fn a_number_shows_in_no_form(
        digits in "[1-9][0-9]{6,14}",
        head in prop::sample::select(vec!["+", "", "00", "0", "(0)", "%2B", "tel:"]),
        national in 0_usize..4,
        separators in prop::collection::vec(prop::sample::select(vec!["", " ", "-", ".", ") ", " ("]), 15),
        before in any_text(),
        after in any_text(),
    ) {
        let number = phone(&format!("+{digits}"));
        let skipped = national.min(digits.len() - 7);
        let spaced: Vec<_> =
            digits.chars().zip(separators).skip(skipped).map(|(digit, gap)| format!("{digit}{gap}")).collect();
        let line = format!("{before} {head}{}, {after}", spaced.concat());
        let shown = redacted(&Redaction::new().recipient(&number), &line);
        let tail = &digits[digits.len() - 7..];
        let left: String = shown.chars().filter(|c| !" -.()".contains(*c)).collect();
        prop_assert!(!left.contains(tail), "{line:?} gives {shown:?}");
    }

    /// Short values are whole words, and then they go.
    #[test]
    fn a_short_secret_is_no_word_of_a_line(
        secret in "[a-z0-9!]{1,3}",
        words in prop::collection::vec("[a-z0-9!]{1,5}", 0..8),
        at in any::<prop::sample::Index>(),
    ) {
        let mut words = words;
        words.insert(at.index(words.len() + 1), secret.clone());
        let shown = redacted(&Redaction::new().hide(&secret, "…"), &words.join(" "));
        prop_assert!(!shown.split(' ').any(|word| word == secret), "{words:?} gives {shown:?}");
    }

    /// Whatever a provider says: limits hold, nothing is steered, no address or long number is left.
    #[test]
    fn anything_may_be_said(
        lines in prop::collection::vec(prop_oneof![".{0,300}", any_text(), "[@a0 .%\\\\u/:é+-]{0,60}"], 0..6),
        secrets in prop::collection::vec(".{0,12}", 0..4),
    ) {
        let mut said = Said::default();
        for line in &lines {
            said.add(line.as_str());
        }
        let redaction = secrets.iter().fold(Redaction::new(), |all, secret| all.hide(secret, "[x]"));
        let shown = redaction.lines(&said);
        prop_assert_eq!(shown.len(), lines.len().min(MOST_LINES));
        for line in shown {
            prop_assert!(line.chars().count() <= MOST_OF_LINE);
            let steered = line.chars().any(|c| c.is_control() || "\u{202e}\u{2066}\u{200f}".contains(c));
            prop_assert!(!steered);
            for (at, _) in line.match_indices('@') {
                let bare = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
                let (before, after) = (&line[..at], &line[at + 1..]);
                let masked = after.chars().skip(1).take(3).eq("***".chars());
                prop_assert!(
                    bare(before.chars().next_back()) || bare(after.chars().next()) || masked,
                    "{line:?}"
                );
            }
        }
    }
}
