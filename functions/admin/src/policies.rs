//! Policies, and what they come to for a user.

pub(crate) mod document;

use otpost_domain::gateway::Reach;
use otpost_domain::ids::{PolicyId, UserId};
use otpost_domain::policy::{Advice, Explained, Policy, PolicyDocument, Settings, advice, covering};
use otpost_edge::http::{Answer, Call, field, json, json_versioned, no_content, object};
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::ProblemType;
use otpost_service::document::{json_of, value_of};
use otpost_service::policies::{self, Explanation};
use otpost_service::ports::{Clock as _, Configuration as _, Ports};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ROUTES;
use crate::jobs::JobView;
use document::Written;

const MISSING: &str = "There is no policy of this id.";
const NO_USER: &str = "There is no user of this id.";

/// A policy.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Policy")]
struct PolicyView {
    /// Its id.
    policy: String,
    /// What it is for, whom it covers, its rank, and what it sets.
    #[serde(flatten)]
    #[schemars(with = "Written")]
    document: Value,
    /// When it was made (RFC 3339).
    created_at: String,
    /// When it was last changed (RFC 3339).
    updated_at: String,
    /// The job that tells users' records whom it covers now, if that has changed. What the policy sets takes effect
    /// within a minute; whom it covers, once the job is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<JobView>,
}

/// A page of policies.
#[derive(JsonSchema, Serialize)]
struct Policies {
    /// The policies, by id.
    policies: Vec<PolicyView>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A change to be looked at before it is made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Draft {
    /// For whom.
    user: String,
    /// The policy as it would be.
    #[serde(deserialize_with = "object")]
    #[schemars(with = "Written")]
    document: Map<String, Value>,
}

/// What a change would do for a user.
#[derive(JsonSchema, Serialize)]
struct Preview {
    /// The user.
    user: String,
    /// Whether the policy would cover them.
    covered: bool,
    /// The settings whose value or policy would be another.
    changes: Vec<SettingChange>,
    /// What would be weak, or without effect.
    warnings: Vec<Warning>,
}

/// A setting before and after a change.
#[derive(JsonSchema, Serialize)]
struct SettingChange {
    /// The setting.
    setting: &'static str,
    /// What holds now.
    now: Value,
    /// The policy that says so now; none for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_now: Option<String>,
    /// What would hold.
    then: Value,
    /// The policy that would say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_then: Option<String>,
}

/// What holds for a user, and why.
#[derive(JsonSchema, Serialize)]
struct ExplanationView {
    /// The user.
    user: String,
    /// Their groups.
    groups: Vec<String>,
    /// Every setting, in the order of docs/policies.md.
    settings: Vec<SettingView>,
    /// What is weak, or without effect.
    warnings: Vec<Warning>,
}

/// A setting as it holds for a user.
#[derive(JsonSchema, Serialize)]
struct SettingView {
    /// Its name.
    setting: &'static str,
    /// What holds.
    value: Value,
    /// The policy that says so; none for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    /// That policy's precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    precedence: Option<u32>,
    /// Policies that cover the user and set it too, but are outranked; the next in rank first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outranked: Vec<OutrankedView>,
}

/// What an outranked policy says.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Outranked")]
struct OutrankedView {
    /// The policy.
    policy: String,
    /// Its precedence.
    precedence: u32,
    /// What it says.
    value: Value,
}

/// A warning about a setting.
#[derive(JsonSchema, Serialize)]
struct Warning {
    /// The setting.
    setting: &'static str,
    /// What is wrong with it.
    detail: String,
}

impl From<Advice> for Warning {
    fn from(advice: Advice) -> Self {
        Self { setting: advice.setting, detail: advice.told }
    }
}

fn view(policy: &Policy, job: Option<JobView>) -> PolicyView {
    PolicyView {
        policy: policy.id.to_string(),
        document: json_of(&policy.document().write()),
        created_at: policy.created_at.rfc3339(),
        updated_at: policy.updated_at.rfc3339(),
        job,
    }
}

impl From<Explained<'_>> for SettingView {
    fn from(explained: Explained<'_>) -> Self {
        let outranked = explained.outranked.iter().map(|(policy, value)| OutrankedView {
            policy: policy.id.to_string(),
            precedence: policy.precedence.get(),
            value: json_of(value),
        });
        Self {
            setting: explained.name,
            value: json_of(&explained.value),
            policy: explained.policy.map(|policy| policy.id.to_string()),
            precedence: explained.policy.map(|policy| policy.precedence.get()),
            outranked: outranked.collect(),
        }
    }
}

/// What is weak, leads nowhere, or has no effect.
fn warnings(settings: &Settings, explained: &[Explained<'_>], reach: &Reach) -> Vec<Warning> {
    advice(settings, explained).into_iter().chain(reach.advice(settings)).map(Warning::from).collect()
}

pub(crate) async fn put(ports: &impl Ports, call: &Call) -> Answer {
    let id: PolicyId = field("policy", call.parameter("policy"))?;
    let document = PolicyDocument::read(&call.document()?)?;
    let kept = policies::keep_policy(ports, &call.caller()?, &id, document, call.seen()?).await?;
    let status = if kept.made { 201 } else { 200 };
    json_versioned(status, kept.policy.version, &view(&kept.policy, kept.job.as_ref().map(JobView::from)))
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    let policy = policies::policy(ports, &call.caller()?, &call.named("policy", MISSING)?).await?;
    json_versioned(200, policy.version, &view(&policy, None))
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let list = Listing::of(call, "")?;
    let page = policies::policies(ports, &call.caller()?, &list.requested(call)?).await?;
    let policies = page.items.iter().map(|policy| view(policy, None)).collect();
    json(200, &Policies { policies, next: list.cursor(page.next.as_ref()) })
}

pub(crate) async fn delete(ports: &impl Ports, call: &Call) -> Answer {
    let id: PolicyId = call.named("policy", MISSING)?;
    policies::delete_policy(ports, &call.caller()?, &id, call.seen()?).await?;
    Ok(no_content())
}

pub(crate) async fn explain(ports: &impl Ports, call: &Call) -> Answer {
    let id: UserId = call.named("user", NO_USER)?;
    let caller = call.caller()?;
    let Explanation { user, policies } = policies::explain(ports, &caller, &id).await?;
    let reach = ports.configuration().gateways(&caller.tenant).await?;
    let ranked = covering(&policies, &user.id, &user.groups);
    let explained = Settings::explained(&ranked);
    let warnings = warnings(&Settings::under(&ranked), &explained, &reach);
    let groups = user.groups.iter().map(|group| group.as_str().to_owned()).collect();
    let settings = explained.into_iter().map(SettingView::from).collect();
    json(200, &ExplanationView { user: user.id.to_string(), groups, settings, warnings })
}

pub(crate) async fn preview(ports: &impl Ports, call: &Call) -> Answer {
    let id: PolicyId = field("policy", call.parameter("policy"))?;
    let draft: Draft = call.json()?;
    let user: UserId = field("user", &draft.user)?;
    let document = PolicyDocument::read(&value_of(&Value::Object(draft.document)));
    let document = document.map_err(|faults| faults.beneath("document"))?;
    let caller = call.caller()?;
    let Explanation { user, policies } = policies::explain(ports, &caller, &user).await?;
    let reach = ports.configuration().gateways(&caller.tenant).await?;
    let drafted = Policy::new(id.clone(), document, ports.clock().now());
    let mut then: Vec<Policy> = policies.iter().filter(|policy| policy.id != id).cloned().collect();
    then.push(drafted);
    let (now, then) = (covering(&policies, &user.id, &user.groups), covering(&then, &user.id, &user.groups));
    let (said, would) = (Settings::explained(&now), Settings::explained(&then));
    let name = |explained: &Explained<'_>| explained.policy.map(|policy| policy.id.to_string());
    let changes = said.iter().zip(&would).filter(|(a, b)| a.value != b.value || name(a) != name(b));
    let changes = changes.map(|(now, then)| SettingChange {
        setting: now.name,
        now: json_of(&now.value),
        policy_now: name(now),
        then: json_of(&then.value),
        policy_then: name(then),
    });
    let warnings = warnings(&Settings::under(&then), &would, &reach);
    let covered = then.iter().any(|policy| policy.id == id);
    json(200, &Preview { user: user.id.to_string(), covered, changes: changes.collect(), warnings })
}

pub(crate) fn describe(document: &mut Document) {
    let kept = document.named(&ROUTES, "putPolicy").takes::<Written>().conditional();
    kept.answers::<PolicyView>(201, "The new policy.")
        .answers::<PolicyView>(200, "The policy as it is now.")
        .fails(&[ProblemType::NotAllowedNow, ProblemType::PreconditionRequired]);
    let listed = document.named(&ROUTES, "listPolicies").paged();
    listed.answers::<Policies>(200, "A page of policies.").fails(&[ProblemType::InvalidRequest]);
    let got = document.named(&ROUTES, "getPolicy").answers::<PolicyView>(200, "The policy.");
    got.fails(&[ProblemType::NotFound]);
    let deleted = document.named(&ROUTES, "deletePolicy").conditional();
    deleted.answers_nothing(204, "The policy is gone.").fails(&[ProblemType::NotFound]);
    let shown = document.named(&ROUTES, "previewPolicy").takes::<Draft>();
    shown.answers::<Preview>(200, "What would be different.").fails(&[ProblemType::NotFound]);
    let explained = document.named(&ROUTES, "explainUser");
    explained.answers::<ExplanationView>(200, "What holds, and why.").fails(&[ProblemType::NotFound]);
}
