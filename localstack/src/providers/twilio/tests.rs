use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

use super::*;
use crate::proxy::client;

const ACCOUNT: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const SERVICE: &str = "MGcccccccccccccccccccccccccccccccc";
const KEY: &str = "SKdddddddddddddddddddddddddddddddd";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const GOOD: &[(&str, &str)] = &[
    ("To", "+447700900123"),
    ("From", "+15005550006"),
    ("Body", "Your code is 314159 + €"),
    ("ValidityPeriod", "300"),
];

struct Scene {
    phone: Phone,
    twilio: Twilio,
}

impl Scene {
    fn open(accounts: Vec<Account>) -> Self {
        let phone = Phone::default();
        let twilio = Twilio::start(crate::ports::listen(None).unwrap(), phone.clone(), accounts).unwrap();
        Self { phone, twilio }
    }

    fn messages(&self, account: &str) -> String {
        format!("{}/2010-04-01/Accounts/{account}/Messages.json", self.twilio.url)
    }

    async fn post(&self, account: &str, login: (&str, &str), form: &[(&str, &str)]) -> Response {
        let request = client().post(self.messages(account)).basic_auth(login.0, Some(login.1));
        request.form(form).send().await.unwrap()
    }

    /// Status, code and body of the answer to the good form with these changes; an empty value leaves a field out.
    async fn changed(&self, changes: &[(&str, &str)]) -> (u16, u64, Value) {
        let kept = GOOD.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let form: Vec<_> =
            kept.chain(changes.iter().filter(|(_, value)| !value.is_empty())).copied().collect();
        told(self.post(ACCOUNT, (ACCOUNT, TOKEN), &form).await).await
    }
}

async fn told(response: Response) -> (u16, u64, Value) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["code"].as_u64().unwrap_or_default(), body)
}

#[tokio::test]
async fn a_text_arrives_and_is_answered_as_twilio_does() {
    let scene = Scene::open(Vec::new());
    let before = host::unix_time();
    let callback = "https://otp.example.org/receipts/twilio/acme?t=1";
    let (status, _, created) = scene.changed(&[("StatusCallback", callback)]).await;

    assert_eq!(status, 201);
    let id = created["sid"].as_str().unwrap();
    assert!(sid(id, "SM").is_some(), "{id}");
    assert_eq!(created["body"], "Your code is 314159 + €");
    assert_eq!((&created["status"], &created["direction"]), (&"queued".into(), &"outbound-api".into()));
    assert_eq!(created["num_segments"], "1");
    assert_eq!(created["error_code"], Value::Null);
    assert_eq!(created["uri"], format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{id}.json"));
    assert!(created["date_created"].as_str().unwrap().ends_with(" +0000"), "RFC 2822 section 3.3");
    let texts = scene.phone.texts();
    assert_eq!(texts.len(), 1);
    assert_eq!((texts[0].to.as_str(), texts[0].from.as_str()), ("+447700900123", "+15005550006"));
    assert_eq!((texts[0].body.as_str(), texts[0].by), ("Your code is 314159 + €", "twilio"));
    assert!(texts[0].at >= before);
    let taken = Taken {
        sid: id.to_owned(),
        account: ACCOUNT.to_owned(),
        to: "+447700900123".to_owned(),
        validity: 300,
        status_callback: Some(callback.to_owned()),
    };
    assert_eq!(scene.twilio.taken(), [taken]);
}

#[tokio::test]
async fn a_service_chooses_its_sender_later() {
    let scene = Scene::open(Vec::new());
    let (status, _, created) = scene.changed(&[("From", ""), ("MessagingServiceSid", SERVICE)]).await;
    assert_eq!(status, 201);
    assert_eq!((&created["from"], &created["status"]), (&Value::Null, &"accepted".into()));
    assert_eq!((&created["messaging_service_sid"], &created["num_segments"]), (&SERVICE.into(), &"0".into()));
    assert_eq!(scene.phone.texts()[0].from, SERVICE);
}

#[tokio::test]
async fn what_twilio_refuses_is_refused() {
    let scene = Scene::open(Vec::new());
    let (longest, longer) = ("ü".repeat(1600), "ü".repeat(1601));
    let long_url = format!("https://otp.example.org/{}", "x".repeat(4000));
    for (name, value, code) in [
        ("To", "", 21604),
        ("To", "nonsense", 21211),
        ("To", "+0447700900123", 21211),
        ("To", "447700900123", 21211),
        ("To", "+4477009001234567", 21211),
        ("From", "", 21603),
        ("From", "a name that is too long", 21212),
        ("From", "12", 21212),
        ("From", "+447700900123", 21266),
        ("MessagingServiceSid", "MG12", 21701),
        ("Body", "", 21602),
        ("Body", " \n", 21602),
        ("Body", &longer, 21617),
        ("ValidityPeriod", "0", 90007),
        ("ValidityPeriod", "36001", 90007),
        ("ValidityPeriod", "soon", 90014),
        ("ValidityPeriod", "-1", 90014),
        ("StatusCallback", "notaurl", 21609),
        ("StatusCallback", "ftp://otp.example.org/", 21609),
        ("StatusCallback", "https://otp_a.example.org/", 21609),
        ("StatusCallback", &long_url, 21609),
    ] {
        let (status, told, body) = scene.changed(&[(name, value)]).await;
        assert_eq!((status, told), (400, code), "{name}={value}: {body}");
        assert_eq!(body["status"], 400);
        assert_eq!(body["more_info"], format!("https://www.twilio.com/docs/errors/{code}"));
    }
    assert!(scene.phone.texts().is_empty() && scene.twilio.taken().is_empty());
    for (name, value) in [
        ("Body", longest.as_str()),
        ("From", "Acme Ltd"),
        ("From", "12345"),
        ("ValidityPeriod", "1"),
        ("ValidityPeriod", "36000"),
        ("ValidityPeriod", ""),
    ] {
        assert_eq!(scene.changed(&[(name, value)]).await.0, 201, "{name}={value}");
    }
}

#[tokio::test]
async fn only_a_form_is_read() {
    let scene = Scene::open(Vec::new());
    let post = || client().post(scene.messages(ACCOUNT)).basic_auth(ACCOUNT, Some(TOKEN));
    let json = post().json(&serde_json::json!({ "To": "+447700900123" })).send().await.unwrap();
    assert_eq!(told(json).await.0, 415);
    let form = |body: Vec<u8>| post().header("content-type", "application/x-www-form-urlencoded").body(body);
    let not_utf8 = form(b"To=%FF".to_vec()).send().await.unwrap();
    assert_eq!(told(not_utf8).await.0, 400);
    // A plus that is not encoded is a blank.
    let plus = form(b"To=+447700900123&From=+15005550006&Body=x".to_vec()).send().await.unwrap();
    assert_eq!(told(plus).await.1, 21211);
    assert_eq!(form(vec![b'x'; LARGEST_BODY + 1]).send().await.unwrap().status(), 413);
    let read = client().get(scene.messages(ACCOUNT)).basic_auth(ACCOUNT, Some(TOKEN)).send().await.unwrap();
    assert_eq!(told(read).await.1, 20004);
    let elsewhere = client().post(format!("{}/2010-04-01/Accounts", scene.twilio.url)).send().await.unwrap();
    assert_eq!(told(elsewhere).await.1, 20404);
}

#[tokio::test]
async fn without_accounts_every_login_of_the_right_form_is_good() {
    let scene = Scene::open(Vec::new());
    for login in [(ACCOUNT, TOKEN), (KEY, TOKEN)] {
        assert_eq!(scene.post(ACCOUNT, login, GOOD).await.status(), 201, "{login:?}");
    }
    for login in
        [("", TOKEN), ("jane", TOKEN), (ACCOUNT, ""), (ACCOUNT, "short"), (KEY, "with a blank in it")]
    {
        let response = scene.post(ACCOUNT, login, GOOD).await;
        assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"Twilio API\"");
        let (status, code, _) = told(response).await;
        assert_eq!((status, code), (401, 20003), "{login:?}");
    }
    let nobody = client().post(scene.messages(ACCOUNT)).form(GOOD).send().await.unwrap();
    assert_eq!(told(nobody).await.1, 20003);
    let other = scene.post(OTHER, (ACCOUNT, TOKEN), GOOD).await;
    let (status, code, _) = told(other).await;
    assert_eq!((status, code), (404, 20404));
    assert_eq!(told(scene.post("AC1", (KEY, TOKEN), GOOD).await).await.1, 20404);
}

#[tokio::test]
async fn with_accounts_only_theirs_are_good() {
    let account = |sid: &str, keys: &[(&str, &str)]| Account {
        sid: sid.to_owned(),
        auth_token: format!("{TOKEN}{sid}"),
        keys: keys.iter().map(|(sid, secret)| ((*sid).to_owned(), (*secret).to_owned())).collect(),
    };
    let scene = Scene::open(vec![account(ACCOUNT, &[(KEY, TOKEN)]), account(OTHER, &[])]);
    let token = format!("{TOKEN}{ACCOUNT}");
    for login in [(ACCOUNT, token.as_str()), (KEY, TOKEN)] {
        assert_eq!(scene.post(ACCOUNT, login, GOOD).await.status(), 201, "{login:?}");
        assert_eq!(told(scene.post(OTHER, login, GOOD).await).await.1, 20404, "{login:?}");
    }
    for login in [(ACCOUNT, TOKEN), (KEY, token.as_str()), (OTHER, token.as_str()), (SERVICE, TOKEN)] {
        assert_eq!(told(scene.post(ACCOUNT, login, GOOD).await).await.1, 20003, "{login:?}");
    }
}

#[tokio::test]
async fn some_numbers_mean_trouble() {
    let scene = Scene::open(Vec::new());
    for (to, status, code) in [
        ("+15005550001", 400, 21211),
        ("+15005550002", 400, 21612),
        ("+15005550003", 400, 21408),
        ("+15005550004", 400, 21610),
        ("+15005550009", 400, 21614),
        ("+15005550401", 401, 20003),
        ("+15005550450", 400, 30450),
        ("+15005550503", 503, 20503),
        ("+15005553038", 429, 63038),
        ("+15005559457", 400, 21614),
    ] {
        let (answered, told, _) = scene.changed(&[("To", to)]).await;
        assert_eq!((answered, told), (status, code), "{to}");
    }
    for (from, code) in [("+15005550001", 21212), ("+15005550007", 21606), ("+15005550008", 21611)] {
        assert_eq!(scene.changed(&[("From", from)]).await.1, code, "{from}");
    }
    let (_, _, problem) = scene.changed(&[("To", "+15005559457")]).await;
    assert!(problem["detail"].is_string() && problem["message"].is_null(), "{problem}");
    let form = |to| [("To", to), ("From", "+15005550006"), ("Body", "x")];
    let slow = scene.post(ACCOUNT, (ACCOUNT, TOKEN), &form("+15005550429")).await;
    assert_eq!(slow.headers()["retry-after"], "2");
    assert_eq!(told(slow).await.1, 20429);
    let broken = scene.post(ACCOUNT, (ACCOUNT, TOKEN), &form("+15005550500")).await;
    assert_eq!(broken.status(), 500);
    assert!(broken.text().await.unwrap().starts_with("<html>"));
    assert!(scene.phone.texts().is_empty());
}

#[tokio::test]
async fn a_text_may_arrive_though_the_answer_does_not() {
    let scene = Scene::open(Vec::new());
    let form = [("To", "+15005550408"), ("From", "+15005550006"), ("Body", "x")];
    let asked = client().post(scene.messages(ACCOUNT)).basic_auth(ACCOUNT, Some(TOKEN)).form(&form);
    assert!(asked.timeout(Duration::from_millis(500)).send().await.unwrap_err().is_timeout());
    assert_eq!(scene.phone.texts().len(), 1);
}
