//! The stores on an embedded DynamoDB that is as strict as the real one.

mod erasure;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use axum::extract::Request;
use axum::response::Response;
use dynoxide::Database;
use libtest_mimic::Trial;
use otpost_aws::sealer::{KEY_LIFE, KeyWrapper, MAX_TENANTS};
use otpost_aws::{AwsPorts, Resources};
use otpost_domain::audit::Actor;
use otpost_domain::contact::DisplayName;
use otpost_domain::ids::{TenantId, UserId};
use otpost_domain::message::{News, Routes, Step, Verdict, Way};
use otpost_domain::otp::{Code, OtpParameters};
use otpost_domain::sealing::DataKey;
use otpost_domain::time::ClockOffset;
use otpost_local::{ports, proxy};
use otpost_service::admin::create_tenant;
use otpost_service::caller::Caller;
use otpost_service::contract;
use otpost_service::memory::{CountingEntropy, ManualClock, enrolled, operator, pushed, wrong_code};
use otpost_service::once::Once;
use otpost_service::ports::{
    Clock as _, Entropy as _, Fault, Heard, MessageStore as _, PortResult, Ports as _, RecordKind,
    Sealer as _, Subject, TokenStore as _, VerificationStore as _, WrappedKey, Write,
};
use otpost_service::provision::provision;
use otpost_service::verify::{Attempt, VerifyError, Whose, verify};
use otpost_tests::world::RUNTIME;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        on_dynamo("the_stores_keep_the_contract", || contract::all(async || fresh().await)),
        on_dynamo("nothing_is_left_of_a_deleted_tenant", nothing_is_left_of_a_deleted_tenant),
        on_dynamo("a_large_tenant_is_erased_in_steps", erasure::a_large_tenant_is_erased_in_steps),
        on_dynamo(
            "rows_that_were_not_processed_are_sent_again",
            erasure::rows_that_were_not_processed_are_sent_again,
        ),
        on_dynamo("ten_thousand_guesses_at_few_codes", ten_thousand_guesses_at_few_codes),
        on_dynamo("a_lost_answer_changes_nothing", a_lost_answer_changes_nothing),
        on_dynamo(
            "a_write_that_meets_a_transaction_is_sent_again",
            a_write_that_meets_a_transaction_is_sent_again,
        ),
        on_dynamo(
            "data_keys_are_held_for_minutes_and_few_tenants",
            data_keys_are_held_for_minutes_and_few_tenants,
        ),
    ]
}

fn on_dynamo<F: Future<Output = ()> + 'static>(name: &str, test: fn() -> F) -> Trial {
    Trial::test(format!("dynamo::{name}"), move || {
        // In a development build the SDK's calls and ours together need more than a test's thread has.
        let deep = std::thread::Builder::new().stack_size(16 << 20);
        let run = deep.spawn(move || RUNTIME.block_on(test())).expect("a thread");
        run.join().map_err(|_| "the test panicked".into())
    })
}

async fn ten_thousand_guesses_at_few_codes() {
    Box::pin(contract::few_codes_stand_many_guesses(fresh().await, 10_000)).await;
}

/// A right code, a wrong one and a provisioning, each request of which is carried out while its answer is lost, so that
/// the SDK sends it again: nothing is accepted, counted or made twice, and nobody is told otherwise.
async fn a_lost_answer_changes_nothing() {
    for lost in 1..=6 {
        let line = Line::default();
        let ports = over(line.clone(), KeyPerTenant::default()).await;
        let app = Box::pin(enrolled(&ports)).await;
        let caller = operator("acme");
        let jane = || UserId::try_from("jane").expect("a user's id");
        ports.clock().advance(Duration::from_secs(30));
        let code = app.code(ports.clock().now());
        let check = async |code: Code| {
            let attempt = Attempt {
                whose: Whose::User(jane()),
                code,
                source: None,
                remember: true,
                request: None,
                clock: ClockOffset::NONE,
            };
            verify(&ports, &caller.tenant, attempt).await
        };
        line.lose(lost);
        let refused = check(wrong_code(&code)).await;
        assert!(matches!(refused, Err(VerifyError::Refused)), "{lost}: {refused:?}");
        line.lose(lost);
        let accepted = check(Code::parse(&code).expect("a code")).await;
        assert!(accepted.is_ok(), "{lost}: {accepted:?}");
        let standing = ports.store().standing(&caller.tenant, &Subject::User(jane())).await.expect("read");
        assert_eq!(standing.auth.sources.len(), 1, "{lost}");
        line.lose(lost);
        check(wrong_code(&code)).await.expect_err("wrong");
        let standing = ports.store().standing(&caller.tenant, &Subject::User(jane())).await.expect("read");
        assert_eq!(standing.auth.stranger_failures, 1, "{lost}: one try is one failure");
        line.lose(lost);
        let parameters = OtpParameters::default();
        let made = provision(&ports, &caller, &jane(), parameters, Once::not_kept()).await.expect("made");
        let listed = ports.store().tokens(&caller.tenant, &jane()).await.expect("a list");
        assert_eq!(listed.len(), 2, "{lost}");
        assert!(listed.iter().any(|token| token.serial == made.serial));
    }
}

/// Single writes of a message's row that collide with a transaction on it, four times each: they are made all the same.
/// A fifth time is too much.
async fn a_write_that_meets_a_transaction_is_sent_again() {
    let line = Line::default();
    let ports = over(line.clone(), KeyPerTenant::default()).await;
    let reference = Box::pin(pushed(&ports)).await;
    let now = ports.clock().now();
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let routes = Routes { usable: vec![Way::OWN], ..Routes::default() };
    let Step::Hand(handed, hop, _) = message.next_step(&routes, now) else { panic!("a route") };
    line.collide(5);
    let busy = ports.store().save_message(&handed).await.expect_err("busy");
    assert_eq!(busy.kind, Fault::Throttled);
    line.collide(4);
    assert_eq!(ports.store().save_message(&handed).await.expect("a write"), Write::Done);
    line.collide(4);
    assert!(ports.store().claim(&reference, hop, "sender", now).await.expect("a write").is_some());
    line.collide(4);
    let news = News { verdict: Verdict::Delayed, why: "slow".to_owned(), at: now };
    let heard = ports.store().hear(&reference, hop, &news, None).await.expect("a write");
    assert!(matches!(heard, Heard::New(_)), "{heard:?}");
    line.collide(4);
    ports.store().put_aside(&reference).await.expect("a write");
    assert_eq!(line.collisions.load(Ordering::SeqCst), 0);
}

/// One call of the key service for a tenant while its keys are held; they are held for five minutes, and for so many
/// tenants.
async fn data_keys_are_held_for_minutes_and_few_tenants() {
    let wrapper = KeyPerTenant::default();
    let calls = Arc::clone(&wrapper.opened);
    let ports = over(Line::default(), wrapper).await;
    let tenants: Vec<_> = (0..=MAX_TENANTS).map(|n| operator(&format!("tenant-{n}")).tenant).collect();
    for tenant in &tenants {
        ports.clock().advance(Duration::from_millis(1));
        let caller = Caller::new(tenant.clone(), Actor::Platform);
        let name = DisplayName::try_from("T").expect("a name");
        create_tenant(&ports, &caller, name, Once::not_kept()).await.expect("made");
        for _ in 0..3 {
            ports.sealer().seal(tenant, RecordKind::TokenSeed, "x", b"x").await.expect("sealed");
        }
    }
    assert_eq!(calls.load(Ordering::Relaxed), tenants.len(), "one each");
    let seal = async |number: usize| {
        let before = calls.load(Ordering::Relaxed);
        ports.sealer().seal(&tenants[number], RecordKind::TokenSeed, "x", b"x").await.expect("sealed");
        calls.load(Ordering::Relaxed) - before
    };
    assert_eq!(seal(MAX_TENANTS).await, 0, "the youngest is held");
    assert_eq!(seal(0).await, 1, "the oldest had to go");
    ports.clock().advance(KEY_LIFE);
    assert_eq!(seal(MAX_TENANTS).await, 1, "nobody's is held for longer");
}

/// Runs the contract's case on databases whose tables are listed.
async fn nothing_is_left_of_a_deleted_tenant() {
    let latest = std::sync::Mutex::new(None);
    let fresh = async || {
        let config = database(Line::default()).await;
        *latest.lock().expect("not poisoned") = Some(Client::new(&config));
        ports_on(&config, KeyPerTenant::default())
    };
    let rows = async |_: &Ports| {
        let client = latest.lock().expect("not poisoned").clone().expect("a database");
        erasure::rows(&client).await
    };
    Box::pin(contract::nothing_is_left_of_a_deleted_tenant(fresh, rows)).await;
}

/// The line to the database. It says that single writes collide with a transaction, without carrying them out; loses an answer when told to, after the request was carried out; leaves batches of writes
/// unprocessed; and lets time pass with each request.
#[derive(Clone, Debug, Default)]
struct Line {
    requests: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
    unprocessed: Arc<AtomicUsize>,
    collisions: Arc<AtomicUsize>,
    clock: Arc<std::sync::Mutex<Option<(ManualClock, Duration)>>>,
}

impl Line {
    /// Loses the answer to the `n`th request from now on.
    fn lose(&self, n: usize) {
        self.lost.store(self.requests.load(Ordering::SeqCst) + n, Ordering::SeqCst);
    }

    /// Lets the next `n` single writes collide.
    fn collide(&self, n: usize) {
        self.collisions.store(n, Ordering::SeqCst);
    }

    /// Carries a request over.
    async fn carry(self, client: reqwest::Client, request: Request, base: String) -> Response {
        let url = format!("{base}{}", request.uri().path());
        if let Some((clock, takes)) = self.clock.lock().expect("not poisoned").as_ref() {
            clock.advance(*takes);
        }
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        let writes = target.is_some_and(|target| target.ends_with(".BatchWriteItem"));
        if writes && self.unprocessed.load(Ordering::SeqCst) > 0 {
            self.unprocessed.fetch_sub(1, Ordering::SeqCst);
            return left_unprocessed(request).await;
        }
        let single =
            target.is_some_and(|target| target.ends_with(".PutItem") || target.ends_with(".UpdateItem"));
        if single && self.collisions.load(Ordering::SeqCst) > 0 {
            self.collisions.fetch_sub(1, Ordering::SeqCst);
            let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionConflictException"}"#;
            return Response::builder().status(400).body(body.into()).expect("an answer");
        }
        let answer = proxy::forward(&client, request, &url, false).await;
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        if number == self.lost.load(Ordering::SeqCst) {
            let lost = Response::builder().status(500).body("{}".into());
            return lost.expect("an answer");
        }
        answer
    }
}

/// Does nothing of a batch of writes, and says so.
async fn left_unprocessed(request: Request) -> Response {
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.expect("a body");
    let asked: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let answer = serde_json::json!({ "UnprocessedItems": asked["RequestItems"] });
    Response::builder().body(answer.to_string().into()).expect("an answer")
}

type Ports = AwsPorts<ManualClock, CountingEntropy, KeyPerTenant>;

/// Stands in for KMS: wraps a random key by mixing the tenant's id into it. Everything above it is the real sealing.
#[derive(Debug, Default)]
struct KeyPerTenant {
    entropy: CountingEntropy,
    opened: Arc<AtomicUsize>,
}

fn mixed(tenant: &TenantId, key: &[u8]) -> [u8; 32] {
    let mut mixed = [0; 32];
    mixed.copy_from_slice(key);
    mixed.iter_mut().zip(tenant.as_str().bytes()).for_each(|(byte, id)| *byte ^= id);
    mixed
}

impl KeyWrapper for KeyPerTenant {
    async fn generate(&self, tenant: &TenantId) -> PortResult<WrappedKey> {
        let key: [u8; 32] = self.entropy.array();
        Ok(WrappedKey(mixed(tenant, &key).to_vec()))
    }

    fn unwrap(
        &self,
        tenant: &TenantId,
        wrapped: &WrappedKey,
    ) -> impl Future<Output = PortResult<DataKey>> + Send {
        let key = mixed(tenant, &wrapped.0);
        self.opened.fetch_add(1, Ordering::Relaxed);
        async move { Ok(DataKey::new(key)) }
    }
}

/// Ports on an empty database of their own.
async fn fresh() -> Ports {
    over(Line::default(), KeyPerTenant::default()).await
}

/// The same over a line of the test's.
async fn over(line: Line, wrapper: KeyPerTenant) -> Ports {
    ports_on(&database(line).await, wrapper)
}

/// An empty database behind a line.
async fn database(line: Line) -> aws_config::SdkConfig {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let database = Database::memory().expect("a database");
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    let (client, base) = (proxy::client(), format!("http://{address}"));
    let front = ports::listen(None).expect("a port");
    let address = front.local_addr().expect("an address");
    let carry = move |request| line.clone().carry(client.clone(), request, base.clone());
    // Ends with the process, as the database does.
    std::mem::forget(proxy::serve(front, carry).expect("a front"));
    let credentials = Credentials::new("test", "test", None, None, "test");
    let config = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-2"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(format!("http://{address}"))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .build();
    let client = Client::new(&config);
    let users_by_tenant =
        ("users-by-tenant", ("users_of", ScalarAttributeType::S), ("id", ScalarAttributeType::S));
    table(&client, "core", &[users_by_tenant]).await;
    let messages_by_user =
        ("messages-by-user", ("user_key", ScalarAttributeType::S), ("id", ScalarAttributeType::S));
    let open_messages =
        ("open-messages", ("open_shard", ScalarAttributeType::S), ("due_at", ScalarAttributeType::N));
    let messages_by_tenant =
        ("messages-by-tenant", ("day_key", ScalarAttributeType::S), ("id", ScalarAttributeType::S));
    table(&client, "flow", &[messages_by_user, messages_by_tenant, open_messages]).await;
    config
}

fn ports_on(config: &aws_config::SdkConfig, wrapper: KeyPerTenant) -> Ports {
    let resources = Resources {
        core_table: Some("core".to_owned()),
        flow_table: Some("flow".to_owned()),
        public_url: Some("https://otp.example.org".to_owned()),
        ..Resources::default()
    };
    AwsPorts::with_key_wrapper(config, resources, ManualClock::default(), CountingEntropy::default(), wrapper)
}

type Index<'a> = (&'a str, (&'a str, ScalarAttributeType), (&'a str, ScalarAttributeType));

/// The tables as `infra/lib/stateful.ts` makes them.
async fn table(client: &Client, name: &str, indexes: &[Index<'_>]) {
    let key = |name: &str, kind| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("a key")
    };
    let attribute = |(name, kind): (&str, ScalarAttributeType)| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind)
            .build()
            .expect("an attribute")
    };
    let table = [("PK", ScalarAttributeType::S), ("SK", ScalarAttributeType::S)];
    let of_indexes = indexes.iter().flat_map(|(_, hash, range)| [hash.clone(), range.clone()]);
    // Indexes may have a key in common, which is defined once.
    let attributes: BTreeMap<_, _> = table.into_iter().chain(of_indexes).collect();
    let mut create = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(attributes.into_iter().map(attribute).collect()))
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
        create = create.global_secondary_indexes(definition);
    }
    create.send().await.expect("a table");
}
