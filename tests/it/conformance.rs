//! Independent counterparts: programs that other people wrote must read what Otpost writes.

use std::io::Write as _;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use otpost_local::build::FUNCTIONS;
use otpost_local::install::staged;
use otpost_local::layout::Layout;
use otpost_tests::tenant::{Tenant, expect};
use otpost_tests::world::world;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{plain, shared};

mod mails;
mod notify;
mod receipts;
mod sign_in;
mod sms;
mod smtp;
mod twilio;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        shared(
            "conformance::cargo_lambda_invokes_every_sample_event",
            cargo_lambda_invokes_every_sample_event,
        ),
        shared("conformance::a_request_that_pythons_library_signed", a_request_that_pythons_library_signed),
        shared("conformance::pythons_parser_and_zxing_read_the_mail", pythons_parser_and_zxing_read_the_mail),
        plain(
            "conformance::the_built_in_mails_suit_gmail_outlook_and_apple_mail",
            mails::the_built_in_mails_suit_gmail_outlook_and_apple_mail,
        ),
        plain(
            "conformance::twilios_calculator_counts_the_same_parts",
            sms::twilios_calculator_counts_the_same_parts,
        ),
        plain(
            "conformance::notifys_own_client_verifies_our_tokens",
            notify::notifys_own_client_verifies_our_tokens,
        ),
        plain(
            "conformance::twilios_own_validator_judges_signatures_as_we_do",
            receipts::twilios_own_validator_judges_signatures_as_we_do,
        ),
        shared(
            "conformance::notifys_own_client_sends_by_the_stand_in",
            notify::notifys_own_client_sends_by_the_stand_in,
        ),
        shared("conformance::our_sender_sends_by_the_stand_in", notify::our_sender_sends_by_the_stand_in),
        shared(
            "conformance::our_sender_understands_what_the_stand_in_refuses",
            notify::our_sender_understands_what_the_stand_in_refuses,
        ),
        shared(
            "conformance::twilios_specification_takes_what_is_sent",
            twilio::twilios_specification_takes_what_is_sent,
        ),
        shared(
            "conformance::the_stand_in_answers_as_twilios_specification_says",
            twilio::the_stand_in_answers_as_twilios_specification_says,
        ),
        plain(
            "conformance::the_sample_sign_in_knows_the_api_as_it_is",
            sign_in::the_sample_sign_in_knows_the_api_as_it_is,
        ),
        shared("conformance::somebody_signs_in_by_the_sample", sign_in::somebody_signs_in_by_the_sample),
    ];
    trials.extend(smtp::trials());
    trials
}

/// The mail as the function gave it to SES, byte for byte.
async fn pythons_parser_and_zxing_read_the_mail() {
    let tenant = Tenant::new().await;
    let (_, link) = tenant.invited("jane").await;
    let address = tenant.address("jane");
    let own = |raw: &&Vec<u8>| raw.windows(address.len()).any(|part| part == address.as_bytes());
    let mails = tenant.world.raw_mails();
    let raw = mails.iter().find(own).expect("the mail went over the wire");
    let read = python("conformance/read_mail.py", raw);

    assert_eq!(read["defects"], serde_json::json!([]));
    let structure = ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"];
    assert_eq!(read["structure"], serde_json::json!(structure));
    let text = |name: &str| read[name].as_str().expect("text").to_owned();
    assert!(text("text").contains(&link) && text("html").contains(&link));
    for part in [text("text"), text("html"), read["headers"].to_string()] {
        assert!(!part.contains("[[") && !part.contains("data:") && !part.contains("otpauth"), "{part}");
    }
    assert_eq!(read["headers"]["Auto-Submitted"], "auto-generated");
    assert!(read["headers"]["Message-ID"].as_str().expect("an id").starts_with("<msg_"));
    let pictures = read["pictures"].as_array().expect("a list");
    assert_eq!(pictures.len(), 1);
    let picture = &pictures[0];
    assert_eq!(picture["codes"], serde_json::json!([link]));
    assert_eq!((&picture["type"], &picture["disposition"]), (&"image/png".into(), &"inline".into()));
    assert_eq!(picture["mode"], "1", "one bit a pixel");
    let id = picture["content_id"].as_str().expect("an id").trim_matches(['<', '>']).to_owned();
    assert!(text("html").contains(&format!("cid:{id}")));
}

/// RFC 9421 and RFC 9530 as others read them.
async fn a_request_that_pythons_library_signed() {
    let tenant = Tenant::new().await;
    let (_, link) = tenant.invited("jane").await;
    let path = format!("/v1/activations/{}", link.rsplit_once('/').expect("a path").1);
    let device =
        json!({ "os": "android", "type": "phone", "push": { "capable": false, "permitted": false } });
    let body = json!({ "device": device });
    // Each time another key: what others sign is taken, whatever the device.
    for number in 1..=3 {
        let url = format!("{}{path}", tenant.world.api_base());
        let nonce = format!("{number:016}{}", tenant.id);
        let order = json!({ "method": "POST", "url": url, "body": body.to_string(), "nonce": nonce });
        let headers = python("conformance/sign_request.py", order.to_string().as_bytes());
        let headers = headers.as_object().expect("headers").iter();
        let headers: Vec<_> =
            headers.map(|(name, value)| (name.as_str(), value.as_str().expect("text"))).collect();
        let answer =
            tenant.api.send_with(Method::POST, &path, &headers, Some(&body)).await.expect("an answer");
        expect(&answer, 201);
    }
}

/// As its users would: `cargo lambda invoke <function> --data-file events/<function>/<case>.json`.
async fn cargo_lambda_invokes_every_sample_event() {
    let world = world().await;
    let layout = Layout::find().expect("the layout");
    let deployed = world.aws().functions().await.expect("a list");
    let events = layout.root().join("events");
    let mut count = 0;
    for function in FUNCTIONS {
        let wanted = format!("functions{}f", function.replace('-', ""));
        let name = deployed.iter().find(|name| name.replace('-', "").to_lowercase().contains(&wanted));
        for file in std::fs::read_dir(events.join(function)).expect("a folder of events") {
            let path = file.expect("a file").path();
            let invoked = Command::new(layout.venv_program("cargo-lambda"))
                .args(["lambda", "invoke", name.expect("deployed"), "--remote"])
                .args(["--endpoint-url", world.aws_endpoint(), "--data-file"])
                .arg(&path)
                .envs([
                    ("AWS_ACCESS_KEY_ID", "test"),
                    ("AWS_SECRET_ACCESS_KEY", "test"),
                    ("AWS_REGION", "eu-west-2"),
                ])
                .output()
                .expect("cargo-lambda");
            let told = String::from_utf8_lossy(&invoked.stderr);
            assert!(invoked.status.success(), "{}: {told}", path.display());
            let answer: Value = serde_json::from_slice(&invoked.stdout).expect("JSON");
            assert!(answer.is_object(), "{}: {answer}", path.display());
            count += 1;
        }
    }
    assert!(count >= 30, "{count} events");
}

/// Runs a script of this package in the environment that `cargo local test` made, and reads its answer.
fn python(script: &str, input: &[u8]) -> Value {
    let layout = Layout::find().expect("the layout");
    let script = format!("{}/{script}", env!("CARGO_MANIFEST_DIR"));
    answer(Command::new(layout.venv_program("python")).arg(script), input)
}

/// Runs a script of the folder `conformance`, where `cargo local test` put it beside npm's packages.
fn node(script: &str, input: &[u8]) -> Value {
    let layout = Layout::find().expect("the layout");
    answer(Command::new("node").arg(staged(&layout, "tests/conformance").join(script)), input)
}

fn answer(command: &mut Command, input: &[u8]) -> Value {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a program with the tests' packages: `cargo local test` installs them");
    child.stdin.take().expect("an input").write_all(input).expect("reads");
    let answer = child.wait_with_output().expect("an answer");
    assert!(answer.status.success(), "the script fails");
    serde_json::from_slice(&answer.stdout).expect("JSON")
}
