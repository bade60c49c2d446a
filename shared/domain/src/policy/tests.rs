use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::document::Fault;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn group(name: &str) -> GroupName {
    GroupName::try_from(name).unwrap()
}

fn document(settings: Value) -> Value {
    Value::object([("applies_to", Value::object([("everyone", Value::Flag(true))])), ("settings", settings)])
}

fn told(value: &Value) -> Vec<Fault> {
    PolicyDocument::read(value).unwrap_err().all().to_vec()
}

#[test]
fn a_document_is_read_and_written() {
    let settings = Value::object([
        ("window_steps", Value::Whole(2)),
        ("channels", Value::List(vec![Value::text("sms"), Value::text("email")])),
        (
            "sms_routes",
            Value::List(vec![Value::object([
                ("gateway", Value::text("twilio")),
                ("wait_seconds", Value::Whole(30)),
            ])]),
        ),
    ]);
    let read = PolicyDocument::read(&document(settings.clone())).unwrap();
    assert_eq!(read.precedence.get(), 100);
    assert_eq!(read.rules.write(), settings);
    assert_eq!(PolicyDocument::read(&read.write()), Ok(read));
}

#[test]
fn every_fault_is_told_at_once() {
    let value = Value::object([
        ("description", Value::text("")),
        ("applies_to", Value::object([("groups", Value::List(vec![Value::text(""), Value::Whole(1)]))])),
        ("precedence", Value::Whole(0)),
        (
            "settings",
            Value::object([
                ("window_steps", Value::Whole(6)),
                ("token_kind", Value::text("TOTP")),
                ("channels", Value::List(Vec::new())),
                ("sms_routes", Value::List(vec![Value::object([("gateway", Value::text("A"))])])),
                ("windows", Value::Null),
            ]),
        ),
        ("setting", Value::Null),
    ]);
    let pointers: Vec<_> = told(&value).into_iter().map(|fault| fault.pointer).collect();
    assert_eq!(
        pointers,
        [
            "/description",
            "/applies_to/groups/0",
            "/applies_to/groups/1",
            "/precedence",
            "/settings/channels",
            "/settings/token_kind",
            "/settings/window_steps",
            "/settings/sms_routes/0/gateway",
            "/settings/windows",
            "/setting",
        ]
    );
}

#[test]
fn whom_a_policy_covers_must_be_said_in_one_way() {
    let both = Value::object([("everyone", Value::Flag(true)), ("users", Value::List(Vec::new()))]);
    let not_everyone = Value::object([("everyone", Value::Flag(false))]);
    for coverage in [both, not_everyone, Value::object([])] {
        let value = Value::object([("applies_to", coverage), ("settings", Value::object([]))]);
        assert_eq!(told(&value)[0].pointer, "/applies_to");
    }
    let nothing = told(&Value::object([]));
    assert_eq!(nothing[0].told, "must be given: whom the policy covers");
    assert_eq!(told(&Value::text("x"))[0].told, "must be an object, not text");
}

#[test]
fn an_empty_list_covers_nobody() {
    let jane = UserId::try_from("jane").unwrap();
    assert!(!Coverage::Groups(BTreeSet::new()).covers(&jane, &BTreeSet::from([group("Staff")])));
    assert!(!Coverage::Groups(BTreeSet::from([group("Staff")])).covers(&jane, &BTreeSet::new()));
    assert!(!Coverage::Users(BTreeSet::new()).covers(&jane, &BTreeSet::new()));
    assert!(Coverage::Everyone.covers(&jane, &BTreeSet::new()));
}

#[test]
fn weak_choices_are_told() {
    let weak = PolicyDocument::read(&document(Value::object([
        ("authorization_code", Value::text("none")),
        ("qr_content", Value::text("seed")),
        ("provision_clients", Value::Flag(true)),
        ("token_algorithm", Value::text("SHA256")),
    ])))
    .unwrap();
    let weak = Policy::new(PolicyId::try_from("weak").unwrap(), weak, NOW);
    let ranked = [&weak];
    let told: Vec<_> = advice(&Settings::under(&ranked), &Settings::explained(&ranked))
        .into_iter()
        .map(|a| a.setting)
        .collect();
    assert_eq!(told, ["authorization_code", "qr_content", "token_algorithm", "provision_clients"]);
    assert_eq!(advice(&Settings::default(), &[]), []);
}

#[test]
fn a_fallback_without_effect_or_without_a_second_channel_for_the_code_is_told() {
    use crate::authorization::AuthorizationMode;
    let falls_back = |channels: &[&str], mode| {
        let list = Value::List(channels.iter().copied().map(Value::text).collect());
        let rules = [("channels", list), ("channel_fallback", Value::Flag(true))];
        let read = PolicyDocument::read(&document(Value::object(rules))).unwrap();
        let policy = Policy::new(PolicyId::try_from("fallback").unwrap(), read, NOW);
        let settings = Settings { authorization_code: mode, ..Settings::under(&[&policy]) };
        let told = advice(&settings, &[]).into_iter().filter(|advice| advice.setting == "channel_fallback");
        told.map(|advice| advice.told).collect::<Vec<_>>()
    };
    let other = AuthorizationMode::OtherChannelOrOperator;
    for (channels, mode, beginning) in [
        (["email"].as_slice(), other, Some("This has no effect")),
        (&["sms"], AuthorizationMode::SameMessage, Some("This has no effect")),
        (&["sms", "email"], other, Some("The link may then come by the very channel")),
        (&["sms", "email"], AuthorizationMode::SameMessage, None),
        (&["email", "sms"], AuthorizationMode::None, None),
    ] {
        let told = falls_back(channels, mode);
        assert_eq!(told.len(), usize::from(beginning.is_some()), "{told:?}");
        assert!(told.iter().all(|told| beginning.is_some_and(|words| told.starts_with(words))), "{told:?}");
    }
    assert!(!Settings::default().channel_fallback);
}

#[test]
fn a_tie_is_told() {
    let policy = |id: &str, steps: i64| {
        let document =
            PolicyDocument::read(&document(Value::object([("window_steps", Value::Whole(steps))])));
        Policy::new(PolicyId::try_from(id).unwrap(), document.unwrap(), NOW)
    };
    let all = [policy("b", 1), policy("a", 2)];
    let jane = UserId::try_from("jane").unwrap();
    let ranked = covering(&all, &jane, &BTreeSet::new());
    let settings = Settings::under(&ranked);
    assert_eq!(settings.window_steps.get(), 2);
    let told = advice(&settings, &Settings::explained(&ranked));
    assert_eq!(told[0].setting, "window_steps");
    assert!(told[0].told.starts_with("The policies a and b"), "{told:?}");
}

/// Any tree, most of them no policy at all.
fn any_value() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        prop::sample::select(vec![
            "applies_to",
            "settings",
            "everyone",
            "groups",
            "users",
            "precedence",
            "description",
            "channels",
            "window_steps",
            "sms_routes",
            "gateway",
            "wait_seconds",
            "locale",
            "token_kind",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Flag),
        any::<i64>().prop_map(Value::Whole),
        (0_i64..12).prop_map(Value::Whole),
        Just(Value::OtherNumber),
        "\\PC{0,12}".prop_map(Value::Text),
        prop::sample::select(vec!["email", "sms", "totp", "none", "link", "en"]).prop_map(Value::text),
    ];
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::btree_map(names.clone(), inner, 0..8).prop_map(Value::Object),
        ]
    })
}

/// A setting's value as the oracle sees it: its name and a value that is right for it.
fn any_settings() -> impl Strategy<Value = BTreeMap<String, Value>> {
    let flag = any::<bool>().prop_map(Value::Flag);
    let pairs = prop_oneof![
        (Just("provision_tokens"), flag.clone().boxed()),
        (Just("channel_fallback"), flag.clone().boxed()),
        (Just("email_codes_authenticate"), flag.boxed()),
        (Just("window_steps"), (0_i64..=5).prop_map(Value::Whole).boxed()),
        (Just("look_ahead"), (1_i64..=100).prop_map(Value::Whole).boxed()),
        (Just("link_life_minutes"), (10_i64..=10080).prop_map(Value::Whole).boxed()),
        (Just("token_kind"), prop::sample::select(vec!["totp", "hotp"]).prop_map(Value::text).boxed()),
        (Just("locale"), prop::sample::select(vec!["de", "en", "fr-CA"]).prop_map(Value::text).boxed()),
        (Just("mobile_code_gateway"), prop::sample::select(vec!["a", "b"]).prop_map(Value::text).boxed()),
    ];
    prop::collection::vec(pairs, 0..5)
        .prop_map(|pairs| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A policy as the oracle sees it.
#[derive(Clone, Debug)]
struct Plain {
    id: String,
    everyone: bool,
    groups: BTreeSet<String>,
    users: BTreeSet<String>,
    precedence: Option<i64>,
    settings: BTreeMap<String, Value>,
}

fn any_plain() -> impl Strategy<Value = Plain> {
    let names = |of: &[&'static str]| prop::sample::subsequence(of.to_vec(), 0..=of.len());
    (
        "[a-f]",
        0_u8..3,
        names(&["Staff", "Board", "IT"]),
        names(&["jane", "joe"]),
        prop::option::of(prop::sample::select(vec![1_i64, 100, 200, 300, 1000])),
        any_settings(),
    )
        .prop_map(|(id, kind, groups, users, precedence, settings)| {
            let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
            let (groups, users) = (owned(groups), owned(users));
            match kind {
                0 => Plain {
                    id,
                    everyone: true,
                    groups: BTreeSet::new(),
                    users: BTreeSet::new(),
                    precedence,
                    settings,
                },
                1 => Plain { id, everyone: false, groups, users: BTreeSet::new(), precedence, settings },
                _ => Plain { id, everyone: false, groups: BTreeSet::new(), users, precedence, settings },
            }
        })
}

impl Plain {
    /// Whether it names groups rather than users, as it was generated: an empty one of either kind covers nobody.
    fn value(&self, by_groups: bool) -> Value {
        let list = |names: &BTreeSet<String>| Value::List(names.iter().map(Value::text).collect());
        let coverage = if self.everyone {
            ("everyone", Value::Flag(true))
        } else if by_groups {
            ("groups", list(&self.groups))
        } else {
            ("users", list(&self.users))
        };
        let mut members = vec![
            ("applies_to", Value::object([coverage])),
            ("settings", Value::Object(self.settings.clone())),
        ];
        members.extend(self.precedence.map(|number| ("precedence", Value::Whole(number))));
        Value::object(members)
    }
}

/// The rules as docs/policies.md tells them, written down once more without any of the code above.
fn oracle(policies: &[(Plain, bool)], user: &str, groups: &[&str], setting: &str) -> Option<(String, Value)> {
    let mut best: Option<(i64, &str, &Value)> = None;
    for (policy, by_groups) in policies {
        let covers = if policy.everyone {
            true
        } else if *by_groups {
            groups.iter().any(|group| policy.groups.contains(*group))
        } else {
            policy.users.contains(user)
        };
        let usual = if policy.everyone {
            100
        } else if *by_groups {
            200
        } else {
            300
        };
        let rank = policy.precedence.unwrap_or(usual);
        let Some(value) = policy.settings.get(setting).filter(|_| covers) else { continue };
        let better = match best {
            None => true,
            Some((best_rank, best_id, _)) => {
                rank > best_rank || (rank == best_rank && policy.id.as_str() < best_id)
            }
        };
        if better {
            best = Some((rank, policy.id.as_str(), value));
        }
    }
    best.map(|(_, id, value)| (id.to_owned(), value.clone()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// What is explained, what holds and what a stamp finds are all what a naive reading of the rules says.
    #[test]
    fn explain_equals_the_oracle(
        policies in prop::collection::vec((any_plain(), any::<bool>()), 0..6),
        user in prop::sample::select(vec!["jane", "joe", "sue"]),
        groups in prop::sample::subsequence(vec!["Staff", "Board", "IT"], 0..=3),
    ) {
        let mut once = BTreeSet::new();
        let policies: Vec<_> = policies.into_iter().filter(|(policy, _)| once.insert(policy.id.clone())).collect();
        let built: Vec<_> = policies.iter().map(|(policy, by_groups)| {
            let document = PolicyDocument::read(&policy.value(*by_groups)).unwrap();
            Policy::new(PolicyId::try_from(policy.id.as_str()).unwrap(), document, NOW)
        }).collect();
        let id = UserId::try_from(user).unwrap();
        let in_groups: BTreeSet<_> = groups.iter().map(|name| group(name)).collect();
        let ranked = covering(&built, &id, &in_groups);
        let defaults: BTreeMap<_, _> =
            Settings::catalogue().into_iter().map(|described| (described.name, described.default)).collect();
        for explained in Settings::explained(&ranked) {
            let found = explained.policy.map(|policy| (policy.id.to_string(), explained.value.clone()));
            prop_assert_eq!(&found, &oracle(&policies, user, &groups, explained.name), "{}", explained.name);
            if found.is_none() {
                prop_assert_eq!(&explained.value, &defaults[explained.name]);
            }
        }
        // What holds is what is explained.
        let settings = Settings::under(&ranked);
        let held = Rules {
            provision_tokens: Some(settings.provision_tokens),
            window_steps: Some(settings.window_steps),
            locale: Some(settings.locale.clone()),
            ..Rules::default()
        };
        let Value::Object(held) = held.write() else { unreachable!() };
        for explained in Settings::explained(&ranked) {
            if let Some(value) = held.get(explained.name) {
                prop_assert_eq!(value, &explained.value);
            }
        }
        let stamp = stamp(&built, &id, &in_groups);
        prop_assert_eq!(Settings::under(&stamped(&built, &stamp)), settings);
    }

    /// No tree makes reading panic; what is read is written and read again; what is wrong has a place.
    #[test]
    fn any_tree_is_read_or_told(value in any_value()) {
        match PolicyDocument::read(&value) {
            Ok(read) => prop_assert_eq!(PolicyDocument::read(&read.write()), Ok(read)),
            Err(faults) => {
                prop_assert!(!faults.all().is_empty());
                for fault in faults.all() {
                    prop_assert!(fault.pointer.is_empty() || fault.pointer.starts_with('/'));
                    prop_assert!(!fault.told.is_empty());
                }
            }
        }
    }
}
