//! Certificates of servers on this machine: a good one, and each kind of bad one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// Under which names the servers of this machine are reached.
const NAMES: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// A certificate and its key, as files in PEM (RFC 7468).
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key, which only its owner reads.
    pub key: PathBuf,
}

/// Certificates that nobody trusts who was not told to. They are made anew each time, and their keys open nothing.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The certification authority that signed all but `self_signed`, in PEM.
    pub authority: String,
    /// A server's on this machine.
    pub good: Identity,
    /// A server's on another machine.
    pub wrong_name: Identity,
    /// A server's whose time is over.
    pub expired: Identity,
    /// A server's that nobody else signed.
    pub self_signed: Identity,
}

impl Certificates {
    /// Makes them, as files in `folder`.
    ///
    /// # Errors
    /// They cannot be made or written.
    pub fn make(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot write {}", folder.display()))?;
        let authority = authority()?;
        write(&folder.join("authority.pem"), &authority.pem())?;
        let signed = |name: &str, params: CertificateParams| {
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &authority)?;
            Identity::write(folder, name, &certificate.pem(), &key)
        };
        let mut expired = server(&NAMES)?;
        expired.not_before = date_time_ymd(2020, 1, 1);
        expired.not_after = date_time_ymd(2020, 12, 31);
        let key = KeyPair::generate()?;
        let own = server(&NAMES)?.self_signed(&key)?;
        Ok(Self {
            good: signed("good", server(&NAMES)?)?,
            wrong_name: signed("wrong-name", server(&["mail.example.org"])?)?,
            expired: signed("expired", expired)?,
            self_signed: Identity::write(folder, "self-signed", &own.pem(), &key)?,
            authority: authority.pem(),
        })
    }
}

impl Identity {
    fn write(folder: &Path, name: &str, certificate: &str, key: &KeyPair) -> Result<Self> {
        let identity =
            Self { certificate: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) };
        write(&identity.certificate, certificate)?;
        write(&identity.key, &key.serialize_pem())?;
        Ok(identity)
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = named("Otpost's local authority", &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn server(names: &[&str]) -> Result<CertificateParams> {
    let mut params = named(names.last().copied().unwrap_or("localhost"), names)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn named(common: &str, names: &[&str]) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common);
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2124, 1, 1);
    Ok(params)
}

/// Keys and certificates alike are for the owner alone: that is less to tell apart.
fn write(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let opened = options.create(true).write(true).truncate(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_of_each_kind() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = std::env::temp_dir().join(format!("otpost-certificates-{}", std::process::id()));
        let made = Certificates::make(&folder).unwrap();
        let mut all = vec![made.authority.clone()];
        for identity in [&made.good, &made.wrong_name, &made.expired, &made.self_signed] {
            all.push(std::fs::read_to_string(&identity.certificate).unwrap());
            let key = std::fs::read_to_string(&identity.key).unwrap();
            assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
            let rights = std::fs::metadata(&identity.key).unwrap().permissions().mode();
            assert_eq!(rights & 0o077, 0, "nobody else reads the key");
        }
        assert!(all.iter().all(|pem| pem.starts_with("-----BEGIN CERTIFICATE-----")));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
        assert_ne!(Certificates::make(&folder).unwrap().authority, made.authority, "each time anew");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
