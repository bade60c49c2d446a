//! What a tenant has.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use otpost_domain::document::Value;
use otpost_domain::gateway::{Gateway, Owner};
use otpost_domain::policy::Policy;
use otpost_domain::template::{Brand, TemplateHead};

use super::SIDE_BY_SIDE;
use crate::caller::Caller;
use crate::ports::{
    Fault, GatewayStore as _, Owned, PolicyStore as _, PortError, PortResult, Ports, TemplateStore as _,
};

/// A tenant's configuration as it is stored.
pub(super) struct Stored {
    pub(super) brand: Option<Brand>,
    pub(super) policies: Vec<Policy>,
    pub(super) owned: Owned,
    /// All gateways of the platform.
    pub(super) platforms: Vec<Gateway>,
    /// What is known of each template, removed ones too.
    pub(super) heads: Vec<TemplateHead>,
    /// The documents of the templates that were asked for, by name.
    pub(super) texts: BTreeMap<String, Value>,
}

impl Stored {
    /// Reads it with the texts of those templates whose names are wanted.
    pub(super) async fn read(
        ports: &impl Ports,
        caller: &Caller,
        wanted: impl Fn(&str) -> bool,
    ) -> PortResult<Self> {
        let store = ports.store();
        let heads = store.all_template_heads(&caller.tenant).await?;
        Ok(Self {
            brand: store.brand(&caller.tenant).await?,
            policies: store.all_policies(&caller.tenant).await?,
            owned: store.owned(&Owner::Tenant(caller.tenant.clone())).await?,
            platforms: store.owned(&Owner::Platform).await?.gateways,
            texts: texts(ports, caller, &heads, wanted).await?,
            heads,
        })
    }
}

async fn texts(
    ports: &impl Ports,
    caller: &Caller,
    heads: &[TemplateHead],
    wanted: impl Fn(&str) -> bool,
) -> PortResult<BTreeMap<String, Value>> {
    let wanted = heads.iter().filter(|head| !head.is_removed() && wanted(&head.name.to_string()));
    let wanted: Vec<_> = wanted.collect();
    let mut texts = BTreeMap::new();
    for some in wanted.chunks(SIDE_BY_SIDE) {
        let versions =
            some.iter().map(|head| ports.store().template_version(&caller.tenant, &head.name, head.version));
        for version in join_all(versions.collect::<Vec<_>>()).await {
            let document = version?.and_then(|version| Some((version.name, version.document?)));
            // As many versions as are kept were saved since the head was read.
            let missed = || PortError::new(Fault::Unavailable, "a template changes faster than it is read");
            let (name, document) = document.ok_or_else(missed)?;
            texts.insert(name.to_string(), document.write());
        }
    }
    Ok(texts)
}
