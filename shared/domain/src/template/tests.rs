//! Templates as a whole: what is refused and why, and what filling cannot do.

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QR: QrImage<'_> = QrImage { cid: "qr@otpost", side: 200, alt: "QR code" };

    fn values() -> Values<'static> {
        Values {
            link: "https://otp.example.org/e/abc",
            authz_code: Some("K7P2"),
            username: "jane",
            display_name: "Jane Doe",
            tenant: "Demo Ltd",
            expires: "1 May 2027, 12:00 UTC",
        }
    }

    fn faults(subject: &str, text: &str, html: Option<&str>) -> Vec<(Part, usize, usize, FaultKind)> {
        let faults = EmailForm::parse(subject, text, html).unwrap_err();
        faults.into_iter().map(|fault| (fault.part, fault.line, fault.column, fault.what)).collect()
    }

    #[test]
    fn all_faults_are_told_at_once_with_their_places() {
        assert_eq!(
            faults(
                "Hi [[NAME]] [[LINK]]",
                "one\ntwo [[LINK\n [[Link]]",
                Some("<p [[QRCODE]]>[[QRCODE]] [[X]]</p>")
            ),
            [
                (Part::Subject, 1, 4, FaultKind::Unknown("[[NAME]]".to_owned())),
                (Part::Subject, 1, 13, FaultKind::SecretInSubject(Wildcard::Link)),
                (Part::Text, 2, 5, FaultKind::Unclosed),
                (Part::Text, 3, 2, FaultKind::Unknown("[[Link]]".to_owned())),
                (Part::Text, 1, 1, FaultKind::NoLink),
                (Part::Html, 1, 4, FaultKind::QrInsideTag),
                (Part::Html, 1, 26, FaultKind::Unknown("[[X]]".to_owned())),
            ]
        );
    }

    #[test]
    fn faults_read_as_sentences() {
        let fault = EmailForm::parse("Hi", "[[LINK]] [[FOO]]", None).unwrap_err().remove(0);
        assert_eq!(
            fault.to_string(),
            "text, line 1, column 10: [[FOO]] is no wildcard; write one of [[LINK]], [[QRCODE]], [[AUTHZCODE]], \
             [[USERNAME]], [[DISPLAYNAME]], [[TENANT]], [[EXPIRES]]"
        );
        let fault = SmsForm::parse("[[LINK]] [[QRCODE]]").unwrap_err().remove(0);
        assert_eq!(
            fault.to_string(),
            "sms, line 1, column 10: [[QRCODE]] needs an HTML part, because only HTML can show a picture; \
             this form has none"
        );
    }

    #[test]
    fn the_picture_is_for_html_only() {
        assert_eq!(faults("s", "[[LINK]][[QRCODE]]", None), [(Part::Text, 1, 9, FaultKind::QrNeedsHtml)]);
        assert_eq!(
            faults("s", "[[LINK]][[QRCODE]]", Some("[[QRCODE]]")),
            [(Part::Text, 1, 9, FaultKind::QrOutsideHtml)]
        );
        assert_eq!(faults("[[QRCODE]]", "[[LINK]]", None), [(Part::Subject, 1, 1, FaultKind::QrNeedsHtml)]);
        assert!(EmailForm::parse("s", "[[LINK]]", Some("<p>[[QRCODE]]</p>")).unwrap().needs_qr());
        assert!(!EmailForm::parse("s", "[[LINK]]", Some("<p>[[LINK]]</p>")).unwrap().needs_qr());
    }

    #[test]
    fn a_reader_must_be_able_to_enrol() {
        assert_eq!(
            faults("s", "Hello", Some("<p>Hello</p>")),
            [(Part::Text, 1, 1, FaultKind::NoLink), (Part::Html, 1, 1, FaultKind::NoLinkNorQr),]
        );
        assert_eq!(
            faults("s", "Go: [[LINK]] [[AUTHZCODE]]", None),
            [(Part::Text, 1, 1, FaultKind::LinkLeavesWithCode)]
        );
        assert_eq!(
            faults("s", "[[LINK]]", Some("<p>[[QRCODE]] [[AUTHZCODE]]</p>")),
            [(Part::Html, 1, 1, FaultKind::LinkLeavesWithCode)]
        );
    }

    #[test]
    fn parts_have_limits() {
        assert_eq!(
            faults(" ", " \n", None),
            [(Part::Subject, 1, 1, FaultKind::Empty), (Part::Text, 1, 1, FaultKind::Empty),]
        );
        assert_eq!(
            faults("a\r\nBcc: b", "[[LINK]]", None),
            [(Part::Subject, 1, 1, FaultKind::ControlInSubject)]
        );
        let long = "ä".repeat(201);
        assert_eq!(faults(&long, "[[LINK]]", None), [(Part::Subject, 1, 1, FaultKind::TooLong(200))]);
        assert!(EmailForm::parse(&"ä".repeat(200), "[[LINK]]", None).is_ok());
    }

    #[test]
    fn values_are_put_in_and_escaped_in_html_only() {
        let form = EmailForm::parse(
            "[[TENANT]] for [[DISPLAYNAME]]",
            "[[DISPLAYNAME]] ([[USERNAME]]): [[LINK]] until [[EXPIRES]]",
            Some("<a href=\"[[LINK]]\">[[DISPLAYNAME]]</a>[[QRCODE]]"),
        )
        .unwrap();
        let values = Values { link: "https://x/?a=1&b=2", display_name: "<b>\"Jo\" & 'Al'</b>", ..values() };
        let filled = form.fill(&values, &QR);
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
        assert!(filled.needs_qr);
    }

    #[test]
    fn the_line_of_the_code_goes_when_none_is_required() {
        let text = "Go to [[LINK]]\r\nYour code: [[AUTHZCODE]]\r\nBye";
        let html =
            "<p>Go to [[LINK]]</p>\n<p class=\"code\">Your code:\n<b>[[AUTHZCODE]]</b></p>\n<p>Bye</p>";
        let form = EmailForm::parse("s", text, Some(html)).unwrap();
        assert!(form.shows_authz_code());
        let with = form.fill(&values(), &QR);
        assert_eq!(with.text.expose(), "Go to https://otp.example.org/e/abc\r\nYour code: K7P2\r\nBye");
        assert!(with.html.unwrap().expose().contains("<b>K7P2</b>"));
        let without = form.fill(&Values { authz_code: None, ..values() }, &QR);
        assert_eq!(without.text.expose(), "Go to https://otp.example.org/e/abc\r\nBye");
        assert_eq!(without.html.unwrap().expose(), "<p>Go to https://otp.example.org/e/abc</p>\n<p>Bye</p>");
    }

    #[test]
    fn an_sms_loses_its_last_line_cleanly() {
        let form = SmsForm::parse("[[LINK]]\nCode: [[AUTHZCODE]]").unwrap();
        assert_eq!(form.fill(&values()).text.expose(), "https://otp.example.org/e/abc\nCode: K7P2");
        let without = Values { authz_code: None, ..values() };
        assert_eq!(form.fill(&without).text.expose(), "https://otp.example.org/e/abc");
    }

    #[test]
    fn debug_shows_no_value() {
        let filled = SmsForm::parse("[[LINK]]").unwrap().fill(&values());
        assert!(!format!("{filled:?} {:?}", values()).contains("otp.example.org"));
    }

    /// Texts that try: wildcards, tags, quotes, line breaks of all kinds, direction marks.
    fn hostile() -> impl Strategy<Value = String> {
        let bits = prop_oneof![
            Just("[[LINK]]"),
            Just("[[AUTHZCODE]]"),
            Just("[[QRCODE]]"),
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
            display_name in hostile(),
            username in hostile(),
            tenant in hostile(),
            code in proptest::option::of(hostile()),
        ) {
            let template = builtin::push_token("en");
            let plain = Values { authz_code: code.as_ref().map(|_| "X"), ..values() };
            let attack = Values {
                display_name: &display_name,
                username: &username,
                tenant: &tenant,
                authz_code: code.as_deref(),
                ..values()
            };
            let (good, bad) = (template.email.fill(&plain, &QR), template.email.fill(&attack, &QR));

            prop_assert!(!bad.subject.chars().any(char::is_control));
            let lines = |text: &str| text.split(|c: char| c.is_control() || c == '\u{2028}').count();
            prop_assert_eq!(lines(good.text.expose()), lines(bad.text.expose()));
            let (good, bad) = (good.html.unwrap(), bad.html.unwrap());
            for mark in ['<', '>', '"', '\''] {
                let count = |html: &SecretText| html.expose().matches(mark).count();
                prop_assert_eq!(count(&good), count(&bad), "{}", mark);
            }
            prop_assert_eq!(lines(good.expose()), lines(bad.expose()));

            // A wildcard in a value stays as it is: the link appears as often as the template says.
            let links = |text: &str| text.matches(values().link).count();
            prop_assert_eq!(links(good.expose()), links(bad.expose()));
            let sms = template.sms.fill(&attack);
            prop_assert_eq!(links(sms.text.expose()), 1);
            let turned = sms.text.expose().contains('\u{202e}');
            prop_assert!(!turned);
        }

        #[test]
        fn any_text_is_refused_or_filled_completely(text in "([a-z<>/p \n\\[\\]]|\\[\\[(LINK|AUTHZCODE|TENANT|NO)\\]\\]|<p>|</p>){0,30}") {
            if let Ok(form) = EmailForm::parse("s", &text, Some(&text)) {
                for authz_code in [None, Some("K7P2")] {
                    let filled = form.fill(&Values { authz_code, ..values() }, &QR);
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
    }
}
