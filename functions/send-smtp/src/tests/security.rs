//! TLS, authentication, and what is told to whom.

use std::path::PathBuf;

use otpost_local::certificates::{Certificates, Identity};

use super::server::{Hang, Hear, Server, Step, Tls, all, hello, offered, say, taking};
use super::*;

/// Certificates in a folder that goes with them.
struct Made(PathBuf, Certificates);

impl Made {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("otpost-smtp-{name}-{}", std::process::id()));
        let made = Certificates::make(&folder).unwrap();
        Self(folder, made)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn pem(identity: &Identity) -> String {
    std::fs::read_to_string(&identity.certificate).unwrap()
}

/// STARTTLS, and the offers after it.
fn starttls(identity: &Identity, offers: &[&str]) -> Vec<Step> {
    all([
        hello(&["STARTTLS"]),
        vec![Hear("STARTTLS"), say("220 go on"), Tls(identity.clone())],
        offered(offers),
    ])
}

#[tokio::test]
async fn both_ways_to_tls_and_both_mechanisms_work() {
    let made = Made::new("both");
    let plain = vec![Hear("AUTH PLAIN AG90cG9zdABzM2NyZXQtUMOkc3N3b3Jk"), say("235 2.7.0 ok")];
    let login = vec![
        Hear("AUTH LOGIN"),
        say("334 VXNlcm5hbWU6"),
        Hear("b3Rwb3N0"),
        say("334 UGFzc3dvcmQ6"),
        Hear("czNjcmV0LVDDpHNzd29yZA=="),
        say("235 2.7.0 ok"),
    ];
    for mechanism in ["plain", "login"] {
        for tls in ["starttls", "implicit"] {
            let begin = match tls {
                "starttls" => starttls(&made.1.good, &["AUTH LOGIN PLAIN"]),
                _ => all([vec![Tls(made.1.good.clone())], hello(&["AUTH LOGIN PLAIN"])]),
            };
            let proof = if mechanism == "plain" { plain.clone() } else { login.clone() };
            let server = Server::start(all([begin, proof, taking(), vec![say("250 ok"), Hear("QUIT")]]));
            let other = json!({
                "tls": tls, "authentication": mechanism, "ca_certificate": made.1.authority, "host": "localhost",
            });
            let report = sent(server.port, other, PATIENCE).await;
            assert_eq!(report.outcome.as_str(), "accepted", "{tls} {mechanism}: {}", report.why);
            let said = report.said.raw().join("\n");
            assert!(said.contains("[redacted]"), "{said}");
            server.heard().await;
        }
    }
}

#[tokio::test]
async fn a_server_without_starttls_is_told_nothing() {
    let server = Server::start(all([hello(&["AUTH PLAIN"]), vec![Hear("QUIT")]]));
    let report = sent(server.port, json!({ "tls": "starttls", "authentication": "plain" }), PATIENCE).await;
    assert_eq!(report.outcome, Outcome::ConfigurationBad);
    assert!(report.why.contains("does not offer STARTTLS"));
    assert_eq!(server.heard().await, ["EHLO otpost.example.org", "QUIT"]);
}

/// RFC 3207 section 6: what was said before TLS counts for nothing after it.
#[tokio::test]
async fn what_somebody_says_before_tls_is_no_answer_after_it() {
    let made = Made::new("injected");
    let script = all([
        hello(&["STARTTLS"]),
        vec![Hear("STARTTLS"), say("220 go on\r\n250 AUTH PLAIN"), Tls(made.1.good.clone()), Hang],
    ]);
    let server = Server::start(script);
    let other = json!({ "tls": "starttls", "authentication": "plain", "ca_certificate": made.1.authority });
    let report = sent(server.port, other.clone(), PATIENCE).await;
    assert_eq!(report.outcome, LATER, "{}", report.why);
    assert!(report.why.contains("no answer at STARTTLS"), "{}", report.why);
    assert_eq!(server.heard().await.len(), 2);

    // Offers of before are forgotten: the server has no AUTH now.
    let script = all([
        hello(&["STARTTLS", "AUTH PLAIN"]),
        vec![Hear("STARTTLS"), say("220 go on"), Tls(made.1.good.clone())],
        offered(&[]),
        vec![Hear("QUIT")],
    ]);
    let server = Server::start(script);
    let report = sent(server.port, other, PATIENCE).await;
    assert_eq!(report.outcome, Outcome::ConfigurationBad);
    assert!(report.why.contains("does not offer AUTH PLAIN"), "{}", report.why);
    assert_eq!(server.heard().await.last().unwrap(), "QUIT");
}

#[tokio::test]
async fn only_the_gateways_mechanism_is_used() {
    let made = Made::new("mechanism");
    for (mechanism, offer) in [("plain", "AUTH LOGIN"), ("login", "AUTH PLAIN CRAM-MD5")] {
        let server = Server::start(all([starttls(&made.1.good, &[offer]), vec![Hear("QUIT")]]));
        let other =
            json!({ "tls": "starttls", "authentication": mechanism, "ca_certificate": made.1.authority });
        let report = sent(server.port, other, PATIENCE).await;
        assert_eq!(report.outcome, Outcome::ConfigurationBad);
        assert!(report.why.contains("does not offer AUTH"), "{}", report.why);
        assert_eq!(server.heard().await.len(), 4);
    }
}

#[tokio::test]
async fn a_wrong_password_is_the_configurations() {
    let made = Made::new("password");
    for (answer, outcome) in [
        ("535 5.7.8 otpost: authentication failed", Outcome::ConfigurationBad),
        ("454 4.7.0 later", LATER),
        ("432 4.7.12 new password needed", Outcome::ConfigurationBad),
        ("334 once more", LATER),
    ] {
        let server = Server::start(all([
            starttls(&made.1.good, &["AUTH PLAIN"]),
            vec![Hear("AUTH PLAIN"), say(answer), Hang],
        ]));
        let other =
            json!({ "tls": "starttls", "authentication": "plain", "ca_certificate": made.1.authority });
        let report = sent(server.port, other, PATIENCE).await;
        assert_eq!(report.outcome, outcome, "{answer}");
        assert!(report.why.contains("at AUTH"), "{}", report.why);
    }
}

#[tokio::test]
async fn faults_of_certificates_are_told_apart() {
    let made = Made::new("faults");
    let Certificates { authority, good, wrong_name, expired, self_signed } = &made.1;
    for (identity, own, told) in [
        (good, None, "nobody whom Otpost trusts signed"),
        (self_signed, None, "nobody whom Otpost trusts signed"),
        (self_signed, Some(authority.clone()), "nobody whom Otpost trusts signed"),
        (wrong_name, Some(authority.clone()), "for another name than host"),
        (expired, Some(authority.clone()), "has expired"),
    ] {
        for tls in ["starttls", "implicit"] {
            let script =
                if tls == "starttls" { starttls(identity, &[]) } else { vec![Tls(identity.clone())] };
            let server = Server::start(script);
            let mut other = json!({ "tls": tls });
            if let Some(own) = &own {
                other["ca_certificate"] = json!(own);
            }
            let report = sent(server.port, other, PATIENCE).await;
            assert_eq!(report.outcome, Outcome::ConfigurationBad, "{tls} {told}");
            assert!(report.why.contains(told), "{tls} {told}: {}", report.why);
        }
    }
    let script = all([starttls(self_signed, &[]), taking(), vec![say("250 ok")]]);
    let server = Server::start(script);
    let report =
        sent(server.port, json!({ "tls": "starttls", "ca_certificate": pem(self_signed) }), PATIENCE).await;
    assert_eq!(report.outcome.as_str(), "accepted", "{}", report.why);
}

#[tokio::test]
async fn a_handshake_that_does_not_come_about_is_told_apart() {
    let cut = Server::start(vec![]);
    let report = sent(cut.port, json!({ "tls": "implicit" }), PATIENCE).await;
    assert_eq!(report.outcome, LATER, "{}", report.why);
    let silent = Server::start(vec![Hang]);
    let report = sent(silent.port, json!({ "tls": "implicit" }), SHORT).await;
    assert_eq!(report.outcome, LATER, "{}", report.why);
    assert!(report.why.contains("in time at the TLS handshake"), "{}", report.why);
    let clear = Server::start(vec![say("220 mail.example.org ESMTP"), Hang]);
    let report = sent(clear.port, json!({ "tls": "implicit" }), PATIENCE).await;
    assert_eq!(report.outcome, Outcome::ConfigurationBad);
    assert!(report.why.contains("may have to be starttls"), "{}", report.why);
    let server = Server::start(vec![Hang]);
    let empty = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let report = sent(server.port, json!({ "tls": "implicit", "ca_certificate": empty }), PATIENCE).await;
    assert_eq!(report.outcome, Outcome::ConfigurationBad);
    assert!(report.why.contains("ca_certificate"), "{}", report.why);
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_not_connected_to() {
    for host in ["10.0.0.1", "169.254.169.254", "::ffff:169.254.169.254", "::1"] {
        let gateway = gateway(25, &json!({ "host": host }));
        let order = Order {
            message: &message(),
            hop: 1,
            settings: &gateway.configuration.settings,
            credentials: None,
            letter: &letter("x"),
            life: PATIENCE,
            receipts: None,
            deadline: PATIENCE,
            followed: true,
            test: false,
        };
        let name = DomainName::try_from("otpost.example.org").unwrap();
        let report = SmtpProvider::new(name, Networks::default()).unwrap().send(&order).await;
        assert_eq!(report.outcome, Outcome::ConfigurationBad, "{host}");
        assert!(report.why.contains("allowedNetworks"), "{}", report.why);
        assert!(report.said.raw().is_empty());
    }
}

#[tokio::test]
async fn an_order_that_is_none_of_ours_goes_nowhere() {
    let mut gateway = gateway(1, &json!({ "tls": "starttls", "authentication": "plain" }));
    gateway.credentials = None;
    let report = sent_as(&gateway, &letter("x"), PATIENCE).await;
    assert_eq!(report.outcome, Outcome::ConfigurationBad);
    assert_eq!(report.why, "the gateway has no user and password");
    let text = Letter::Text(otpost_service::provider::OutgoingText {
        to: otpost_domain::contact::PhoneNumber::try_from("+447700900123").unwrap(),
        text: SecretText::new("x"),
        code: None,
    });
    let report = sent_as(&gateway, &text, PATIENCE).await;
    assert_eq!(report.outcome, Outcome::ConfigurationBad);
}
