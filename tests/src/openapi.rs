//! The API's description, as `docs/openapi.json` has it.

use otpost_edge::openapi::Document;
use otpost_edge::route::Route;
use serde_json::Value;

/// Every route of every function, with its function's name.
#[must_use]
pub fn routes() -> Vec<(&'static str, &'static Route)> {
    let of = |name, routes: &'static [Route]| routes.iter().map(move |route| (name, route));
    of("admin", &otpost_admin::ROUTES)
        .chain(of("push-token", &otpost_push_token::ROUTES))
        .chain(of("enroll", &otpost_enroll::ROUTES))
        .chain(of("verify", &otpost_verify::ROUTES))
        .chain(of("receipts", &otpost_receipts::ROUTES))
        .collect()
}

/// The description, made from the functions' routes and wire types.
///
/// # Panics
/// When a route is not described.
#[must_use]
pub fn document() -> Value {
    let mut document = Document::default();
    otpost_admin::describe(&mut document);
    otpost_push_token::describe(&mut document);
    otpost_enroll::describe(&mut document);
    otpost_verify::describe(&mut document);
    otpost_receipts::describe(&mut document);
    for (function, route) in routes() {
        assert!(document.described().contains(&route.operation), "{function} describes {}", route.operation);
    }
    document.finish()
}

/// As it lies in the file.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", document())
}
