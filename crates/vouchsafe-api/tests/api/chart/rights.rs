//! What the operator may do, rule by rule, with the reason. The suite shows, from the API server's audit log, that each is used.

use super::text;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

/// Role, groups, resources, verbs, and what for.
const RULES: &[(&str, &str, &str, &str, &str)] = &[
    (
        "ClusterRole/vouchsafe-operator",
        "apps",
        "deployments statefulsets daemonsets replicasets",
        "get list watch",
        "what Agents are made of, and the owners of a pod by their uid",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "batch",
        "jobs cronjobs",
        "get list watch",
        "what Agents are made of, and Jobs that are held",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "",
        "pods configmaps namespaces",
        "get list watch",
        "which pods wait; the bytes of prompts and tools; which namespace belongs to which environment",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "",
        "serviceaccounts services",
        "list watch",
        "what clouds take a service account for, and where the names lead that agents are given: put on record when they are cleared",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "rbac.authorization.k8s.io",
        "roles rolebindings",
        "list watch",
        "what the service accounts of cleared agents may do: put on record, never given",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "",
        "pods",
        "patch",
        "to let go of what is cleared: the gate comes off",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "batch",
        "jobs",
        "patch",
        "to let go of what is cleared: it is resumed",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "",
        "namespaces",
        "patch",
        "to say how a namespace is enforced: the label vouchsafe.dev/enforcement",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "vouchsafe.dev",
        "agents environments checks promotions evidence approvals waivers clearances",
        "get list watch",
        "what people ask for and give, and what was decided",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "vouchsafe.dev",
        "agents/status environments/status checks/status promotions/status",
        "patch",
        "what was found out, by server-side apply",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "vouchsafe.dev",
        "promotions",
        "create",
        "for every release that was applied and not promoted ahead",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "vouchsafe.dev",
        "clearances",
        "create update delete",
        "the ledgers: written, replaced as a whole, and taken away where no environment is any more",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "vouchsafe.dev",
        "promotions evidence approvals waivers",
        "delete",
        "retention",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "events.k8s.io",
        "events",
        "create patch",
        "Events; a repeated one is counted in the first",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "admissionregistration.k8s.io",
        "validatingadmissionpolicies validatingadmissionpolicybindings",
        "list watch",
        "whether the policies that are installed are those that it ships; it changes none",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "admissionregistration.k8s.io",
        "mutatingadmissionpolicies mutatingadmissionpolicybindings",
        "list watch",
        "the same, where the API server serves them",
    ),
    (
        "ClusterRole/vouchsafe-operator",
        "authorization.k8s.io",
        "subjectaccessreviews",
        "create",
        "whether somebody could have written the workload, who then does not count as independent",
    ),
    (
        "Role/vouchsafe-operator-lease",
        "coordination.k8s.io",
        "leases",
        "create",
        "the Lease of whoever writes, the first time; to create cannot be given by name",
    ),
    (
        "Role/vouchsafe-operator-lease",
        "coordination.k8s.io",
        "leases",
        "get update",
        "its own Lease, by name: to seek, renew and give it back",
    ),
    (
        "Role/vouchsafe-operator-webhook",
        "",
        "secrets",
        "get update",
        "the certificates of its webhook, by name, in its own namespace, where one holds",
    ),
    (
        "ClusterRole/vouchsafe-operator-webhook",
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "list watch",
        "whether its webhook is installed as it is shipped, where one holds",
    ),
    (
        "ClusterRole/vouchsafe-operator-webhook",
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "get patch",
        "whom the API server trusts for its webhook, by name; a policy refuses any other change of it",
    ),
    (
        "Role/vouchsafe-probe",
        "",
        "pods configmaps",
        "create",
        "as dry runs: whether a pod is held, and whether the API server has read the newest ledger",
    ),
    (
        "Role/vouchsafe-probe",
        "vouchsafe.dev",
        "clearances",
        "patch",
        "the ledger whose being read is tried, by server-side apply",
    ),
];

/// Roles that the operator has and that have no rules of their own.
const AGGREGATED: &[&str] = &["ClusterRole/vouchsafe-operator-workloads"];

/// The objects of a template that is YAML but for its values.
fn objects(template: &str) -> Vec<Value> {
    let text = text(&format!("charts/vouchsafe/templates/{template}"));
    let text = Regex::new(r"(?m)^ *\{\{.*\}\}\n").unwrap().replace_all(&text, "");
    let text = Regex::new(r"\{\{.*?\}\}").unwrap().replace_all(&text, "value");
    serde_saphyr::from_multiple(&text).unwrap()
}

fn words(value: &Value) -> String {
    let words = value.as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    words.collect::<Vec<_>>().join(" ")
}

fn operators_objects() -> Vec<Value> {
    ["rbac.yaml", "probe.yaml", "webhook.yaml"]
        .into_iter()
        .flat_map(objects)
        .collect()
}

fn name(object: &Value) -> String {
    format!(
        "{}/{}",
        object["kind"].as_str().unwrap(),
        object["metadata"]["name"].as_str().unwrap()
    )
}

#[test]
fn each_has_a_reason_and_none_is_missing() {
    let mut found = BTreeSet::new();
    for object in operators_objects() {
        let role = name(&object);
        for rule in object["rules"].as_array().into_iter().flatten() {
            let about = (
                words(&rule["apiGroups"]),
                words(&rule["resources"]),
                words(&rule["verbs"]),
            );
            let fields = rule
                .as_object()
                .unwrap()
                .keys()
                .filter(|field| *field != "resourceNames");
            assert_eq!(fields.count(), 3, "{role}: {rule}");
            assert!(
                found.insert((role.clone(), about.0, about.1, about.2)),
                "{role}: {rule} is there twice"
            );
        }
    }
    let owned = |(role, groups, resources, verbs, why): &(&str, &str, &str, &str, &str)| {
        assert!(why.len() > 8, "{role} {resources} has no reason");
        (
            (*role).to_owned(),
            (*groups).to_owned(),
            (*resources).to_owned(),
            (*verbs).to_owned(),
        )
    };
    assert_eq!(found, RULES.iter().map(owned).collect());
}

#[test]
fn no_rule_reaches_further_than_it_says() {
    for (role, groups, resources, verbs, _) in RULES {
        for word in [groups, resources, verbs] {
            assert!(!word.contains('*'), "{resources}: {verbs}");
        }
        let changes = verbs.split(' ').any(|verb| !["get", "list", "watch"].contains(&verb));
        let never = ["exec", "impersonate", "bind", "escalate", "token"];
        let unwritten = ["serviceaccounts", "services", "roles", "rolebindings"];
        // The one that is its own, where it has a webhook.
        let secrets = (*role != "Role/vouchsafe-operator-webhook").then_some(&"secrets");
        for never in never.iter().chain(unwritten.iter().filter(|_| changes)).chain(secrets) {
            let mut words = [resources, verbs].into_iter().flat_map(|words| words.split([' ', '/']));
            assert!(!words.any(|word| word == *never), "{resources}: {verbs}");
        }
    }
}

/// Secrets and webhooks of others are none of its business.
#[test]
fn a_webhook_gives_rights_by_name_only() {
    for object in objects("webhook.yaml") {
        for rule in object["rules"].as_array().into_iter().flatten() {
            let reads = words(&rule["verbs"]) == "list watch" && words(&rule["resources"]) != "secrets";
            assert!(reads || rule["resourceNames"].is_array(), "{rule}");
        }
    }
}

/// Nothing else is bound to its service account.
#[test]
fn these_roles_are_bound() {
    let mut bound = BTreeSet::new();
    for object in operators_objects() {
        if object["roleRef"].is_object() {
            let role = &object["roleRef"];
            bound.insert(format!(
                "{}/{}",
                role["kind"].as_str().unwrap(),
                role["name"].as_str().unwrap()
            ));
        }
    }
    let with_rules = RULES.iter().map(|(role, ..)| *role);
    let expected = with_rules.chain(AGGREGATED.iter().copied()).map(str::to_owned);
    assert_eq!(bound, expected.collect());
}
