//! Whether a call-back is Twilio's: the header `X-Twilio-Signature`.
//!
//! It is the HMAC (RFC 2104) with SHA-1 of the URL and, behind it, each parameter's name and value in their order; its
//! key is the account's auth token. A body of JSON is no parameter: there the URL's query has the body's SHA-256 as
//! `bodySHA256`. Twilio signs the URL sometimes with its port and sometimes without.
//!
//! Names and values are joined without a sign between them, so a signature does not tell `ab=c` from `a=bc`. That is
//! Twilio's scheme; names that Otpost looks for are none that another parameter's value could complete unnoticed.

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit as _, Mac as _};
use otpost_domain::secret::SecretText;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::parameters::{Parameters, pairs};

/// What is signed beside the URL.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// A form: all that it says.
    Form(&'a Parameters),
    /// A body of JSON, by its digest in the URL.
    Json(&'a str),
}

/// Whether `signature` is that of `url`, as Twilio was given it, and `content` by the holder of `key`. Constant time, as
/// far as right and wrong signatures go.
#[must_use]
pub fn is_signed(key: &SecretText, url: &str, content: Content<'_>, signature: &str) -> bool {
    let Ok(signature) = BASE64.decode(signature.as_bytes()) else { return false };
    let parameters = match content {
        Content::Form(parameters) => Some(parameters),
        Content::Json(body) if names_digest(url, body) => None,
        Content::Json(_) => return false,
    };
    let [first, second] = both_forms(url).map(|url| {
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.expose().as_bytes()) else { return false };
        mac.update(url.as_bytes());
        for (name, value) in parameters.into_iter().flat_map(Parameters::in_order) {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
        }
        mac.verify_slice(&signature).is_ok()
    });
    // Both are looked at, whichever it is.
    first | second
}

/// Whether the URL's query has the digest of `body`; the first that is not empty counts.
fn names_digest(url: &str, body: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let mut named = pairs(query).flatten().filter(|(name, value)| name == "bodySHA256" && !value.is_empty());
    let digest = HEXLOWER.encode(&Sha256::digest(body.as_bytes()));
    named.next().is_some_and(|(_, named)| named.as_bytes().ct_eq(digest.as_bytes()).into())
}

/// The URL as it is, and with its port added or taken away.
fn both_forms(url: &str) -> [String; 2] {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, way) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let other = match authority.rsplit_once(':').filter(|(_, after)| port(after)) {
        Some((host, _)) => format!("{scheme}://{host}{way}"),
        None => format!("{scheme}://{authority}:{}{way}", if scheme == "https" { 443 } else { 80 }),
    };
    [url.to_owned(), other]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const SIGNATURE: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    const FORM: &str =
        "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";

    fn signed(url: &str, form: &str, signature: &str) -> bool {
        let parameters = Parameters::of_form(form).unwrap();
        is_signed(&SecretText::new("12345"), url, Content::Form(&parameters), signature)
    }

    /// What Twilio would send.
    fn sign(key: &str, url: &str, parameters: &Parameters) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap();
        let all: String = parameters.in_order().flat_map(|(name, value)| [name, value]).collect();
        mac.update(format!("{url}{all}").as_bytes());
        BASE64.encode(&mac.finalize().into_bytes())
    }

    #[test]
    fn twilios_own_example_is_signed() {
        assert!(signed(URL, FORM, SIGNATURE));
        // In any order, and with something said twice.
        let turned: Vec<_> = FORM.split('&').rev().chain(["Digits=1234"]).collect();
        assert!(signed(URL, &turned.join("&"), SIGNATURE));
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        for url in [
            "http://mycompany.com/myapp.php?foo=1&bar=2",
            "https://mycompany.com/myapp.php?foo=1&bar=3",
            "https://mycompany.com/myapp.php?bar=2&foo=1",
            "https://mycompany.com/myapp.php",
            "https://mycompany.org/myapp.php?foo=1&bar=2",
            "https://mycompany.com:444/myapp.php?foo=1&bar=2&x",
            "",
        ] {
            assert!(!signed(url, FORM, SIGNATURE), "{url}");
        }
        for form in [
            "",
            "a=b",
            &FORM.replace("1234&", "1235&"),
            &format!("{FORM}&a=b"),
            &FORM.replace("Digits", "digits"),
        ] {
            assert!(!signed(URL, form, SIGNATURE), "{form}");
        }
        let parameters = Parameters::of_form(FORM).unwrap();
        assert!(!is_signed(&SecretText::new("12346"), URL, Content::Form(&parameters), SIGNATURE));
    }

    #[test]
    fn a_signature_has_one_spelling() {
        for signature in [
            "",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8",
            "RSOYDt4T1cUTdK1PDd93_VVr8B8=",
            " RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            "RSOYDt4T1cUTdK1PDd93/VVr8B9=",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=,RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            "RSOY",
            "====",
        ] {
            assert!(!signed(URL, FORM, signature), "{signature}");
        }
    }

    #[test]
    fn the_port_may_be_signed_or_not() {
        let none = Parameters::default();
        for (configured, written) in [
            ("https://otp.example.org/r?x", "https://otp.example.org:443/r?x"),
            ("http://otp.example.org/r", "http://otp.example.org:80/r"),
            ("https://otp.example.org:8443/r", "https://otp.example.org/r"),
            ("https://otp.example.org", "https://otp.example.org:443"),
            ("https://[2001:db8::1]/r", "https://[2001:db8::1]:443/r"),
            ("https://[2001:db8::1]:8443/r", "https://[2001:db8::1]/r"),
            ("https://otp.example.org/r:1", "https://otp.example.org:443/r:1"),
        ] {
            for url in [configured, written] {
                let signature = sign("12345", url, &none);
                assert!(signed(configured, "", &signature), "{configured} as {url}");
            }
            let elsewhere = configured.replacen("https://", "http://", 1) + "/";
            let signature = sign("12345", &elsewhere, &none);
            assert!(!signed(configured, "", &signature), "{configured} as {elsewhere}");
        }
    }

    #[test]
    fn json_is_signed_by_its_digest() {
        let body = r#"{"MessageStatus":"delivered"}"#;
        let digest = HEXLOWER.encode(&Sha256::digest(body.as_bytes()));
        let url = format!("https://otp.example.org/r?x=1&bodySHA256={digest}");
        let signature = sign("12345", &url, &Parameters::default());
        let check = |url: &str, body: &str, signature: &str| {
            is_signed(&SecretText::new("12345"), url, Content::Json(body), signature)
        };
        assert!(check(&url, body, &signature));
        assert!(!check(&url, "{\"MessageStatus\":\"failed\"}", &signature), "another body");
        assert!(!check(&url, body, SIGNATURE), "another signature");
        // A digest that stands elsewhere, in another case or not at all, whoever signed it.
        for url in [
            "https://otp.example.org/r".to_owned(),
            format!("https://otp.example.org/r?bodysha256={digest}"),
            format!("https://otp.example.org/r?bodySHA256={}", digest.to_uppercase()),
            format!("https://otp.example.org/r?bodySHA256=0&bodySHA256={digest}"),
            format!("https://otp.example.org/bodySHA256={digest}"),
        ] {
            let signature = sign("12345", &url, &Parameters::default());
            assert!(!check(&url, body, &signature), "{url}");
        }
    }

    fn parameters() -> impl Strategy<Value = Vec<(String, String)>> {
        let value = "[ -~]{0,12}|\\PC{0,6}";
        proptest::collection::btree_map("[A-Za-z]{1,8}|\\PC{1,4}", value, 0..8)
            .prop_map(|map| map.into_iter().collect())
    }

    fn read(pairs: &[(String, String)]) -> Parameters {
        let encoded = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let form: Vec<_> =
            pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        Parameters::of_form(&form.join("&")).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_signed_is_taken_and_any_other_value_is_not(
            pairs in parameters(), key in "[!-~]{16,40}", which in any::<prop::sample::Index>(), other in "[ -~]{0,12}",
        ) {
            let right = read(&pairs);
            let signature = sign(&key, URL, &right);
            let key = SecretText::new(key);
            prop_assert!(is_signed(&key, URL, Content::Form(&right), &signature));
            if pairs.is_empty() {
                return Ok(());
            }
            let index = which.index(pairs.len());
            let mut changed = pairs.clone();
            changed[index].1.clone_from(&other);
            let same = changed == pairs;
            prop_assert_eq!(is_signed(&key, URL, Content::Form(&read(&changed)), &signature), same);
            let mut fewer = pairs.clone();
            fewer.remove(index);
            prop_assert!(!is_signed(&key, URL, Content::Form(&read(&fewer)), &signature));
            let mut more = pairs;
            more.push(("Otpost added".to_owned(), other));
            prop_assert!(!is_signed(&key, URL, Content::Form(&read(&more)), &signature));
        }

        #[test]
        fn nothing_that_is_given_panics(
            key in any::<String>(), url in any::<String>(), body in any::<String>(), signature in any::<String>(),
        ) {
            let key = SecretText::new(key);
            prop_assert!(!is_signed(&key, &url, Content::Json(&body), &signature));
            if let Ok(parameters) = Parameters::of_form(&body) {
                prop_assert!(!is_signed(&key, &url, Content::Form(&parameters), &signature));
            }
        }
    }
}
