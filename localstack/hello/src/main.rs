//! `hello`: answers and does nothing else.
//!
//! It is never deployed. `cargo local bench` builds it as it builds the functions, so that what they add to the
//! runtime's own start can be told as a ratio.

use lambda_http::{Body, Request, Response, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let handle = async |_: Request| Ok::<_, lambda_http::Error>(Response::new(Body::from("hello")));
    lambda_http::run(service_fn(handle)).await
}
