//! What holds of the code itself.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};
use libtest_mimic::Trial;
use otpost_tests::{openapi, policies};

use crate::plain;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        plain("structure::arrows_go_down_only", arrows_go_down_only),
        plain("structure::the_domain_is_light", the_domain_is_light),
        plain("structure::nothing_secret_derives_debug", nothing_secret_derives_debug),
        plain(
            "structure::every_test_that_the_threat_model_names_exists",
            every_test_that_the_threat_model_names_exists,
        ),
        plain("structure::there_is_one_tls_stack", there_is_one_tls_stack),
        plain("structure::senders_carry_no_client_that_they_do_not_use", senders_carry_no_other_client),
        plain("structure::the_api_is_described_as_it_is", the_api_is_described_as_it_is),
        plain("structure::the_example_is_shown_as_it_compiles", the_example_is_shown_as_it_compiles),
        plain("structure::every_setting_is_documented", every_setting_is_documented),
        plain("structure::every_route_is_deployed_to_its_function", every_route_is_deployed_to_its_function),
    ]
}

fn metadata() -> cargo_metadata::Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .exec()
        .expect("metadata")
}

/// Each of our packages and which of our packages its own code uses.
fn own_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let own = |name: &str| name.starts_with("otpost-");
    packages
        .iter()
        .map(|package| {
            let used =
                package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal && own(&d.name));
            (package.name.to_string(), used.map(|d| d.name.clone()).collect())
        })
        .collect()
}

fn arrows_go_down_only() {
    let used = own_dependencies();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(used["otpost-domain"], set(&[]));
    assert_eq!(used["otpost-service"], set(&["otpost-domain"]));
    assert_eq!(used["otpost-aws"], set(&["otpost-domain", "otpost-service"]));
    assert_eq!(used["otpost-edge"], set(&["otpost-domain", "otpost-service"]));
    assert_eq!(used["otpost-outbound"], set(&["otpost-domain", "otpost-service"]));
    let layers = set(&["otpost-domain", "otpost-service", "otpost-aws", "otpost-edge", "otpost-outbound"]);
    let functions: Vec<_> = metadata()
        .workspace_packages()
        .iter()
        .filter(|package| package.manifest_path.as_str().contains("/functions/"))
        .map(|package| package.name.to_string())
        .collect();
    assert_eq!(functions.len(), 11);
    for function in &functions {
        assert!(used[function].is_subset(&layers), "{function} uses {:?}", used[function]);
    }
    for function in functions.iter().filter(|function| !function.starts_with("otpost-send-")) {
        assert!(!used[function].contains("otpost-outbound"), "{function} talks to no provider");
    }
    for (package, used) in &used {
        let sees_functions = functions.iter().any(|function| used.contains(function));
        assert!(!sees_functions || package == "otpost-tests", "{package} uses a function");
    }
}

/// No async, no AWS, no HTTP, no clock, no randomness, no serialisation.
fn the_domain_is_light() {
    let tree = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "otpost-domain",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{lib}",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree");
    let names = String::from_utf8(tree.stdout).expect("text");
    let names: BTreeSet<&str> = names.split_whitespace().collect();
    assert!(names.contains("otpost_domain") && names.contains("totp_rs"), "{names:?}");
    for banned in
        ["tokio", "serde", "rand", "getrandom", "http", "hyper", "chrono", "aws_config", "async_trait"]
    {
        assert!(!names.contains(banned), "the domain depends on {banned}");
    }
}

/// State, queues, keys and credentials: what every sender asks of AWS. Amazon SES is for its own sender alone, and what
/// speaks SMTP or HTTPS to providers for those that do.
fn senders_carry_no_other_client() {
    // The last comes with what finds the function's own credentials.
    let common = ["aws_sdk_dynamodb", "aws_sdk_kms", "aws_sdk_secretsmanager", "aws_sdk_sqs", "aws_sdk_sts"];
    for (sender, more) in [
        ("send-ses", vec!["aws_sdk_sesv2"]),
        ("send-smtp", vec![]),
        ("send-twilio", vec![]),
        ("send-govuk-notify", vec![]),
    ] {
        let tree = std::process::Command::new(env!("CARGO"))
            .args(["tree", "--package", &format!("otpost-{sender}"), "--edges", "normal", "--prefix", "none"])
            .args(["--format", "{lib}"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo tree");
        let names = String::from_utf8(tree.stdout).expect("text");
        let clients: BTreeSet<_> =
            names.split_whitespace().filter(|name| name.starts_with("aws_sdk_")).collect();
        let expected: BTreeSet<_> = common.into_iter().chain(more).collect();
        assert_eq!(clients, expected, "{sender}");
    }
}

/// The Rust sources below a folder of the repository.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                found.push((path.display().to_string(), text));
            }
        }
    }
    found
}

/// What wipes itself shows itself to `Debug`, and so do requests: a type that holds one must write its own.
fn nothing_secret_derives_debug() {
    let mut looked_at = 0;
    for (path, text) in sources("shared").into_iter().chain(sources("functions")) {
        let mut rest = text.as_str();
        while let Some((_, after)) = rest.split_once("#[derive(") {
            let (derived, item) = after.split_once(")]").expect("an end of the derivation");
            rest = item;
            let item = item.split("\n}").next().unwrap_or_default();
            let item = item.split(";\n").next().unwrap_or_default();
            let held = ["Zeroizing<", " Request,", "HeaderMap,"].iter().any(|secret| item.contains(secret));
            looked_at += 1;
            assert!(!(held && derived.contains("Debug")), "{path} derives Debug: {item}");
        }
    }
    assert!(looked_at > 150, "{looked_at} derivations");
}

/// docs/security.md names for each threat the tests that show its answer.
fn every_test_that_the_threat_model_names_exists() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");
    let text = std::fs::read_to_string(path).expect("docs/security.md");
    let code: String = ["shared", "functions", "tests", "localstack"]
        .iter()
        .flat_map(|folder| sources(folder))
        .map(|(_, text)| text)
        .collect();
    let infra: String = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/test"))
        .expect("a folder")
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ts"))
        .map(|path| std::fs::read_to_string(path).expect("a test"))
        .collect();
    let mut named = 0;
    // The last column of the tables that have one "Shown by".
    let mut inside = false;
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        inside = line.starts_with('|') && (inside || cells.last() == Some(&"Shown by"));
        if !inside {
            continue;
        }
        for test in cells.last().unwrap_or(&"").split('`').skip(1).step_by(2) {
            let name = test.rsplit("::").next().unwrap_or(test);
            let there = code.contains(&format!("fn {name}"))
                || code.contains(&format!("\"{name}\""))
                || infra.contains(name);
            assert!(there, "docs/security.md names {test}, which does not exist");
            named += 1;
        }
    }
    assert!(named >= 30, "{named} tests named");
}

fn there_is_one_tls_stack() {
    let names: BTreeSet<(String, u64)> = metadata()
        .packages
        .iter()
        .map(|package| (package.name.to_string(), package.version.major * 1000 + package.version.minor))
        .collect();
    assert!(!names.contains(&("hyper".to_owned(), 14)), "a crate on its defaults pulls the legacy stack in");
    for banned in ["openssl", "native-tls"] {
        assert!(!names.iter().any(|(name, _)| name == banned), "{banned} is not wanted");
    }
}

fn the_api_is_described_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let kept = std::fs::read_to_string(path).expect("docs/openapi.json");
    let hint = "docs/openapi.json is not what the code says: cargo run --package otpost-tests --bin openapi > docs/openapi.json";
    assert!(kept == openapi::text(), "{hint}");
}

/// The examples of this package compile with its tests.
fn the_example_is_shown_as_it_compiles() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/challenges.md");
    let page = std::fs::read_to_string(page).expect("docs/challenges.md");
    let shown = page.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let example = include_str!("../examples/send_a_code.rs");
    let part = example.split("// What the page shows begins here.\n").nth(1).expect("a beginning");
    let part = part.split("// What the page shows ends here.\n").next().expect("an end");
    assert!(shown == part, "docs/challenges.md does not show tests/examples/send_a_code.rs as it is");
}

fn every_setting_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policies.md");
    let kept = std::fs::read_to_string(path).expect("docs/policies.md");
    let hint = "docs/policies.md is not what the code says: cargo run --package otpost-tests --bin policies";
    assert!(kept == policies::page(&kept), "{hint}");
}

fn every_route_is_deployed_to_its_function() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/lib/routes.ts");
    let infra = std::fs::read_to_string(path).expect("infra/lib/routes.ts");
    for (function, route) in openapi::routes() {
        let deployed = format!("route({}, \"{}\", \"{function}\",", route.method, route.path);
        assert!(infra.contains(&deployed), "infra lacks {deployed}");
    }
    let deployed = infra.lines().filter(|line| line.trim_start().starts_with("route(")).count();
    assert_eq!(deployed, openapi::routes().len(), "infra deploys routes that no function has");
}
