//! Sends somebody a code and asks for it, as docs/challenges.md shows it.
//!
//! `cargo run --package otpost-tests --example send_a_code -- http://127.0.0.1:8400 KEY ada`

use std::error::Error;
use std::io::stdin;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

// What the page shows begins here.
/// Otpost's challenges, for one key of the role `app`.
struct Challenges {
    client: Client,
    url: String,
    key: String,
}

impl Challenges {
    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        let url = format!("{}/v1/challenges{path}", self.url);
        self.client.post(url).bearer_auth(&self.key).json(body)
    }

    /// Sends a code; the challenge, whose id is to be kept where only the server sees it.
    async fn start(&self, user: &str) -> reqwest::Result<Value> {
        let body = json!({ "user": user, "purpose": "sign_in" });
        self.post("", &body).send().await?.error_for_status()?.json().await
    }

    /// Checks a code: whose it was and whether it authenticates, or `None` if it is wrong.
    async fn check(&self, id: &str, code: &str) -> reqwest::Result<Option<Value>> {
        let body = json!({ "code": code, "purpose": "sign_in" });
        let answer = self.post(&format!("/{id}/check"), &body).send().await?;
        match answer.status() {
            StatusCode::UNPROCESSABLE_ENTITY => Ok(None),
            // 429 too: this challenge takes no more codes.
            _ => answer.error_for_status()?.json().await.map(Some),
        }
    }

    /// Sends it once more; how many seconds to wait, where it is too soon.
    async fn resend(&self, id: &str) -> reqwest::Result<Option<u64>> {
        let answer = self.post(&format!("/{id}/resend"), &json!({})).send().await?;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            let wait = answer.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse().ok());
            return Ok(Some(wait.unwrap_or(1)));
        }
        answer.error_for_status().map(|_| None)
    }
}
// What the page shows ends here.

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or_else(|| format!("{what} is missing"));
    let (url, key, user) = (next("the URL")?, next("the key")?, next("the user")?);
    let challenges = Challenges { client: Client::new(), url, key };
    let started = challenges.start(&user).await?;
    let id = started.get("id").and_then(Value::as_str).ok_or("no id")?;
    println!("A code is on its way. Type it, or an empty line to have it sent again.");
    loop {
        let mut line = String::new();
        if stdin().read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            match challenges.resend(id).await? {
                None => println!("It is on its way again."),
                Some(wait) => println!("It is too soon: wait {wait} s."),
            }
        } else if let Some(accepted) = challenges.check(id, line.trim()).await? {
            println!("Accepted: {accepted}");
            return Ok(());
        } else {
            println!("It is wrong.");
        }
    }
}
