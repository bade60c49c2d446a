//! Every sample event, given to its deployed function.

use libtest_mimic::Trial;
use otpost_local::build::FUNCTIONS;
use otpost_tests::world::world;
use serde_json::Value;

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![shared("events::every_file_is_answered", every_file_is_answered)]
}

/// The sample keys open nothing in a real deployment: events with a key are answered 401, and so are signed ones, whose
/// signatures are not of today; links are not known, queue entries name no message. Who speaks for Twilio is turned away by 403,
/// but for what tells nothing. What matters here is that each function reads its events. (That each does what it says is
/// shown in the functions' own tests, where the samples' world exists.)
async fn every_file_is_answered() {
    let world = world().await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let mut count = 0;
    for (samples, function) in FUNCTIONS.iter().map(|own| (*own, *own)).chain([("directory", "push-token")]) {
        for file in std::fs::read_dir(folder.join(samples)).expect("a folder of events") {
            let path = file.expect("a file").path();
            if path.is_dir() {
                continue;
            }
            let event: Value =
                serde_json::from_slice(&std::fs::read(&path).expect("readable")).expect("JSON");
            let answer = world.invoke(function, &event).await.expect("the function");
            let name = path.display();
            assert_eq!(answer.error, None, "{name}: {}", answer.payload);
            if event.get("rawPath").is_some() {
                let status = answer.payload["statusCode"].as_u64().expect("a status");
                let has_key = event["headers"].get("authorization").is_some();
                let way = event["rawPath"].as_str().expect("a path");
                let wanted = match way.split('/').nth(1) {
                    _ if has_key => 401,
                    Some("e") => 404,
                    Some("receipts") if path.ends_with("twilio-sent.json") => 204,
                    Some("receipts") => 403,
                    _ => 401,
                };
                assert_eq!(status, wanted, "{name}: {}", answer.payload);
            } else {
                assert!(answer.payload.is_object(), "{name}: {}", answer.payload);
            }
            count += 1;
        }
    }
    assert!(count >= 30, "{count} events");
}
