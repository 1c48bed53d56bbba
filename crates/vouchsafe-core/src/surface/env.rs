//! The environment of a container: what its process will see, wherever that comes from.
//!
//! Literals and keys of ConfigMaps are content. A key of a Secret named by `secretKeyRef` is a credential: only the key counts, so that
//! rotating or renaming the Secret voids nothing. A Secret taken whole (`envFrom`) can inject anything, so its bytes are content.

use super::{
    ConfigKind, ProblemReason, downward, env_from, fields,
    loader::{self, Blob, Outcome, Reference},
    reading::{Reading, Who, flag, list, text},
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One variable.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    /// Its name.
    pub(super) name: String,
    /// What is hashed of it.
    pub(super) entry: Value,
    /// Its value, where that is known and no secret.
    pub(super) text: Option<String>,
    /// Its field, for problems.
    pub(super) field: String,
}

/// An environment.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// From `envFrom`, one a name, then `env` in its order.
    pub(super) all: Vec<Variable>,
    /// What `envFrom` brings beside variables: absent objects, Secrets taken whole.
    sources: Vec<Value>,
    /// Whether order has a meaning.
    ordered: bool,
    /// Whether something could not be read.
    pub(super) unresolved: bool,
}

/// Reads `envFrom` and `env`.
pub(super) fn read(reading: &mut Reading<'_, '_>, container: &Value, who: &Who<'_>) -> Variables {
    let mut variables = Variables::default();
    let mut imported = BTreeMap::new();
    for (index, source) in list(container, "envFrom") {
        let field = format!("{}.envFrom[{index}]", who.at);
        env_from::read(reading, source, &field, &mut imported, &mut variables.sources);
    }
    let mut seen = BTreeSet::new();
    for (index, item) in list(container, "env") {
        let field = format!("{}.env[{index}]", who.at);
        let variable = one(reading, item, who, &field);
        let expands = item
            .get("value")
            .and_then(Value::as_str)
            .is_some_and(|value| value.contains("$("));
        variables.ordered |= expands || !seen.insert(variable.name.clone());
        variables.all.push(variable);
    }
    let shadowed = |name: &String| seen.contains(name) && !variables.ordered;
    let mut all: Vec<_> = imported
        .into_values()
        .filter(|variable: &Variable| !shadowed(&variable.name))
        .collect();
    all.append(&mut variables.all);
    let unknown = |entry: &Value| entry.get("unresolved").is_some();
    let unresolved = all.iter().any(|variable| unknown(&variable.entry)) || variables.sources.iter().any(unknown);
    Variables {
        all,
        unresolved,
        ..variables
    }
}

impl Variables {
    /// Puts the environment into the container's value.
    pub(super) fn write(self, container: &mut Map<String, Value>) {
        let entries = self.all.into_iter().map(|variable| (variable.name, variable.entry));
        let entries = if self.ordered {
            entries.map(|(name, entry)| json!([name, entry])).collect()
        } else {
            Value::Object(entries.collect())
        };
        if entries != json!({}) {
            container.insert("env".to_owned(), entries);
        }
        if !self.sources.is_empty() {
            container.insert("envFrom".to_owned(), Value::Array(self.sources));
        }
    }
}

fn one(reading: &mut Reading<'_, '_>, item: &Value, who: &Who<'_>, field: &str) -> Variable {
    let name = text(item, "name").to_owned();
    let plain = |entry, text| Variable {
        name: name.clone(),
        entry,
        text,
        field: field.to_owned(),
    };
    let from = fields::pruned(item.get("valueFrom").unwrap_or(&Value::Null));
    let plainly = |key: &str| matches!(key, "name" | "value" | "valueFrom");
    let extra = item
        .as_object()
        .is_some_and(|fields| fields.keys().any(|key| !plainly(key)));
    let both = from.is_object() && !text(item, "value").is_empty();
    if !item.is_object() || extra || both {
        return plain(json!({"item": fields::pruned(item)}), None);
    }
    let Some(sources) = from.as_object() else {
        return match item.get("value").filter(|value| !value.is_null()) {
            None => plain(json!(""), Some(String::new())),
            Some(Value::String(value)) => plain(json!(value), Some(value.clone())),
            Some(other) => plain(json!({"value": other}), None),
        };
    };
    match sources.iter().next() {
        Some((kind, source)) if sources.len() == 1 => match kind.as_str() {
            "configMapKeyRef" => config_key(reading, source, plain(Value::Null, None)),
            "secretKeyRef" => {
                reading.bind(
                    &format!("secret:{}:{name}", who.label),
                    &who.label,
                    text(source, "name"),
                );
                let with = Some(beside(source, &["name", "key"])).filter(|with| !with.is_empty());
                let entry = json!({"secretKey": text(source, "key"), "with": with});
                plain(entry, None)
            }
            "fieldRef" | "resourceFieldRef" => plain(json!({kind: downward::field(reading.template, source)}), None),
            "fileKeyRef" => plain(json!({kind: beside(source, &[])}), None),
            _ => plain(json!({kind: source}), None),
        },
        _ => plain(json!({"valueFrom": from}), None),
    }
}

/// Fields of a reference other than these, without defaults.
pub(super) fn beside(source: &Value, known: &[&str]) -> Map<String, Value> {
    let fields = fields::of_volume("configMap", source);
    let fields = fields.as_object().cloned().unwrap_or_default();
    fields
        .into_iter()
        .filter(|(key, _)| !known.contains(&key.as_str()))
        .collect()
}

fn config_key(reading: &mut Reading<'_, '_>, source: &Value, variable: Variable) -> Variable {
    let (name, key, optional) = (text(source, "name"), text(source, "key"), flag(source, "optional"));
    let field = format!("{}.valueFrom.configMapKeyRef", variable.field);
    let reference = Reference {
        kind: ConfigKind::ConfigMap,
        name,
        optional,
        role: reading.role,
    };
    let outcome = reading.loader.read(&reference);
    let blob = match &outcome {
        Outcome::Found(data) => data.get(key).cloned(),
        _ => None,
    };
    if let Some(blob) = blob {
        let unknown = beside(source, &["name", "key", "optional"]);
        let (entry, text) = match verbatim(&blob) {
            (entry, text) if unknown.is_empty() => (entry, text),
            (entry, _) => (json!({"configMapKey": entry, "with": unknown}), None),
        };
        return Variable {
            entry,
            text,
            ..variable
        };
    }
    if optional && !matches!(outcome, Outcome::Unreadable(..)) {
        return Variable {
            entry: json!({"absent": true}),
            ..variable
        };
    }
    match loader::problem(&reference, &outcome, &reading.object, &field) {
        Some(problem) => reading.report(problem),
        None => {
            let message = format!("ConfigMap `{name}` has no key `{key}`");
            reading.block(
                ProblemReason::ConfigKeyNotFound,
                &field,
                message,
                "add the key, correct its name, or mark it optional",
            );
        }
    }
    Variable {
        entry: json!({"unresolved": true}),
        ..variable
    }
}

/// A value from a ConfigMap. It equals the same literal, unless the kubelet would expand that: it expands `$(…)` in literals only.
pub(super) fn verbatim(blob: &Blob) -> (Value, Option<String>) {
    match String::from_utf8(blob.bytes.clone()) {
        Ok(text) if text.contains('$') => (json!({"verbatim": text}), Some(text)),
        Ok(text) => (json!(text), Some(text)),
        Err(_) => (json!({"bytes": blob.digest}), None),
    }
}
