//! stub
use crate::named::named;
named! { /// e
pub enum Encoding { /// g
Gsm7 = "gsm_7", /// u
Ucs2 = "ucs_2", } }
/// s
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmsSize {
    /// a
    pub encoding: Encoding,
    /// a
    pub characters: usize,
    /// a
    pub units: usize,
    /// a
    pub parts: usize,
    /// a
    pub forced_by: Option<Forced>,
}
/// f
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forced {
    /// a
    pub character: char,
    /// a
    pub line: usize,
    /// a
    pub column: usize,
}
/// m
pub fn measure(t: &str) -> SmsSize {
    SmsSize {
        encoding: Encoding::Gsm7,
        characters: t.chars().count(),
        units: t.len(),
        parts: t.len().div_ceil(153),
        forced_by: None,
    }
}
