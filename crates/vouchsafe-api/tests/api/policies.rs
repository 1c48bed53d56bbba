//! The policies of the chart: what has to be the same in several of them, and what none may lack.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a policy that lacks something fails the test"
)]

use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::PathBuf};
use vouchsafe_core::{
    clearance::{MARKS, MARKS_BELOW},
    surface::essence,
};

const OPERATOR: &str = "system:serviceaccount:vouchsafe-system:vouchsafe";
const GATES: &str = r#"expression: "['vouchsafe.dev/clearance']""#;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../charts/vouchsafe/policies")
}

fn texts() -> Vec<(String, String)> {
    let mut found: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}

/// What asks an operator, where the API server serves no mutating policies.
fn webhooks() -> Vec<Value> {
    let found = texts().iter().flat_map(|(_, text)| documents(text)).find(is_webhook);
    found.unwrap()["webhooks"].as_array().unwrap().clone()
}

fn is_webhook(document: &Value) -> bool {
    document["kind"] == "MutatingWebhookConfiguration"
}

fn all() -> Vec<Value> {
    let documents = texts().iter().flat_map(|(_, text)| documents(text)).collect::<Vec<_>>();
    documents.into_iter().filter(|document| !is_webhook(document)).collect()
}

/// The policy of that name.
fn policy(name: &str) -> Value {
    let is = |document: &Value| {
        document["metadata"]["name"] == name && document["kind"].as_str().unwrap().ends_with("AdmissionPolicy")
    };
    all().into_iter().find(is).unwrap()
}

fn text<'v>(value: &'v Value, list: &str, name: &str) -> &'v str {
    let items = value["spec"][list].as_array().unwrap();
    let found = items.iter().find(|item| item["name"] == name).unwrap();
    found["expression"].as_str().unwrap()
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
fn these_are_all() {
    let names: Vec<_> = texts().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "access",
        "config",
        "grants",
        "hold",
        "identity",
        "ledger",
        "namespace-names",
        "namespaces",
        "pod-updates",
        "pods",
        "stamp",
        "webhooks",
        "workloads",
    ];
    assert_eq!(names, expected);
}

/// A pod is held exactly when it would be refused: one that only one of them knows would never run, or never wait.
#[test]
fn who_holds_and_who_judges_compare_alike() {
    let (hold, pods) = (policy("vouchsafe-hold"), policy("vouchsafe-pods"));
    let judged = text(&pods, "variables", "matching");
    let held = text(&hold, "matchConditions", "gate-is-wrong");
    let held = held
        .split_once("== (size(")
        .and_then(|(_, held)| held.strip_suffix(") > 0)"));
    assert_eq!(words(held.unwrap()), words(judged));
    assert!(judged.len() > 1000);
}

/// Whoever holds is asked about the same, be it a policy or a webhook: another rule or selector would be a pod that is refused and never held.
#[test]
fn webhooks_are_asked_about_what_mutating_policies_are() {
    for (webhook, by) in [
        ("pods.hold.vouchsafe.dev", vec!["vouchsafe-hold"]),
        ("jobs.hold.vouchsafe.dev", vec!["vouchsafe-hold-jobs"]),
        (
            "stamp.vouchsafe.dev",
            vec!["vouchsafe-stamp", "vouchsafe-stamp-promotions"],
        ),
    ] {
        let webhook = webhooks().into_iter().find(|found| found["name"] == webhook).unwrap();
        let policies: Vec<_> = by.into_iter().map(policy).collect();
        let spec = &policies[0]["spec"];
        assert_eq!(
            webhook["namespaceSelector"], spec["matchConstraints"]["namespaceSelector"],
            "{webhook}"
        );
        assert_eq!(webhook["reinvocationPolicy"], spec["reinvocationPolicy"], "{webhook}");
        let resources = |rule: &Value| rule["resources"].as_array().unwrap().clone();
        let mut rule = webhook["rules"][0].clone();
        let (asked, rules) = (
            resources(&rule),
            policies.iter().map(|policy| &policy["spec"]["matchConstraints"]),
        );
        let rules: Vec<_> = rules
            .map(|constraints| constraints["resourceRules"][0].clone())
            .collect();
        let expected: Vec<_> = rules.iter().flat_map(resources).collect();
        assert_eq!(asked, expected);
        rule["resources"] = rules[0]["resources"].clone();
        assert_eq!(rule, rules[0]);
        // What cannot be asked about is judged as it is; a grant that nobody stamped would be refused for a reason that nobody understands.
        let grants = webhook["name"] == "stamp.vouchsafe.dev";
        assert_eq!(webhook["failurePolicy"], if grants { "Fail" } else { "Ignore" });
    }
    let pods = webhooks().remove(0);
    assert_eq!(
        pods["matchConditions"][0],
        policy("vouchsafe-hold")["spec"]["matchConditions"][0]
    );
}

/// Warnings and refusals speak of the same templates.
#[test]
fn who_warns_and_who_refuses_look_alike() {
    let (warn, deny) = (policy("vouchsafe-workloads"), policy("vouchsafe-workloads-deny"));
    for part in ["variables", "matchConditions"] {
        assert_eq!(warn["spec"][part], deny["spec"][part], "{part}");
    }
    let rules = "/spec/matchConstraints/resourceRules";
    assert_eq!(warn.pointer(rules), deny.pointer(rules));
}

#[test]
fn every_policy_is_bound_and_fails_closed() {
    let (mut policies, mut bound) = (BTreeSet::new(), BTreeSet::new());
    for document in all() {
        let kind = document["kind"].as_str().unwrap();
        let name = document["metadata"]["name"].as_str().unwrap().to_owned();
        if kind.ends_with("Binding") {
            assert_eq!(document["spec"]["policyName"], name.as_str());
            bound.insert((kind.trim_end_matches("Binding").to_owned(), name));
        } else {
            // The early answer is not the last line: where it cannot be given, labels, scale and deletion go on. No namespace fails to be
            // created because nobody could be asked whether its name was another's. A pod that runs needs its token again every hour.
            let early = name.starts_with("vouchsafe-workloads")
                || ["vouchsafe-namespace-names", "vouchsafe-identity-tokens"].contains(&name.as_str());
            let expected = if early { "Ignore" } else { "Fail" };
            assert_eq!(document["spec"]["failurePolicy"], expected, "{name}");
            policies.insert((kind.to_owned(), name));
        }
    }
    assert_eq!(policies, bound);
}

/// Where a ledger is read and an error refuses, nothing outside of governed namespaces may be touched.
#[test]
fn what_tenants_meet_looks_at_governed_namespaces_only() {
    for document in all() {
        let spec = &document["spec"];
        let reads_a_ledger = spec["paramKind"]["kind"] == "Clearance";
        let tenants = reads_a_ledger || document["metadata"]["name"] == "vouchsafe-pod-updates";
        if !tenants || document["kind"].as_str().unwrap().ends_with("Binding") {
            continue;
        }
        let name = &document["metadata"]["name"];
        let expressions = spec["matchConstraints"]["namespaceSelector"]["matchExpressions"]
            .as_array()
            .unwrap();
        let has = |key: &str, operator: &str| {
            expressions
                .iter()
                .any(|expression| expression["key"] == key && expression["operator"] == operator)
        };
        assert!(has("vouchsafe.dev/environment", "Exists"), "{name}");
        assert!(
            has("vouchsafe.dev/enforcement", "NotIn") || name == "vouchsafe-workloads",
            "{name}"
        );
    }
}

/// A subresource that is not listed is a way round.
#[test]
fn every_subresource_is_listed() {
    let cases: [(&str, &[&str]); 9] = [
        (
            "vouchsafe-access",
            &[
                "pods/exec",
                "pods/attach",
                "pods/portforward",
                "pods/proxy",
                "services/proxy",
            ],
        ),
        ("vouchsafe-hold", &["pods"]),
        (
            "vouchsafe-identity",
            &["secrets", "serviceaccounts", "services", "rolebindings", "roles"],
        ),
        ("vouchsafe-identity-tokens", &["serviceaccounts/token"]),
        ("vouchsafe-pods", &["pods"]),
        (
            "vouchsafe-pod-updates",
            &["pods", "pods/ephemeralcontainers", "pods/resize", "pods/status"],
        ),
        (
            "vouchsafe-namespaces",
            &["namespaces", "namespaces/status", "namespaces/finalize"],
        ),
        ("vouchsafe-ledger", &["clearances", "*/status"]),
        ("vouchsafe-grants", &["promotions", "evidence", "approvals", "waivers"]),
    ];
    for (name, expected) in cases {
        let policy = policy(name);
        let rules = policy["spec"]["matchConstraints"]["resourceRules"].as_array().unwrap();
        let listed: BTreeSet<_> = rules
            .iter()
            .flat_map(|rule| rule["resources"].as_array().unwrap())
            .map(|resource| resource.as_str().unwrap())
            .collect();
        assert_eq!(listed, expected.iter().copied().collect(), "{name}");
    }
}

/// The chart replaces both by what this installation has.
#[test]
fn the_chart_finds_what_it_replaces() {
    for (name, text) in texts() {
        let services = ["/hold", "/stamp"].map(|path| {
            let service =
                format!("{{service: {{namespace: vouchsafe-system, name: vouchsafe-webhook, path: {path}}}}}");
            text.matches(&service).count()
        });
        let known = text.matches(&format!("'{OPERATOR}'")).count() + services.iter().sum::<usize>();
        assert_eq!(text.matches("vouchsafe-system").count(), known, "{name}");
        assert_eq!(text.matches(GATES).count(), usize::from(name == "pods"), "{name}");
    }
}

/// What the early answer takes for no change is none to whoever judges the pods.
#[test]
fn what_means_nothing_to_a_policy_means_nothing() {
    let alike = policy("vouchsafe-workloads");
    let alike = text(&alike, "variables", "alike");
    let list = |start: &str| {
        let list = alike.split_once(start).unwrap().1.split_once(']').unwrap().0;
        list.split(',')
            .map(|word| word.trim().trim_matches('\'').to_owned())
            .collect::<Vec<_>>()
    };
    let fields = list("!(field in [");
    assert!(fields.len() > 5, "{fields:?}");
    for field in fields {
        assert_eq!(essence(&json!({field.as_str(): "x"})), json!({}), "{field}");
    }
    let keys = list("!(key in [");
    assert!(keys.len() > 2, "{keys:?}");
    for key in keys {
        let spec = json!({"containers": [{key.as_str(): "x"}]});
        assert_eq!(essence(&spec), json!({"containers": [{}]}), "{key}");
    }
    for key in list("&& !(key in [") {
        let spec = json!({"containers": [{key.as_str(): {"httpGet": {"port": 1}}}]});
        assert_eq!(essence(&spec), json!({"containers": [{}]}), "{key}");
    }
}

/// What the operator records of annotations is what the policy compares.
#[test]
fn the_marks_of_tools_are_the_same() {
    let policy = policy("vouchsafe-identity");
    let annotations = text(&policy, "variables", "annotations");
    let list = annotations.split_once("key.split('/')[0] in [").unwrap().1;
    let list = list.split_once(']').unwrap().0;
    let marks: Vec<_> = list.split(',').map(|word| word.trim().trim_matches('\'')).collect();
    assert_eq!(marks, MARKS);
    assert!(annotations.contains(&format!("endsWith('{MARKS_BELOW}')")));
}
