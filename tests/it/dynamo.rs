//! The stores on an embedded DynamoDB that is as strict as the real one.

use std::future::Future;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use dynoxide::Database;
use libtest_mimic::Trial;
use otpost_aws::sealer::KeyWrapper;
use otpost_aws::{AwsPorts, Resources};
use otpost_domain::ids::TenantId;
use otpost_domain::sealing::DataKey;
use otpost_service::contract;
use otpost_service::memory::{CountingEntropy, ManualClock};
use otpost_service::ports::{Entropy as _, PortResult, WrappedKey};
use otpost_tests::world::RUNTIME;

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("dynamo::the_stores_keep_the_contract", || {
        RUNTIME.block_on(contract::all(fresh));
        Ok(())
    })]
}

type Ports = AwsPorts<ManualClock, CountingEntropy, KeyPerTenant>;

/// Stands in for KMS: wraps a random key by mixing the tenant's id into it. Everything above it is the real sealing.
struct KeyPerTenant(CountingEntropy);

fn mixed(tenant: &TenantId, key: &[u8]) -> [u8; 32] {
    let mut mixed = [0; 32];
    mixed.copy_from_slice(key);
    mixed.iter_mut().zip(tenant.as_str().bytes()).for_each(|(byte, id)| *byte ^= id);
    mixed
}

impl KeyWrapper for KeyPerTenant {
    async fn generate(&self, tenant: &TenantId) -> PortResult<WrappedKey> {
        let key: [u8; 32] = self.0.array();
        Ok(WrappedKey(mixed(tenant, &key).to_vec()))
    }

    fn unwrap(
        &self,
        tenant: &TenantId,
        wrapped: &WrappedKey,
    ) -> impl Future<Output = PortResult<DataKey>> + Send {
        let key = mixed(tenant, &wrapped.0);
        async move { Ok(DataKey::new(key)) }
    }
}

/// Ports on an empty database of their own.
async fn fresh() -> Ports {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let database = Database::memory().expect("a database");
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    let credentials = Credentials::new("test", "test", None, None, "test");
    let config = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-2"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(format!("http://{address}"))
        .build();
    let client = Client::new(&config);
    table(&client, "core", &[]).await;
    let messages_by_user =
        ("messages-by-user", ("user_key", ScalarAttributeType::S), ("id", ScalarAttributeType::S));
    let open_messages =
        ("open-messages", ("open_shard", ScalarAttributeType::S), ("due_at", ScalarAttributeType::N));
    table(&client, "flow", &[messages_by_user, open_messages]).await;
    let resources = Resources {
        core_table: Some("core".to_owned()),
        flow_table: Some("flow".to_owned()),
        deliveries_queue: None,
        ses_queue: None,
        data_key: None,
    };
    AwsPorts::with_key_wrapper(
        &config,
        resources,
        ManualClock::default(),
        CountingEntropy::default(),
        KeyPerTenant(CountingEntropy::default()),
    )
}

type Index<'a> = (&'a str, (&'a str, ScalarAttributeType), (&'a str, ScalarAttributeType));

/// The tables as `infra/lib/stateful.ts` makes them.
async fn table(client: &Client, name: &str, indexes: &[Index<'_>]) {
    let key = |name: &str, kind| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("a key")
    };
    let attribute = |(name, kind): &(&str, ScalarAttributeType)| {
        AttributeDefinition::builder()
            .attribute_name(*name)
            .attribute_type(kind.clone())
            .build()
            .expect("an attribute")
    };
    let mut create = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute(&("PK", ScalarAttributeType::S)))
        .attribute_definitions(attribute(&("SK", ScalarAttributeType::S)))
        .key_schema(key("PK", KeyType::Hash))
        .key_schema(key("SK", KeyType::Range));
    for (index, hash, range) in indexes {
        let projection = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let definition = GlobalSecondaryIndex::builder()
            .index_name(*index)
            .key_schema(key(hash.0, KeyType::Hash))
            .key_schema(key(range.0, KeyType::Range))
            .projection(projection)
            .build()
            .expect("an index");
        create = create
            .attribute_definitions(attribute(hash))
            .attribute_definitions(attribute(range))
            .global_secondary_indexes(definition);
    }
    create.send().await.expect("a table");
}
