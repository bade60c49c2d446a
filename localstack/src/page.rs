//! Reads the enrolment pages the way a browser would: forms, links and ids.

use std::collections::BTreeMap;

/// The start tags called `name`, each with its attributes.
fn tags(html: &str, name: &str) -> Vec<BTreeMap<String, String>> {
    let lower = html.to_ascii_lowercase();
    let mut found = Vec::new();
    for (start, _) in lower.match_indices(&format!("<{name}")) {
        let inside = start + 1 + name.len();
        let Some(rest) = html.get(inside..) else { continue };
        if rest.starts_with(|c: char| c.is_whitespace() || c == '>' || c == '/') {
            found.push(attributes(rest));
        }
    }
    found
}

/// The attributes up to the end of a start tag.
fn attributes(mut rest: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        let end = rest.find(|c: char| c.is_whitespace() || "=>/".contains(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return found;
        }
        let Some(value) = after.strip_prefix('=') else {
            found.insert(name.to_ascii_lowercase(), String::new());
            rest = after;
            continue;
        };
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                value.get(1..).and_then(|v| v.split_once(quote)).unwrap_or((value, ""))
            }
            _ => value.split_at(value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len())),
        };
        found.insert(name.to_ascii_lowercase(), unescape(value));
        rest = after;
    }
}

/// Resolves the character references that HTML escaping makes.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let reference = after.split_once(';').and_then(|(name, tail)| Some((character(name)?, tail)));
        if let Some((character, tail)) = reference {
            out.push(character);
            rest = tail;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

/// The fields that a browser sends with the page's form without anyone typing: its hidden inputs.
#[must_use]
pub fn hidden_fields(html: &str) -> Vec<(String, String)> {
    let hidden =
        tags(html, "input").into_iter().filter(|tag| tag.get("type").is_some_and(|kind| kind == "hidden"));
    hidden
        .filter_map(|mut tag| Some((tag.remove("name")?, tag.remove("value").unwrap_or_default())))
        .collect()
}

/// How many forms the page has.
#[must_use]
pub fn forms(html: &str) -> usize {
    tags(html, "form").len()
}

/// Whether some element has the id `id`.
#[must_use]
pub fn has_id(html: &str, id: &str) -> bool {
    html.contains(&format!("id=\"{id}\""))
}

/// The address of the link whose id is `id`.
#[must_use]
pub fn link(html: &str, id: &str) -> Option<String> {
    let link = tags(html, "a").into_iter().find(|tag| tag.get("id").is_some_and(|found| found == id));
    link.and_then(|mut tag| tag.remove("href"))
}

/// The sources of the page's pictures.
#[must_use]
pub fn pictures(html: &str) -> Vec<String> {
    tags(html, "img").into_iter().filter_map(|mut tag| tag.remove("src")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!doctype html><form method="post"><input type="hidden" name="action" value="start">
        <input type=hidden name=csrf value=a&amp;b><input name="code" required/></form>
        <a href="/other">x</a><a class='b' id="otpauth" href="otpauth://totp/Demo%20Ltd:jane?secret=ABC&amp;period=30&#x26;x=1">Open</a>
        <abbr id="no">a</abbr><img src="data:image/png;base64,AA==" alt="a > b"><p id="activated">Done</p>"#;

    #[test]
    fn forms_and_links_are_read_as_a_browser_would() {
        let fields = hidden_fields(PAGE);
        assert_eq!(
            fields,
            [("action".to_owned(), "start".to_owned()), ("csrf".to_owned(), "a&b".to_owned())]
        );
        assert_eq!(forms(PAGE), 1);
        let uri = link(PAGE, "otpauth").unwrap();
        assert_eq!(uri, "otpauth://totp/Demo%20Ltd:jane?secret=ABC&period=30&x=1");
        assert_eq!(link(PAGE, "no"), None);
        assert_eq!(pictures(PAGE), ["data:image/png;base64,AA=="]);
        assert!(has_id(PAGE, "activated") && !has_id(PAGE, "problem"));
    }

    #[test]
    fn broken_pages_are_read_to_their_end() {
        assert!(hidden_fields("<input type=\"hidden").is_empty());
        assert!(hidden_fields("<input").is_empty());
        assert_eq!(unescape("a & b &unknown; &#999999999;"), "a & b &unknown; &#999999999;");
    }
}
