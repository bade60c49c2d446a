//! Lists come in pages: `?limit=25&cursor=…`, answered with `next`.

use data_encoding::BASE64URL_NOPAD;
use otpost_service::ports::PageRequest;

use crate::http::Call;
use crate::problem::Problem;

/// Items on a page unless asked otherwise.
const USUAL: usize = 25;
/// Items on a page at most.
const MOST: usize = 100;

/// Reads `limit` and `cursor` from the query.
///
/// # Errors
/// When the limit is not 1 to 100, or the cursor is not one that a page before has given.
pub fn requested(call: &Call) -> Result<PageRequest, Problem> {
    let limit = match call.query("limit") {
        None => USUAL,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
            limit.ok_or_else(|| Problem::field("limit", format!("must be a number from 1 to {MOST}")))?
        }
    };
    let after = call.query("cursor").map(|text| {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .filter(|key| key.len() <= 256 && key.bytes().all(|b| b.is_ascii_graphic()))
            .ok_or_else(|| Problem::field("cursor", "must be the next of the page before, unchanged"))
    });
    Ok(PageRequest { limit, after: after.transpose()? })
}

/// A cursor for the next page.
#[must_use]
pub fn cursor(next: Option<&String>) -> Option<String> {
    next.map(|key| BASE64URL_NOPAD.encode(key.as_bytes()))
}
