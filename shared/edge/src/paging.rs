//! Lists come in pages: `?limit=25&cursor=…`, answered with `next`.
//!
//! A cursor belongs to one list: that of one tenant, with one filter. Elsewhere it is refused, so that a mix-up is told
//! instead of skipping half a list. It holds no secret and gives no right: which rows are read follows from the API key.

use data_encoding::BASE64URL_NOPAD;
use otpost_domain::ids::BearerHash;
use otpost_service::ports::PageRequest;

use crate::auth::Authenticated;
use crate::http::Call;
use crate::problem::Problem;

/// Items on a page unless asked otherwise.
const USUAL: usize = 25;
/// Items on a page at most.
const MOST: usize = 100;
/// Characters of a list's mark in its cursors.
const MARK: usize = 11;
/// The longest cursor.
const LONGEST: usize = 512;

/// A list as one caller sees it through one filter.
#[derive(Debug)]
pub struct Listing {
    mark: String,
}

impl Listing {
    /// The list of `call`'s route, for its tenant, filtered by `filter`.
    ///
    /// # Errors
    /// When nobody was authenticated.
    pub fn of(call: &Call, filter: &str) -> Result<Self, Problem> {
        let whose = match call.authenticated()? {
            Authenticated::Platform => "platform".to_owned(),
            Authenticated::Tenant(key) => key.tenant().to_string(),
        };
        Ok(Self::new(&whose, call.route.operation, filter))
    }

    fn new(whose: &str, operation: &str, filter: &str) -> Self {
        let hash = BearerHash::of(&[whose.as_bytes(), operation.as_bytes(), filter.as_bytes()]);
        Self { mark: hash.as_str().chars().take(MARK).collect() }
    }

    /// Reads `limit` and `cursor` from the query.
    ///
    /// # Errors
    /// When the limit is not 1 to 100, or the cursor is not one that a page of this list has given.
    pub fn requested(&self, call: &Call) -> Result<PageRequest, Problem> {
        let limit = match call.query("limit") {
            None => USUAL,
            Some(text) => {
                let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                limit.ok_or_else(|| Problem::field("limit", format!("must be a number from 1 to {MOST}")))?
            }
        };
        let after = call.query("cursor").map(|cursor| self.after(&cursor)).transpose()?;
        Ok(PageRequest { limit, after })
    }

    /// Reads a cursor.
    ///
    /// # Errors
    /// When it is not one that a page of this list has given.
    pub fn after(&self, cursor: &str) -> Result<String, Problem> {
        let bytes =
            if cursor.len() > LONGEST { None } else { BASE64URL_NOPAD.decode(cursor.as_bytes()).ok() };
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.strip_prefix(&self.mark).map(str::to_owned))
            .filter(|key| !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic()))
            .ok_or_else(|| {
                Problem::field("cursor", "must be the next of the page before, with the same key and filter")
            })
    }

    /// A cursor for the next page.
    #[must_use]
    pub fn cursor(&self, next: Option<&String>) -> Option<String> {
        next.map(|key| BASE64URL_NOPAD.encode(format!("{}{key}", self.mark).as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_list() {
        let list = Listing::new("acme", "listMessages", "jane");
        let cursor = list.cursor(Some(&"msg_1".to_owned())).unwrap();
        assert_eq!(list.after(&cursor).unwrap(), "msg_1");
        assert_eq!(list.cursor(None), None);
        let others = [
            Listing::new("other", "listMessages", "jane"),
            Listing::new("acme", "listKeys", "jane"),
            Listing::new("acme", "listMessages", "joe"),
            Listing::new("acmelistMessages", "", "jane"),
        ];
        for other in others {
            assert_eq!(other.after(&cursor).unwrap_err().field, Some("cursor"));
        }
        for bad in ["", "====", "bXNnXzE", &"A".repeat(600), &cursor[1..]] {
            assert!(list.after(bad).is_err(), "{bad}");
        }
    }
}
