//! What must hold of every parser of outside input, whatever it is given: the bodies of the fuzz targets in `fuzz/`.
//!
//! `tests/it/fuzz.rs` replays the corpus with every run of the suite; the fuzzer goes on from there.

use std::cell::OnceCell;
use std::fmt::{Debug, Display, Write as _};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL_NOPAD};
use lambda_http::http::HeaderValue;
use lambda_http::{Body, Request, Response};
use otpost_domain::apikey::{PresentedKey, Role, SecretHash, mint};
use otpost_domain::audit::Reason;
use otpost_domain::authorization::{AuthorizationCode, AuthorizationMode};
use otpost_domain::contact::{DisplayName, EmailAddress, Locale, PhoneNumber};
use otpost_domain::device::{DeviceKey, DeviceKind, DeviceText, Os, PushOtp};
use otpost_domain::ids::{
    AuditId, BearerCode, InvalidId, KeyId, MessageId, OPEN_SHARDS, PLATFORM, Serial, TenantId, UserId,
};
use otpost_domain::message::{Channel, Verdict};
use otpost_domain::otp::Code;
use otpost_domain::outcome::Said;
use otpost_domain::redaction::{MOST_LINES, MOST_OF_LINE, Redaction};
use otpost_domain::sealing::{Binding, DataKey, OpenError, key_version_of, open, seal};
use otpost_domain::secret::SecretText;
use otpost_domain::template::{
    Colour, EmailForm, EmailTexts, Image, Look, SmsForm, TemplateFault, TemplateKind, Values, Wildcard,
};
use otpost_domain::time::Timestamp;
use otpost_edge::auth::{KeyRing, NoPlatformKey};
use otpost_edge::http::{MAX_BODY, json as answered, respond};
use otpost_edge::paging::Listing;
use otpost_edge::problem::Problem;
use otpost_edge::route::{Access, Route};
use otpost_edge::signature::{SKEW, Signed, check};
use otpost_outbound::mime::compose;
use otpost_receipts::hop::Told;
use otpost_receipts::notify::CallBack;
use otpost_receipts::seldom::Seldom;
use otpost_receipts::ses::{self, Reading};
use otpost_receipts::simulated::Simulated;
use otpost_receipts::twilio;
use otpost_receipts::twilio::parameters::{MOST_PARAMETERS, Parameters};
use otpost_receipts::twilio::signature::{Content, is_signed};
use otpost_service::memory::MemoryPorts;
use otpost_service::memory::ScriptedProvider;
use otpost_service::ports::{Clock as _, Ports as _};
use otpost_service::provider::OutgoingEmail;
use otpost_service::sample::{self, SamplePlatformKey, sample_world};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::openapi::routes;

/// A target's body.
pub type Target = fn(&[u8]);

/// All targets by name; each has a folder of this name in the corpus.
pub const TARGETS: [(&str, Target); 14] = [
    ("codes", codes),
    ("keys", keys),
    ("links", links),
    ("ids", ids),
    ("contacts", contacts),
    ("devices", devices),
    ("cursors", cursors),
    ("signatures", signatures),
    ("requests", requests),
    ("sqs", sqs),
    ("receipts", receipts),
    ("templates", templates),
    ("said", said),
    ("sealed", sealed),
];

/// More than any gateway lets through.
const MOST: usize = 64 * 1024;
/// Between the requests of one input.
const NEXT: &str = "\n%%\n";

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
    static LOOKED_AT: OnceCell<MemoryPorts> = const { OnceCell::new() };
}

fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.with(|runtime| {
        let made = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.get_or_init(made).block_on(future)
    })
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// Bytes of `data`, with zeros where it ends.
fn array<const N: usize>(data: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(data).for_each(|(byte, given)| *byte = *given);
    bytes
}

/// What is said of a refused text repeats nothing of it.
fn silent<T, F: Debug + Display>(read: impl Fn(&str) -> Result<T, F>, text: &str) {
    const MARK: char = '\u{e000}';
    for marked in [format!("{text}{MARK}"), format!("{MARK}{text}")] {
        if let Err(fault) = read(&marked) {
            assert!(!fault.to_string().contains(MARK), "the refusal repeats what was given");
            assert!(!format!("{fault:?}").contains("e000"), "the refusal's Debug repeats what was given");
        }
    }
}

fn hidden(value: &impl Debug, secret: &str) {
    assert!(!format!("{value:?}").contains(secret), "Debug shows a secret");
}

/// One-time codes as typed.
pub fn codes(data: &[u8]) {
    let text = text(data);
    match Code::parse(&text) {
        Ok(code) => {
            let digits = code.expose();
            assert!((6..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()));
            let typed: String = text.chars().filter(char::is_ascii_digit).collect();
            assert_eq!(digits, typed, "no digit is lost, none is added");
            let rest = |c: char| !c.is_ascii_digit() && !c.is_whitespace();
            assert!(!text.contains(rest), "only blanks are overlooked");
            let again = Code::parse(digits).expect("its own digits");
            assert!(bool::from(again.matches(&code)));
            hidden(&code, digits);
        }
        Err(_) => silent(Code::parse, &text),
    }
}

/// API keys as presented, and as made.
pub fn keys(data: &[u8]) {
    let text = text(data);
    match PresentedKey::parse(&text) {
        Ok(presented) => {
            assert!(text.len() <= 4 + 160);
            let (PresentedKey::Platform(secret) | PresentedKey::Tenant(_, secret)) = &presented;
            hidden(&presented, secret.expose());
            assert!(secret.expose().bytes().all(|byte| byte.is_ascii_alphanumeric()));
            match &presented {
                PresentedKey::Platform(secret) => {
                    assert_eq!(text, format!("otp_{PLATFORM}_{}", secret.expose()));
                }
                PresentedKey::Tenant(id, secret) => {
                    let checksum = text.strip_prefix(&format!("otp_{id}_{}_", secret.expose()));
                    assert_eq!(checksum.map(str::len), Some(6));
                    assert_eq!(TenantId::try_from(id.tenant().as_str()), Ok(id.tenant()));
                }
            }
        }
        Err(_) => silent(PresentedKey::parse, &text),
    }
    let tenant = data.get(40..).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let tenant = tenant.and_then(|tenant| TenantId::try_from(tenant).ok());
    let tenant = tenant.unwrap_or_else(|| TenantId::try_from("acme").expect("an id"));
    let id = KeyId::new(&tenant, array(data));
    let (made, hash) = mint(&id, &array(data.get(8..).unwrap_or_default()));
    let Ok(PresentedKey::Tenant(found, secret)) = PresentedKey::parse(made.expose()) else {
        panic!("a key that was made is read");
    };
    assert_eq!((&found, found.tenant()), (&id, tenant));
    assert!(hash.matches(&secret) && !SecretHash::of(&made).matches(&secret));
    let cut = made.expose().len() - 1;
    for wrong in [made.expose().get(..cut).unwrap_or_default(), &format!("{}x", made.expose())] {
        assert!(PresentedKey::parse(wrong).is_err(), "what is cut or longer is noticed");
    }
}

/// Codes in links and cookies, and authorization codes.
pub fn links(data: &[u8]) {
    let text = text(data);
    match BearerCode::try_from(text.as_str()) {
        Ok(code) => {
            assert_eq!((code.expose(), text.len()), (text.as_str(), 43));
            assert_ne!(code.hash().as_str(), text);
            assert_eq!(code.hash().as_str().len(), 43);
            hidden(&code, &text);
        }
        Err(_) => silent(|text| BearerCode::try_from(text), &text),
    }
    let made = BearerCode::new(&array(data));
    assert_eq!(BearerCode::try_from(made.expose()).expect("as made").hash(), made.hash());

    match AuthorizationCode::try_from(text.as_str()) {
        Ok(code) => {
            let shown = code.for_people();
            assert!(shown.expose().len() == 9 && text.len() <= 64);
            same_authorization(&code, shown.expose());
            same_authorization(&code, &shown.expose().to_lowercase().replace('-', ""));
            hidden(&code, shown.expose());
            hidden(&code, &shown.expose().replace('-', ""));
        }
        Err(_) => silent(|text| AuthorizationCode::try_from(text), &text),
    }
    let random: [u8; 5] = array(data);
    let made = AuthorizationCode::new(&random);
    same_authorization(&made, made.for_people().expose());
    let other = random.map(|byte| byte ^ 1);
    assert!(!AuthorizationCode::new(&other).matches(made.hash().as_slice()));
    assert!(!made.matches(data) || data == made.hash().as_slice());
    if let Some(mode) = AuthorizationMode::parse(&text) {
        assert_eq!(mode.as_str(), text);
    }
}

fn same_authorization(code: &AuthorizationCode, typed: &str) {
    let read = AuthorizationCode::try_from(typed).expect("as shown");
    assert!(read.matches(code.hash().as_slice()));
}

/// Identifiers, and the reasons that operators give.
pub fn ids(data: &[u8]) {
    let text = text(data);
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if let Some(tenant) = id::<TenantId>(&text, TenantId::as_str) {
        assert!((3..=40).contains(&tenant.len()) && tenant != PLATFORM && tenant == text);
        assert!(tenant.bytes().all(|byte| lower(byte) || byte == b'-'));
    }
    if let Some(user) = id::<UserId>(&text, UserId::as_str) {
        assert!((1..=128).contains(&user.len()) && user.eq_ignore_ascii_case(&text));
        assert!(user.bytes().all(|byte| lower(byte) || b"._@+-".contains(&byte)));
    }
    if let Some(serial) = id::<Serial>(&text, Serial::as_str) {
        assert!((4..=40).contains(&serial.len()) && serial.eq_ignore_ascii_case(&text));
        assert!(
            serial.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
        );
    }
    for prefixed in [id::<MessageId>(&text, MessageId::as_str), id::<AuditId>(&text, AuditId::as_str)] {
        let Some(prefixed) = prefixed else { continue };
        assert!(prefixed == text && prefixed.len() == 30);
        assert!(prefixed.bytes().all(|byte| lower(byte) || byte == b'_'));
    }
    if let Ok(message) = MessageId::try_from(text.as_str()) {
        assert!(message.shard() < OPEN_SHARDS);
    }
    if id::<KeyId>(&text, KeyId::as_str).is_some() {
        let tenant = KeyId::try_from(text.as_str()).expect("read before").tenant();
        assert_eq!(TenantId::try_from(tenant.as_str()), Ok(tenant.clone()));
        assert!(text.starts_with(tenant.as_str()) && text.len() == tenant.as_str().len() + 13);
    }
    match Reason::try_from(text.as_str()) {
        Ok(reason) => one_line(reason.as_str(), 256, &text),
        Err(_) => silent(|text| Reason::try_from(text), &text),
    }
    let now = Timestamp::from_millis(u64::from_be_bytes(array(data)));
    let message = MessageId::new(now, array(data.get(8..).unwrap_or_default()));
    assert_eq!(MessageId::try_from(message.as_str()), Ok(message.clone()));
    assert!(message.shard() < OPEN_SHARDS);
    let serial = Serial::new(array(data));
    assert_eq!(Serial::try_from(serial.as_str()), Ok(serial.clone()));
    for known in [Role::of_tenant(&text).map(Role::as_str), Channel::parse(&text).map(Channel::as_str)] {
        assert!(known.is_none_or(|known| known == text && known != PLATFORM));
    }
}

/// Reads an id, and reads what was read again.
fn id<T>(text: &str, as_str: fn(&T) -> &str) -> Option<String>
where
    T: for<'t> TryFrom<&'t str, Error = InvalidId> + Debug,
{
    silent(|text| T::try_from(text), text);
    let read = as_str(&T::try_from(text).ok()?).to_owned();
    let again = T::try_from(read.as_str()).expect("an id is an id");
    assert_eq!(as_str(&again), read);
    Some(read)
}

/// A text of one line and at most so many characters, made of `given` by trimming.
fn one_line(read: &str, most: usize, given: &str) {
    assert!((1..=most).contains(&read.chars().count()) && read == given.trim());
    assert!(!read.contains(char::is_control), "no header character survives");
}

/// Addresses and names of people.
pub fn contacts(data: &[u8]) {
    let text = text(data);
    match EmailAddress::try_from(text.as_str()) {
        Ok(email) => {
            masked_email(&email);
            // What was taken can be written to.
            mail_to(email.expose(), "Acme");
        }
        Err(_) => silent(|text| EmailAddress::try_from(text), &text),
    }
    match PhoneNumber::try_from(text.as_str()) {
        Ok(phone) => {
            assert_eq!(phone.expose(), text);
            assert!(phone.expose().bytes().all(|byte| byte.is_ascii_digit() || byte == b'+'));
            assert_eq!(
                phone.masked().chars().filter(char::is_ascii_digit).count(),
                5,
                "two and three are shown"
            );
            hidden(&phone, &text);
        }
        Err(_) => silent(|text| PhoneNumber::try_from(text), &text),
    }
    match Locale::try_from(text.as_str()) {
        Ok(locale) => {
            assert!(locale.as_str() == text && (2..=35).contains(&text.len()));
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
        }
        Err(_) => silent(|text| Locale::try_from(text), &text),
    }
    match DisplayName::try_from(text.as_str()) {
        Ok(name) => {
            one_line(name.as_str(), 128, &text);
            mail_to("jane@example.org", name.as_str());
        }
        Err(_) => silent(|text| DisplayName::try_from(text), &text),
    }
}

fn masked_email(email: &EmailAddress) {
    let address = email.expose();
    assert!(address.len() <= 254 && address.is_ascii());
    assert!(!address.contains(|c: char| c.is_ascii_control() || " <>()[],;:\\\"".contains(c)));
    assert_eq!(EmailAddress::try_from(address).as_ref(), Ok(email));
    let (local, domain) = address.split_once('@').expect("one @");
    assert!(!domain.contains('@'));
    let masked = email.masked();
    let shown = masked.split_once('@').expect("a mask has its @").0;
    assert_eq!(shown, format!("{}***", local.get(..1).expect("a letter")), "no more than the first letter");
    // A mask may look like an address that consists of a letter and stars.
    if !address.contains('*') {
        assert!(!masked.contains(address));
        assert_eq!(format!("{email:?}"), format!("EmailAddress({masked})"));
    }
}

/// Composes a mail, whose headers stay those that we write.
fn mail_to(to: &str, from_name: &str) {
    let address = |text: &str| EmailAddress::try_from(text).expect("an address");
    let mail = OutgoingEmail {
        to: address(to),
        from: address("otp@example.org"),
        from_name: Some(from_name.to_owned()),
        reply_to: Some(address(to)),
        subject: SecretText::new(from_name),
        text: SecretText::new("text"),
        html: None,
        pictures: Vec::new(),
    };
    let mail = compose(&sample::message(), &mail)
        .unwrap_or_else(|fault| panic!("a mail to a good address: {fault}"));
    let mail = text(&mail);
    let head = mail.split_once("\r\n\r\n").expect("a head").0;
    let mut found: Vec<_> = head
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split_once(':').map_or(line, |(name, _)| name))
        .collect();
    found.sort_unstable();
    let wanted = [
        "Auto-Submitted",
        "Content-Transfer-Encoding",
        "Content-Type",
        "Date",
        "From",
        "MIME-Version",
        "Message-ID",
        "Reply-To",
        "Subject",
        "To",
        "X-Auto-Response-Suppress",
    ];
    found.retain(|name| *name != "MIME-Version");
    assert!(found.iter().all(|name| wanted.contains(name)), "headers {found:?}");
    assert!(found.windows(2).all(|pair| pair.first() != pair.last()), "headers {found:?}");
}

/// What a device says of itself.
pub fn devices(data: &[u8]) {
    let text = text(data);
    match DeviceKey::try_from(text.as_str()) {
        Ok(key) => {
            assert_eq!(BASE64URL_NOPAD.encode(key.bytes()), text);
            assert_eq!(DeviceKey::new(*key.bytes()), key);
            assert_eq!(key.thumbprint().as_str().len(), 43);
            hidden(&key, &text);
        }
        Err(_) => silent(|text| DeviceKey::try_from(text), &text),
    }
    match DeviceText::try_from(text.as_str()) {
        Ok(read) => one_line(read.as_str(), 64, &text),
        Err(_) => silent(|text| DeviceText::try_from(text), &text),
    }
    let known = [
        Os::parse(&text).map(Os::as_str),
        DeviceKind::parse(&text).map(DeviceKind::as_str),
        PushOtp::parse(&text).map(PushOtp::as_str),
    ];
    assert!(known.into_iter().flatten().all(|known| known == text));
}

/// Cursors and limits of lists: the first line is a limit, the rest a cursor.
pub fn cursors(data: &[u8]) {
    let text = text(data.get(..2048).unwrap_or(data));
    let (limit, cursor) = text.split_once('\n').unwrap_or(("25", &text));
    let query = format!("user=joe&limit={}&cursor={}", encoded(limit), encoded(cursor));
    let asked = Asked {
        role: Some(Role::Operator),
        method: "GET".to_owned(),
        path: "/v1/messages".to_owned(),
        query,
        ..Asked::default()
    };
    let request = asked.event(NOW).expect("a request");
    LOOKED_AT.with(|ports| {
        let ports = ports.get_or_init(|| block_on(sample_world()));
        let keys = KeyRing::new(NoPlatformKey);
        let response = block_on(respond(ports, &keys, &otpost_admin::ROUTES, request, async |call| {
            let list = Listing::of(&call, "joe")?;
            match list.requested(&call) {
                Ok(page) => {
                    assert!(
                        (1..=100).contains(&page.limit)
                            && limit.trim_start_matches(['+', '0']) == page.limit.to_string()
                    );
                    assert_eq!(page.after, list.after(cursor).ok(), "as the query has it");
                }
                Err(fault) => {
                    assert!(matches!(fault.field, Some("limit" | "cursor")));
                    quiet(&fault);
                }
            }
            match list.after(cursor) {
                Ok(key) => {
                    assert_eq!(
                        list.cursor(Some(&key)).as_deref(),
                        Some(cursor),
                        "there is one way to write it"
                    );
                    assert!(!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()));
                    let others = Listing::of(&call, "jane")?;
                    quiet(&others.after(cursor).expect_err("a cursor of another list"));
                }
                Err(fault) => quiet(&fault),
            }
            // What a page would give, it takes.
            let key = cursor.to_owned();
            let given = list.cursor(Some(&key)).expect("a cursor");
            let good =
                !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()) && given.len() <= 512;
            assert_eq!(list.after(&given).ok(), good.then_some(key));
            answered(200, &json!({}))
        }));
        assert_eq!(response.status(), 200, "{:?}", response.body());
    });
}

fn quiet(fault: &Problem) {
    let said = [
        "limit must be a number from 1 to 100",
        "cursor must be the next of the page before, with the same key and filter",
    ];
    assert!(said.contains(&fault.detail.as_str()), "the refusal repeats what was given: {}", fault.detail);
}

/// The sample world's time.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn device() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[1; 32]).expect("a key")
}

/// Signed requests, a part a line: method, path, `Content-Digest`, `Signature-Input`, `Signature`; then the body. An
/// empty line is a header that is not there.
pub fn signatures(data: &[u8]) {
    let text = text(data);
    let mut parts = text.splitn(6, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let (method, path) = (part(), part());
    let header = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let (content_digest, signature_input, signature) = (header(part()), header(part()), header(part()));
    let body = part().as_bytes();
    let given = Signed { method, path, body, content_digest, signature_input, signature };
    looked_at(&given);

    // The same, signed by a device as it asks for: so that nothing stops at the signature.
    let Some(input) = signature_input.and_then(|input| input.split_once('=')) else { return };
    let digest = format!("sha-256=:{}:", BASE64.encode(digest(&SHA256, body).as_ref()));
    let signature = format!("{}={}", input.0, signed(method, path, &digest, input.1.trim()));
    looked_at(&Signed { content_digest: Some(&digest), signature: Some(&signature), ..given });
}

/// The device's signature of a request with these parameters, as `Signature` has it.
fn signed(method: &str, path: &str, digest: &str, parameters: &str) -> String {
    let mut lines = [("@method", method), ("@path", path), ("content-digest", digest)]
        .map(|(name, value)| (parameters.find(&format!("\"{name}\"")), format!("\"{name}\": {value}\n")));
    lines.sort();
    let [first, second, third] = lines.map(|(_, line)| line);
    let base = format!("{first}{second}{third}\"@signature-params\": {parameters}");
    format!(":{}:", BASE64.encode(device().sign(base.as_bytes()).as_ref()))
}

fn looked_at(given: &Signed<'_>) {
    let Ok(signer) = check(given, NOW) else { return };
    assert!(signer.created <= NOW.plus(SKEW) && NOW <= signer.created.plus(SKEW));
    assert!((16..=64).contains(&signer.nonce.len()));
    let input = given.signature_input.expect("what was checked");
    assert!(input.contains(&signer.nonce) && input.contains(&BASE64URL_NOPAD.encode(signer.key.bytes())));
    assert!(["\"@method\"", "\"@path\"", "\"content-digest\""].iter().all(|name| input.contains(name)));
    let (method, path) = (format!("{}X", given.method), format!("{}x", given.path));
    let body = [given.body, b"x"].concat();
    let label = format!("other{input}");
    for changed in [
        Signed { method: &method, ..*given },
        Signed { path: &path, ..*given },
        Signed { body: &body, ..*given },
        Signed { content_digest: None, ..*given },
        Signed { signature_input: None, ..*given },
        Signed { signature_input: Some(&label), ..*given },
        Signed { signature: None, ..*given },
    ] {
        assert!(check(&changed, NOW).is_err(), "a change is noticed: {changed:?}");
    }
    assert!(check(given, NOW.plus(SKEW * 3)).is_err(), "it is good for a while only");
}

/// A request in an input.
#[derive(Clone, Debug, Default)]
struct Asked {
    /// Whose key it carries.
    role: Option<Role>,
    /// Whether the device signs it.
    device: bool,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked {
    /// `who METHOD target`, headers, an empty line, a body. Who is a role, `device` or anybody else. Instead of a
    /// method there may be any word: it stands for one of the routes, with the target for each of its parameters.
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.split('\n');
        let mut words = lines.next().unwrap_or_default().splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (who, method, target) = (word(), word(), word());
        let target: String = target.chars().take(4096).collect();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (method, path) = if !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase()) {
            (method.to_owned(), path.to_owned())
        } else {
            let any: usize = method.bytes().map(usize::from).sum();
            let routes = routes();
            let route = routes.get(any % routes.len()).expect("a route").1;
            (route.method.to_owned(), with_parameters(route, path))
        };
        let headers = lines.take(20).filter_map(|line| line.split_once(':'));
        Self {
            role: Role::of_tenant(who).or((who == PLATFORM).then_some(Role::Platform)),
            device: who == "device",
            method,
            path: if path.starts_with('/') { path } else { format!("/{path}") },
            query: query.to_owned(),
            headers: headers
                .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    /// The request as API Gateway hands it over; nothing for what no HTTP request can be.
    fn event(&self, now: Timestamp) -> Option<Request> {
        let mut headers = serde_json::Map::new();
        let mut header = |name: &str, value: String| headers.insert(name.to_owned(), Value::String(value));
        for (name, value) in &self.headers {
            // These two are the gateway's own.
            if name != "host" && name != "x-forwarded-proto" {
                header(name, value.clone());
            }
        }
        match self.role {
            Some(Role::Platform) => drop(header("authorization", format!("Bearer {}", platform()))),
            Some(role) => drop(header("authorization", format!("Bearer {}", sample::key(role).1.expose()))),
            None => {}
        }
        if self.device {
            let digest = format!("sha-256=:{}:", BASE64.encode(digest(&SHA256, &self.body).as_ref()));
            let keyid = BASE64URL_NOPAD.encode(device().public_key().as_ref());
            // A nonce for each body, so that a request that is sent twice is one.
            let nonce = BASE64URL_NOPAD.encode(array::<24>(digest.as_bytes()).as_slice());
            let parameters = format!(
                "(\"@method\" \"@path\" \"content-digest\");created={};nonce=\"{nonce}\";keyid=\"{keyid}\"",
                now.seconds()
            );
            header("signature", format!("app={}", signed(&self.method, &self.path, &digest, &parameters)));
            header("signature-input", format!("app={parameters}"));
            header("content-digest", digest);
        }
        let (body, base64) = match std::str::from_utf8(&self.body) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (BASE64.encode(&self.body), true),
        };
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": self.path, "rawQueryString": legal(&self.query),
            "headers": headers,
            "requestContext": {
                "accountId": "0", "apiId": "x", "domainName": "otp.example.org", "domainPrefix": "otp",
                "stage": "$default", "requestId": "r", "routeKey": "$default",
                "time": "15/Jan/2027:08:00:00 +0000", "timeEpoch": 0,
                "http": {
                    "method": self.method, "path": self.path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                    "userAgent": "x",
                },
            },
            "body": body, "isBase64Encoded": base64,
        });
        lambda_http::request::from_str(&event.to_string()).ok()
    }

    fn route(&self) -> Option<(&'static str, &'static Route)> {
        let parts: Vec<_> = self.path.split('/').collect();
        routes().into_iter().find(|(_, route)| {
            let wanted: Vec<_> = route.path.split('/').collect();
            let same = |(wanted, part): (&&str, &&str)| wanted == part || wanted.starts_with('{');
            route.method == self.method && wanted.len() == parts.len() && wanted.iter().zip(&parts).all(same)
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

fn with_parameters(route: &Route, value: &str) -> String {
    let parts = route
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { encoded(value) } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("/")
}

/// Percent-encoded but for what is never to be.
fn encoded(text: &str) -> String {
    escaped(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// A query as a client may send it (RFC 3986 section 3.4).
fn legal(query: &str) -> String {
    escaped(query, |byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte))
}

fn escaped(text: &str, stays: impl Fn(u8) -> bool) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if stays(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn platform() -> String {
    format!("otp_{PLATFORM}_{}", "a".repeat(48))
}

/// What no answer may show: of the sample world, and whatever was typed for a code.
fn secrets() -> Vec<String> {
    let mut secrets: Vec<_> = Role::OF_TENANTS.map(|role| sample::key(role).1.expose().to_owned()).into();
    let authorization = sample::authorization().for_people();
    secrets.extend([
        platform(),
        sample::link().expose().to_owned(),
        authorization.expose().replace('-', ""),
        authorization.expose().to_owned(),
        sample::right_code(),
        BASE32_NOPAD.encode(&sample::SEED),
    ]);
    secrets
}

/// Texts and numbers of at least six digits that a body has in fields for codes.
fn codes_in(body: &Value) -> Vec<String> {
    let Some(fields) = body.as_object() else { return Vec::new() };
    let fields =
        ["code", "codes", "authorization_code", "source"].into_iter().filter_map(|name| fields.get(name));
    let values = fields.flat_map(|field| field.as_array().cloned().unwrap_or_else(|| vec![field.clone()]));
    values
        .filter_map(|value| match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
        .filter(|text| text.bytes().filter(u8::is_ascii_digit).count() >= 6)
        .collect()
}

/// The five HTTP functions, each with the keys that it has seen.
struct Functions {
    ports: MemoryPorts,
    admin: KeyRing<SamplePlatformKey>,
    others: [KeyRing<NoPlatformKey>; 4],
}

impl Functions {
    async fn answer(&self, function: &str, request: Request) -> Response<Body> {
        let (ports, [pushes, enrols, verifies, told]) = (&self.ports, &self.others);
        match function {
            "admin" => otpost_admin::handle(ports, &self.admin, request).await,
            "push-token" => otpost_push_token::handle(ports, pushes, request).await,
            "enroll" => otpost_enroll::handle(ports, enrols, request).await,
            "receipts" => otpost_receipts::handle(ports, told, &Seldom::default(), request).await,
            _ => otpost_verify::handle(ports, verifies, request).await,
        }
    }
}

/// Requests to the five HTTP functions, one after the other on the sample world, each read as `Asked::read` says.
pub fn requests(data: &[u8]) {
    let text = text(data.get(..MOST).unwrap_or(data));
    block_on(async {
        let functions = Functions {
            ports: sample_world().await,
            admin: KeyRing::new(SamplePlatformKey),
            others: [(); 4].map(|()| KeyRing::new(NoPlatformKey)),
        };
        let mut cookie = None;
        for one in text.split(NEXT).take(8) {
            let mut asked = Asked::read(one);
            if let (Some(cookie), None) = (&cookie, asked.header("cookie")) {
                asked.headers.push(("cookie".to_owned(), String::clone(cookie)));
            }
            if let Some(response) = asks(&functions, &asked).await {
                let set = response.headers().get("set-cookie").and_then(|value| value.to_str().ok());
                cookie = set.and_then(|set| set.split(';').next()).map(str::to_owned).or(cookie);
            }
        }
    });
}

async fn asks(functions: &Functions, asked: &Asked) -> Option<Response<Body>> {
    let now = functions.ports.clock().now();
    let route = asked.route();
    let function = route.map_or("verify", |(function, _)| function);
    let before = functions.ports.shape();
    let response = functions.answer(function, asked.event(now)?).await;
    sound(asked, route.map(|(_, route)| route), &response);
    let status = response.status().as_u16();
    if matches!(asked.method.as_str(), "GET" | "HEAD") || [400, 401, 404, 412, 413, 415].contains(&status) {
        assert_eq!(before, functions.ports.shape(), "{status}: nothing is changed");
    }
    let kept = route.is_some_and(|(_, route)| KEPT.contains(&route.operation));
    if kept && status < 300 && asked.header("idempotency-key").is_some() {
        let after = functions.ports.shape();
        let again = functions.answer(function, asked.event(now)?).await;
        assert_eq!((again.status(), again.body()), (response.status(), response.body()), "the same answer");
        assert_eq!(
            again.headers().get("idempotency-replayed").map(HeaderValue::as_bytes),
            Some(&b"true"[..])
        );
        assert_eq!(after, functions.ports.shape(), "a repetition changes nothing");
    }
    Some(response)
}

/// Operations whose answers are kept under their `Idempotency-Key`.
const KEPT: [&str; 9] = [
    "createTenant",
    "rotateDataKey",
    "createKey",
    "createUser",
    "pushToken",
    "provisionToken",
    "suspendToken",
    "resumeToken",
    "revokeToken",
];

/// What holds of every answer.
fn sound(asked: &Asked, route: Option<&Route>, response: &Response<Body>) {
    let status = response.status().as_u16();
    let header =
        |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let body = match response.body() {
        Body::Text(text) => text.as_str(),
        Body::Empty => "",
        _ => panic!("answers are texts"),
    };
    let seen = || format!("{status} {body} to {} {}", asked.method, asked.path);
    assert!((200..500).contains(&status), "{}", seen());
    assert!(header("cache-control").contains("no-store"), "{}", seen());
    let wait = header("retry-after");
    let waits = wait.parse::<u64>().is_ok_and(|wait| wait > 0);
    assert!(waits || (wait.is_empty() && status != 429), "{}", seen());
    assert_eq!(status == 401, !header("www-authenticate").is_empty(), "{}", seen());

    let is_page = route.is_some_and(|route| route.path.starts_with("/e/"));
    if is_page {
        assert!(header("content-type").starts_with("text/html"), "{}", seen());
        assert!(header("content-security-policy").contains("default-src 'none'"), "{}", seen());
        assert_eq!(body.is_empty(), asked.method == "HEAD", "{}", seen());
        assert!(!body.contains("<script"), "{}", seen());
    }
    if status < 400 {
        let given = format!("{} {} {}", asked.path, asked.query, text(&asked.body));
        for secret in secrets().iter().filter(|secret| secret.len() > 8 && !given.contains(*secret)) {
            assert!(!body.contains(secret.as_str()), "a secret in {}", seen());
        }
        return;
    }
    if is_page {
        for secret in secrets() {
            assert!(!body.contains(&secret), "a secret in {}", seen());
        }
        return;
    }
    assert_eq!(header("content-type"), "application/problem+json", "{}", seen());
    let problem: Value = serde_json::from_str(body).expect("a problem document");
    let of = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
    assert!(
        of("type").starts_with("urn:otpost:problem:") && of("instance").starts_with("urn:otpost:request:")
    );
    assert!(!of("title").is_empty() && !of("detail").is_empty(), "{}", seen());
    assert_eq!(problem.get("status").and_then(Value::as_u64), Some(u64::from(status)));
    assert!(status != 413 || asked.body.len() > MAX_BODY, "{}", seen());
    if route.is_some_and(|route| route.access != Access::Public) && asked.role.is_none() {
        assert!(status == 401 || asked.header("authorization").is_some(), "{}", seen());
    }
    // The name of a field that is not known may be repeated; nobody keeps a secret there.
    let detail = match of("detail").split_once("unknown field `") {
        Some((before, rest)) => {
            format!("{before}{}", rest.rsplit_once("`, expected").map_or("", |(_, rest)| rest))
        }
        None => of("detail").to_owned(),
    };
    let typed = codes_in(&serde_json::from_slice(&asked.body).unwrap_or_default());
    for secret in secrets().iter().chain(&typed) {
        assert!(!detail.contains(secret.as_str()), "a secret in {}", seen());
    }
}

/// A body as it must be read.
#[derive(Deserialize)]
struct Due {
    tenant: String,
    message: String,
}

/// A body for a sender as it must be read.
#[derive(Deserialize)]
struct Handed {
    tenant: String,
    message: String,
    #[serde(rename = "hop")]
    _hop: u16,
}

/// Events of the queues and the schedule. What is no JSON is put into a batch, as a body between two good ones.
pub fn sqs(data: &[u8]) {
    let text = text(data);
    let event = serde_json::from_str(&text).unwrap_or_else(|_| {
        let good = json!({ "tenant": "acme", "message": sample::message().as_str(), "hop": 1 }).to_string();
        json!({ "Records": [
            { "messageId": "first", "body": good },
            { "messageId": "given", "body": text },
            { "messageId": "last", "body": good },
        ]})
    });
    let known = |tenant: &str, message: &str| {
        TenantId::try_from(tenant).is_ok() && MessageId::try_from(message).is_ok()
    };
    block_on(async {
        let ports = sample_world().await;
        let answer = otpost_deliver::handle(&ports, event.clone()).await;
        if event.get("otpost").and_then(Value::as_str) == Some("sweep") {
            assert!(answer.is_ok_and(|answer| answer.get("found").is_some_and(Value::is_u64)));
        } else {
            let reads = |body: &str| {
                serde_json::from_str::<Due>(body).is_ok_and(|due| known(&due.tenant, &due.message))
            };
            worked_off(&event, answer, reads);
        }
        let answer = otpost_edge::sender::handle(&ports, &ScriptedProvider::ses(), event.clone()).await;
        let reads = |body: &str| {
            serde_json::from_str::<Handed>(body).is_ok_and(|due| known(&due.tenant, &due.message))
        };
        worked_off(&event, answer, reads);
    });
}

/// Exactly what does not read comes again: a panic in the work of another would bring that one too.
fn worked_off(
    event: &Value,
    answer: Result<Value, lambda_runtime::Diagnostic>,
    reads: impl Fn(&str) -> bool,
) {
    #[derive(Deserialize)]
    struct Batch {
        #[serde(rename = "Records")]
        records: Vec<Record>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Record {
        message_id: String,
        body: String,
    }
    let batch = serde_json::from_value::<Batch>(event.clone()).ok();
    let batch = batch.filter(|batch| batch.records.iter().all(|record| !record.message_id.is_empty()));
    match (batch, answer) {
        (None, answer) => {
            let fault = answer.expect_err("no batch");
            assert_eq!(fault.error_message, "the event is not an SQS batch");
        }
        (Some(batch), answer) => {
            let answer = answer.expect("a batch is answered");
            let failures = answer.get("batchItemFailures").and_then(Value::as_array).expect("a list");
            let failed = failures.iter().map(|failure| failure.get("itemIdentifier").and_then(Value::as_str));
            let wanted = batch.records.iter().filter(|record| !reads(&record.body));
            let wanted = wanted.map(|record| Some(record.message_id.as_str()));
            assert_eq!(failed.collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
        }
    }
}

/// What providers tell: the input as Twilio's form and JSON, as GOV.UK Notify's receipt, as an event and as a queue's body.
pub fn receipts(data: &[u8]) {
    let text = text(data);
    let key = SecretText::new("0123456789abcdef");
    let url =
        format!("https://otp.example.org/receipts/twilio?bodySHA256={}", text.get(..64).unwrap_or_default());
    for read in [Parameters::of_form(&text), Parameters::of_json(&text)].into_iter().flatten() {
        assert!(read.in_order().count() <= MOST_PARAMETERS);
        assert!(!is_signed(&key, &url, Content::Form(&read), "AAAAAAAAAAAAAAAAAAAAAAAAAAA="), "forged");
        if let Ok(Some(told)) = twilio::told(&read) {
            reason(&told);
        }
    }
    assert!(!is_signed(&key, &url, Content::Json(&text), "AAAAAAAAAAAAAAAAAAAAAAAAAAA="), "forged");
    if let Ok(call_back) = serde_json::from_str::<CallBack>(&text) {
        call_back.told().iter().for_each(reason);
        let hop = call_back.hop().map(|hop| format!("{}/{}/{}", hop.tenant, hop.message, hop.number));
        assert!(
            hop.is_none_or(|hop| text.contains(&hop) || text.contains('\\')),
            "a hop is named as it is written"
        );
    }
    if let Ok(simulated) = serde_json::from_str::<Simulated>(&text) {
        simulated.read().iter().for_each(|(_, told)| reason(told));
    }
    let event: Value = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()));
    match ses::read(&event) {
        Reading::Receipt { told, .. } => reason(&told),
        Reading::Complaint { why, .. } => assert!(why.starts_with("Amazon SES: complaint")),
        Reading::Nothing(_) => {}
    }
    block_on(async {
        let ports = sample_world().await;
        let answer = otpost_receipts::told(&ports, event.clone()).await;
        if ses::is_event(&event) {
            assert!(answer.is_ok_and(|answer| answer.get("new").is_some_and(Value::is_boolean)));
        } else {
            let reads = |body: &str| {
                let body: Result<Value, _> = serde_json::from_str(body);
                let told =
                    |body| serde_json::from_value::<Simulated>(body).is_ok_and(|body| body.read().is_some());
                body.is_ok_and(|body| ses::is_event(&body) || told(body))
            };
            worked_off(&event, answer, reads);
        }
    });
}

/// A reason has words of ours and codes: neither an address nor the six digits of a code.
fn reason(told: &Told) {
    assert!(told.why.len() < 200 && !told.why.contains(['@', '+', '\n']), "{}", told.why);
    let runs = told.why.split(|c: char| !c.is_ascii_digit());
    assert!(runs.into_iter().all(|run| run.len() < 6), "{}", told.why);
    assert_eq!(told.why.is_empty(), told.verdict == Verdict::Delivered);
}

/// What a provider says: each line of the input is one of its lines. What was secret of the request is never shown.
pub fn said(data: &[u8]) {
    let given = text(data);
    let mut lines = Said::default();
    given.lines().for_each(|line| lines.add(line));
    let (email, phone) = ("jane.doe@example.org", "+447700900123");
    let redaction = Redaction::new()
        .recipient(&EmailAddress::try_from(email).expect("an address"))
        .recipient(&PhoneNumber::try_from(phone).expect("a number"))
        .text(&SecretText::new("The text of the message, which nobody else may read"))
        .hide("482913", "[code]")
        .hide("a password of 29 characters !", "[password]");
    let shown = redaction.lines(&lines);
    assert!(shown.len() <= MOST_LINES && shown.iter().all(|line| line.chars().count() <= MOST_OF_LINE));
    for line in shown {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        let plain = line.to_lowercase();
        for secret in
            ["482913", email, phone, "7700900123", "a password of 29", "of the message, which nobody"]
        {
            assert!(!plain.contains(secret), "{secret} in {line:?}");
        }
    }
}

/// Templates: subject, text and HTML, with `%%` on a line between them.
pub fn templates(data: &[u8]) {
    let given = text(data);
    let mut parts = given.splitn(3, NEXT);
    let (subject, text, html) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let text = text.unwrap_or(subject);
    let texts = EmailTexts {
        subject: subject.to_owned(),
        text: text.to_owned(),
        html: html.map(str::to_owned),
        ..EmailTexts::default()
    };
    for kind in TemplateKind::ALL {
        match EmailForm::parse(*kind, texts.clone()) {
            Ok(form) => {
                assert_eq!(form.texts(), texts);
                assert_eq!(EmailForm::parse(*kind, form.texts()).as_ref(), Ok(&form));
                assert_eq!(EmailForm::checked_before(form.texts()), form);
                filled_email(*kind, &form);
            }
            Err(faults) => placed(&faults, &given),
        }
        match SmsForm::parse(*kind, text, &VALUES) {
            Ok(form) => {
                assert_eq!(form.text(), text);
                for authz_code in [Some(AUTHORIZATION), None] {
                    let filled = form.fill(&Values { authz_code, ..VALUES });
                    filled_text(*kind, text, filled.text.expose(), authz_code.is_some());
                }
            }
            Err(faults) => placed(&faults, &given),
        }
    }
}

/// Marks that no template has, and values that would do harm.
const LINK: &str = "https://otp.example.org/e/\u{e000}";
const AUTHORIZATION: &str = "\u{e001}";
const CODE: &str = "\u{e004}";
const NASTY: &str = "<b>\u{e002}\r\nBcc: [[LINK]] [[AUTHZCODE]] \"'&\u{2028}\u{202e}";
const VALUES: Values<'static> = Values {
    link: LINK,
    authz_code: None,
    code: CODE,
    password: CODE,
    username: NASTY,
    display_name: NASTY,
    tenant: NASTY,
    expires: NASTY,
    purpose: NASTY,
    time: NASTY,
};

fn filled_email(kind: TemplateKind, form: &EmailForm) {
    let qr = Image { cid: "qr@otpost", width: 200, height: 200, alt: "<\u{e003}\">" };
    let look = Look { qr, logo: Some(Image { cid: "logo@otpost", ..qr }), colour: Colour::BLACK };
    let written = form.texts();
    for authz_code in [Some(AUTHORIZATION), None] {
        let filled = form.fill(&Values { authz_code, ..VALUES }, &look);
        assert!(!filled.subject.contains(|c: char| c.is_control() || c == '\u{2028}'), "one line");
        let secret = filled.subject.contains(['\u{e000}', '\u{e001}', '\u{e004}']);
        assert!(!secret || marked(&written.subject), "no secret");
        filled_text(kind, &written.text, filled.text.expose(), authz_code.is_some());
        assert_eq!(filled.html.is_some(), written.html.is_some());
        if let (Some(html), Some(written)) = (&filled.html, &written.html) {
            assert!(!html.expose().contains("<b>\u{e002}"), "values are escaped");
            assert!(!html.expose().contains("alt=\"<\u{e003}"), "values are escaped");
            let serves = html.expose().contains(demanded(kind)) || form.shows(Wildcard::QrCode);
            assert!(serves, "its reader can do what it is for");
            if authz_code.is_none() && !marked(written) {
                assert!(!html.expose().contains(AUTHORIZATION));
            }
        }
    }
}

/// What stands in each text of a kind.
fn demanded(kind: TemplateKind) -> &'static str {
    match kind.demands() {
        Some(Wildcard::Link) => LINK,
        Some(_) => CODE,
        None => "",
    }
}

fn marked(written: &str) -> bool {
    written.contains(|c: char| ('\u{e000}'..='\u{e004}').contains(&c))
}

fn filled_text(kind: TemplateKind, written: &str, filled: &str, with_code: bool) {
    assert!(filled.contains(demanded(kind)), "its reader can do what it is for");
    if marked(written) {
        return;
    }
    let count = |wildcard: Wildcard| written.matches(wildcard.as_str()).count();
    if with_code {
        assert_eq!(
            filled.matches(LINK).count(),
            count(Wildcard::Link),
            "values are not searched for wildcards"
        );
        assert_eq!(filled.matches(AUTHORIZATION).count(), count(Wildcard::AuthzCode));
        let breaks = |text: &str| text.trim_end().matches('\n').count();
        assert_eq!(breaks(filled), breaks(written), "values add no lines");
    } else {
        assert!(!filled.contains(AUTHORIZATION));
    }
}

/// Faults lie where there is a text.
fn placed(faults: &[TemplateFault], given: &str) {
    assert!(!faults.is_empty());
    for fault in faults {
        assert!((1..=given.matches('\n').count() + 1).contains(&fault.line), "{fault}");
        assert!((1..=given.chars().count() + 1).contains(&fault.column), "{fault}");
    }
}

/// Sealed values: three texts of the binding, a line each; then the bytes.
pub fn sealed(data: &[u8]) {
    let mut parts = data.splitn(4, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let texts = [part(), part(), part()].map(text);
    let bytes = part();
    let [tenant, record, kind] = &texts;
    let binding = Binding { tenant, record, kind };
    let key = DataKey::new([0x42; 32]);
    for given in [bytes, data] {
        let version = key_version_of(given);
        match (given, &version) {
            ([1, second, rest @ ..], Ok(version)) => assert!(second == version && rest.len() >= 28),
            ([] | [1, ..], Err(fault)) => assert_eq!(*fault, OpenError::Malformed),
            (_, fault) => assert_eq!(*fault, Err(OpenError::UnknownVersion)),
        }
        let opened = open(&key, &binding, given);
        assert_eq!(opened.err(), Some(version.err().unwrap_or(OpenError::Tampered)), "nobody else can seal");
    }

    let value = seal(&key, 7, &binding, array(data), bytes);
    assert_eq!((value.len(), key_version_of(&value)), (bytes.len() + 30, Ok(7)));
    assert_eq!(open(&key, &binding, &value).expect("sealed before").as_slice(), bytes);
    let longer = [tenant.as_str(), "x"].concat();
    let elsewhere = Binding { tenant: &longer, ..binding };
    assert_eq!(open(&key, &elsewhere, &value).err(), Some(OpenError::Tampered));
    let other = DataKey::new([0x43; 32]);
    assert_eq!(open(&other, &binding, &value).err(), Some(OpenError::Tampered));
    let place = data.len() % value.len();
    let mut changed = value;
    for byte in changed.iter_mut().skip(place).take(1) {
        *byte ^= 0x80;
    }
    assert!(open(&key, &binding, &changed).is_err(), "a changed bit is noticed");
}
