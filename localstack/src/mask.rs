//! Secrets on the screen: enough to tell them apart, not enough to use them.

/// An API key with its secret hidden: `otp_demo-1a2b_…`.
#[must_use]
pub fn key(key: &str) -> String {
    let mut parts = key.splitn(3, '_');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(prefix), Some(id), Some(_)) => format!("{prefix}_{id}_…"),
        _ => "…".to_owned(),
    }
}

/// A link with its code hidden but for the first four characters: `…/e/Ab3d…`.
#[must_use]
pub fn link(link: &str) -> String {
    let Some((base, code)) = link.rsplit_once('/') else {
        return "…".to_owned();
    };
    let shown: String = code.chars().take(4).collect();
    format!("{base}/{shown}…")
}

/// A one-time code in two groups, as apps show it. Used codes are no secret.
#[must_use]
pub fn code(code: &str) -> String {
    let (first, second) = code.split_at_checked(code.len() / 2).unwrap_or((code, ""));
    format!("{first} {second}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_show_their_id_only() {
        assert_eq!(key("otp_demo-1_SECRET_c0ffee"), "otp_demo-1_…");
        assert_eq!(key("otp_platform_SECRET"), "otp_platform_…");
        assert_eq!(key("SECRET"), "…");
    }

    #[test]
    fn links_show_where_they_go() {
        assert_eq!(link("http://127.0.0.1:8400/e/abcdefgh"), "http://127.0.0.1:8400/e/abcd…");
        assert_eq!(link("nothing"), "…");
    }

    #[test]
    fn codes_are_grouped() {
        assert_eq!(code("123456"), "123 456");
        assert_eq!(code("12345678"), "1234 5678");
    }
}
