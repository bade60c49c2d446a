//! What a linter on the data of caniemail.com says of our HTML.

use otpost_domain::template::BrandDocument;
use otpost_local::templates::mails;
use serde_json::{Value, json};

use super::node;

pub(super) fn the_built_in_mails_suit_gmail_outlook_and_apple_mail() {
    let png = otpost_domain::qr::png("logo", 4).expect("a picture");
    let logo = otpost_domain::template::Logo::new(png).expect("a logo");
    for look in [BrandDocument::default(), BrandDocument { logo: Some(logo), ..BrandDocument::default() }] {
        let mails = serde_json::to_value(mails(&look).expect("mails")).expect("JSON");
        assert_eq!(issues(&mails), json!([]));
    }
    let dropped = "<!DOCTYPE html><html><body><p style=\"position:fixed\">x</p></body></html>";
    let found = issues(&json!([{ "name": "wrong", "html": dropped }]));
    assert!(found.as_array().is_some_and(|issues| !issues.is_empty()), "the linter is awake");
}

fn issues(mails: &Value) -> Value {
    node("lint_mails.mjs", mails.to_string().as_bytes())
}
