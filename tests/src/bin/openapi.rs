//! Prints the API's description: `cargo run --package otpost-tests --bin openapi > docs/openapi.json`.

#[expect(clippy::print_stdout, reason = "that is its work")]
fn main() {
    print!("{}", otpost_tests::openapi::text());
}
