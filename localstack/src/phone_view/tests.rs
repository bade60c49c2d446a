use super::*;
use crate::phone::Text;
use crate::ports;

fn text(to: &str, from: &str, body: &str, by: &'static str, at: u64) -> Text {
    Text { to: to.to_owned(), from: from.to_owned(), body: body.to_owned(), by, at }
}

fn phone() -> Phone {
    let phone = Phone::default();
    phone.receive(text("+447700900101", "+15005550006", "Your code is 314159", "twilio", 1_800_000_000));
    phone.receive(text(
        "+447700900102",
        "GOVUK",
        "Otpost: Ihr Code für Zürich\nist 271828",
        "govuk_notify",
        1_800_000_060,
    ));
    phone.receive(text(
        "+447700900101",
        "otp@acme.example",
        "<script>alert(\"1\")</script> & 'more' \u{202e}desrever\r",
        "email_to_sms",
        1_800_000_120,
    ));
    phone
}

fn view(phone: Phone) -> PhoneView {
    PhoneView::start(ports::listen(None).unwrap(), phone).unwrap()
}

#[tokio::test]
async fn texts_of_a_number_stand_together_and_what_came_last_is_first() {
    let view = view(phone());
    let html = client().get(&view.url).send().await.unwrap().text().await.unwrap();
    let at = |what: &str| html.find(what).unwrap_or_else(|| panic!("no {what} in {html}"));
    assert!(at("<h2>+447700900101 <span>2 texts</span>") < at("&lt;script&gt;"));
    assert!(at("&lt;script&gt;") < at("Your code is 314159"));
    assert!(at("Your code is 314159") < at("<h2>+447700900102 <span>1 text</span>"));
    assert!(at("from GOVUK · <b class=\"govuk_notify\">GOV.UK Notify</b>") > at("für Zürich\nist"));
    assert!(html.contains("<time datetime=\"2027-01-15T08:02:00Z\">08:02:00 UTC</time>"));
    assert!(html.contains("data-count=\"3\"") && html.contains("3 texts so far."));
}

#[tokio::test]
async fn nothing_of_a_text_is_markup_and_nothing_is_loaded_from_elsewhere() {
    let view = view(phone());
    let answer = client().get(&view.url).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let html = answer.text().await.unwrap();
    assert!(html.contains(
        "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;more&#39; \u{fffd}desrever\u{fffd}"
    ));
    assert_eq!(html.matches("<script>").count(), 1, "our own");
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[tokio::test]
async fn texts_are_told_in_pages() {
    let view = view(phone());
    let get = async |path: &str| client().get(format!("{}{path}", view.url)).send().await.unwrap();
    let first: Page = get("/texts?limit=2").await.json().await.unwrap();
    assert_eq!((first.count, first.texts.len(), first.next), (3, 2, Some(2)));
    let last: Page = get("/texts?limit=2&after=2").await.json().await.unwrap();
    assert_eq!((last.texts[0].number, last.texts[0].by.as_str(), last.next), (3, "email_to_sms", None));
    let none: Page = get("/texts?limit=0").await.json().await.unwrap();
    assert_eq!((none.count, none.texts.len()), (3, 0));
    for (path, status) in [("/texts?limit=x", 400), ("/texts?after=-1", 400), ("/favicon.ico", 404)] {
        assert_eq!(get(path).await.status(), status, "{path}");
    }
    let posted = client().post(&view.url).send().await.unwrap();
    assert_eq!(posted.status(), 405);
    assert_eq!(fetch(&view.url, 1).await.unwrap().len(), 2);
    assert!(fetch("", 0).await.unwrap_err().to_string().contains("older build"));
}

#[tokio::test]
async fn many_texts_are_shown_in_part_and_told_whole() {
    let phone = Phone::default();
    for number in 0..1_100 {
        phone.receive(text("+447700900101", "A", &format!("text {number}."), "twilio", 5));
    }
    let view = view(phone);
    let html = client().get(&view.url).send().await.unwrap().text().await.unwrap();
    assert!(html.contains("1100 texts so far, the latest 200 of them here."));
    assert!(html.contains(">text 1099.<") && html.contains(">text 900.<") && !html.contains(">text 899.<"));
    assert_eq!(fetch(&view.url, 0).await.unwrap().len(), 1_100);
}

#[tokio::test]
async fn an_empty_phone_says_so() {
    let view = view(Phone::default());
    let html = client().get(&view.url).send().await.unwrap().text().await.unwrap();
    assert!(html.contains("No text has arrived yet") && html.contains("data-count=\"0\""));
}
