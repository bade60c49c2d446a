//! What holds of the code itself.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};
use libtest_mimic::Trial;
use otpost_tests::openapi;

use crate::plain;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        plain("structure::arrows_go_down_only", arrows_go_down_only),
        plain("structure::the_domain_is_light", the_domain_is_light),
        plain("structure::there_is_one_tls_stack", there_is_one_tls_stack),
        plain("structure::the_api_is_described_as_it_is", the_api_is_described_as_it_is),
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
    let layers = set(&["otpost-domain", "otpost-service", "otpost-aws", "otpost-edge"]);
    let functions: Vec<_> = metadata()
        .workspace_packages()
        .iter()
        .filter(|package| package.manifest_path.as_str().contains("/functions/"))
        .map(|package| package.name.to_string())
        .collect();
    assert_eq!(functions.len(), 6);
    for function in &functions {
        assert!(used[function].is_subset(&layers), "{function} uses {:?}", used[function]);
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
