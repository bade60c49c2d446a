use otpost_domain::gateway::MOST_GATEWAYS;
use otpost_domain::policy::{MOST_POLICIES, PolicyDocument};
use otpost_domain::template::{BrandDocument, Colour, MOST_TEMPLATES};
use serde_json::{Value as Json, json};

use super::*;
use crate::document::{json_of, value_of};
use crate::faults::{Faulty, Mishap, Plan};
use crate::gateways::{delete_gateway, keep_gateway};
use crate::memory::{MemoryPorts, operator};
use crate::policies::{keep_policy, policy};
use crate::ports::{MessageStore as _, SLOT_LEASE, Sealer as _, TemplateStore as _};
use crate::seen::Seen;
use crate::templates::{keep_brand, keep_template, remove_template};

fn mail(host: &str) -> Json {
    let from = json!({ "address": "post@acme.example" });
    let settings = json!({ "host": host, "port": 587, "authentication": "plain", "from": from });
    json!({ "name": "Mail", "kind": "smtp", "settings": settings })
}

fn texts() -> Json {
    let settings = json!({ "via": "mail", "address": "{number}@sms.example.org", "subject": "{pin}" });
    json!({ "name": "Texts", "kind": "email_to_sms", "settings": settings })
}

fn link(text: &str) -> Json {
    json!({ "email": { "subject": "Your link", "text": text, "from": { "address": "post@acme.example" } } })
}

fn code() -> Json {
    json!({ "sms": { "text": "[[CODE]] is your code." } })
}

fn staff(steps: u32) -> Json {
    json!({ "applies_to": { "groups": ["Staff"] }, "settings": { "window_steps": steps } })
}

/// A document with one thing of each sort, each relying on others.
fn document() -> Json {
    json!({
        "format": FORMAT,
        "brand": { "colour": "#102030" },
        "policies": { "staff": staff(2) },
        "gateways": { "mail": mail("mail.acme.example"), "texts": texts() },
        "templates": {
            "push_token.de": link("Hallo\n[[LINK]]\n"),
            "push_token.de.staff": link("Hallo Personal\n[[LINK]]\n"),
            "mobile_code.en": code(),
        },
    })
}

async fn world() -> MemoryPorts {
    let ports = MemoryPorts::new();
    ports.with_tenant("acme").await;
    ports.with_tenant("other").await;
    ports
}

async fn exported(ports: &MemoryPorts, tenant: &str) -> Json {
    json_of(&export(ports, &operator(tenant)).await.unwrap())
}

async fn run(ports: &impl Ports, document: &Json, dry_run: bool) -> Result<Imported, ImportError> {
    import(ports, &operator("acme"), &value_of(document), dry_run).await
}

async fn faults(ports: &MemoryPorts, document: &Json) -> Vec<String> {
    let before = ports.rows();
    let Err(ImportError::Invalid(faults)) = run(ports, document, false).await else { panic!("no faults") };
    assert_eq!(ports.rows(), before);
    let place =
        |position: Option<(usize, usize)>| position.map_or(String::new(), |(l, c)| format!("@{l}:{c}"));
    faults
        .all()
        .iter()
        .map(|fault| format!("{}{} {}", fault.pointer, place(fault.position), fault.told))
        .collect()
}

/// What became of each thing, in order, with what is said of its credentials.
fn told(imported: &Imported) -> Vec<String> {
    let one = |item: &Item| {
        let outcome = match &item.outcome {
            Outcome::Created => "created".to_owned(),
            Outcome::Changed => "changed".to_owned(),
            Outcome::Unchanged => "unchanged".to_owned(),
            Outcome::Kept => "kept".to_owned(),
            Outcome::Failed(failure) => format!("failed: {failure}"),
        };
        let secrets = item.secrets.iter().map(|secrets| {
            let voided: Vec<_> = secrets.voided.iter().map(GatewayId::as_str).collect();
            format!(" {} needed {} voided {voided:?}", secrets.effect.as_str(), secrets.needed)
        });
        format!("{} {outcome}{}", item.part.place().pointer(), secrets.collect::<String>())
    };
    imported.items.iter().map(one).collect()
}

fn all_are(imported: &Imported, outcome: &str) -> bool {
    told(imported).iter().all(|told| told.contains(&format!(" {outcome}")))
}

#[tokio::test]
async fn a_configuration_travels_from_tenant_to_tenant() {
    let ports = world().await;
    assert_eq!(
        exported(&ports, "acme").await,
        json!({ "format": FORMAT, "policies": {}, "gateways": {}, "templates": {} })
    );
    let imported = run(&ports, &document(), false).await.unwrap();
    let none = "kept needed true voided []";
    let expected = [
        format!("/gateways/mail created {none}"),
        format!("/gateways/texts created {none}"),
        "/policies/staff created".to_owned(),
        "/brand created".to_owned(),
        "/templates/mobile_code.en created".to_owned(),
        "/templates/push_token.de created".to_owned(),
        "/templates/push_token.de.staff created".to_owned(),
    ];
    assert_eq!(told(&imported), expected);
    let first = exported(&ports, "acme").await;
    assert_eq!(first["templates"], document()["templates"]);
    assert_eq!(first["policies"]["staff"]["settings"], json!({ "window_steps": 2 }));

    let before = ports.rows();
    let again = run(&ports, &first, false).await.unwrap();
    assert!(all_are(&again, "unchanged"), "{:?}", told(&again));
    assert_eq!(ports.rows(), before);

    import(&ports, &operator("other"), &value_of(&first), false).await.unwrap();
    assert_eq!(exported(&ports, "other").await, first);
}

#[tokio::test]
async fn secrets_and_removed_templates_stay_behind() {
    let ports = world().await;
    let caller = operator("acme");
    with_secrets(&ports).await;
    let name = TemplateName::try_from("mobile_code.fr").unwrap();
    keep_template(&ports, &caller, &name, &value_of(&code()), Seen::Unsaid).await.unwrap();
    remove_template(&ports, &caller, &name, Seen::Any).await.unwrap();
    let text = exported(&ports, "acme").await.to_string();
    assert!(text.contains("mail.acme.example") && !text.contains("mobile_code.fr"));
    for secret in ["otpost\"", "hush", "1234"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let wanted = json!({ "format": FORMAT, "templates": { "mobile_code.fr": code() } });
    let back = run(&ports, &wanted, false).await.unwrap();
    assert_eq!(told(&back)[0], "/templates/mobile_code.fr created");
}

/// Gateways `mail` and `texts` with their credentials.
async fn with_secrets(ports: &MemoryPorts) {
    let keeper = keeper();
    for (id, mut json, credentials) in [
        ("mail", mail("mail.acme.example"), json!({ "user": "otpost", "password": "hush" })),
        ("texts", texts(), json!({ "pin": "1234" })),
    ] {
        json["credentials"] = credentials;
        let document =
            otpost_domain::gateway::GatewayDocument::read(&value_of(&json), &keeper.owner).unwrap();
        let id = GatewayId::try_from(id).unwrap();
        keep_gateway(ports, &keeper, &id, document, Seen::Unsaid).await.unwrap();
    }
}

fn keeper() -> Keeper {
    let Caller { tenant, actor, .. } = operator("acme");
    Keeper { owner: Owner::Tenant(tenant), actor }
}

#[tokio::test]
async fn a_dry_run_tells_what_the_import_does() {
    let ports = world().await;
    with_secrets(&ports).await;
    let mut settled = document();
    settled["policies"]["old"] = staff(1);
    run(&ports, &settled, false).await.unwrap();

    let mut wanted = document();
    wanted["brand"] = Json::Null;
    wanted["policies"]["staff"] = staff(3);
    wanted["gateways"]["mail"] = mail("mail.elsewhere.example");
    wanted["templates"]["push_token.de"] = link("Hallo\nhier:\n[[LINK]]\n");
    wanted["templates"]["push_token.fr"] = link("Bonjour\n[[LINK]]\n");
    let before = (ports.rows(), ports.secrets());
    let dry = run(&ports, &wanted, true).await.unwrap();
    assert_eq!((ports.rows(), ports.secrets()), before);
    let expected = [
        "/gateways/mail changed voided needed true voided [\"texts\"]",
        "/gateways/texts unchanged kept needed true voided []",
        "/policies/staff changed",
        "/templates/mobile_code.en unchanged",
        "/templates/push_token.de changed",
        "/templates/push_token.de.staff unchanged",
        "/templates/push_token.fr created",
        "/policies/old kept",
        "/brand kept",
    ];
    assert_eq!(told(&dry), expected);
    let changes: Vec<_> = dry.items.iter().flat_map(|item| item.changes.clone()).collect();
    let value = |pointer: &str, now: Json, then: Json| Change {
        pointer: pointer.to_owned(),
        difference: Difference::Value { now: Some(value_of(&now)), then: Some(value_of(&then)) },
    };
    let lines = Difference::Lines { removed: 0, added: 1, first: 2 };
    let expected_changes = [
        value("/gateways/mail/settings/host", json!("mail.acme.example"), json!("mail.elsewhere.example")),
        value("/policies/staff/settings/window_steps", json!(2), json!(3)),
        Change { pointer: "/templates/push_token.de/email/text".to_owned(), difference: lines },
    ];
    assert_eq!(changes, expected_changes);

    let done = run(&ports, &wanted, false).await.unwrap();
    assert_eq!(told(&done), expected);
    assert!(ports.secrets().is_empty(), "what would go elsewhere is gone");
    let again = run(&ports, &wanted, false).await.unwrap();
    let outcomes = told(&again).join("\n");
    assert_eq!(outcomes.matches(" unchanged").count(), 7, "{outcomes}");
}

/// A gateway that loses its PIN by the import itself is no surprise when its own turn comes.
#[tokio::test]
async fn a_carrier_and_what_it_carries_change_together() {
    let ports = world().await;
    with_secrets(&ports).await;
    let mut moved = texts();
    moved["name"] = json!("More texts");
    let wanted = json!({
        "format": FORMAT, "gateways": { "mail": mail("mail.elsewhere.example"), "texts": moved },
    });
    let dry = run(&ports, &wanted, true).await.unwrap();
    let done = run(&ports, &wanted, false).await.unwrap();
    assert_eq!(told(&done), told(&dry));
    assert!(all_are(&done, "changed"), "{:?}", told(&done));
}

#[tokio::test]
async fn all_faults_are_told_before_anything_is_changed() {
    let ports = world().await;
    let platform = Keeper { owner: Owner::Platform, actor: otpost_domain::audit::Actor::Platform };
    let lent = json!({
        "name": "Ours", "kind": "ses", "tenants": { "all": true },
        "settings": { "from": { "address": "post@example.org" } },
    });
    let lent = otpost_domain::gateway::GatewayDocument::read(&value_of(&lent), &Owner::Platform).unwrap();
    let ours = GatewayId::try_from("ours").unwrap();
    keep_gateway(&ports, &platform, &ours, lent, Seen::Unsaid).await.unwrap();

    let mut secret = mail("mail.acme.example");
    secret["credentials"] = json!({ "user": "otpost", "password": "hush" });
    let wanted = json!({
        "format": FORMAT,
        "brand": { "colour": "blue" },
        "policies": { "Staff": staff(1), "wide": staff(99) },
        "gateways": { "mail": secret, "ours": mail("mail.acme.example") },
        "templates": {
            "push_token": code(),
            "push_token.de": link("Hallo\n [[LNK]]"),
            "push_token.DE": link("[[LINK]]"),
            "push_token.de.nobody": link("[[LINK]]"),
            "push_token.de.wide": link("[[LINK]]"),
        },
        "users": {},
    });
    let told = faults(&ports, &wanted).await;
    let expected = [
        "/policies/Staff is named wrongly: the name must be 1 to 32 lower-case letters, digits or hyphens, with no \
         hyphen at either end",
        "/policies/wide/settings/window_steps must be a whole number from 0 to ",
        "/gateways/mail/credentials must not be given",
        "/brand/colour must be a colour such as #1a56c4",
        "/templates/push_token is named wrongly: the name must be a kind of template",
        "/templates/push_token.de is there twice: it is the same as push_token.de",
        "/users is not known here",
        "/gateways/ours must have another id",
        "/templates/push_token.de/email/text@2:2 [[LNK]]",
        "/templates/push_token.de.nobody is for the policy nobody, which is neither in the document nor there",
    ];
    for expected in expected {
        assert!(told.iter().any(|told| told.starts_with(expected)), "{expected} in {told:#?}");
    }
    assert!(
        !told.iter().any(|told| told.contains("hush") || told.contains("push_token.de.wide")),
        "{told:#?}"
    );

    for format in [Json::Null, json!("otpost-configuration/2"), json!(1)] {
        let wanted = json!({ "format": format, "users": {} });
        assert_eq!(faults(&ports, &wanted).await, [format!("/format must be {FORMAT}")]);
    }
    assert_eq!(faults(&ports, &json!([])).await, [" must be an object, not a list"]);
    let lists = json!({ "format": FORMAT, "policies": [], "templates": { "push_token.de": null } });
    let told = faults(&ports, &lists).await;
    assert_eq!(
        told,
        ["/policies must be an object, not a list", "/templates/push_token.de must be an object, not null",]
    );
}

/// Templates are judged by what there will be, not by what there is.
#[tokio::test]
async fn what_a_document_brings_counts_and_what_it_moves_does_not() {
    let ports = world().await;
    let mut lonely = document();
    lonely["gateways"] = json!({});
    let told = faults(&ports, &lonely).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("/templates/push_token.de/email/from/address is not an address"), "{told:?}");
    run(&ports, &document(), true).await.unwrap();
    run(&ports, &document(), false).await.unwrap();

    let mut other_sender = document();
    other_sender["gateways"]["mail"]["settings"]["from"] = json!({ "address": "new@elsewhere.example" });
    other_sender["templates"] = json!({ "push_token.fr": link("[[LINK]]") });
    let told = faults(&ports, &other_sender).await;
    assert!(told[0].starts_with("/templates/push_token.fr/email/from/address"), "{told:?}");
}

/// What was fit when it was saved may stay: an export can always be brought back.
#[tokio::test]
async fn an_export_can_be_brought_back_whatever_has_gone() {
    let ports = world().await;
    run(&ports, &document(), false).await.unwrap();
    for id in ["mail", "texts"] {
        delete_gateway(&ports, &keeper(), &GatewayId::try_from(id).unwrap(), Seen::Unsaid).await.unwrap();
    }
    let staff = PolicyId::try_from("staff").unwrap();
    crate::policies::delete_policy(&ports, &operator("acme"), &staff, Seen::Unsaid).await.unwrap();
    let export = exported(&ports, "acme").await;
    let again = run(&ports, &export, false).await.unwrap();
    let done = told(&again);
    assert!(done.iter().all(|told| told.ends_with("unchanged") || told.ends_with("kept")), "{done:?}");
    let elsewhere = import(&ports, &operator("other"), &value_of(&export), true).await;
    assert!(matches!(elsewhere, Err(ImportError::Invalid(_))));
}

#[tokio::test]
async fn what_somebody_else_changes_meanwhile_fails_by_itself() {
    let ports = world().await;
    let caller = operator("acme");
    run(&ports, &document(), false).await.unwrap();
    let mut wanted = document();
    wanted["brand"]["colour"] = json!("#000000");
    wanted["policies"] = json!({ "staff": staff(3), "board": staff(1) });
    wanted["gateways"] =
        json!({ "mail": mail("mail.elsewhere.example"), "second": mail("mail.acme.example") });
    wanted["templates"] =
        json!({ "push_token.de": link("[[LINK]]"), "push_token.de.board": link("[[LINK]]") });
    let compared = {
        let value = value_of(&wanted);
        let mut faults = Faults::default();
        let wanted = Wanted::read(&value, &keeper().owner, &mut faults).unwrap();
        let stored = Stored::read(&ports, &caller, |_| true).await.unwrap();
        Comparison::of(&ports, &caller, &keeper(), wanted, &stored, &mut faults).await.unwrap()
    };

    let read = |json: &Json| PolicyDocument::read(&value_of(json)).unwrap();
    let policies = [("staff", Seen::Any, staff(0)), ("board", Seen::Unsaid, staff(2))];
    for (id, seen, json) in policies {
        keep_policy(&ports, &caller, &PolicyId::try_from(id).unwrap(), read(&json), seen).await.unwrap();
    }
    let look = BrandDocument { colour: Colour::WHITE, logo: None };
    keep_brand(&ports, &caller, look, Seen::Any).await.unwrap();
    let mut renamed = mail("mail.acme.example");
    renamed["name"] = json!("Post");
    let renamed =
        otpost_domain::gateway::GatewayDocument::read(&value_of(&renamed), &keeper().owner).unwrap();
    keep_gateway(&ports, &keeper(), &GatewayId::try_from("mail").unwrap(), renamed, Seen::Any).await.unwrap();
    let name = TemplateName::try_from("push_token.de").unwrap();
    let theirs = value_of(&link("Anders [[LINK]]"));
    keep_template(&ports, &caller, &name, &theirs, Seen::Any).await.unwrap();

    let done = work::bring_in(&ports, &caller, &keeper(), compared).await.unwrap();
    let overtaken = "failed: somebody else has changed it since it was compared";
    let expected = [
        format!("/gateways/mail {overtaken}"),
        "/gateways/second created kept needed true voided []".to_owned(),
        format!("/policies/board {overtaken}"),
        format!("/policies/staff {overtaken}"),
        format!("/brand {overtaken}"),
        format!("/templates/push_token.de {overtaken}"),
        "/templates/push_token.de.board created".to_owned(),
    ];
    assert_eq!(told(&done)[..expected.len()], expected);
    let staffs = policy(&ports, &caller, &PolicyId::try_from("staff").unwrap()).await.unwrap();
    assert_eq!(staffs.version, 2, "what they have said holds");

    run(&ports, &wanted, false).await.unwrap();
    let export = exported(&ports, "acme").await;
    assert_eq!(export["brand"]["colour"], "#000000");
    let again = run(&ports, &wanted, false).await.unwrap();
    assert!(told(&again).iter().all(|told| told.contains(" unchanged") || told.ends_with(" kept")));
}

#[tokio::test]
async fn what_relies_on_something_that_failed_fails_too() {
    let ports = world().await;
    let caller = operator("acme");
    let mut faults = Faults::default();
    let wanted = Wanted::read(&value_of(&document()), &keeper().owner, &mut faults).unwrap();
    let stored = Stored::read(&ports, &caller, |_| true).await.unwrap();
    let mut compared =
        Comparison::of(&ports, &caller, &keeper(), wanted, &stored, &mut faults).await.unwrap();
    // As if both had been made and deleted by somebody else.
    for step in &mut compared.gateways {
        step.seen = Seen::Version(1);
    }
    compared.policies[0].seen = Seen::Version(1);
    let done = told(&work::bring_in(&ports, &caller, &keeper(), compared).await.unwrap());
    assert!(done[5].ends_with("failed: it does not fit what else there is"), "{done:?}");
    assert!(done[6].ends_with("failed: there is no policy staff, which it is for"), "{done:?}");
    assert!(done[4].ends_with("created"), "{done:?}");
}

#[tokio::test]
async fn limits_hold_for_what_there_would_be() {
    let ports = world().await;
    run(&ports, &document(), false).await.unwrap();
    let many = |one: &Json, most: usize, name: fn(usize) -> String| -> Json {
        (0..most).map(|number| (name(number), one.clone())).collect::<serde_json::Map<_, _>>().into()
    };
    let policies = many(&staff(1), MOST_POLICIES, |number| format!("p-{number}"));
    let gateways = many(&mail("mail.acme.example"), MOST_GATEWAYS - 1, |number| format!("g-{number}"));
    let templates = many(&code(), MOST_TEMPLATES, |number| {
        let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
        format!("mobile_code.{}{}{}", letter(number / 676), letter(number / 26), letter(number))
    });
    let wanted =
        json!({ "format": FORMAT, "policies": policies, "gateways": gateways, "templates": templates });
    let told = faults(&ports, &wanted).await;
    let expected = [
        "/policies must not be so many: the tenant would have 65, and at most 64 are allowed",
        "/gateways must not be so many: the tenant would have 33, and at most 32 are allowed",
        "/templates must not be so many: the tenant would have 403, and at most 400 are allowed",
    ];
    assert_eq!(told, expected);

    let large = json!({ "email": { "subject": "x", "text": format!("[[LINK]]{}", "é".repeat(19_000)) } });
    let templates = many(&large, 84, |number| {
        let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
        format!("push_token.{}{}", letter(number / 26), letter(number))
    });
    let told = faults(&ports, &json!({ "format": FORMAT, "templates": templates })).await;
    assert!(told.len() == 1 && told[0].starts_with("/templates must not be so large"), "{told:?}");
}

/// One template may take the room that another gives up, whatever they are called.
#[tokio::test]
async fn room_is_made_before_it_is_taken() {
    let ports = world().await;
    let caller = operator("acme");
    let texts = |length: usize| json!({ "email": { "subject": "x", "text": format!("[[LINK]]{}", "é".repeat(length)) } });
    let name = |number: usize| {
        let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
        format!("push_token.{}{}", letter(number / 26), letter(number))
    };
    let all = |length: fn(usize) -> usize| -> Json {
        let templates = (0..80).map(|number| (name(number), texts(length(number))));
        json!({ "format": FORMAT, "templates": templates.collect::<serde_json::Map<_, _>>() })
    };
    run(&ports, &all(|number| if number < 40 { 6_000 } else { 19_000 }), false).await.unwrap();
    let swapped = run(&ports, &all(|number| if number < 40 { 19_000 } else { 6_000 }), false).await.unwrap();
    assert!(all_are(&swapped, "changed"), "{:?}", told(&swapped));
    let heads = ports.store().all_template_heads(&caller.tenant).await.unwrap();
    assert!(heads.iter().all(|head| head.version == 2));
}

/// Policies may have mails sent at once: these have the words and the look that the same document brings.
#[tokio::test]
async fn mails_that_an_import_brings_about_have_its_texts() {
    let ports = world().await;
    let caller = operator("acme");
    let jane = otpost_domain::ids::UserId::try_from("jane").unwrap();
    let profile = crate::users::Profile {
        email: otpost_domain::contact::EmailAddress::try_from("jane@example.org").ok(),
        ..crate::users::Profile::default()
    };
    crate::users::create_user(&ports, &caller, jane, profile, crate::once::Once::not_kept()).await.unwrap();
    let all = json!({
        "applies_to": { "everyone": true },
        "settings": { "provision_tokens": true, "provision_clients": true },
    });
    let wanted = json!({
        "format": FORMAT, "policies": { "all": all }, "templates": { "push_token.en": { "email": { "subject": "New", "text": "[[LINK]]\n[[AUTHZCODE]]" } } },
    });
    run(&ports, &wanted, false).await.unwrap();
    let queued = ports.queue().take();
    assert!(matches!(queued[..], [crate::memory::Queued::Work(..)]), "nothing was begun before: {queued:?}");
    let crate::memory::Queued::Work(job, _) = &queued[0] else { unreachable!("it was looked at") };
    crate::jobs::work(&ports, job).await.unwrap();
    let message = ports.queue().take().into_iter().find_map(|queued| match queued {
        crate::memory::Queued::Deliver(message) => Some(message),
        _ => None,
    });
    let sealed = ports.store().message(&message.unwrap()).await.unwrap().unwrap();
    let kind = crate::ports::RecordKind::MessageContent;
    let content = sealed.content.unwrap().0;
    let opened = ports.sealer().open(&sealed.tenant, kind, sealed.id.as_str(), &content).await.unwrap();
    let content = crate::content::Content::decode(&opened).unwrap();
    assert_eq!(content.template, Some(("push_token.en".to_owned(), 1)));
}

/// Time ends before the work does: what is left is told, and done by the next try.
#[tokio::test]
async fn what_there_is_no_time_for_is_left_to_the_next_import() {
    let ports = world().await;
    ports.clock().runs(std::time::Duration::from_secs(2));
    let first = run(&ports, &document(), false).await.unwrap();
    assert!(told(&first).iter().any(|told| told.contains("no time left")), "{:?}", told(&first));
    ports.clock().runs(std::time::Duration::ZERO);
    run(&ports, &document(), false).await.unwrap();
    assert!(all_are(&run(&ports, &document(), false).await.unwrap(), "unchanged"));
}

/// Whatever an import dies of, the same import again ends where one without trouble does.
#[tokio::test]
async fn an_import_that_ends_half_way_is_finished_by_the_next() {
    let mut wanted = document();
    wanted["brand"]["colour"] = json!("#000000");
    wanted["policies"] = json!({ "staff": staff(3), "board": staff(1) });
    wanted["gateways"]["mail"] = mail("mail.elsewhere.example");
    wanted["gateways"]["second"] = mail("mail.acme.example");
    wanted["templates"]["push_token.de"] = link("Neu\n[[LINK]]");
    wanted["templates"]["push_token.de.board"] = link("[[LINK]]");
    let settled = async || {
        let ports = world().await;
        with_secrets(&ports).await;
        run(&ports, &document(), false).await.unwrap();
        ports
    };
    let calm = settled().await;
    run(&calm, &wanted, false).await.unwrap();
    let mut struck = 0;
    for mishap in Mishap::ALL {
        for at in 1.. {
            let (ports, plan) = (settled().await, Plan::new(at, mishap));
            let first = plan.until_death(run(&Faulty::new(&ports, &plan), &wanted, false)).await;
            if !plan.fired() {
                assert!(matches!(first, Some(Ok(_))));
                break;
            }
            struck += 1;
            ports.clock().advance(SLOT_LEASE);
            let context = format!("{mishap:?} at {at}: {:?}", plan.names().last());
            let again =
                run(&ports, &wanted, false).await.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(
                !told(&again).iter().any(|told| told.contains("failed")),
                "{context}: {:?}",
                told(&again)
            );
            assert_eq!(ports.shape(), calm.shape(), "{context}");
            assert_eq!(ports.secrets().len(), calm.secrets().len(), "{context}");
            assert_eq!(exported(&ports, "acme").await, exported(&calm, "acme").await, "{context}");
        }
    }
    assert!(struck > 100, "{struck}");
}
