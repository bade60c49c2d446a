//! What Twilio tells of a text that it took.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::BASE64;

use super::Login;
use super::form::Message;
use crate::host;
use crate::phone::{Phone, Text};
use crate::providers::receipts::{Fate, Pace, Teller, is_local};

/// Twilio waits no longer for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often a receipt is sent whose recipient cannot be reached. An answer, whichever, is the end of it.
const TRIES: usize = 2;
/// From whom the texts of a service come.
const CHOSEN: &str = "+15005550006";
/// No such telephone.
const UNKNOWN_HANDSET: &str = "30005";

/// Numbers whose texts have another fate than to arrive.
const FATES: &[(&str, Fate)] = &[
    ("+15005550602", Fate::Late),
    ("+15005550603", Fate::Undelivered),
    ("+15005550607", Fate::Silent),
    ("+15005550608", Fate::Twice),
    ("+15005550609", Fate::OutOfOrder),
];

/// What becomes of texts to a number that means something.
pub(super) fn fate_of(to: &str) -> Option<Fate> {
    FATES.iter().find(|(number, _)| *number == to).map(|(_, fate)| *fate)
}

/// What receipts of a text have in common.
pub(super) struct Note {
    id: String,
    url: Option<String>,
    auth_token: String,
    form: Vec<(&'static str, String)>,
}

impl Note {
    pub(super) fn of(id: &str, login: Login, message: &Message) -> Self {
        let from = message.from.clone().unwrap_or_else(|| CHOSEN.to_owned());
        let mut form = vec![
            ("ApiVersion", "2010-04-01".to_owned()),
            ("MessageSid", id.to_owned()),
            ("SmsSid", id.to_owned()),
            ("AccountSid", login.account),
            ("From", from),
            ("To", message.to.clone()),
        ];
        form.extend(message.service.clone().map(|service| ("MessagingServiceSid", service)));
        let url = message.status_callback.clone().filter(|url| is_local(url));
        Self { id: id.to_owned(), url, auth_token: login.auth_token, form }
    }

    async fn tell(&self, teller: &Teller, status: &'static str) {
        let Some(url) = &self.url else { return };
        let mut form = self.form.clone();
        form.extend([("MessageStatus", status.to_owned()), ("SmsStatus", status.to_owned())]);
        match status {
            "undelivered" => form.push(("ErrorCode", UNKNOWN_HANDSET.to_owned())),
            // Twilio adds parameters as it likes: this one came with some deliveries.
            "delivered" => form.push(("RawDlrDoneDate", "2611220255".to_owned())),
            _ => {}
        }
        let pairs: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let signature = signature(&self.auth_token, url, &pairs);
        for _ in 0..TRIES {
            let request = teller.client.post(url).form(&form).timeout(PATIENCE);
            let request = request.header("x-twilio-signature", &signature);
            if teller.tell(&self.id, status, request).await.is_some() {
                return;
            }
        }
    }
}

/// Tells what becomes of a text, one after the other; what arrives `late` arrives then.
pub(super) async fn follow(teller: Teller, pace: Pace, fate: Fate, note: Note, late: Option<(Phone, Text)>) {
    let statuses: &[_] = match fate {
        Fate::Delivered | Fate::Late => &["sent", "delivered"],
        Fate::Undelivered => &["sent", "undelivered"],
        Fate::Silent => &[],
        Fate::Twice => &["sent", "sent", "delivered", "delivered"],
        Fate::OutOfOrder => &["delivered", "sent"],
    };
    let mut late = late;
    for status in statuses {
        host::pause(pace.step).await;
        if *status == "delivered"
            && let Some((phone, text)) = late.take()
        {
            host::pause(pace.late).await;
            phone.receive(Text { at: host::unix_time(), ..text });
        }
        note.tell(&teller, status).await;
    }
}

/// The signature of a receipt: what Twilio puts into `X-Twilio-Signature`.
#[must_use]
pub fn signature(auth_token: &str, url: &str, form: &[(&str, &str)]) -> String {
    let sorted: BTreeSet<_> = form.iter().collect();
    let text = sorted.into_iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth_token.as_bytes());
    BASE64.encode(hmac::sign(&key, text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;
    use crate::ports;
    use crate::providers::receipts::tests::{Ear, QUICK};
    use crate::providers::receipts::{CONTROL, Told};
    use crate::providers::twilio::Twilio;
    use crate::proxy::client;

    const ACCOUNT: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    struct Scene {
        phone: Phone,
        twilio: Twilio,
    }

    impl Scene {
        fn open() -> Self {
            let phone = Phone::default();
            let listener = ports::listen(None).unwrap();
            Self { twilio: Twilio::paced(listener, phone.clone(), Vec::new(), QUICK).unwrap(), phone }
        }

        /// Sends a text; gives its id.
        async fn send(&self, to: &str, callback: &str, more: &[(&str, &str)]) -> String {
            let url = format!("{}/2010-04-01/Accounts/{ACCOUNT}/Messages.json", self.twilio.url);
            let mut form = vec![("To", to), ("Body", "x"), ("StatusCallback", callback)];
            form.extend(if more.is_empty() { &[("From", "+15005550006")] } else { more });
            let sent = client().post(url).basic_auth(ACCOUNT, Some(TOKEN)).form(&form).send().await.unwrap();
            let sent: serde_json::Value = sent.json().await.unwrap();
            sent["sid"].as_str().unwrap().to_owned()
        }
    }

    fn fields((_, body): &(HeaderMap, String)) -> Vec<(String, String)> {
        let url = reqwest::Url::parse(&format!("http://x/?{body}")).unwrap();
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }

    fn field(one: &(HeaderMap, String), name: &str) -> Option<String> {
        fields(one).into_iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    fn statuses(heard: &[(HeaderMap, String)]) -> Vec<String> {
        heard.iter().map(|one| field(one, "MessageStatus").unwrap()).collect()
    }

    #[test]
    fn signatures_are_twilios() {
        let form = [
            ("To", "+18005551212"),
            ("CallSid", "CA1234567890ABCDE"),
            ("From", "+14158675309"),
            ("Digits", "1234"),
            ("Caller", "+14158675309"),
            ("To", "+18005551212"),
        ];
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(signature("12345", url, &form), "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "of Twilio's documents");
    }

    #[tokio::test]
    async fn what_becomes_of_a_text_is_told_and_signed() {
        let (scene, ear) = (Scene::open(), Ear::answering(&[204]));
        let id = scene.send("+447700900123", &ear.url, &[]).await;
        let heard = ear.heard(2).await;
        assert_eq!(statuses(&heard), ["sent", "delivered"]);
        for one in &heard {
            let fields = fields(one);
            let pairs: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(one.0["x-twilio-signature"], signature(TOKEN, &ear.url, &pairs).as_str());
            assert_eq!(one.0["content-type"], "application/x-www-form-urlencoded");
            for (name, value) in [
                ("MessageSid", id.as_str()),
                ("SmsSid", &id),
                ("AccountSid", ACCOUNT),
                ("From", "+15005550006"),
                ("To", "+447700900123"),
                ("ApiVersion", "2010-04-01"),
            ] {
                assert_eq!(field(one, name).as_deref(), Some(value), "{name}");
            }
            assert_eq!(field(one, "SmsStatus"), field(one, "MessageStatus"));
            assert_eq!((field(one, "ErrorCode"), field(one, "MessagingServiceSid")), (None, None));
        }
        let told = |status: &str| Told { id: id.clone(), status: status.to_owned(), answered: Some(204) };
        assert_eq!(scene.twilio.told(), [told("sent"), told("delivered")]);
        assert_eq!(ear.in_the_end().await, 2);
    }

    #[tokio::test]
    async fn a_service_is_named_beside_the_sender_that_it_chose() {
        let (scene, ear) = (Scene::open(), Ear::answering(&[204]));
        let service = "MGcccccccccccccccccccccccccccccccc";
        scene.send("+447700900123", &ear.url, &[("MessagingServiceSid", service)]).await;
        let heard = ear.heard(1).await;
        assert_eq!(field(&heard[0], "MessagingServiceSid").as_deref(), Some(service));
        assert_eq!(field(&heard[0], "From").as_deref(), Some(CHOSEN));
    }

    #[tokio::test]
    async fn numbers_have_their_fates() {
        for (to, expected, arrives) in [
            ("+15005550601", &["sent", "delivered"][..], true),
            ("+15005550603", &["sent", "undelivered"], false),
            ("+15005550607", &[], false),
            ("+15005550608", &["sent", "sent", "delivered", "delivered"], true),
            ("+15005550609", &["delivered", "sent"], true),
        ] {
            let (scene, ear) = (Scene::open(), Ear::answering(&[204]));
            scene.send(to, &ear.url, &[]).await;
            let heard = ear.heard(expected.len()).await;
            assert_eq!(ear.in_the_end().await, expected.len(), "{to}");
            assert_eq!(statuses(&heard), expected, "{to}");
            assert_eq!(scene.phone.texts().len(), usize::from(arrives), "{to}");
            let failed = heard.iter().find(|one| field(one, "MessageStatus").unwrap() == "undelivered");
            let code = failed.and_then(|one| field(one, "ErrorCode"));
            assert_eq!(code.as_deref(), failed.map(|_| UNKNOWN_HANDSET));
        }
    }

    #[tokio::test]
    async fn what_is_late_arrives_and_is_told_late() {
        let (scene, ear) = (Scene::open(), Ear::answering(&[204]));
        let watch = host::Watch::start();
        scene.send("+15005550602", &ear.url, &[]).await;
        assert_eq!(statuses(&ear.heard(1).await), ["sent"]);
        assert!(scene.phone.texts().is_empty());
        assert_eq!(statuses(&ear.heard(2).await), ["sent", "delivered"]);
        assert!(watch.elapsed() >= QUICK.late);
        assert_eq!(scene.phone.texts().len(), 1);
    }

    #[tokio::test]
    async fn an_account_is_made_silent_and_speaks_again() {
        let (scene, ear) = (Scene::open(), Ear::answering(&[204]));
        let silent = crate::providers::receipts::decide(&scene.twilio.url, Some(Fate::Silent), Some(ACCOUNT));
        silent.await.unwrap();
        scene.send("+447700900123", &ear.url, &[]).await;
        assert_eq!(ear.in_the_end().await, 0);
        crate::providers::receipts::decide(&scene.twilio.url, None, Some(ACCOUNT)).await.unwrap();
        scene.send("+447700900123", &ear.url, &[]).await;
        ear.heard(2).await;
        let told = client().get(format!("{}{CONTROL}", scene.twilio.url)).send().await.unwrap();
        let told: serde_json::Value = told.json().await.unwrap();
        assert_eq!(told["told"][0]["status"], "sent");
    }

    #[tokio::test]
    async fn nobody_elsewhere_is_called_and_a_refusal_is_the_end() {
        let scene = Scene::open();
        scene.send("+447700900123", "https://otp.example.org/receipts", &[]).await;
        let refusing = Ear::answering(&[500]);
        scene.send("+447700900123", &refusing.url, &[]).await;
        assert_eq!(refusing.in_the_end().await, 2, "one try each");
        let nobody = format!("{}/x", ports::url(ports::pick(None).unwrap()));
        scene.send("+447700900123", &nobody, &[]).await;
        host::pause(QUICK.step * 10).await;
        let told = scene.twilio.told();
        let answers: Vec<_> = told.iter().map(|told| told.answered).collect();
        assert_eq!(answers, [Some(500), Some(500), None, None, None, None]);
    }
}
