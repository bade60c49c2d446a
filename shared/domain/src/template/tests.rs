//! Templates as a whole: what is refused and why, and what filling cannot do.

use proptest::prelude::*;

use super::*;
use crate::contact::DisplayName;
use crate::document::{Faults, Value};
use crate::secret::SecretText;
use crate::time::Timestamp;

const LOOK: Look<'_> = Look {
    qr: Image { cid: "qr@otpost", width: 200, height: 200, alt: "QR code" },
    logo: None,
    colour: Colour::BLACK,
};

fn values() -> Values<'static> {
    Values {
        link: "https://otp.example.org/e/abc",
        authz_code: Some("K7P2"),
        code: "123456",
        password: "s3cret",
        username: "jane",
        display_name: "Jane Doe",
        tenant: "Demo Ltd",
        expires: "1 May 2027, 12:00 UTC",
        purpose: "signing in",
        time: "1 May 2027, 11:00 UTC",
    }
}

fn texts(subject: &str, text: &str, html: Option<&str>) -> EmailTexts {
    EmailTexts {
        subject: subject.to_owned(),
        text: text.to_owned(),
        html: html.map(str::to_owned),
        ..EmailTexts::default()
    }
}

fn email(
    kind: TemplateKind,
    subject: &str,
    text: &str,
    html: Option<&str>,
) -> Result<EmailForm, Vec<TemplateFault>> {
    EmailForm::parse(kind, texts(subject, text, html))
}

fn push(subject: &str, text: &str, html: Option<&str>) -> EmailForm {
    email(TemplateKind::PushToken, subject, text, html).unwrap()
}

fn sms(kind: TemplateKind, text: &str) -> Result<SmsForm, Vec<TemplateFault>> {
    SmsForm::parse(kind, text, &values())
}

fn told(faults: Vec<TemplateFault>) -> Vec<(Part, usize, usize, FaultKind)> {
    faults.into_iter().map(|fault| (fault.part, fault.line, fault.column, fault.what)).collect()
}

fn faults(subject: &str, text: &str, html: Option<&str>) -> Vec<(Part, usize, usize, FaultKind)> {
    told(email(TemplateKind::PushToken, subject, text, html).unwrap_err())
}

fn unknown(written: &str) -> FaultKind {
    unknown_in(Part::Text, written)
}

fn unknown_in(part: Part, written: &str) -> FaultKind {
    FaultKind::Unknown { written: written.to_owned(), kind: TemplateKind::PushToken, part }
}

/// The shapes of texts that the manuals of the modelled products show, in other words.
#[test]
fn texts_in_the_shape_of_the_modelled_products_work_as_they_stand() {
    let plain = "Follow this link to get your token:\n\n[[LINK]]\n\nYour code, where one is asked for: [[AUTHZCODE]]\n";
    let html = "<p>Point your camera at this picture to get your token:</p>\n[[QRCODE]]\n\
                <p>Your code, where one is asked for: [[AUTHZCODE]]</p>";
    let form = push("Your token", plain, Some(html));
    let with = form.fill(&values(), &LOOK);
    assert!(with.text.expose().ends_with("Your code, where one is asked for: K7P2\n"));
    assert!(with.html.unwrap().expose().contains("<img src=\"cid:qr@otpost\""));
    let without = form.fill(&Values { authz_code: None, ..values() }, &LOOK);
    assert_eq!(
        without.text.expose(),
        "Follow this link to get your token:\n\nhttps://otp.example.org/e/abc\n\n"
    );
    assert!(!without.html.unwrap().expose().contains("Your code"));

    let code = sms(TemplateKind::MobileCode, "Type this to prove that it is you: %code%").unwrap();
    assert_eq!(code.fill(&values()).text.expose(), "Type this to prove that it is you: 123456");
    assert_eq!(
        told(sms(TemplateKind::MobileCode, "Type this to prove that it is you:").unwrap_err()),
        [(Part::Sms, 1, 1, FaultKind::Missing(Wildcard::Code))]
    );

    let refused = faults("Your token", "Scan this: [[QRCODE]]\n[[LINK]]", None);
    assert_eq!(refused, [(Part::Text, 1, 12, FaultKind::NeedsHtml(Wildcard::QrCode))]);
    assert_eq!(
        refused[0].3.to_string(),
        "[[QRCODE]] needs an HTML part, because only HTML can show it; this form has none"
    );
}

#[test]
fn all_faults_are_told_at_once_with_their_places() {
    assert_eq!(
        faults(
            "Hi [[NAME]] [[LINK]]",
            "one\ntwo [[LINK\n [[Link]]",
            Some("<p title=\"[[QRCODE]]\">[[QRCODE]] [[X]]</p>")
        ),
        [
            (Part::Subject, 1, 4, unknown_in(Part::Subject, "[[NAME]]")),
            (Part::Subject, 1, 13, FaultKind::SecretInSubject(Wildcard::Link)),
            (Part::Text, 1, 1, FaultKind::Missing(Wildcard::Link)),
            (Part::Text, 2, 5, FaultKind::Unclosed),
            (Part::Text, 3, 2, unknown("[[Link]]")),
            (Part::Html, 1, 11, FaultKind::PictureInTag(Wildcard::QrCode)),
            (Part::Html, 1, 34, unknown_in(Part::Html, "[[X]]")),
        ]
    );
}

#[test]
fn faults_read_as_sentences() {
    let fault = email(TemplateKind::PushToken, "Hi", "[[LINK]] [[FOO]]", None).unwrap_err().remove(0);
    assert_eq!(
        fault.to_string(),
        "text, line 1, column 10: [[FOO]] is no wildcard; write one of [[LINK]], [[AUTHZCODE]], [[EXPIRES]], \
         [[USERNAME]], [[DISPLAYNAME]], [[TENANT]]"
    );
    let long = format!("[[LINK]] [[{}]]", "A".repeat(500));
    let fault = email(TemplateKind::PushToken, "Hi", &long, None).unwrap_err().remove(0);
    assert!(fault.to_string().len() < 300, "{fault}");
    let fault = sms(TemplateKind::NewPassword, "Your new password is ready.").unwrap_err().remove(0);
    assert_eq!(
        fault.to_string(),
        "sms, line 1, column 1: [[PASSWORD]] is missing, without which the reader would not learn the new password"
    );
}

#[test]
fn each_kind_has_wildcards_of_its_own() {
    let fault = |kind, text| sms(kind, text).unwrap_err().remove(0).what;
    assert_eq!(
        fault(TemplateKind::EmailOtp, "[[CODE]] [[LINK]]"),
        FaultKind::NotOffered { wildcard: Wildcard::Link, kind: TemplateKind::EmailOtp, part: Part::Sms }
    );
    assert_eq!(
        fault(TemplateKind::PushToken, "[[LINK]] %code%"),
        FaultKind::NotOffered { wildcard: Wildcard::Code, kind: TemplateKind::PushToken, part: Part::Sms }
    );
    for kind in TemplateKind::ALL {
        let text: String = kind.offers().iter().filter(|w| !w.is_picture()).map(|w| w.as_str()).collect();
        // On two lines, because that of the authorization code may go.
        let demanded = kind.demands().map_or("", Wildcard::as_str);
        assert!(sms(*kind, &format!("{text}\n{demanded}")).is_ok(), "{kind:?}");
        assert!(kind.demands().is_none_or(|demanded| kind.offers().contains(&demanded)), "{kind:?}");
        for wildcard in Wildcard::ALL {
            assert_eq!(
                Wildcard::LOOK.contains(&wildcard),
                matches!(wildcard, Wildcard::Logo | Wildcard::Colour | Wildcard::OnColour)
            );
            let refused = sms(*kind, &format!("{}\n{demanded}", wildcard.as_str())).is_err();
            assert_eq!(
                refused,
                wildcard.is_picture() || !kind.offers().contains(&wildcard),
                "{kind:?} {wildcard:?}"
            );
        }
    }
}

#[test]
fn no_secret_stands_in_a_subject_or_name() {
    for (kind, wildcard, text) in [
        (TemplateKind::EmailOtp, "[[CODE]]", "[[CODE]]"),
        (TemplateKind::EmailOtp, "%code%", "%code%"),
        (TemplateKind::NewPassword, "[[PASSWORD]]", "[[PASSWORD]]"),
        (TemplateKind::PushToken, "[[AUTHZCODE]]", "[[LINK]]"),
    ] {
        let faults = told(email(kind, &format!("Now: {wildcard}"), text, None).unwrap_err());
        assert!(matches!(faults[..], [(Part::Subject, 1, 6, FaultKind::SecretInSubject(_))]), "{faults:?}");
    }
    let from = From { name: DisplayName::try_from("[[TENANT]] desk").ok(), address: None };
    let named = EmailTexts { from, ..texts("s", "[[LINK]]", None) };
    assert_eq!(
        told(EmailForm::parse(TemplateKind::PushToken, named).unwrap_err()),
        [(Part::From, 1, 1, FaultKind::WildcardInName)]
    );
}

#[test]
fn the_picture_is_for_html_only() {
    assert_eq!(
        faults("s", "[[LINK]][[QRCODE]]", Some("[[QRCODE]]")),
        [(Part::Text, 1, 9, FaultKind::OutsideHtml(Wildcard::QrCode))]
    );
    assert_eq!(
        faults("[[LOGO]]", "[[LINK]]", None),
        [(Part::Subject, 1, 1, FaultKind::NeedsHtml(Wildcard::Logo))]
    );
    assert!(push("s", "[[LINK]]", Some("<p>[[QRCODE]]</p>")).shows(Wildcard::QrCode));
    assert!(!push("s", "[[LINK]]", Some("<p>[[LINK]]</p>")).shows(Wildcard::QrCode));
}

#[test]
fn values_stand_in_html_where_they_can_do_no_harm() {
    let fault = |html: &str| faults("s", "[[LINK]]", Some(html)).pop().unwrap().3;
    let name = Wildcard::DisplayName;
    for html in [
        "<p><a href=\"[[DISPLAYNAME]]\">x</a>[[LINK]]</p>",
        "<p style=\"color:[[DISPLAYNAME]]\">[[LINK]]</p>",
        "<p class=\"[[DISPLAYNAME]]\">[[LINK]]</p>",
        "<!-- [[DISPLAYNAME]] --><p>[[LINK]]</p>",
        "<style>.x { color: [[DISPLAYNAME]] }</style><p>[[LINK]]</p>",
    ] {
        assert_eq!(fault(html), FaultKind::ValueInTag(name), "{html}");
    }
    assert_eq!(
        fault("<a href=\"https://example.org/?to=[[LINK]]\">x</a>[[LINK]]"),
        FaultKind::ValueInTag(Wildcard::Link),
        "the link leads to itself only"
    );
    assert_eq!(fault("<p title=\"[[LOGO]]\">[[LINK]]</p>"), FaultKind::PictureInTag(Wildcard::Logo));
    let good = "<style>.x { color: [[COLOUR]] }</style><p title=\"[[DISPLAYNAME]]\" style=\"color:[[ONCOLOUR]]\">\
                <a href=\"[[LINK]]\">[[DISPLAYNAME]]</a></p>";
    let filled = push("s", "[[LINK]]", Some(good)).fill(&values(), &LOOK).html.unwrap();
    assert!(filled.expose().contains("color: #000000") && filled.expose().contains("color:#ffffff"));
}

#[test]
fn a_reader_must_be_able_to_do_what_it_is_for() {
    assert_eq!(
        faults("s", "Hello", Some("<p>Hello</p>")),
        [(Part::Text, 1, 1, FaultKind::Missing(Wildcard::Link)), (Part::Html, 1, 1, FaultKind::NoLinkNorQr),]
    );
    assert_eq!(
        faults("s", "Go: [[LINK]] [[AUTHZCODE]]", None),
        [(Part::Text, 1, 1, FaultKind::LeavesWithCode(Wildcard::Link))]
    );
    assert_eq!(
        faults("s", "[[LINK]]", Some("<p>[[QRCODE]] [[AUTHZCODE]]</p>")),
        [(Part::Html, 1, 1, FaultKind::LeavesWithCode(Wildcard::Link))]
    );
    let otp = told(email(TemplateKind::EmailOtp, "s", "Hello", Some("<p>[[CODE]]</p>")).unwrap_err());
    assert_eq!(otp, [(Part::Text, 1, 1, FaultKind::Missing(Wildcard::Code))]);
}

#[test]
fn parts_have_limits() {
    assert_eq!(
        faults(" ", " \n", None),
        [(Part::Subject, 1, 1, FaultKind::Empty), (Part::Text, 1, 1, FaultKind::Empty)]
    );
    let control = FaultKind::ControlInHeader("a subject");
    assert_eq!(faults("a\r\nBcc: b", "[[LINK]]", None), [(Part::Subject, 1, 2, control.clone())]);
    assert_eq!(faults("a\u{2028}b", "[[LINK]]", None), [(Part::Subject, 1, 2, control)]);
    assert_eq!(faults("s", "[[LINK]]\n\u{1b}", None), [(Part::Text, 2, 1, FaultKind::Control)]);
    let long = "ä".repeat(201);
    assert_eq!(faults(&long, "[[LINK]]", None), [(Part::Subject, 1, 1, FaultKind::TooLong(200))]);
    assert!(email(TemplateKind::PushToken, &"ä".repeat(200), "[[LINK]]", None).is_ok());
}

#[test]
fn a_long_text_message_is_refused_with_the_reason() {
    let text = format!("[[CODE]] {}", "x".repeat(620));
    let fault = sms(TemplateKind::EmailOtp, &text).unwrap_err().remove(0).what;
    assert!(
        matches!(fault, FaultKind::TooManyParts { parts: 5, most: MOST_PARTS, forced_by: None }),
        "{fault}"
    );
    let text = format!("[[CODE]]\n{} „quoted”", "x".repeat(300));
    let fault = sms(TemplateKind::EmailOtp, &text).unwrap_err().remove(0);
    assert_eq!((fault.line, fault.column), (2, 302), "where the character stands that makes it long");
    assert!(
        fault
            .what
            .to_string()
            .ends_with("because of the character „ (U+201E) a part has 67 characters, not 153")
    );
}

#[test]
fn values_are_put_in_and_escaped_in_html_only() {
    let form = push(
        "[[TENANT]] for [[DISPLAYNAME]]",
        "[[DISPLAYNAME]] ([[USERNAME]]): [[LINK]] until [[EXPIRES]]",
        Some("<a href=\"[[LINK]]\">[[DISPLAYNAME]]</a>[[QRCODE]]"),
    );
    let values = Values { link: "https://x/?a=1&b=2", display_name: "<b>\"Jo\" & 'Al'</b>", ..values() };
    let filled = form.fill(&values, &LOOK);
    assert_eq!(filled.subject, "Demo Ltd for <b>\"Jo\" & 'Al'</b>");
    assert_eq!(
        filled.text.expose(),
        "<b>\"Jo\" & 'Al'</b> (jane): https://x/?a=1&b=2 until 1 May 2027, 12:00 UTC"
    );
    assert_eq!(
        filled.html.unwrap().expose(),
        "<a href=\"https://x/?a=1&amp;b=2\">&lt;b&gt;&quot;Jo&quot; &amp; &#39;Al&#39;&lt;/b&gt;</a>\
         <img src=\"cid:qr@otpost\" width=\"200\" height=\"200\" alt=\"QR code\" \
         style=\"display:block;border:0;width:200px;height:200px\">"
    );
}

#[test]
fn the_logo_or_the_name_stands_at_the_top() {
    let form = push("s", "[[LINK]]", Some("<p>[[LOGO]]</p><p>[[LINK]]</p>"));
    let html = |look: &Look<'_>| form.fill(&values(), look).html.unwrap().expose().to_owned();
    assert!(html(&LOOK).starts_with("<p>Demo Ltd</p>"));
    let logo = Image { cid: "logo@otpost", width: 90, height: 30, alt: "Demo <Ltd>" };
    let shown = html(&Look { logo: Some(logo), ..LOOK });
    assert!(
        shown.starts_with(
            "<p><img src=\"cid:logo@otpost\" width=\"90\" height=\"30\" alt=\"Demo &lt;Ltd&gt;\""
        )
    );
}

#[test]
fn the_line_of_the_code_goes_when_none_is_required() {
    let text = "Go to [[LINK]]\r\nYour code: [[AUTHZCODE]]\r\nBye";
    let html = "<p>Go to [[LINK]]</p>\n<p class=\"code\">Your code:\n<b>[[AUTHZCODE]]</b></p>\n<p>Bye</p>";
    let form = push("s", text, Some(html));
    assert!(form.shows_authz_code());
    let with = form.fill(&values(), &LOOK);
    assert_eq!(with.text.expose(), "Go to https://otp.example.org/e/abc\r\nYour code: K7P2\r\nBye");
    assert!(with.html.unwrap().expose().contains("<b>K7P2</b>"));
    let without = form.fill(&Values { authz_code: None, ..values() }, &LOOK);
    assert_eq!(without.text.expose(), "Go to https://otp.example.org/e/abc\r\nBye");
    assert_eq!(without.html.unwrap().expose(), "<p>Go to https://otp.example.org/e/abc</p>\n<p>Bye</p>");
}

#[test]
fn html_is_as_good_without_the_code_as_with_it() {
    for html in [
        "[[LINK]]\n[[AUTHZCODE]] <!--\n<img src=\"https://example.org/y.png\">\n-->",
        "[[LINK]]<p title=\"a\n[[AUTHZCODE]]\" class='x\n\" onclick=\"x()\" y='>z",
        "[[LINK]]\n[[AUTHZCODE]] <!--\n<a href=\"x[[LINK]]\">x</a>\n-->",
    ] {
        assert!(email(TemplateKind::PushToken, "s", "[[LINK]]", Some(html)).is_err(), "{html}");
    }
    let told = faults(
        "s",
        "[[LINK]]",
        Some("[[LINK]]\n[[AUTHZCODE]] <!--\n<img src=\"https://example.org/y.png\">\n-->"),
    );
    assert_eq!(told, [(Part::Html, 2, 1, FaultKind::BreaksWithoutCode)]);
}

#[test]
fn what_is_demanded_must_be_seen() {
    let hidden = email(TemplateKind::EmailOtp, "s", "[[CODE]]", Some("<p title=\"[[CODE]]\">Hello</p>"));
    assert_eq!(told(hidden.unwrap_err()), [(Part::Html, 1, 1, FaultKind::Missing(Wildcard::Code))]);
    let linked = "<a href=\"[[LINK]]\">x</a>";
    assert!(!push("s", "[[LINK]]", Some(linked)).shows_authz_code());
    let html = format!("{linked}<p>[[AUTHZCODE]]</p>");
    assert!(
        !push("s", "[[LINK]]", Some(&html)).shows_authz_code(),
        "who reads the plain text does not see it"
    );
    assert!(push("s", "[[LINK]]\n[[AUTHZCODE]]", Some(&html)).shows_authz_code());
    let title = format!("{linked}<p title=\"[[AUTHZCODE]]\">x</p>");
    assert!(!push("s", "[[LINK]]\n[[AUTHZCODE]]", Some(&title)).shows_authz_code());
}

#[test]
fn a_wildcard_stands_in_a_part_some_times_and_not_thousands() {
    let text = |times: usize| format!("[[LINK]]{}", "\n[[TENANT]]".repeat(times));
    assert!(email(TemplateKind::PushToken, "s", &text(50), None).is_ok());
    assert_eq!(faults("s", &text(51), None), [(Part::Text, 2, 1, FaultKind::TooOften(Wildcard::Tenant))]);
}

#[test]
fn gmail_shows_all_of_it() {
    let html = |bytes: usize| format!("[[LINK]]{}", "é".repeat(bytes / 2 - 4));
    assert!(email(TemplateKind::PushToken, "s", "[[LINK]]", Some(&html(100_000))).is_ok());
    let told = faults("s", "[[LINK]]", Some(&html(100_002)));
    assert_eq!(told, [(Part::Html, 1, 1, FaultKind::Html(HtmlFault::TooLarge))]);
}

#[test]
fn what_is_far_too_large_is_told_at_once() {
    for odd in ["<", "[[x", "<pp", "[[AUTHZCODE]]\n", "<!--[if", "{", "&"] {
        let large = odd.repeat(600_000 / odd.len());
        let told = told(email(TemplateKind::PushToken, "s", &large, Some(&large)).unwrap_err());
        assert!(told.len() <= 4, "{odd}: {}", told.len());
        let full = odd.repeat(99_000 / odd.len());
        let told = self::told(email(TemplateKind::PushToken, "s", "[[LINK]]", Some(&full)).unwrap_err());
        assert!(!told.is_empty() && told.len() <= 300, "{odd}: {}", told.len());
    }
}

#[test]
fn an_sms_loses_its_last_line_cleanly() {
    let form = sms(TemplateKind::PushToken, "[[LINK]]\nCode: [[AUTHZCODE]]").unwrap();
    assert_eq!(form.fill(&values()).text.expose(), "https://otp.example.org/e/abc\nCode: K7P2");
    let without = Values { authz_code: None, ..values() };
    assert_eq!(form.fill(&without).text.expose(), "https://otp.example.org/e/abc");
}

#[test]
fn debug_shows_no_value() {
    let filled = sms(TemplateKind::PushToken, "[[LINK]]").unwrap().fill(&values());
    assert!(!format!("{filled:?} {:?}", values()).contains("otp.example.org"));
}

fn document(kind: TemplateKind, value: &Value) -> Result<TemplateDocument, Faults> {
    let sample = Sample::new(kind, "en", "Demo Ltd", "https://otp.example.org", Timestamp::default());
    TemplateDocument::read(kind, value, &sample.values())
}

#[test]
fn documents_are_read_and_written() {
    let from = Value::object([("name", Value::text("Desk")), ("address", Value::text("desk@example.org"))]);
    let email = Value::object([
        ("from", from),
        ("subject", Value::text("Hello")),
        ("text", Value::text("[[LINK]]\r\nBye")),
        ("html", Value::text("<p>[[QRCODE]]</p>")),
        ("qr_alt", Value::text("A picture")),
    ]);
    let sms = Value::object([("text", Value::text("[[LINK]]"))]);
    let read = document(TemplateKind::PushToken, &Value::object([("email", email), ("sms", sms)])).unwrap();
    assert_eq!(read.email.as_ref().unwrap().texts().text, "[[LINK]]\nBye", "one kind of line end");
    assert_eq!(read.email.as_ref().unwrap().qr_alt(), "A picture");
    assert_eq!(document(TemplateKind::PushToken, &read.write()), Ok(read.clone()));
    assert_eq!(TemplateDocument::checked_before(&read.write()), Ok(read.clone()));
    assert_eq!(read.bytes(), 5 + 12 + 17 + 8);
}

#[test]
fn faults_of_documents_have_their_place() {
    let email = Value::object([
        ("subject", Value::text("Code [[CODE]]")),
        ("html", Value::text("<p>\n  <script>x</script>[[CODE]]</p>")),
        ("size", Value::Whole(1)),
    ]);
    let sms = Value::object([("text", Value::text("a\nb [[LINK]]"))]);
    let faults =
        document(TemplateKind::EmailOtp, &Value::object([("email", email), ("sms", sms)])).unwrap_err();
    let told: Vec<_> = faults.all().iter().map(|fault| (fault.pointer.as_str(), fault.position)).collect();
    assert_eq!(
        told,
        [
            ("/email/text", None),
            ("/email/size", None),
            ("/sms/text", Some((1, 1))),
            ("/sms/text", Some((2, 3))),
        ],
        "the texts of a form are looked at once it is whole"
    );
    let email = Value::object([
        ("subject", Value::text("Code [[CODE]]")),
        ("text", Value::text("%CODE%")),
        ("html", Value::text("<p>\n  <script>x</script>[[CODE]]</p>")),
    ]);
    let faults = document(TemplateKind::EmailOtp, &Value::object([("email", email)])).unwrap_err();
    let told: Vec<_> = faults.all().iter().map(|fault| (fault.pointer.as_str(), fault.position)).collect();
    assert_eq!(told, [("/email/subject", Some((1, 6))), ("/email/html", Some((2, 3)))]);
    assert_eq!(
        document(TemplateKind::EmailOtp, &Value::object([])).unwrap_err().all()[0].told,
        "must have an email form, an sms form, or both"
    );
}

/// Texts that try: wildcards, tags, quotes, line breaks of all kinds, direction marks.
fn hostile() -> impl Strategy<Value = String> {
    let bits = prop_oneof![
        Just("[[LINK]]"),
        Just("[[AUTHZCODE]]"),
        Just("[[QRCODE]]"),
        Just("[[CODE]]"),
        Just("%code%"),
        Just("[["),
        Just("]]"),
        Just("LINK"),
        Just("<script>"),
        Just("<p>"),
        Just("</p>"),
        Just("\">"),
        Just("'"),
        Just("&lt;"),
        Just("\r\n"),
        Just("\n"),
        Just("\u{2028}"),
        Just("\u{85}"),
        Just("\0"),
        Just("\u{202e}"),
        Just("Bcc: x"),
        Just("é"),
    ];
    proptest::collection::vec(bits, 0..8).prop_map(|bits| bits.concat())
}

proptest! {
    #[test]
    fn no_value_adds_a_tag_a_line_or_a_wildcard(
        kind in proptest::sample::select(TemplateKind::ALL),
        language in proptest::sample::select(builtin::LANGUAGES.as_slice()),
        hostile in proptest::array::uniform6(hostile()),
        with_code in any::<bool>(),
    ) {
        let document = builtin::template(kind, language);
        let (email, sms) = (document.email.as_ref().unwrap(), document.sms.as_ref().unwrap());
        let [display_name, username, tenant, purpose, time, code] = &hostile;
        let plain = Values { authz_code: with_code.then_some("X"), ..values() };
        let attack =
            Values { display_name, username, tenant, purpose, time, authz_code: with_code.then_some(code), ..plain };
        let (good, bad) = (email.fill(&plain, &LOOK), email.fill(&attack, &LOOK));

        prop_assert!(!bad.subject.chars().any(char::is_control));
        let lines = |text: &str| text.split(|c: char| c.is_control() || c == '\u{2028}').count();
        prop_assert_eq!(lines(good.text.expose()), lines(bad.text.expose()));
        let (good, bad) = (good.html.unwrap(), bad.html.unwrap());
        for mark in ['<', '>', '"', '\''] {
            let count = |html: &SecretText| html.expose().matches(mark).count();
            prop_assert_eq!(count(&good), count(&bad), "{}", mark);
        }
        prop_assert_eq!(lines(good.expose()), lines(bad.expose()));

        // A wildcard in a value stays as it is: the secret appears as often as the template says.
        for secret in [values().link, values().code, values().password] {
            let count = |text: &str| text.matches(secret).count();
            prop_assert_eq!(count(good.expose()), count(bad.expose()));
            prop_assert_eq!(count(sms.fill(&plain).text.expose()), count(sms.fill(&attack).text.expose()));
        }
        let turned = sms.fill(&attack).text.expose().contains('\u{202e}');
        prop_assert!(!turned);
    }

    #[test]
    fn any_text_is_refused_or_filled_completely(text in "([a-z<>/p \n%\\[\\]]|\\[\\[(LINK|AUTHZCODE|TENANT|NO)\\]\\]|%code%|<p>|</p>){0,30}") {
        if let Ok(form) = email(TemplateKind::PushToken, "s", &text, Some(&text)) {
            for authz_code in [None, Some("K7P2")] {
                let filled = form.fill(&Values { authz_code, ..values() }, &LOOK);
                for text in [filled.text.expose(), filled.html.unwrap().expose()] {
                    prop_assert!(text.contains(values().link));
                    for wildcard in Wildcard::ALL {
                        prop_assert!(!text.contains(wildcard.as_str()));
                    }
                    // Which only a value could have brought in.
                    prop_assert!(authz_code.is_some() || !text.contains("K7P2"));
                }
            }
        }
    }

    /// Rules may become stricter, and what was saved before must still be read and sent.
    #[test]
    fn what_was_checked_before_is_filled_whatever_it_says(text in "\\PC{0,60}") {
        let document = Value::object([
            ("email", Value::object([("subject", Value::text(text.as_str())), ("text", Value::text(text.as_str())), ("html", Value::text(text.as_str()))])),
            ("sms", Value::object([("text", Value::text(text.as_str()))])),
        ]);
        let document = TemplateDocument::checked_before(&document).unwrap();
        let filled = document.email.unwrap().fill(&values(), &LOOK);
        prop_assert!(!filled.html.unwrap().expose().contains("[[LINK]]"));
        prop_assert!(!document.sms.unwrap().fill(&values()).text.expose().ends_with(' '));
    }
}
