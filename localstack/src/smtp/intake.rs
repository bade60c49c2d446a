//! Where the SMTP gateway posts mails to: they go on to the mail viewer as SES's `SendEmail` brings them.

use std::net::TcpListener;

use anyhow::{Context as _, Result};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::proxy::{Serving, client, serve};
use crate::tap::{LARGEST_MAIL, SEND_EMAIL};
use crate::third_party::ThirdParty;

/// The viewer asks for a login and looks at nothing but its scheme.
const LOGIN: &str = "AWS4-HMAC-SHA256 local";

/// Serves on `listener`; gives the URL that a mail is posted to. The answer is the mail's id, as text.
pub(super) fn start(
    listener: TcpListener,
    viewer: &str,
    third_party: ThirdParty,
) -> Result<(String, Serving)> {
    let url = crate::ports::url(listener.local_addr()?.port());
    let (viewer, client) = (format!("{viewer}{SEND_EMAIL}"), client());
    let serving = serve(listener, move |request: Request| {
        let (viewer, client, third_party) = (viewer.clone(), client.clone(), third_party.clone());
        async move {
            let Ok(mail) = axum::body::to_bytes(request.into_body(), LARGEST_MAIL).await else {
                return StatusCode::PAYLOAD_TOO_LARGE.into_response();
            };
            match hand_on(&client, &viewer, &mail).await {
                Ok(id) => {
                    third_party.read(&mail);
                    id.into_response()
                }
                Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}\n")).into_response(),
            }
        }
    })?;
    Ok((url, serving))
}

async fn hand_on(client: &reqwest::Client, viewer: &str, mail: &[u8]) -> Result<String> {
    let call = json!({ "Content": { "Raw": { "Data": BASE64.encode(mail) } } });
    let request = client.post(viewer).header(header::AUTHORIZATION, LOGIN).json(&call);
    let answer: Value = request.send().await?.error_for_status()?.json().await?;
    let id = answer.get("MessageId").and_then(Value::as_str).context("the viewer gave no id")?;
    Ok(id.to_owned())
}
