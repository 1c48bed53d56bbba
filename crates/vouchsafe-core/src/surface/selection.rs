//! Which objects a declared workload means: by name, or by a label selector as Kubernetes reads it.

use super::{
    WorkloadReference,
    reading::{list, text},
};
use serde_json::Value;

impl WorkloadReference {
    /// Whether it means this object, which is of the agent's namespace. The group and kind have to be the same; the version means nothing,
    /// for the API server serves one object under several. With neither name nor selector, or with a selector that cannot be read, it
    /// means nothing.
    #[must_use]
    pub fn selects(&self, object: &Value) -> bool {
        let metadata = object.get("metadata").unwrap_or(&Value::Null);
        let same = text(object, "kind") == self.kind && group(text(object, "apiVersion")) == group(&self.api_version);
        let named = |name: &String| !name.is_empty() && text(metadata, "name") == name;
        same && match (&self.name, &self.selector) {
            (Some(name), None) => named(name),
            (None, Some(selector)) => selects(selector, metadata.get("labels").unwrap_or(&Value::Null)),
            (Some(_), Some(_)) | (None, None) => false,
        }
    }
}

fn group(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

/// A `metav1.LabelSelector`. One that has no requirement, or anything that is not known, selects nothing.
fn selects(selector: &Value, labels: &Value) -> bool {
    let Some(fields) = selector.as_object() else {
        return false;
    };
    let known = fields.iter().all(|(name, field)| {
        field.is_null()
            || (name == "matchLabels" && field.is_object())
            || (name == "matchExpressions" && field.is_array())
    });
    let equal = fields.get("matchLabels").and_then(Value::as_object);
    let mut requirements = 0;
    let mut matched = known;
    for (key, value) in equal.into_iter().flatten() {
        requirements += 1;
        matched &= value.is_string() && labels.get(key) == Some(value);
    }
    for (_, expression) in list(selector, "matchExpressions") {
        requirements += 1;
        matched &= expressed(expression, labels);
    }
    matched && requirements > 0
}

fn expressed(expression: &Value, labels: &Value) -> bool {
    let label = labels.get(text(expression, "key"));
    let among = || list(expression, "values").any(|(_, value)| Some(value) == label);
    match text(expression, "operator") {
        "In" => among(),
        "NotIn" => !among(),
        "Exists" => label.is_some(),
        "DoesNotExist" => label.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(reference: &Value, expected: bool) {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "refund", "labels": {"app": "refund", "tier": "back"}},
        });
        let mut fields = json!({"role": "server", "apiVersion": "apps/v1", "kind": "Deployment"});
        let extra = reference.as_object().unwrap().clone();
        fields.as_object_mut().unwrap().extend(extra);
        let reference: WorkloadReference = serde_json::from_value(fields).unwrap();
        assert_eq!(reference.selects(&object), expected, "{reference:?}");
    }

    #[test]
    fn by_name() {
        check(&json!({"name": "refund"}), true);
        check(&json!({"name": "refund", "apiVersion": "apps/v1beta1"}), true);
        check(&json!({"name": "refund", "apiVersion": "v1"}), false);
        check(&json!({"name": "refund", "kind": "StatefulSet"}), false);
        check(&json!({"name": "other"}), false);
        check(&json!({"name": ""}), false);
        check(&json!({}), false);
    }

    #[test]
    fn by_selector() {
        for (selector, expected) in [
            (json!({"matchLabels": {"app": "refund"}}), true),
            (json!({"matchLabels": {"app": "refund", "tier": "front"}}), false),
            (json!({"matchLabels": {"app": 1}}), false),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["back", "middle"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["back"]}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["back"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "Gt", "values": ["1"]}]}),
                false,
            ),
            (json!({"matchLabels": {"app": "refund"}, "matchFields": []}), false),
            (json!({"matchLabels": ["app"]}), false),
            (json!({}), false),
            (json!("app=refund"), false),
        ] {
            check(&json!({"selector": selector}), expected);
        }
        check(
            &json!({"name": "refund", "selector": {"matchLabels": {"app": "refund"}}}),
            false,
        );
    }
}
