//! stub
use core::ops::Range;
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HtmlFault {
    #[error("x")]
    Script,
}
pub(super) enum Place {
    Text,
    Value { name: String, value: Range<usize> },
    Other,
}
pub(super) fn faults(_: &str) -> Vec<(usize, HtmlFault)> {
    Vec::new()
}
pub(super) fn place(_: &str, _: usize) -> Place {
    if true { Place::Text } else { Place::Value { name: String::new(), value: 0..0 } }
}
