//! Devices that an earlier success has made known. A known device's wrong codes are counted apart from strangers', so that
//! nobody else can keep its owner from signing in. Its id is sealed and needs no row; it opens nothing by itself.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use otpost_domain::challenge::{Addressee, SourceClass};
use otpost_domain::ids::{BearerCode, TenantId};
use otpost_domain::time::Timestamp;

use crate::ports::{Asked, Clock as _, Entropy as _, Fault, PortResult, Ports, RecordKind, Sealer as _};

/// How long a device stays known without another success.
pub(super) const KNOWN_FOR: Duration = Duration::from_hours(180 * 24);
const PREFIX: &str = "dev_";
/// The longest id that is looked at.
const LONGEST: usize = 200;

/// A new id for a device of the addressee's.
pub(super) async fn issue(
    ports: &impl Ports,
    tenant: &TenantId,
    addressee: &Addressee,
) -> PortResult<String> {
    let random: [u8; 8] = ports.entropy().array();
    let secret = [&ports.clock().now().millis().to_be_bytes()[..], &random].concat();
    let record = addressee.key(tenant);
    let sealed = ports.sealer().seal(tenant, RecordKind::KnownDevice, &record, &secret).await?;
    Ok(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&sealed)))
}

/// Whose budget a device is charged to. What was never issued is a stranger's, whatever it looks like.
pub(super) async fn class(
    ports: &impl Ports,
    tenant: &TenantId,
    addressee: &Addressee,
    asked: &Asked,
    given: Option<&str>,
) -> PortResult<SourceClass> {
    let Some(given) = given.filter(|given| given.len() <= LONGEST) else { return Ok(SourceClass::Stranger) };
    if let Ok(source) = BearerCode::try_from(given) {
        let known = asked.sources.contains(&source.hash());
        return Ok(if known { SourceClass::Known } else { SourceClass::Stranger });
    }
    let sealed = given.strip_prefix(PREFIX).and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
    let Some(sealed) = sealed else { return Ok(SourceClass::Stranger) };
    let record = addressee.key(tenant);
    let opened = match ports.sealer().open(tenant, RecordKind::KnownDevice, &record, &sealed).await {
        Ok(opened) => opened,
        Err(error) if error.kind == Fault::Corrupt => return Ok(SourceClass::Stranger),
        Err(error) => return Err(error),
    };
    let issued = opened.first_chunk().map(|millis| Timestamp::from_millis(u64::from_be_bytes(*millis)));
    let known = issued.is_some_and(|at| ports.clock().now() < at.plus(KNOWN_FOR));
    Ok(if known { SourceClass::Known } else { SourceClass::Stranger })
}
