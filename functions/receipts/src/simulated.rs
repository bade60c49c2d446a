//! What simulated recipients tell: nobody's provider, so it comes by a queue of our own.

use otpost_domain::message::Verdict;
use serde::Deserialize;

use crate::hop::{HopRef, Told};

/// A body on the queue `receipts`.
#[derive(Clone, Debug, Deserialize)]
pub struct Simulated {
    tenant: String,
    message: String,
    hop: u16,
    verdict: String,
}

impl Simulated {
    /// The hop and what is told of it; none where a part of it is nothing that we write.
    #[must_use]
    pub fn read(&self) -> Option<(HopRef, Told)> {
        let hop = HopRef::of(&self.tenant, &self.message, &self.hop.to_string())?;
        let told = match Verdict::parse(&self.verdict)? {
            Verdict::Delivered => Told::delivered(),
            Verdict::Undelivered => Told::undelivered("simulated: it did not arrive"),
            Verdict::Delayed => Told::delayed("simulated: it has not arrived yet"),
        };
        Some((hop, told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn body(changed: &str, value: &Value) -> Option<(HopRef, Told)> {
        let mut body = json!({
            "tenant": "acme", "message": "msg_06hhgn2g000g2081040g208104", "hop": 1, "verdict": "delivered",
        });
        body[changed] = value.clone();
        serde_json::from_value::<Simulated>(body).ok()?.read()
    }

    #[test]
    fn every_verdict_is_read() {
        for verdict in Verdict::ALL {
            let (hop, told) = body("verdict", &json!(verdict.as_str())).unwrap();
            assert_eq!((hop.tenant.as_str(), hop.number, told.verdict), ("acme", 1, *verdict));
            assert_eq!(told.why.is_empty(), *verdict == Verdict::Delivered);
        }
    }

    #[test]
    fn anything_else_does_not_read() {
        for (name, value) in [
            ("verdict", json!("bounced")),
            ("verdict", json!(null)),
            ("tenant", json!("platform")),
            ("message", json!("msg_1")),
            ("hop", json!(0)),
            ("hop", json!(65_536)),
            ("hop", json!("1")),
        ] {
            assert_eq!(body(name, &value), None, "{name}: {value}");
        }
    }
}
