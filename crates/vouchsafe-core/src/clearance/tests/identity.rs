//! Identities: what is put on record, what stays, and what the policy makes of it.

use super::{plan::*, *};
use crate::surface::{Binding as Declared, Declaration, Delegate, Resolved, Surface};
use crate::{decision::Enforcement, digest::Digest};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NS: &str = "support-prod";

/// A pod of a service account, with a variable.
fn pod_as(account: &str, word: &str) -> Value {
    let pod = with(&pod("agent", word, &[]), "/spec/serviceAccountName", json!(account));
    with(
        &pod,
        "/spec/containers/0/env",
        json!([{"name": "URL", "value": format!("http://{word}:8080/mcp")}]),
    )
}

fn binding_of(name: &str, role: &str, subjects: &Value) -> Value {
    let (kind, role) = role.split_once('/').unwrap();
    json!({"metadata": {"name": name}, "roleRef": {"kind": kind, "name": role}, "subjects": subjects})
}

fn as_account(name: &str) -> Value {
    json!([{"kind": "ServiceAccount", "name": name, "namespace": NS}])
}

fn service_of(selector: &str) -> Value {
    json!({"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.7", "selector": {"app": selector},
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080, "nodePort": 30001}]}})
}

/// What is there, from objects as stored.
fn there(accounts: &[Value], roles: &[Value], bindings: &[Value], services: &[Value]) -> There {
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    There {
        accounts: Some(accounts.iter().map(|one| (name(one), annotations(one))).collect()),
        roles: Some(roles.iter().map(|one| (name(one), rules(one))).collect()),
        bindings: Some(
            bindings
                .iter()
                .filter_map(|one| Some((name(one), role_binding(one, NS)?)))
                .collect(),
        ),
        services: Some(services.iter().map(|one| (name(one), leads(one))).collect()),
    }
}

fn named_as(name: &str, mut object: Value) -> Value {
    object["metadata"]["name"] = json!(name);
    object
}

/// One agent that runs as `refund` and names the Service `tools`, with these things around it.
fn around(there: There) -> Wanted {
    let offered = offer("refund", 1, &pod_as("refund", "tools"), vec![]);
    let mut wanted = wanted(vec![cleared("refund", 1)], vec![offered]);
    wanted.around = Around {
        namespace: NS.to_owned(),
        there,
        named: BTreeMap::new(),
        lasting: [key(1)].into(),
    };
    wanted
}

fn key(number: usize) -> String {
    release_key(&release(number).digest().hex())
}

fn full() -> There {
    let account = json!({"metadata": {"name": "refund", "annotations": {"cloud.example/role": "reader", "meta.helm.sh/release-name": "x"}}});
    let role = json!({"metadata": {"name": "refund"}, "rules": [{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}]});
    there(
        &[account],
        &[role],
        &[
            binding_of("b", "Role/refund", &as_account("refund")),
            binding_of("c", "Role/absent", &as_account("refund")),
            binding_of(
                "d",
                "ClusterRole/view",
                &json!([{"kind": "Group", "name": format!("system:serviceaccounts:{NS}")}]),
            ),
            binding_of("e", "ClusterRole/admin", &as_account("other")),
        ],
        &[
            named_as("tools", service_of("tools")),
            named_as("free", service_of("free")),
        ],
    )
}

#[test]
fn what_is_there_is_put_on_record() {
    let identity = settled(None, &around(full())).identity;
    let account = &identity.accounts["refund"];
    assert_eq!(json!(account.annotations), json!({"cloud.example/role": "reader"}));
    assert_eq!(
        json!(account.roles),
        json!(["ClusterRole/view", "Role/absent", "Role/refund"])
    );
    assert_eq!(identity.accounts.len(), 1);
    assert_eq!(
        identity.roles["refund"].rules,
        rules(&json!({"rules": [{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}]}))
    );
    assert_eq!(identity.roles["absent"].rules, None);
    assert_eq!(identity.services.keys().collect::<Vec<_>>(), ["tools"]);
    let leads = json!({"externalName": "", "headless": false, "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}], "selector": {"app": "tools"}});
    assert_eq!(identity.services["tools"].leads, Some(leads));
    assert_eq!(identity.needs.keys().cloned().collect::<Vec<_>>(), [key(1)]);
}

#[test]
fn what_was_deleted_stays_until_nothing_needs_it() {
    let first = settled(None, &around(full()));
    let nothing = there(&[], &[], &[], &[]);
    let gone = settled(Some(&first), &around(nothing.clone()));
    assert_eq!(gone.identity, first.identity);
    // The release is not in the ledger any more, and may come back by itself.
    let mut other = around(nothing);
    other.cleared = vec![];
    other.profiles = vec![];
    let kept = settled(Some(&gone), &other);
    assert!(kept.profiles.is_empty());
    assert_eq!(kept.identity, first.identity);
    other.around.lasting.clear();
    assert_eq!(settled(Some(&kept), &other).identity, Identity::default());
}

#[test]
fn what_is_changed_by_who_may_is_what_counts() {
    let first = settled(None, &around(full()));
    let account =
        json!({"metadata": {"name": "refund", "annotations": {"cloud.example/role": "writer", "other/key": "x"}}});
    let role = json!({"metadata": {"name": "refund"}, "rules": null});
    let now = there(
        &[account],
        &[role],
        &[binding_of("f", "Role/more", &as_account("refund"))],
        &[named_as("tools", service_of("better"))],
    );
    let identity = settled(Some(&first), &around(now)).identity;
    let annotations = json!({"cloud.example/role": "writer", "other/key": "x"});
    assert_eq!(json!(identity.accounts["refund"].annotations), annotations);
    assert_eq!(identity.accounts["refund"].roles.len(), 4);
    assert_eq!(identity.roles["refund"].rules, Some(vec![]));
    let leads = identity.services["tools"].leads.as_ref().unwrap();
    assert_eq!(leads["selector"], json!({"app": "better"}));
}

/// Nothing was refused, so what was there once says nothing.
#[test]
fn nothing_is_kept_of_what_was_only_observed() {
    let mut observing = around(full());
    observing.enforcement = Enforcement::Observe;
    let first = settled(None, &observing);
    assert_eq!(first.identity.accounts["refund"].roles.len(), 3);
    for enforcement in [Enforcement::Observe, Enforcement::Hold] {
        let mut later = around(there(&[], &[], &[], &[]));
        later.enforcement = enforcement;
        let identity = settled(Some(&first), &later).identity;
        assert_eq!(identity.accounts["refund"], Account::default(), "{enforcement:?}");
        let nowhere = NamedService {
            present: false,
            leads: None,
        };
        assert_eq!(identity.services["tools"], nowhere);
    }
}

/// What cannot be listed is neither there nor gone.
#[test]
fn what_is_unknown_changes_nothing() {
    let first = settled(None, &around(full()));
    assert_eq!(
        settled(Some(&first), &around(There::default())).identity,
        first.identity
    );
    let identity = settled(None, &around(There::default())).identity;
    assert_eq!(identity.accounts["refund"], Account::default());
    assert!(identity.services["tools"].present, "nobody may make it");
}

#[test]
fn a_ledger_of_before_reads_as_one_without() {
    let mut ledger = serde_json::to_value(settled(None, &around(full()))).unwrap();
    ledger.as_object_mut().unwrap().remove("identity");
    let old: LedgerSpec = serde_json::from_value(ledger).unwrap();
    assert_eq!(old.identity, Identity::default());
    let plan = super::plan(Some(&old), &around(full()), now());
    assert_eq!((plan.withdrawal, plan.protect), (None, None));
    assert_eq!(plan.grant.unwrap().identity.accounts.len(), 1);
}

#[test]
fn subjects_by_every_name_reach_an_account() {
    let own = format!("system:serviceaccount:{NS}:refund");
    for (subject, reaches) in [
        (
            json!({"kind": "ServiceAccount", "name": "refund", "namespace": NS}),
            true,
        ),
        (json!({"kind": "ServiceAccount", "name": "refund"}), true),
        (
            json!({"kind": "ServiceAccount", "name": "refund", "namespace": "elsewhere"}),
            false,
        ),
        (json!({"kind": "User", "name": own}), true),
        (json!({"kind": "User", "name": "refund"}), false),
        (
            json!({"kind": "Group", "name": format!("system:serviceaccounts:{NS}")}),
            true,
        ),
        (json!({"kind": "Group", "name": "system:serviceaccounts:other"}), false),
        (json!({"kind": "Group", "name": "system:serviceaccounts"}), true),
        (json!({"kind": "Group", "name": "system:authenticated"}), true),
        (json!({"kind": "Group", "name": "developers"}), false),
    ] {
        let binding = role_binding(&binding_of("b", "Role/x", &json!([subject])), NS);
        assert_eq!(
            binding.is_some_and(|binding| binding.reaches("refund")),
            reaches,
            "{subject}"
        );
    }
}

/// Hosts in URLs anywhere.
#[test]
fn names_are_found_in_urls() {
    let pod = json!({"metadata": {"name": "pod"}, "spec": {
        "serviceAccountName": "refund",
        "containers": [{
            "name": "agent", "image": format!("agent@{}", Digest::of(b"agent")),
            "command": ["serve", "--tools=grpc://in-command:1"], "args": ["http://user:pw@In-Args.support-prod./x?y=http://nested/"],
            "env": [
                {"name": "A", "value": "http://a,https://b.support-prod.svc:8443/mcp"},
                {"name": "B", "value": "https://c.support-prod.svc.cluster.local, amqp://d.e.support-prod.svc.cluster.local"},
                {"name": "C", "value": "plain f:80 http://10.0.0.1/ http://[::1]:80/ http://localhost/ http:// http://x_y/ http://7/"},
                {"name": "D", "value": "https://api.openai.com/v1 https://g.elsewhere.svc/ https://pods.headless/"},
            ],
        }],
        "initContainers": [{"name": "init", "image": format!("agent@{}", Digest::of(b"agent")), "args": ["wait", "http://init"]}],
    }});
    let mut wanted = around(there(&[], &[], &[], &[]));
    wanted.profiles = vec![offer("refund", 1, &pod, vec![])];
    let names = settled(None, &wanted).identity.services;
    let expected = [
        "a",
        "b",
        "c",
        "e",
        "headless",
        "in-args",
        "in-command",
        "init",
        "nested",
        "support-prod",
    ];
    assert_eq!(names.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
}

/// Hosts in values of declared bindings, and agents that it hands work to.
#[test]
fn names_are_found_in_what_is_declared() {
    let declaration = Declaration {
        bindings: vec![Declared {
            name: "ledger".to_owned(),
            env: Some("LEDGER".to_owned()),
            pattern: Some(".*".to_owned()),
            secret_mount: None,
        }],
        delegates: vec![Delegate {
            agent: "writer".to_owned(),
        }],
        ..Declaration::default()
    };
    let bound = |pairs: &[(&str, &str)]| Resolved {
        surface: Surface::default(),
        bindings: pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        binding_digest: Digest::of(b""),
        configuration: vec![],
        problems: vec![],
    };
    for (pairs, expected) in [
        (&[("ledger", "db:5432")][..], &["db", "writer"][..]),
        (
            &[("ledger", "db-0.db.support-prod.svc:1,http://more/x")],
            &["db", "more", "writer"],
        ),
        (
            &[("ledger@server:LEDGER", "one"), ("ledger@job:LEDGER", "two")],
            &["one", "two", "writer"],
        ),
        (&[("serviceAccount:server", "refund"), ("ledger", "8080")], &["writer"]),
    ] {
        let found = named(&declaration, &bound(pairs), NS);
        assert_eq!(
            found.iter().collect::<Vec<_>>(),
            expected.iter().collect::<Vec<_>>(),
            "{pairs:?}"
        );
    }
}

/// Too large to be recorded: it is guarded, and cannot be made again.
#[test]
fn what_is_too_large_is_guarded_by_name() {
    let verbs: Vec<_> = (0..3000).map(|number| format!("verb-{number}")).collect();
    let mut full = full();
    let role = json!({"rules": [{"verbs": verbs}]});
    full.roles.as_mut().unwrap().insert("refund".to_owned(), rules(&role));
    let selector: serde_json::Map<_, _> = (0..900).map(|number| (format!("key-{number}"), json!("v"))).collect();
    full.services
        .as_mut()
        .unwrap()
        .insert("tools".to_owned(), leads(&json!({"spec": {"selector": selector}})));
    let identity = settled(None, &around(full)).identity;
    assert_eq!(identity.roles["refund"], BoundRole { rules: None });
    let known = NamedService {
        present: true,
        leads: None,
    };
    assert_eq!(identity.services["tools"], known);
}

/// What the policy asks of a RoleBinding that is created, a Role, and a Service.
fn binding_passes(identity: &Identity, binding: &Value) -> bool {
    let Some(binding) = role_binding(binding, NS) else {
        return true;
    };
    let mut reached = identity.accounts.iter().filter(|(name, _)| binding.reaches(name));
    reached.all(|(_, account)| account.roles.contains(&binding.role))
}

fn role_passes(identity: &Identity, role: &Value) -> bool {
    let known = identity.roles.get(role["metadata"]["name"].as_str().unwrap());
    known.is_none_or(|known| known.rules.is_some() && known.rules == rules(role))
}

fn service_passes(identity: &Identity, service: &Value) -> bool {
    let known = identity.services.get(service["metadata"]["name"].as_str().unwrap());
    known.is_none_or(|known| known.leads.is_some() && known.leads == leads(service))
}

#[derive(Debug, Clone)]
struct Things {
    roles: Vec<Value>,
    bindings: Vec<Value>,
    services: Vec<Value>,
}

impl Things {
    fn there(&self) -> There {
        there(&[], &self.roles, &self.bindings, &self.services)
    }
}

fn any_things() -> impl Strategy<Value = Things> {
    let role = (0..3_usize, 0..3_usize).prop_map(
        |(name, verb)| json!({"metadata": {"name": format!("r{name}")}, "rules": [{"verbs": [format!("v{verb}")]}]}),
    );
    let binding = (
        0..5_usize,
        0..3_usize,
        prop::collection::vec(0..4_usize, 0..3),
        any::<bool>(),
    )
        .prop_map(|(name, role, accounts, all)| {
            let mut subjects: Vec<_> = accounts
                .iter()
                .map(|account| json!({"kind": "ServiceAccount", "name": format!("a{account}")}))
                .collect();
            if all {
                subjects.push(json!({"kind": "Group", "name": "system:serviceaccounts"}));
            }
            binding_of(&format!("b{name}"), &format!("Role/r{role}"), &json!(subjects))
        });
    let service =
        (0..3_usize, 0..3_usize).prop_map(|(name, app)| named_as(&format!("s{name}"), service_of(&format!("{app}"))));
    let unique = |mut all: Vec<Value>| {
        let mut seen = BTreeSet::new();
        all.retain(|one| seen.insert(one["metadata"]["name"].to_string()));
        all
    };
    (
        prop::collection::vec(role, 0..4),
        prop::collection::vec(binding, 0..5),
        prop::collection::vec(service, 0..4),
    )
        .prop_map(move |(roles, bindings, services)| Things {
            roles: unique(roles),
            bindings: unique(bindings),
            services: unique(services),
        })
}

/// Agents with accounts and names, and what is around them.
fn any_around() -> impl Strategy<Value = (Wanted, Things)> {
    let releases = prop::collection::btree_map(0..4_usize, (0..4_usize, 0..3_usize), 0..4);
    (releases, any_things()).prop_map(|(releases, things)| {
        let offers: Vec<_> = releases
            .iter()
            .map(|(number, (account, service))| {
                offer(
                    "agent",
                    *number,
                    &pod_as(&format!("a{account}"), &format!("s{service}")),
                    vec![],
                )
            })
            .collect();
        let cleared = releases.keys().map(|number| cleared("agent", *number)).collect();
        let mut wanted = wanted(cleared, offers);
        wanted.around = Around {
            namespace: NS.to_owned(),
            there: things.there(),
            named: BTreeMap::new(),
            lasting: releases.keys().map(|number| key(*number)).collect(),
        };
        (wanted, things)
    })
}

proptest! {
    /// Whatever is there when something is cleared can be brought back as it is; also after all of it was deleted.
    #[test]
    fn what_was_there_can_come_back((wanted, things) in any_around()) {
        let first = settled(None, &wanted);
        let mut empty = wanted.clone();
        empty.around.there = there(&[], &[], &[], &[]);
        let later = settled(Some(&first), &empty);
        for ledger in [&first, &later] {
            for binding in &things.bindings {
                prop_assert!(binding_passes(&ledger.identity, binding), "{binding}");
            }
            for role in &things.roles {
                prop_assert!(role_passes(&ledger.identity, role), "{role}");
            }
            for service in &things.services {
                prop_assert!(service_passes(&ledger.identity, service), "{service}");
            }
        }
    }

    /// As long as nothing passes but what the policy lets through, no account is given more, no Role says more, and no name leads elsewhere.
    #[test]
    fn what_passes_changes_nothing((wanted, _) in any_around(), tried in any_things()) {
        let first = settled(None, &wanted);
        let passed = Things {
            roles: tried.roles.iter().filter(|role| role_passes(&first.identity, role)).cloned().collect(),
            bindings: tried.bindings.iter().filter(|binding| binding_passes(&first.identity, binding)).cloned().collect(),
            services: tried.services.iter().filter(|service| service_passes(&first.identity, service)).cloned().collect(),
        };
        let mut later = wanted.clone();
        later.around.there = passed.there();
        let after = settled(Some(&first), &later).identity;
        prop_assert_eq!(&after.accounts, &first.identity.accounts);
        prop_assert_eq!(&after.roles, &first.identity.roles);
        prop_assert_eq!(&after.services, &first.identity.services);
    }

    /// Every service account that a pod of the ledger runs as is guarded, and every Role that is bound to it.
    #[test]
    fn every_account_of_a_profile_is_in((wanted, _) in any_around()) {
        let ledger = settled(None, &wanted);
        for entry in ledger.profiles.values() {
            let account = entry.profile.spec["serviceAccountName"].as_str().unwrap();
            prop_assert!(ledger.identity.accounts.contains_key(account));
        }
        for role in ledger.identity.accounts.values().flat_map(|account| &account.roles) {
            let role = role.strip_prefix("Role/").unwrap();
            prop_assert!(ledger.identity.roles.contains_key(role));
        }
    }
}

#[test]
fn the_record_is_bounded_and_says_what_it_left_out() {
    let offers: Vec<_> = (0..60)
        .map(|number| {
            offer(
                "agent",
                number,
                &pod_as(&format!("a{number}"), &format!("s{number}")),
                vec![],
            )
        })
        .collect();
    let cleared: Vec<_> = (0..60).map(|number| cleared("agent", number)).collect();
    let mut wanted = wanted(cleared, offers.into_iter().take(MAX_PER_IMAGE).collect());
    let text = "x".repeat(6000);
    let accounts: Vec<_> = (0..60)
        .map(|number| json!({"metadata": {"name": format!("a{number}"), "annotations": {"cloud.example/role": text}}}))
        .collect();
    wanted.around = Around {
        namespace: NS.to_owned(),
        there: there(&accounts, &[], &[], &[]),
        ..Around::default()
    };
    let ledger = settled(None, &wanted);
    assert_eq!(ledger.identity.accounts.len(), MAX_PER_IMAGE, "all are guarded");
    let size = serde_json::to_vec(&ledger.identity).unwrap().len();
    assert!((MAX_IDENTITY / 2..=MAX_IDENTITY).contains(&size), "{size}");
    let dropped = super::plan(None, &wanted, now()).dropped;
    assert!(
        dropped
            .iter()
            .any(|dropped| dropped.message.contains("Services are more than")),
        "{dropped:?}"
    );
}
