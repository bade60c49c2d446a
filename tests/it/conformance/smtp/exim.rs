//! What a real server of mail takes and refuses.

use mail_parser::{MessageParser, MimeHeaders as _};
use otpost_domain::qr;
use otpost_local::mta::{MOST, REFUSED_WORD};
use otpost_service::texts::InlinePng;

use super::{
    Duration, EmailAddress, LATER, Made, Outcome, PATIENCE, SecretText, exim, json, mail, message, sent,
    sent_with,
};

/// By both ways to TLS and both mechanisms, and without authentication: what lies in the mailbox is what was written.
pub(super) async fn takes_mails_as_they_are() {
    let made = Made::new("takes");
    let mta = exim(&made.all.good).await;
    let authority = &made.all.authority;
    let ways = [
        ("starttls", None),
        ("starttls", Some("plain")),
        ("starttls", Some("login")),
        ("implicit", None),
        ("implicit", Some("plain")),
        ("implicit", Some("login")),
    ];
    for (number, (tls, authentication)) in ways.into_iter().enumerate() {
        let number = u8::try_from(number).expect("few") + 1;
        let port = if tls == "starttls" { mta.starttls } else { mta.implicit };
        let mut settings = json!({ "tls": tls, "port": port, "ca_certificate": authority });
        if let Some(mechanism) = authentication {
            settings["authentication"] = json!(mechanism);
        }
        let text = format!(".\n..\nnumber {number}\n.end\n{}\nGrüezi", "long ".repeat(300));
        let mut mail = mail("jane@example.org", &text);
        let png = qr::png("https://otp.example.org/e/x", 4).expect("a picture");
        if number % 2 == 0 {
            mail.html = Some(SecretText::new("<p>Grüezi</p>\n.\n<img src=\"cid:qr@otpost\">"));
            mail.pictures = vec![InlinePng { content_id: "qr@otpost", png: png.clone() }];
        }
        let report = sent(number, settings, mail.clone(), PATIENCE).await;
        let Outcome::Accepted { provider_id } = &report.outcome else {
            panic!("{tls} {authentication:?}: {} {:?}", report.why, report.said.raw())
        };
        // Exim's own name of it stands in what it added.
        let kept = mta.delivered(&format!("id {provider_id}")).await.expect("the mail");
        let read = MessageParser::default().parse(&kept).expect("a mail");
        let id = read.message_id().expect("an id");
        assert_eq!(format!("<{id}>"), otpost_outbound::mime::message_id(&message(number).id, &mail.from));
        assert_eq!(read.subject(), Some("Ihr Zugang für Zürich"));
        assert_eq!(read.body_text(0).expect("a text").replace("\r\n", "\n").trim_end(), text);
        let received = read.header_raw("Received").expect("a header");
        let protocol = if authentication.is_some() { "with esmtpsa" } else { "with esmtps " };
        assert!(received.contains(protocol) && received.contains("otpost.example.org"), "{received}");
        if number % 2 == 0 {
            let html = read.body_html(0).expect("HTML").replace("\r\n", "\n");
            assert!(html.contains("\n.\n<img src=\"cid:qr@otpost\">"), "{html}");
            assert_eq!(read.attachments().next().expect("a picture").contents(), png);
            assert_eq!(read.attachments().next().expect("a picture").content_id(), Some("qr@otpost"));
        }
        assert!(report.said.raw().last().is_some_and(|line| line.starts_with("S: 250 OK id=")));
    }
    // A second try is the same mail to whoever reads it.
    let settings = || json!({ "port": mta.starttls, "ca_certificate": authority });
    let again = sent(1, settings(), mail("jane@example.org", "again"), PATIENCE).await;
    let Outcome::Accepted { provider_id } = &again.outcome else { panic!("{}", again.why) };
    let kept = mta.delivered(&format!("id {provider_id}")).await.expect("the mail");
    let read = MessageParser::default().parse(&kept).expect("a mail");
    let id = format!("{}@mail.example.org", message(1).id);
    assert_eq!(read.message_id(), Some(id.as_str()));
    assert_eq!(mta.mails().expect("mails").len(), ways.len() + 1);
    mta.stop().await.expect("it ends");
}

pub(super) async fn refuses_for_reasons() {
    let made = Made::new("refuses");
    let mta = exim(&made.all.good).await;
    let settings = || json!({ "port": mta.starttls, "ca_certificate": made.all.authority });
    let refused = format!("{REFUSED_WORD} text");
    for (to, text, outcome, why) in [
        ("closing@example.org", "x", LATER, "SMTP 421 4.3.2 at RCPT"),
        ("later@example.org", "x", LATER, "SMTP 451 4.3.0 at RCPT"),
        ("grey@example.org", "x", LATER, "SMTP 451 4.7.1 at RCPT"),
        ("unknown@example.org", "x", Outcome::RecipientBad, "SMTP 550 5.1.1 at RCPT"),
        ("full@example.org", "x", Outcome::RecipientBad, "SMTP 552 5.2.2 at RCPT"),
        ("jane@elsewhere.example", "x", Outcome::ConfigurationBad, "SMTP 550 at RCPT"),
        ("jane@example.org", &refused, Outcome::ContentBad, "SMTP 554 5.7.1 at the end of the mail"),
    ] {
        let report = sent(1, settings(), mail(to, text), PATIENCE).await;
        assert_eq!(report.outcome, outcome, "{to}: {} {:?}", report.why, report.said.raw());
        assert!(report.why.starts_with(why), "{to}: {}", report.why);
    }
    let report = sent(1, settings(), mail("grey@example.org", "x"), PATIENCE).await;
    assert_eq!(report.outcome.as_str(), "accepted", "the second time: {}", report.why);

    let mut member = mail("jane@example.org", "x");
    member.from = EmailAddress::try_from("otp@members.example.org").expect("an address");
    let report = sent(1, settings(), member.clone(), PATIENCE).await;
    assert_eq!(report.outcome, Outcome::ConfigurationBad);
    assert!(report.why.starts_with("SMTP 550 at MAIL"), "{}", report.why);
    let mut known = settings();
    known["authentication"] = json!("plain");
    let report = sent(1, known, member, PATIENCE).await;
    assert_eq!(report.outcome.as_str(), "accepted", "{}", report.why);

    let report = sent(1, settings(), mail("jane@example.org", &"large ".repeat(MOST / 6)), PATIENCE).await;
    assert_eq!(report.outcome, Outcome::ContentBad);
    assert_eq!(report.why, "the mail is larger than the server takes");
    assert!(!report.said.raw().iter().any(|line| line.starts_with("C: MAIL")), "it was not begun");
    mta.stop().await.expect("it ends");
}

pub(super) async fn wants_the_right_password() {
    let made = Made::new("password");
    let mta = exim(&made.all.good).await;
    for mechanism in ["plain", "login"] {
        let settings = json!({ "port": mta.starttls, "ca_certificate": made.all.authority, "authentication": mechanism });
        let report = sent_with("wrong-battery", 1, settings, mail("jane@example.org", "x"), PATIENCE).await;
        assert_eq!(report.outcome, Outcome::ConfigurationBad, "{mechanism}");
        assert_eq!(report.why, "SMTP 535 at AUTH: user or password are wrong");
    }
    mta.stop().await.expect("it ends");
}

pub(super) async fn must_prove_who_it_is() {
    let made = Made::new("proof");
    let authority = made.all.authority.clone();
    let own = std::fs::read_to_string(&made.all.self_signed.certificate).expect("a certificate");
    for (identity, ca, told) in [
        (&made.all.self_signed, None, Some("nobody whom Otpost trusts")),
        (&made.all.self_signed, Some(&authority), Some("nobody whom Otpost trusts")),
        (&made.all.self_signed, Some(&own), None),
        (&made.all.good, None, Some("nobody whom Otpost trusts")),
        (&made.all.wrong_name, Some(&authority), Some("for another name")),
        (&made.all.expired, Some(&authority), Some("has expired")),
    ] {
        let mta = exim(identity).await;
        for (tls, port) in [("starttls", mta.starttls), ("implicit", mta.implicit)] {
            let mut settings = json!({ "tls": tls, "port": port, "authentication": "plain" });
            if let Some(ca) = ca {
                settings["ca_certificate"] = json!(ca);
            }
            let report = sent(1, settings, mail("jane@example.org", "x"), PATIENCE).await;
            match told {
                None => assert_eq!(report.outcome.as_str(), "accepted", "{tls}: {}", report.why),
                Some(told) => {
                    assert_eq!(report.outcome, Outcome::ConfigurationBad, "{tls} {told}");
                    assert!(report.why.contains(told), "{tls}: {}", report.why);
                }
            }
        }
        mta.stop().await.expect("it ends");
    }
}

pub(super) async fn is_greeted_on_the_wrong_port() {
    let made = Made::new("port");
    let mta = exim(&made.all.good).await;
    let authority = &made.all.authority;
    let settings = json!({ "tls": "implicit", "port": mta.starttls, "ca_certificate": authority });
    let report = sent(1, settings, mail("jane@example.org", "x"), PATIENCE).await;
    assert_eq!(report.outcome, Outcome::ConfigurationBad, "{}", report.why);
    assert!(report.why.contains("may have to be starttls"), "{}", report.why);
    // It waits for TLS to begin, and we for its greeting.
    let settings = json!({ "tls": "starttls", "port": mta.implicit, "ca_certificate": authority });
    let report = sent(1, settings, mail("jane@example.org", "x"), Duration::from_secs(3)).await;
    assert_eq!(report.outcome, LATER);
    assert!(report.why.contains("in time at the greeting"), "{}", report.why);
    mta.stop().await.expect("it ends");
}
