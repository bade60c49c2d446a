//! Every request and every queue consumer, failing and dying at every one of its external calls: before and after the
//! call took effect. Then the client asks again, queues bring again, the sweep runs, and all must be as if nothing had
//! happened.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use lambda_http::{Body, Response};
use libtest_mimic::Trial;
use otpost_domain::apikey::Role;
use otpost_domain::ids::{JobId, MessageId, TenantId};
use otpost_domain::job::SECOND_ERASURE;
use otpost_domain::message::{LEASE, ROUTE_TIME};
use otpost_edge::auth::{KeyRing, NoPlatformKey};
use otpost_local::device::Device;
use otpost_local::page;
use otpost_service::faults::{Faulty, FaultyProvider, Mishap, Plan};
use otpost_service::memory::{MemoryPorts, Queued, ScriptedProvider};
use otpost_service::ports::{ErasureStore as _, MessageRef, Ports, SLOT_LEASE};
use otpost_service::provider::Provider;
use otpost_service::sample::{self, SamplePlatformKey, sample_world};
use otpost_tests::world::RUNTIME;
use serde_json::{Value, json};

/// The sample world's time.
const NOW: u64 = 1_800_000_000;
/// No request makes as many external calls.
const MOST_CALLS: usize = 60;

fn scenario(name: &str, scenario: fn() -> Scenario) -> Trial {
    Trial::test(format!("crash::{name}"), move || {
        RUNTIME.block_on(drive(scenario()));
        Ok(())
    })
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = of_admin();
    trials.extend(of_gateways());
    trials.extend(of_users());
    trials
}

fn of_admin() -> Vec<Trial> {
    vec![
        scenario("create_tenant", || {
            keyed("admin", "POST", "/v1/tenants", None, &json!({ "tenant": "other", "name": "O" }))
        }),
        scenario("rotate_data_key", || keyed("admin", "POST", "/v1/tenants/acme/rotate", None, &json!({}))),
        scenario("delete_tenant", || deletion().or(409)),
        scenario("erase_tenant", || erasure(Vec::new())),
        scenario("erase_tenant_to_its_end", || {
            erasure(vec![Act::Queue(Entry::Erasure), Act::Queue(Entry::Later)])
        }),
        scenario("create_key", || {
            keyed("admin", "POST", "/v1/keys", Some(Role::Admin), &json!({ "role": "app", "name": "shop" }))
        }),
        scenario("rotate_key", || {
            let path = format!("/v1/keys/{}/rotate", sample::key(Role::App).0.id);
            keyed("admin", "POST", &path, Some(Role::Admin), &json!({}))
        }),
        scenario("revoke_key", || {
            let path = format!("/v1/keys/{}", sample::key(Role::App).0.id);
            bare("admin", "DELETE", &path, Some(Role::Admin), &json!(null))
        }),
        scenario("put_policy", || {
            let groups = json!({ "groups": ["Staff"] });
            let policy = json!({ "applies_to": groups, "settings": { "window_steps": 2 } });
            bare("admin", "PUT", "/v1/policies/windows", Some(Role::Admin), &policy).or(428)
        }),
        scenario("put_template", || {
            let template = json!({ "sms": { "text": "Done: [[TENANT]]" } });
            bare("admin", "PUT", "/v1/templates/enrolled.en", Some(Role::Admin), &template).or(428)
        }),
        scenario("remove_template", || {
            bare("admin", "DELETE", "/v1/templates/mobile_code.en", Some(Role::Admin), &json!(null)).or(404)
        }),
        scenario("roll_back_template", || {
            let path = "/v1/templates/mobile_code.en/rollback";
            bare("admin", "POST", path, Some(Role::Admin), &json!({ "version": 1 }))
                .with_header("if-match", "\"2\"")
                .or(412)
        }),
        scenario("test_template", || {
            let to = json!({ "email": "ops@example.org" });
            keyed("admin", "POST", "/v1/templates/push_token.en/test", Some(Role::Admin), &to)
        }),
        scenario("put_brand", || {
            bare("admin", "PUT", "/v1/brand", Some(Role::Admin), &json!({ "colour": "#000000" })).or(428)
        }),
        scenario("delete_policy", || {
            bare("admin", "DELETE", "/v1/policies/staff", Some(Role::Admin), &json!(null)).or(404)
        }),
    ]
}

/// What a gateway refers to is there, whatever dies: the shape of a run tells of one that is not, and of what is left over.
fn of_gateways() -> Vec<Trial> {
    vec![
        scenario("put_gateway", || {
            by_admin("PUT", "/v1/gateways/backup", &mail("backup.example.org", true)).or(428)
        }),
        scenario("put_gateway_with_other_credentials", || {
            by_admin("PUT", "/v1/gateways/mail", &mail("mail.example.org", true)).with_header("if-match", "*")
        }),
        scenario("put_gateway_elsewhere", || {
            by_admin("PUT", "/v1/gateways/mail", &mail("mail.example.net", false))
                .with_header("if-match", "*")
        }),
        scenario("put_gateway_of_the_platform", || {
            let settings = json!({ "from": { "address": "no-reply@example.net" } });
            let body =
                json!({ "name": "Mail", "kind": "ses", "tenants": { "all": true }, "settings": settings });
            bare("admin", "PUT", "/v1/gateways/ses", None, &body).with_header("if-match", "*")
        }),
        scenario("delete_gateway", || by_admin("DELETE", "/v1/gateways/mail", &json!(null)).or(404)),
    ]
}

fn by_admin(method: &'static str, path: &str, body: &Value) -> Scenario {
    bare("admin", method, path, Some(Role::Admin), body)
}

fn mail(host: &str, credentials: bool) -> Value {
    let from = json!({ "address": "no-reply@example.org" });
    let settings = json!({ "host": host, "port": 587, "authentication": "plain", "from": from });
    let given = credentials.then(|| json!({ "user": "otpost", "password": "another" }));
    json!({ "name": "Post", "kind": "smtp", "settings": settings, "credentials": given })
}

fn of_users() -> Vec<Trial> {
    vec![
        scenario("create_user", || {
            keyed("push-token", "POST", "/v1/users", OPERATOR, &json!({ "user": "joan" }))
        }),
        scenario("create_user_by_policy", || {
            let body = json!({ "user": "joan", "email": "joan@example.org", "groups": ["Staff"] });
            by_policy(keyed("push-token", "POST", "/v1/users", OPERATOR, &body))
        }),
        scenario("switch_off_by_policy", || {
            let mut scenario = by_policy(bare(
                "push-token",
                "PATCH",
                "/v1/users/joe",
                OPERATOR,
                &json!({ "active": false }),
            ));
            scenario.before.push(
                bare("push-token", "PATCH", "/v1/users/joe", OPERATOR, &json!({ "groups": ["Staff"] }))
                    .request,
            );
            scenario
        }),
        scenario("directory_tells", || by_policy(consumer(Vec::new(), Entry::Told))),
        scenario("change_user", || {
            bare(
                "push-token",
                "PATCH",
                "/v1/users/jane",
                OPERATOR,
                &json!({ "display_name": "Jane", "active": false }),
            )
        }),
        scenario("delete_user", || {
            bare("push-token", "DELETE", "/v1/users/jane", OPERATOR, &json!(null)).or(404)
        }),
        scenario("push", || {
            keyed("push-token", "POST", &of_joe("push"), OPERATOR, &json!({ "channel": "email" }))
        }),
        scenario("provision", || keyed("enroll", "POST", "/v1/users/jane/tokens", OPERATOR, &json!({}))),
        scenario("suspend", || {
            keyed("enroll", "POST", &of_jane("suspend"), OPERATOR, &json!({ "reason": "why" }))
        }),
        scenario("resume", || {
            let mut scenario = keyed("enroll", "POST", &of_jane("resume"), OPERATOR, &json!({}));
            scenario.before.push(bare("enroll", "POST", &of_jane("suspend"), OPERATOR, &json!({})).request);
            scenario
        }),
        scenario("resync", || keyed("verify", "POST", &of_jane("resync"), OPERATOR, &two_codes())),
        scenario("revoke", || keyed("enroll", "POST", &of_jane("revoke"), OPERATOR, &json!({}))),
        scenario("page_start", || Scenario {
            forgets: true,
            ..page_posts(Vec::new(), &[("action", "start"), ("authorization_code", "2222-2222")])
        }),
        scenario("page_wrong_authorization", || {
            page_posts(Vec::new(), &[("action", "start"), ("authorization_code", "2222-2223")])
        }),
        scenario("page_activate", page_activates),
        scenario("app_start", || app(Vec::new(), start(true))),
        scenario("app_activate", app_activates),
        scenario("device", device_tells),
        scenario("verify_right", || {
            keyed("verify", "POST", "/v1/verify", Some(Role::App), &right_code("jane"))
        }),
        scenario("verify_right_after_rotation", || {
            let mut scenario = keyed("verify", "POST", "/v1/verify", Some(Role::App), &right_code("jane"));
            scenario.before.push(keyed("admin", "POST", "/v1/tenants/acme/rotate", None, &json!({})).request);
            scenario
        }),
        scenario("verify_wrong", || {
            bare(
                "verify",
                "POST",
                "/v1/verify",
                Some(Role::App),
                &json!({ "user": "jane", "code": "000000" }),
            )
        }),
        scenario("verify_unknown", || {
            bare(
                "verify",
                "POST",
                "/v1/verify",
                Some(Role::App),
                &json!({ "user": "nobody", "code": "000000" }),
            )
        }),
        scenario("unlock", || bare("verify", "POST", &of_jane("unlock"), OPERATOR, &json!({}))),
        scenario("deliver", || consumer(Vec::new(), Entry::Deliver)),
        scenario("send", || consumer(vec![Entry::Deliver], Entry::Send)),
        scenario("sweep", || consumer(vec![Entry::Lost], Entry::Sweep)),
        scenario("job", || consumer(Vec::new(), Entry::Job)),
        scenario("jobs_sweep", || consumer(vec![Entry::Lost], Entry::JobsSweep)),
    ]
}

const OPERATOR: Option<Role> = Some(Role::Operator);

fn of_jane(verb: &str) -> String {
    format!("/v1/tokens/{}/{verb}", sample::serials()[0])
}

fn of_joe(verb: &str) -> String {
    format!("/v1/tokens/{}/{verb}", sample::serials()[1])
}

/// The codes of jane's token at two steps that were not used yet.
fn two_codes() -> Value {
    let seed = otpost_domain::secret::Seed::new(sample::SEED.to_vec()).expect("a seed");
    let parameters = otpost_domain::otp::OtpParameters::default();
    let code = |step| otpost_domain::otp::totp::code(&seed, step, &parameters).expose().to_owned();
    json!({ "codes": [code(NOW / 30 + 5), code(NOW / 30 + 6)] })
}

fn right_code(user: &str) -> Value {
    json!({ "user": user, "code": sample::right_code(), "remember_source": true })
}

/// What is done, and what an answer to its repetition may be besides that of the first.
struct Scenario {
    before: Vec<Act>,
    request: Act,
    or: Option<u16>,
    /// A browser that did not get its answer has no cookie either, and begins anew.
    forgets: bool,
    /// The shape in which all must end, where it can be said.
    ends: Option<&'static str>,
}

/// All that is left of the sample world once its one tenant is deleted and erased.
const ERASED: &str = "audit gateway.created\naudit tenant.deleted\naudit tenant.erased\n\
    gateway platform/ses version 1 credentials none\ntombstone acme erased true";

impl Scenario {
    fn or(self, status: u16) -> Self {
        Self { or: Some(status), ..self }
    }

    fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Act::Http { headers, .. } = &mut self.request {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// One thing that is done to the system.
#[derive(Clone)]
enum Act {
    Http {
        function: &'static str,
        method: &'static str,
        path: String,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// A form of the enrolment page, sent by a browser that keeps its cookie.
    Page(Vec<(&'static str, String)>),
    /// The app's first code, computed from the page or answer before.
    PageCode,
    AppCode,
    App(Value),
    Tell(Value),
    Queue(Entry),
}

/// What comes off a queue, or from the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Deliver,
    Send,
    Sweep,
    Job,
    JobsSweep,
    Told,
    /// The next step of the deleted tenant's erasure.
    Erasure,
    /// Its second round is due.
    Later,
    /// The queue has lost its entry.
    Lost,
}

fn request(
    function: &'static str,
    method: &'static str,
    path: &str,
    role: Option<Role>,
    body: &Value,
) -> Act {
    let key = role.map_or_else(
        || format!("otp_platform_{}", "a".repeat(48)),
        |role| sample::key(role).1.expose().to_owned(),
    );
    let headers = vec![("authorization".to_owned(), format!("Bearer {key}"))];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Act::Http { function, method, path: path.to_owned(), headers, body }
}

fn bare(
    function: &'static str,
    method: &'static str,
    path: &str,
    role: Option<Role>,
    body: &Value,
) -> Scenario {
    Scenario {
        before: Vec::new(),
        request: request(function, method, path, role, body),
        or: None,
        forgets: false,
        ends: None,
    }
}

fn keyed(
    function: &'static str,
    method: &'static str,
    path: &str,
    role: Option<Role>,
    body: &Value,
) -> Scenario {
    let mut act = request(function, method, path, role, body);
    if let Act::Http { headers, .. } = &mut act {
        headers.push(("idempotency-key".to_owned(), "the-same".to_owned()));
    }
    Scenario { before: Vec::new(), request: act, or: None, forgets: false, ends: None }
}

fn page_posts(before: Vec<Act>, fields: &[(&'static str, &str)]) -> Scenario {
    let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Scenario { before, request: Act::Page(fields), or: None, forgets: false, ends: None }
}

fn page_activates() -> Scenario {
    let start = page_posts(Vec::new(), &[("action", "start"), ("authorization_code", "2222-2222")]).request;
    // Whoever lost the page that said so is told that the link was used.
    Scenario { before: vec![start], request: Act::PageCode, or: Some(410), forgets: false, ends: None }
}

fn deletion() -> Scenario {
    let gone = bare("admin", "DELETE", "/v1/tenants/acme", None, &json!(null));
    Scenario { ends: Some(ERASED), ..gone }
}

fn erasure(before: Vec<Act>) -> Scenario {
    let before = [vec![deletion().request], before].concat();
    let request = Act::Queue(Entry::Erasure);
    Scenario { before, request, or: None, forgets: false, ends: Some(ERASED) }
}

fn start(permitted: bool) -> Value {
    let device = json!({ "os": "ios", "type": "phone", "push": { "capable": true, "permitted": permitted } });
    json!({ "device": device, "authorization_code": "2222-2222" })
}

fn app(before: Vec<Act>, body: Value) -> Scenario {
    Scenario { before, request: Act::App(body), or: None, forgets: false, ends: None }
}

fn app_activates() -> Scenario {
    Scenario {
        before: vec![Act::App(start(true))],
        request: Act::AppCode,
        or: None,
        forgets: false,
        ends: None,
    }
}

fn device_tells() -> Scenario {
    let told = json!({ "tenant": "acme", "device": start(false)["device"] });
    Scenario {
        before: vec![Act::App(start(true)), Act::AppCode],
        request: Act::Tell(told),
        or: None,
        forgets: false,
        ends: None,
    }
}

fn consumer(before: Vec<Entry>, entry: Entry) -> Scenario {
    Scenario {
        before: before.into_iter().map(Act::Queue).collect(),
        request: Act::Queue(entry),
        or: None,
        forgets: false,
        ends: None,
    }
}

/// A system with its outside: a provider, a browser, an app.
struct Run {
    ports: MemoryPorts,
    provider: ScriptedProvider,
    device: Device,
    memory: Mutex<Memory>,
}

/// What the person's browser and app hold.
#[derive(Default)]
struct Memory {
    cookie: Option<String>,
    uri: Option<String>,
}

/// What came of an act: a status and a body, or for a queue whether it must bring again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    status: u16,
    body: String,
}

impl Run {
    async fn new() -> Self {
        let ports = sample_world().await;
        // What is done now is later than what the sample world has done.
        ports.clock().advance(Duration::from_secs(1));
        Self {
            ports,
            provider: ScriptedProvider::ses(),
            device: Device::new(1).expect("a key"),
            memory: Mutex::default(),
        }
    }

    async fn act<P: Ports>(&self, ports: &P, provider: &impl Provider, act: &Act) -> Told {
        match act {
            Act::Http { function, method, path, headers, body } => {
                self.http(ports, function, method, path, headers, body).await
            }
            Act::Page(fields) => self.page(ports, fields).await,
            Act::PageCode => {
                let code = self.first_code();
                self.page(ports, &[("action", "activate".to_owned()), ("code", code)]).await
            }
            Act::App(body) => self.app(ports, body).await,
            Act::AppCode => self.app(ports, &json!({ "code": self.first_code() })).await,
            Act::Tell(body) => {
                let path = of_joe("device");
                self.signed(ports, reqwest::Method::PATCH, "PATCH", &path, body).await
            }
            Act::Queue(entry) => self.queue(ports, provider, *entry).await,
        }
    }

    fn first_code(&self) -> String {
        let memory = self.memory.lock().expect("not poisoned");
        let uri = memory.uri.as_deref().expect("the app has scanned");
        otpost_local::authenticator::Authenticator::scan(uri).expect("a seed").code_at(self.seconds())
    }

    fn seconds(&self) -> u64 {
        use otpost_service::ports::Clock as _;
        self.ports.clock().now().seconds()
    }

    async fn page<P: Ports>(&self, ports: &P, fields: &[(&str, String)]) -> Told {
        let path = format!("/e/{}", sample::link().expose());
        let mut body = String::new();
        for (name, value) in fields {
            let _ = write!(body, "{name}={value}&");
        }
        let cookie = self.memory.lock().expect("not poisoned").cookie.clone();
        let mut headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        headers.extend(cookie.map(|cookie| ("cookie".to_owned(), cookie)));
        let told = self.http(ports, "enroll", "POST", &path, &headers, &body).await;
        if let Some(uri) = page::link(&told.body, "otpauth") {
            self.memory.lock().expect("not poisoned").uri = Some(uri);
        }
        // A page shows how many minutes are left: that may differ.
        Told { body: String::new(), ..told }
    }

    async fn app<P: Ports>(&self, ports: &P, body: &Value) -> Told {
        let path = format!("/v1/activations/{}", sample::link().expose());
        let told = self.signed(ports, reqwest::Method::POST, "POST", &path, body).await;
        let answer: Value = serde_json::from_str(&told.body).unwrap_or_default();
        if let Some(uri) = answer["otpauth_uri"].as_str() {
            self.memory.lock().expect("not poisoned").uri = Some(uri.to_owned());
        }
        told
    }

    async fn signed<P: Ports>(
        &self,
        ports: &P,
        verb: reqwest::Method,
        method: &'static str,
        path: &str,
        body: &Value,
    ) -> Told {
        let headers = self.device.sign(&verb, path, body, self.seconds()).headers();
        self.http(ports, "enroll", method, path, &headers, &body.to_string()).await
    }

    async fn http<P: Ports>(
        &self,
        ports: &P,
        function: &str,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &str,
    ) -> Told {
        let mut all = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        all.extend(headers.iter().cloned());
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": all,
            "requestContext": {
                "accountId": "0", "apiId": "x", "domainName": "x", "domainPrefix": "x", "stage": "$default",
                "requestId": "r", "routeKey": "$default", "time": "15/Jan/2027:08:00:00 +0000", "timeEpoch": 0,
                "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x" },
            },
            "body": body, "isBase64Encoded": false,
        });
        let request = lambda_http::request::from_str(&event.to_string()).expect("an event");
        let no_platform = KeyRing::new(NoPlatformKey);
        let response = match function {
            "admin" => otpost_admin::handle(ports, &KeyRing::new(SamplePlatformKey), request).await,
            "push-token" => otpost_push_token::handle(ports, &no_platform, request).await,
            "enroll" => otpost_enroll::handle(ports, &no_platform, request).await,
            _ => otpost_verify::handle(ports, &no_platform, request).await,
        };
        self.taken(&response)
    }

    /// The browser takes its cookie.
    fn taken(&self, response: &Response<Body>) -> Told {
        let cookie = response.headers().get("set-cookie").and_then(|value| value.to_str().ok());
        if let Some(pair) = cookie.and_then(|cookie| cookie.split(';').next()) {
            self.memory.lock().expect("not poisoned").cookie = Some(pair.to_owned());
        }
        let body = match response.body() {
            Body::Text(text) => text.clone(),
            _ => String::new(),
        };
        Told { status: response.status().as_u16(), body }
    }

    /// 200 when nothing must come again, 500 when something must.
    async fn queue<P: Ports>(&self, ports: &P, provider: &impl Provider, entry: Entry) -> Told {
        let reference = json!({ "tenant": "acme", "message": sample::message().as_str() });
        let with_hop = json!({ "tenant": "acme", "message": sample::message().as_str(), "hop": 1 });
        let batch = |body: &Value| json!({ "Records": [{ "messageId": "m", "body": body.to_string() }] });
        let answered = match entry {
            Entry::Deliver => otpost_deliver::handle(ports, batch(&reference)).await,
            Entry::Send => otpost_edge::sender::handle(ports, provider, batch(&with_hop)).await,
            Entry::Sweep => otpost_deliver::handle(ports, json!({ "otpost": "sweep" })).await,
            Entry::Told => otpost_push_token::told(ports, batch(&told())).await,
            Entry::Job => otpost_jobs::handle(ports, batch(&job_body(&sample::job()))).await,
            Entry::Erasure => otpost_jobs::handle(ports, batch(&job_body(&self.erasure().await))).await,
            Entry::Later => {
                self.ports.clock().advance(SECOND_ERASURE);
                Ok(json!({}))
            }
            Entry::JobsSweep => otpost_jobs::handle(ports, json!({ "otpost": "sweep" })).await,
            Entry::Lost => {
                self.ports.queue().take();
                self.ports.clock().advance(Duration::from_mins(2));
                Ok(json!({}))
            }
        };
        let again = match &answered {
            Ok(answer) => answer["batchItemFailures"].as_array().is_some_and(|failures| !failures.is_empty()),
            Err(_) => true,
        };
        Told { status: if again { 500 } else { 200 }, body: String::new() }
    }

    /// The job that erases the deleted tenant.
    async fn erasure(&self) -> JobId {
        let acme = TenantId::try_from("acme").expect("a tenant's id");
        let left = self.ports.store().tombstone(&acme).await.expect("read");
        left.expect("it was deleted").job
    }

    /// Queues and schedule do their work until nothing is left to do.
    async fn settle(&self) {
        for _ in 0..12 {
            self.ports.clock().advance(LEASE.max(ROUTE_TIME));
            let swept = otpost_deliver::handle(&self.ports, json!({ "otpost": "sweep" })).await;
            assert!(swept.is_ok(), "{swept:?}");
            let swept = otpost_jobs::handle(&self.ports, json!({ "otpost": "sweep" })).await;
            assert!(swept.is_ok(), "{swept:?}");
            for entry in self.ports.queue().take() {
                let body = |reference: &MessageRef| json!({ "tenant": reference.tenant.as_str(), "message": reference.id.as_str() });
                let batch =
                    |body: Value| json!({ "Records": [{ "messageId": "m", "body": body.to_string() }] });
                let answered = match &entry {
                    Queued::Deliver(reference) | Queued::Wake(reference, _) => {
                        otpost_deliver::handle(&self.ports, batch(body(reference))).await
                    }
                    Queued::Tell(..) => unreachable!("nobody of these is simulated"),
                    Queued::Work(job, _) => otpost_jobs::handle(&self.ports, batch(job_body(&job.id))).await,
                    Queued::Hand(_, reference, hop, _) => {
                        let mut body = body(reference);
                        body["hop"] = json!(hop);
                        otpost_edge::sender::handle(&self.ports, &self.provider, batch(body)).await
                    }
                };
                assert!(answered.is_ok(), "{entry:?}: {answered:?}");
            }
        }
    }

    fn mails(&self) -> BTreeMap<MessageId, usize> {
        let mut mails = BTreeMap::new();
        for asked in self.provider.asked() {
            let id = asked.reference.split('/').nth(1).and_then(|id| MessageId::try_from(id).ok());
            *mails.entry(id.expect("a message's id")).or_default() += 1;
        }
        mails
    }
}

/// Policy gives members of Staff a token and its mail.
fn by_policy(mut scenario: Scenario) -> Scenario {
    let settings = json!({ "provision_tokens": true, "provision_clients": true });
    let policy = json!({ "applies_to": { "groups": ["Staff"] }, "settings": settings });
    scenario
        .before
        .insert(0, bare("admin", "PUT", "/v1/policies/by-itself", Some(Role::Admin), &policy).request);
    scenario
}

/// A directory tells of somebody in Staff.
fn told() -> Value {
    let data = json!({
        "externalId": "4711", "userName": "joan", "active": true, "groups": ["Staff"],
        "emails": [{ "value": "joan@example.org" }],
    });
    let metadata = json!({
        "eventId": "event-4711", "tenantId": "acme", "occurredAt": "2027-01-15T08:00:00Z", "source": "ldap", "version": 1,
    });
    json!({
        "id": "e", "source": "otpost.directory", "account": "111122223333", "time": "2027-01-15T08:00:00Z",
        "region": "eu-west-2", "detail-type": "directory.user.upserted.v1",
        "detail": { "metadata": metadata, "data": data },
    })
}

fn job_body(id: &JobId) -> Value {
    json!({ "tenant": "acme", "job": id.as_str() })
}

/// A run without mishaps in which the act is done `times` times: its last answer, its shape, its mails.
async fn undisturbed(scenario: &Scenario, times: usize) -> (Told, String, usize) {
    let run = Run::new().await;
    for act in &scenario.before {
        let told = run.act(&run.ports, &run.provider, act).await;
        assert!(told.status < 300, "{told:?}");
    }
    let mut told = Told { status: 0, body: String::new() };
    for _ in 0..times {
        told = run.act(&run.ports, &run.provider, &scenario.request).await;
        run.ports.clock().advance(SLOT_LEASE);
        if scenario.forgets {
            run.memory.lock().expect("not poisoned").cookie = None;
        }
    }
    run.settle().await;
    (told, run.ports.shape(), run.mails().len())
}

async fn drive(scenario: Scenario) {
    let (wanted, once, mails) = undisturbed(&scenario, 1).await;
    let (_, twice, _) = undisturbed(&scenario, 2).await;
    let kept = matches!(&scenario.request, Act::Http { headers, .. } if headers.iter().any(|(name, _)| name == "idempotency-key"));
    assert!(scenario.ends.is_none_or(|ends| ends == once && ends == twice), "{once}\n---\n{twice}");
    let mut struck = 0;
    for mishap in Mishap::ALL {
        for at in 1..=MOST_CALLS {
            let run = Run::new().await;
            for act in &scenario.before {
                run.act(&run.ports, &run.provider, act).await;
            }
            let plan = Plan::new(at, mishap);
            let (ports, provider) =
                (Faulty::new(&run.ports, &plan), FaultyProvider::new(&run.provider, &plan));
            let first = plan.until_death(Box::pin(run.act(&ports, &provider, &scenario.request))).await;
            if !plan.fired() {
                assert!(at > 1, "it makes external calls");
                break;
            }
            struck += 1;
            let calls = plan.names();
            let seen = format!("{mishap:?} at call {at} of {calls:?}: first {first:?}");
            if let Some(first) = &first {
                let told = first.status == wanted.status || first.status >= 500;
                assert!(told, "a failure is told as one; wanted {wanted:?}; {seen}");
            }
            // The client, or the queue, asks again.
            run.ports.clock().advance(SLOT_LEASE);
            let mut again = run.act(&run.ports, &run.provider, &scenario.request).await;
            if again.status >= 500 && matches!(scenario.request, Act::Queue(_)) {
                again = run.act(&run.ports, &run.provider, &scenario.request).await;
            }
            let answered = again.status == wanted.status || Some(again.status) == scenario.or;
            assert!(answered, "again {again:?}, wanted {wanted:?}; {seen}");
            if let Some(first) = &first
                && kept
                && first.status == wanted.status
                && wanted.status < 300
            {
                assert_eq!(first, &again, "the same answer; {seen}");
            }
            run.settle().await;
            let shape = run.ports.shape();
            // What is kept by its key is done once; the rest may have been done twice, which must come to the same as two
            // requests.
            assert!(
                shape == once || (!kept && shape == twice),
                "half a state; {seen}\n{shape}\n--- wanted\n{once}"
            );
            let sent = run.mails();
            assert_eq!(sent.len(), mails, "no mail is lost, none is invented; {seen}");
            // A mail repeats only when a sender was lost between the provider and its own record.
            let may_repeat =
                calls.iter().position(|call| *call == "provider").is_some_and(|place| at > place);
            for count in sent.values() {
                assert!(*count == 1 || (*count == 2 && may_repeat), "{count} mails; {seen}");
            }
        }
    }
    assert!(struck >= Mishap::ALL.len());
    assert_eq!(NOW % 30, 0, "a retry after the lease is in the same step");
}
