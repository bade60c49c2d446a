//! Which certification authorities the connections to AWS trust: Amazon's own, or those of the machine.
//!
//! Reading and parsing the some 140 roots of an operating system, once per client, is most of a function's start; AWS's
//! endpoints need five. See `docs/adr/0011`.

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, ConnectorBuilder};

/// The five roots of Amazon Trust Services.
const AMAZON: &str = include_str!("../roots/amazon.pem");
/// Variables that name roots of the deployment's own choice. Whoever sets one gets what it says and nothing else: the
/// TLS library reads them itself where the machine's roots are asked for.
const OWN_ROOTS: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The HTTP client of all AWS clients of this process. It differs from the SDK's default in its roots alone.
pub(crate) fn http_client() -> SharedHttpClient {
    let context = context(from_environment);
    Builder::new().build_with_connector_fn(move |settings, components| {
        let (Some(settings), Some(components)) = (settings, components) else {
            // A new client only tries whether this can be built, and throws it away. Without roots that is for nothing.
            return ConnectorBuilder::default().build_http();
        };
        let mut connector = ConnectorBuilder::default()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(context.clone())
            .connector_settings(settings.clone())
            .proxy_config(ProxyConfig::from_env());
        connector.set_sleep_impl(components.sleep_impl());
        connector.build()
    })
}

#[expect(clippy::disallowed_methods, reason = "variables of the TLS library, not Otpost's own")]
fn from_environment(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

fn context(look_up: impl Fn(&str) -> Option<std::ffi::OsString>) -> TlsContext {
    let own = OWN_ROOTS.into_iter().any(|name| look_up(name).is_some_and(|value| !value.is_empty()));
    let trusted = if own { TrustStore::default() } else { TrustStore::empty().with_pem_certificate(AMAZON) };
    // Building cannot fail; the default is the machine's roots.
    TlsContext::builder().with_trust_store(trusted).build().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazons_five_roots_are_readable() {
        assert_eq!(AMAZON.matches("-----BEGIN CERTIFICATE-----").count(), 5);
        // The TLS library parses every certificate here, and panics over one that it cannot read.
        let connector = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.tls_context(context(|_| None)).build();
    }

    #[test]
    fn the_machines_roots_are_for_those_who_name_some() {
        let trusted = |name: &'static str, value: &'static str| {
            format!("{:?}", context(move |asked| (asked == name).then(|| value.into())))
        };
        assert!(trusted("NO_SUCH", "x").contains("enable_native_roots: false"));
        assert!(trusted("SSL_CERT_FILE", "").contains("enable_native_roots: false"));
        assert!(trusted("SSL_CERT_FILE", "/ca.pem").contains("enable_native_roots: true"));
        assert!(trusted("SSL_CERT_DIR", "/certs").contains("enable_native_roots: true"));
    }
}
