//! Service accounts, Roles, RoleBindings and Services as stored, reduced to what the policy compares.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of what is recorded of one object: of annotations, of rules, of where a Service leads.
pub const MAX_CONTENT: usize = 8 * 1024;
/// Prefixes of annotations by which tools mark what is theirs: they say nothing to anybody else.
pub const MARKS: [&str; 6] = [
    "argocd.argoproj.io",
    "config.kubernetes.io",
    "helm.sh",
    "internal.config.kubernetes.io",
    "kubectl.kubernetes.io",
    "meta.helm.sh",
];
/// The same for all that end so.
pub const MARKS_BELOW: &str = ".toolkit.fluxcd.io";
/// Subjects of one RoleBinding that are recorded.
const MAX_SUBJECTS: usize = 1024;
/// Groups that every service account is in; the last with the namespace behind it.
const GROUPS: [&str; 2] = ["system:authenticated", "system:serviceaccounts"];

/// A RoleBinding that reaches service accounts of its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// What it gives, as `Role/name` or `ClusterRole/name`.
    pub role: String,
    /// Whom it names.
    pub accounts: BTreeSet<String>,
    /// Whether it reaches all, by a group.
    pub all: bool,
}

impl Binding {
    /// Whether it gives something to a service account.
    #[must_use]
    pub fn reaches(&self, account: &str) -> bool {
        self.all || self.accounts.contains(account)
    }
}

/// A service account's annotations but for the marks of tools; none when they are too large to be recorded.
#[must_use]
pub fn annotations(account: &Value) -> BTreeMap<String, String> {
    let all = account.pointer("/metadata/annotations").and_then(Value::as_object);
    let counts = |key: &&String| {
        let prefix = key.split('/').next().unwrap_or_default();
        !MARKS.contains(&prefix) && !prefix.ends_with(MARKS_BELOW)
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = all.into_iter().flatten().filter(|(key, _)| counts(key));
    let all: BTreeMap<_, _> = all.map(|(key, value)| (key.clone(), text(value))).collect();
    if is_small(&json!(all)) { all } else { BTreeMap::new() }
}

/// A Role's rules; none when they are too large to be recorded.
#[must_use]
pub fn rules(role: &Value) -> Option<Vec<Value>> {
    let rules = role.get("rules").and_then(Value::as_array).cloned().unwrap_or_default();
    Some(rules).filter(|rules| is_small(&json!(rules)))
}

/// A RoleBinding of a namespace; none when it reaches no service account of it.
#[must_use]
pub fn binding(object: &Value, namespace: &str) -> Option<Binding> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let role = object.get("roleRef")?;
    let mut binding = Binding {
        role: format!("{}/{}", text(role, "kind"), text(role, "name")),
        accounts: BTreeSet::new(),
        all: false,
    };
    let own = format!("system:serviceaccount:{namespace}:");
    for subject in object.get("subjects").and_then(Value::as_array).into_iter().flatten() {
        let name = text(subject, "name");
        match text(subject, "kind").as_str() {
            "Group" => {
                let here = name.strip_prefix("system:serviceaccounts:") == Some(namespace);
                binding.all |= here || GROUPS.contains(&name.as_str());
            }
            _ if binding.accounts.len() >= MAX_SUBJECTS => {}
            "User" => binding.accounts.extend(name.strip_prefix(&own).map(str::to_owned)),
            "ServiceAccount" if ["", namespace].contains(&text(subject, "namespace").as_str()) => {
                binding.accounts.insert(name);
            }
            _ => {}
        }
    }
    (binding.all || !binding.accounts.is_empty()).then_some(binding)
}

/// Where a Service leads; none when that is too large to be recorded. Its address and the ports of nodes are another each time.
#[must_use]
pub fn leads(service: &Value) -> Option<Value> {
    let nothing = Map::new();
    let spec = service.get("spec").and_then(Value::as_object).unwrap_or(&nothing);
    let text = |key: &str| spec.get(key).and_then(Value::as_str).unwrap_or_default();
    let external = text("type") == "ExternalName";
    let ports = spec.get("ports").and_then(Value::as_array).into_iter().flatten();
    let port = |port: &Value| {
        json!({
            "port": port.get("port"),
            "protocol": port.get("protocol").cloned().unwrap_or_else(|| json!("TCP")),
            "targetPort": port.get("targetPort").cloned().unwrap_or_else(|| json!(0)),
        })
    };
    let leads = json!({
        "externalName": if external { text("externalName") } else { "" },
        "headless": text("clusterIP") == "None",
        "ports": ports.map(port).collect::<Vec<_>>(),
        "selector": spec.get("selector").cloned().unwrap_or_else(|| json!({})),
    });
    Some(leads).filter(is_small)
}

/// Whether content is recorded.
pub(super) fn is_small(content: &Value) -> bool {
    content.to_string().len() <= MAX_CONTENT
}
