//! The corpus of the fuzz targets: what was once found, or thought of, holds for good.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use otpost_tests::fuzzing::{TARGETS, Target};

pub(crate) fn trials() -> Vec<Trial> {
    let replays = TARGETS.map(|(name, target)| {
        Trial::test(format!("fuzz::{name}_corpus"), move || {
            replay(name, target);
            Ok(())
        })
    });
    let mut trials = Vec::from(replays);
    trials.push(crate::plain("fuzz::every_target_can_be_run", every_target_can_be_run));
    trials
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

fn replay(name: &str, target: Target) {
    let folder = folder().join("corpus").join(name);
    let mut files: Vec<_> =
        folder.read_dir().expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{name} has hardly a corpus");
    let broken = |file: &PathBuf| {
        let data = std::fs::read(file).expect("readable");
        std::panic::catch_unwind(|| target(&data)).is_err()
    };
    let broken: Vec<_> =
        files.iter().filter(|file| broken(file)).filter_map(|file| file.file_name()).collect();
    assert!(broken.is_empty(), "{name} does not hold for {broken:?}");
}

/// A target without a program is fuzzed by nobody.
fn every_target_can_be_run() {
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).expect("readable");
    for (name, _) in TARGETS {
        let program =
            std::fs::read_to_string(folder().join(format!("targets/{name}.rs"))).expect("a program");
        assert!(program.contains(&format!("otpost_tests::fuzzing::{name}(data)")), "{name}");
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
    }
}
