//! Interim.
use crate::contact::{EmailAddress, PhoneNumber};
use crate::gateway::Credentials;
use crate::outcome::Said;
use crate::secret::SecretText;
/// x
#[derive(Default)]
pub struct Redaction(Vec<String>);
impl Redaction {
    /// x
    pub fn credentials(self, _: &Credentials) -> Self {
        self
    }
    /// x
    pub fn secret(self, _: &str) -> Self {
        self
    }
    /// x
    pub fn text(self, _: &SecretText) -> Self {
        self
    }
    /// x
    pub fn email(self, _: &EmailAddress) -> Self {
        self
    }
    /// x
    pub fn phone(self, _: &PhoneNumber) -> Self {
        self
    }
    /// x
    pub fn lines(&self, said: &Said) -> Vec<String> {
        said.raw().to_vec()
    }
}
