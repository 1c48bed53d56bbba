//! What is installed beside what is shipped: specs, as a whole, once each has what the API server fills in.
//!
//! Takes both; gives the names of what is missing, is another, or binds a policy of ours without being ours. Labels, annotations, managed
//! fields and status mean nothing, nor does how many line breaks part two lines of CEL. A field that nobody knows is a difference.

use super::Shipped;
use crate::observe::policies::Name;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use vouchsafe_api::environment::status::InstalledPolicies;

/// Names that a status holds, and letters of each.
const MAX: usize = 32;
const MAX_LETTERS: usize = 253;

/// What differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    is_known: bool,
    missing: Vec<String>,
    changed: Vec<String>,
    foreign: Vec<String>,
}

impl Comparison {
    /// In one word.
    pub(crate) fn state(&self) -> InstalledPolicies {
        if !self.is_known {
            InstalledPolicies::Unknown
        } else if !self.missing.is_empty() {
            InstalledPolicies::Missing
        } else if self.changed.is_empty() && self.foreign.is_empty() {
            InstalledPolicies::Current
        } else {
            InstalledPolicies::Changed
        }
    }

    /// By name, as far as a status holds them.
    pub(crate) fn differing(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.missing.iter().chain(&self.changed).chain(&self.foreign) {
            let name: String = name.chars().take(MAX_LETTERS).collect();
            if names.len() < MAX && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// In a sentence with what to do; none when nothing differs.
    pub(crate) fn words(&self) -> Option<String> {
        let said = [
            ("missing", &self.missing),
            ("not as this version ships them", &self.changed),
            ("not ours, and bind a policy of ours", &self.foreign),
        ];
        let said = said.iter().filter(|(_, names)| !names.is_empty());
        let said: Vec<_> = said
            .map(|(what, names)| format!("{what}: {}", names.join(", ")))
            .collect();
        (!said.is_empty()).then(|| {
            format!(
                "installed policies: {}. Find out who did that, and restore them with the chart of version {}: helm upgrade \
                 --server-side=false --force-replace",
                said.join("; "),
                env!("CARGO_PKG_VERSION")
            )
        })
    }
}

/// Compares both.
pub(super) fn compare(shipped: &Shipped, installed: &BTreeMap<Name, Value>) -> Comparison {
    let mut found = Comparison {
        is_known: true,
        ..Comparison::default()
    };
    for (name, spec) in &shipped.specs {
        match installed.get(name) {
            None => found.missing.push(name.to_string()),
            Some(installed) if filled(installed) != filled(spec) => found.changed.push(name.to_string()),
            Some(_) => {}
        }
    }
    let foreign = installed.iter().filter(|(name, spec)| {
        let of = name.kind.strip_suffix("Binding");
        let bound = spec.get("policyName").and_then(Value::as_str);
        let is_ours = |policy: &Name| Some(policy.kind) == of && Some(policy.name.as_str()) == bound;
        !shipped.specs.contains_key(name) && shipped.specs.keys().any(is_ours)
    });
    found.foreign = foreign.map(|(name, _)| name.to_string()).collect();
    found
}

/// With the defaults of `admissionregistration.k8s.io/v1` filled in, as the API server does it.
fn filled(spec: &Value) -> Value {
    let mut spec = spec.clone();
    one_break(&mut spec);
    match &mut spec {
        Value::Object(fields) => fill(fields),
        Value::Array(webhooks) => webhooks
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .for_each(fill_webhook),
        _ => {}
    }
    spec
}

/// Those of a webhook.
fn fill_webhook(fields: &mut Map<String, Value>) {
    for (name, value) in [
        ("failurePolicy", json!("Fail")),
        ("matchPolicy", json!("Equivalent")),
        ("namespaceSelector", json!({})),
        ("objectSelector", json!({})),
        ("reinvocationPolicy", json!("Never")),
        ("timeoutSeconds", json!(10)),
    ] {
        default(fields, name, value);
    }
    scoped(fields.get_mut("rules"));
}

/// Those of a policy or a binding.
fn fill(fields: &mut Map<String, Value>) {
    if !fields.contains_key("policyName") {
        default(fields, "failurePolicy", json!("Fail"));
    }
    for resources in ["matchConstraints", "matchResources"] {
        if let Some(resources) = fields.get_mut(resources).and_then(Value::as_object_mut) {
            default(resources, "matchPolicy", json!("Equivalent"));
            default(resources, "namespaceSelector", json!({}));
            default(resources, "objectSelector", json!({}));
            for rules in ["resourceRules", "excludeResourceRules"] {
                scoped(resources.get_mut(rules));
            }
        }
    }
}

fn scoped(rules: Option<&mut Value>) {
    let rules = rules.and_then(Value::as_array_mut).into_iter().flatten();
    rules
        .filter_map(Value::as_object_mut)
        .for_each(|rule| default(rule, "scope", json!("*")));
}

/// Between two lines one line break and no blanks: kustomize writes one more where a line of folded text is set in. To CEL it is the same, as
/// no text of ours goes over several lines; what was one line stays one line, so that nothing can become a comment.
fn one_break(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\n') => {
            let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            *text = lines.join("\n");
        }
        Value::Array(items) => items.iter_mut().for_each(one_break),
        Value::Object(fields) => fields.values_mut().for_each(one_break),
        _ => {}
    }
}

fn default(fields: &mut Map<String, Value>, name: &str, value: Value) {
    fields.entry(name).or_insert(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Shipped {
        Shipped::of("system:serviceaccount:vouchsafe-system:vouchsafe", &[], false).unwrap()
    }

    fn name(kind: &'static str, name: &str) -> Name {
        Name {
            kind,
            name: name.to_owned(),
        }
    }

    fn pods() -> Name {
        name("ValidatingAdmissionPolicy", "vouchsafe-pods")
    }

    fn binding() -> Name {
        name("ValidatingAdmissionPolicyBinding", "vouchsafe-pods")
    }

    /// What is installed after somebody did something to what is shipped.
    fn after(change: impl FnOnce(&mut BTreeMap<Name, Value>)) -> Comparison {
        let mut installed = shipped().specs;
        change(&mut installed);
        compare(&shipped(), &installed)
    }

    /// Sets a field of an installed object.
    fn with(name: &Name, pointer: &str, value: Value) -> Comparison {
        after(|installed| {
            let (at, field) = pointer.rsplit_once('/').unwrap();
            let object = installed.get_mut(name).unwrap().pointer_mut(at).unwrap();
            match object {
                Value::Array(items) => *items.get_mut(field.parse::<usize>().unwrap()).unwrap() = value,
                other => drop(other.as_object_mut().unwrap().insert(field.to_owned(), value)),
            }
        })
    }

    #[test]
    fn what_the_api_server_fills_in_is_no_difference() {
        let filled_in = after(|installed| installed.values_mut().for_each(|spec| *spec = filled(spec)));
        assert_eq!(filled_in.state(), InstalledPolicies::Current);
        assert_eq!((filled_in.differing(), filled_in.words()), (vec![], None));
        // It is filled in where the API server does it, and nowhere else.
        let pods = filled(&shipped().specs[&pods()]);
        assert_eq!(pods["matchConstraints"]["objectSelector"], json!({}));
        assert_eq!(pods["matchConstraints"]["resourceRules"][0]["scope"], "*");
        assert_eq!(filled(&json!({"policyName": "any"})), json!({"policyName": "any"}));
    }

    #[test]
    fn more_line_breaks_are_no_difference_and_fewer_or_others_are() {
        let lines = "/variables/2/expression";
        let text = shipped().specs[&pods()]
            .pointer(lines)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned();
        assert!(text.contains("\n  ?"), "{text}");
        let with = |changed: String| with(&pods(), lines, json!(changed)).state();
        assert_eq!(with(text.replace('\n', "\n\n \t")), InstalledPolicies::Current);
        for changed in [
            text.replace('\n', " "),
            text.replacen(' ', "\n", 1),
            text.replacen('\n', "//\n", 1),
            text.replacen('\n', "\n//", 1),
        ] {
            assert_eq!(with(changed), InstalledPolicies::Changed);
        }
        // In a text over several lines they would mean something.
        for spec in shipped().specs.values() {
            let spec = spec.to_string();
            assert!(!spec.contains("\'\'\'") && !spec.contains(r#"\"\"\""#), "{spec}");
        }
    }

    #[test]
    fn every_edit_is_a_difference() {
        for (of, pointer, value) in [
            (pods(), "/validations/3/expression", json!("true")),
            (pods(), "/failurePolicy", json!("Ignore")),
            (pods(), "/matchConstraints/matchPolicy", json!("Exact")),
            (
                pods(),
                "/matchConstraints/objectSelector",
                json!({"matchLabels": {"app": "a"}}),
            ),
            (pods(), "/matchConstraints/excludeResourceRules", json!([{}])),
            (pods(), "/matchConstraints/resourceRules/0/scope", json!("Cluster")),
            (
                pods(),
                "/matchConditions",
                json!([{"name": "never", "expression": "false"}]),
            ),
            (pods(), "/auditAnnotations", json!([])),
            (binding(), "/validationActions", json!(["Audit"])),
            (binding(), "/matchResources", json!({})),
            (binding(), "/paramRef/parameterNotFoundAction", json!("Allow")),
            (binding(), "/failurePolicy", json!("Fail")),
        ] {
            let told = of.to_string();
            let found = with(&of, pointer, value);
            assert_eq!(found.state(), InstalledPolicies::Changed, "{pointer}");
            assert_eq!(found.differing(), std::slice::from_ref(&told), "{pointer}");
            let words = found.words().unwrap();
            assert!(
                words.contains(&format!("not as this version ships them: {told}")),
                "{words}"
            );
            assert!(words.contains("helm upgrade"), "{words}");
        }
    }

    #[test]
    fn webhooks_are_compared_but_for_where_they_are_asked() {
        let shipped = Shipped::of("system:serviceaccount:vouchsafe-system:vouchsafe", &[], true).unwrap();
        let hold = name("MutatingWebhookConfiguration", "vouchsafe-hold");
        let with = |change: &dyn Fn(&mut Value)| {
            let mut installed = shipped.specs.clone();
            change(installed.get_mut(&hold).unwrap().pointer_mut("/0").unwrap());
            compare(&shipped, &installed).state()
        };
        assert_eq!(with(&|_| {}), InstalledPolicies::Current);
        assert_eq!(
            with(&|webhook| fill_webhook(webhook.as_object_mut().unwrap())),
            InstalledPolicies::Current
        );
        for (field, value) in [
            ("failurePolicy", json!("Fail")),
            ("namespaceSelector", json!({})),
            ("objectSelector", json!({"matchLabels": {"app": "a"}})),
            ("matchConditions", json!([{"name": "never", "expression": "false"}])),
            ("rules", json!([])),
        ] {
            assert_eq!(
                with(&|webhook| webhook[field] = value.clone()),
                InstalledPolicies::Changed,
                "{field}"
            );
        }
    }

    #[test]
    fn what_is_gone_is_missing_whatever_else_differs() {
        let found = after(|installed| {
            installed.remove(&binding());
            installed.insert(pods(), Value::Null);
        });
        assert_eq!(found.state(), InstalledPolicies::Missing);
        assert_eq!(found.differing(), [binding().to_string(), pods().to_string()]);
        let words = found.words().unwrap();
        assert!(
            words.contains("missing: ValidatingAdmissionPolicyBinding/vouchsafe-pods;"),
            "{words}"
        );
    }

    #[test]
    fn another_binding_of_a_policy_of_ours_is_told_within_bounds() {
        let long = "l".repeat(253);
        let found = after(|installed| {
            for number in 0..40 {
                let other = name("ValidatingAdmissionPolicyBinding", &format!("other-{number:02}"));
                installed.insert(other, json!({"policyName": "vouchsafe-pods"}));
            }
            let long = name("ValidatingAdmissionPolicyBinding", &long);
            installed.insert(long, json!({"policyName": "vouchsafe-pods"}));
        });
        assert_eq!(found.state(), InstalledPolicies::Changed);
        assert_eq!(found.differing().len(), MAX);
        assert!(found.differing().iter().all(|name| name.len() <= MAX_LETTERS));
        // One of another kind, or of a policy of somebody else, concerns nobody.
        let found = after(|installed| {
            installed.insert(
                name("MutatingAdmissionPolicyBinding", "other"),
                json!({"policyName": "vouchsafe-pods"}),
            );
            installed.insert(
                name("ValidatingAdmissionPolicyBinding", "other"),
                json!({"policyName": "theirs"}),
            );
            installed.insert(name("ValidatingAdmissionPolicy", "theirs"), json!({}));
        });
        assert_eq!(found.state(), InstalledPolicies::Current);
    }

    #[test]
    fn before_anybody_looked_nothing_is_known() {
        assert_eq!(Comparison::default().state(), InstalledPolicies::Unknown);
        assert_eq!(Comparison::default().words(), None);
    }
}
