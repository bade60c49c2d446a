//! Templates, their versions, and the look of mails.

use otpost_domain::audit::Action;
use otpost_domain::document::Value;
use otpost_domain::ids::TenantId;
use otpost_domain::template::{
    Brand, BrandDocument, Colour, MOST_VERSIONS, TemplateDocument, TemplateName, TemplateVersion,
};

use super::{TestPorts, acme, first};
use crate::caller::Caller;
use crate::ports::{Clock as _, Configuration as _, PageRequest, TemplateStore as _, Write};

fn named(text: &str) -> TemplateName {
    TemplateName::try_from(text).expect("a template's name")
}

fn version(ports: &impl TestPorts, name: &str, number: u64, text: Option<&str>) -> TemplateVersion {
    let sms = |text: &str| Value::object([("sms", Value::object([("text", Value::text(text))]))]);
    let document = text.map(|text| TemplateDocument::checked_before(&sms(text)).expect("a document"));
    let now = ports.clock().now();
    TemplateVersion {
        name: named(name),
        version: number,
        document,
        repeats: (number > 2).then_some(1),
        saved_by: "key:abc".to_owned(),
        saved_at: now,
        created_at: now,
    }
}

async fn save(ports: &impl TestPorts, caller: &Caller, version: &TemplateVersion) -> Write {
    let journal = caller.journal(ports, Action::TemplateSaved);
    ports.store().save_template(&caller.tenant, version, &journal).await.expect("a write")
}

pub(super) async fn templates_keep_their_versions(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let (store, tenant) = (ports.store(), &caller.tenant);
    let name = named("mobile_code.de.staff");
    let one = version(ports, "mobile_code.de.staff", 1, Some("Ihr Code: %code%"));
    assert_eq!(save(ports, &caller, &one).await, Write::Done);
    assert_eq!(save(ports, &caller, &one).await, Write::Stale, "made once");
    let two = version(ports, "mobile_code.de.staff", 2, None);
    let three = version(ports, "mobile_code.de.staff", 3, Some("Code: %code% „”"));
    assert_eq!(save(ports, &caller, &three).await, Write::Stale, "not behind the one before the last");
    assert_eq!(save(ports, &caller, &two).await, Write::Done);
    let head = store.template_head(tenant, &name).await.expect("read").expect("a head");
    assert!(head.is_removed() && head.version == 2);
    assert_eq!(save(ports, &caller, &three).await, Write::Done);
    assert_eq!(store.template_head(tenant, &name).await.expect("read"), Some(three.head()));
    for saved in [&one, &two, &three] {
        let read = store.template_version(tenant, &name, saved.version).await.expect("read");
        assert_eq!(read.as_ref(), Some(saved));
        let cached = ports.configuration().template(tenant, &name, saved.version).await.expect("read");
        assert_eq!(cached.as_deref(), Some(saved));
    }
    let page = store.template_versions(tenant, &name, &first(2)).await.expect("a page");
    assert_eq!(page.items, [three, two]);
    let rest = PageRequest { limit: 2, after: page.next };
    let rest = store.template_versions(tenant, &name, &rest).await.expect("a page");
    assert_eq!((rest.items, rest.next), (vec![one], None));
    let other = TenantId::try_from("other").expect("a tenant's id");
    assert_eq!(store.template_head(&other, &name).await.expect("read"), None);
    assert_eq!(store.template_version(&other, &name, 1).await.expect("read"), None);
}

pub(super) async fn templates_are_listed_without_their_texts(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let (store, tenant) = (ports.store(), &caller.tenant);
    for name in ["push_token.fr", "email_otp.en", "push_token.de", "push_token.de.staff"] {
        assert_eq!(save(ports, &caller, &version(ports, name, 1, Some("x"))).await, Write::Done);
    }
    let page = store.template_heads(tenant, &first(3)).await.expect("a page");
    let rest = PageRequest { limit: 3, after: page.next };
    let rest = store.template_heads(tenant, &rest).await.expect("a page");
    let names: Vec<_> = page.items.iter().chain(&rest.items).map(|head| head.name.to_string()).collect();
    assert_eq!(names, ["email_otp.en", "push_token.de", "push_token.de.staff", "push_token.fr"]);
    assert_eq!(rest.next, None);
    ports.configuration().forget_templates(tenant);
    assert_eq!(ports.configuration().templates(tenant).await.expect("read").len(), 4);
}

pub(super) async fn old_versions_are_forgotten(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let (store, tenant) = (ports.store(), &caller.tenant);
    for number in 1..=MOST_VERSIONS + 2 {
        let version = version(ports, "enrolled.en", number, Some("x"));
        assert_eq!(save(ports, &caller, &version).await, Write::Done);
    }
    let name = named("enrolled.en");
    let page = store.template_versions(tenant, &name, &first(100)).await.expect("a page");
    let kept: Vec<_> = page.items.iter().map(|version| version.version).collect();
    assert_eq!(kept, (3..=MOST_VERSIONS + 2).rev().collect::<Vec<_>>());
}

pub(super) async fn a_look_is_versioned(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let (store, tenant) = (ports.store(), &caller.tenant);
    assert_eq!(store.brand(tenant).await.expect("read"), None);
    assert_eq!(*ports.configuration().look(tenant).await.expect("read"), BrandDocument::default());
    let brand = |version, colour| Brand {
        document: BrandDocument { colour, logo: None },
        version,
        updated_at: ports.clock().now(),
    };
    let journal = || caller.journal(ports, Action::BrandChanged);
    let (one, two) = (brand(1, Colour::BLACK), brand(2, Colour::WHITE));
    assert_eq!(store.save_brand(tenant, &two, &journal()).await.expect("a write"), Write::Stale);
    assert_eq!(store.save_brand(tenant, &one, &journal()).await.expect("a write"), Write::Done);
    assert_eq!(store.save_brand(tenant, &one, &journal()).await.expect("a write"), Write::Stale);
    assert_eq!(store.save_brand(tenant, &two, &journal()).await.expect("a write"), Write::Done);
    assert_eq!(store.brand(tenant).await.expect("read"), Some(two));
    ports.configuration().forget_templates(tenant);
    assert_eq!(ports.configuration().look(tenant).await.expect("read").colour, Colour::WHITE);
}
