//! Whom connections to providers trust: the authorities that are known everywhere, as Mozilla keeps them.
//!
//! They are part of the program. Reading those of the operating system would be most of a function's start.

use std::sync::Arc;

use rustls::{ClientConfig, Error, RootCertStore};

/// The authorities that are known everywhere.
#[must_use]
pub fn well_known() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// A client that trusts `roots` and nobody else.
///
/// # Errors
/// When the cryptography cannot do TLS.
pub fn client(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_roots_and_tls_works() {
        assert!(well_known().len() > 50);
        assert!(client(well_known()).is_ok());
    }
}
