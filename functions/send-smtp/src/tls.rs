//! TLS with a server of mail: whom it must prove to be, and what went wrong with that.

use std::io;
use std::sync::Arc;

use otpost_domain::gateway::Certificates;
use otpost_outbound::trust::{client, well_known};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why there is no TLS, in words of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsFault {
    /// An operator has to mend something.
    Wrong(&'static str),
    /// It may go better later.
    Passing(&'static str),
}

/// The configurations of TLS.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    usual: Arc<ClientConfig>,
}

impl Trust {
    /// Trusts the authorities that are known everywhere.
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self { usual: Arc::new(client(well_known())?) })
    }

    /// Makes TLS with `host` on a connection to it.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
        own: Option<&Certificates>,
    ) -> Result<TlsStream<TcpStream>, TlsFault> {
        let config = match own {
            None => Arc::clone(&self.usual),
            Some(own) => Arc::new(with_own(own)?),
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| TlsFault::Wrong("the host is no name that a certificate can have"))?;
        TlsConnector::from(config).connect(name, stream).await.map_err(|error| fault(&error))
    }
}

fn with_own(own: &Certificates) -> Result<ClientConfig, TlsFault> {
    const UNREADABLE: TlsFault = TlsFault::Wrong("ca_certificate has a certificate that cannot be read");
    let mut roots = well_known();
    for certificate in CertificateDer::pem_slice_iter(own.as_str().as_bytes()) {
        roots.add(certificate.map_err(|_| UNREADABLE)?).map_err(|_| UNREADABLE)?;
    }
    client(roots).map_err(|_| TlsFault::Passing("TLS does not work here"))
}

/// What a failed handshake means. What the library says lies within the error of the stream.
fn fault(error: &io::Error) -> TlsFault {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = source {
        if let Some(error) = inner.downcast_ref::<Error>() {
            return of_library(error);
        }
        // What an error of streams holds is not its source.
        let held = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        source = held.map_or_else(|| inner.source(), |held| Some(held));
    }
    TlsFault::Passing("the connection broke off in the TLS handshake")
}

fn of_library(error: &Error) -> TlsFault {
    use CertificateError as Certificate;
    TlsFault::Wrong(match error {
        Error::InvalidCertificate(Certificate::UnknownIssuer) => {
            "nobody whom Otpost trusts signed the server's certificate; its authority can be given as ca_certificate"
        }
        Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => "the server's certificate is for another name than host",
        Error::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            "the server's certificate has expired"
        }
        Error::InvalidCertificate(Certificate::NotValidYet | Certificate::NotValidYetContext { .. }) => {
            "the server's certificate is not valid yet"
        }
        Error::InvalidCertificate(Certificate::Revoked) => "the server's certificate was revoked",
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => {
            "the server's certificate cannot be accepted: it must be a server's and no authority's, of a usual kind"
        }
        Error::InvalidMessage(_) => "the server does not speak TLS at once; tls may have to be starttls",
        Error::PeerIncompatible(_)
        | Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => {
            "the server knows no version of TLS that is safe"
        }
        Error::AlertReceived(AlertDescription::UnrecognisedName) => "the server does not know the name host",
        _ => return TlsFault::Passing("the TLS handshake failed"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_librarys_error_is_found_inside_others() {
        let inner = Error::InvalidCertificate(CertificateError::Expired);
        let direct = io::Error::new(io::ErrorKind::InvalidData, inner.clone());
        let nested = io::Error::other(io::Error::other(inner));
        for error in [direct, nested] {
            assert_eq!(fault(&error), TlsFault::Wrong("the server's certificate has expired"));
        }
        for passing in [
            io::Error::from(io::ErrorKind::UnexpectedEof),
            io::Error::other("something else"),
            io::Error::other(Error::AlertReceived(AlertDescription::InternalError)),
        ] {
            assert!(matches!(fault(&passing), TlsFault::Passing(_)), "{passing}");
        }
    }
}
