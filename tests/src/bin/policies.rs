//! Writes the settings into `docs/policies.md`: `cargo run --package otpost-tests --bin policies`.

use std::io;

fn main() -> io::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policies.md");
    let kept = std::fs::read_to_string(path)?;
    std::fs::write(path, otpost_tests::policies::page(&kept))
}
