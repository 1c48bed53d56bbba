//! Whole ConfigMaps and Secrets as environment variables.

use super::{
    ConfigKind,
    env::{Variable, beside, verbatim},
    fields,
    loader::{self, Blob, Outcome, Reference},
    reading::{Reading, flag, text},
};
use crate::digest::Digest;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, rc::Rc};

/// Reads one element of `envFrom`: its variables into `imported`, where later ones win, and what else there is to say into `sources`.
pub(super) fn read(
    reading: &mut Reading<'_, '_>,
    source: &Value,
    field: &str,
    imported: &mut BTreeMap<String, Variable>,
    sources: &mut Vec<Value>,
) {
    let (kind, key) = match (source.get("configMapRef"), source.get("secretRef")) {
        (Some(Value::Object(_)), None | Some(Value::Null)) => (ConfigKind::ConfigMap, "configMapRef"),
        (None | Some(Value::Null), Some(Value::Object(_))) => (ConfigKind::Secret, "secretRef"),
        _ => return sources.push(json!({"unknown": fields::pruned(source)})),
    };
    let (prefix, object) = (text(source, "prefix"), source.get(key).unwrap_or(&Value::Null));
    let (outer, inner) = (beside(source, &["prefix", key]), beside(object, &["name", "optional"]));
    if !outer.is_empty() || !inner.is_empty() {
        sources.push(json!({"beside": outer, "in": inner, "kind": kind.as_str()}));
    }
    let (name, optional) = (text(object, "name"), flag(object, "optional"));
    let reference = Reference {
        kind,
        name,
        optional,
        role: reading.role,
    };
    match reading.loader.read(&reference) {
        Outcome::Found(data) => sources.extend(variables(kind, prefix, &data, field, imported)),
        Outcome::Absent if optional => sources.push(json!({"absent": kind.as_str(), "prefix": prefix})),
        outcome => {
            let problem = loader::problem(&reference, &outcome, &reading.object, &format!("{field}.{key}"));
            reading.notes.problems.extend(problem);
            sources.push(json!({"unresolved": kind.as_str(), "prefix": prefix}));
        }
    }
}

/// The variables of an object; of a Secret also what stands for its bytes.
fn variables(
    kind: ConfigKind,
    prefix: &str,
    data: &BTreeMap<String, Rc<Blob>>,
    field: &str,
    imported: &mut BTreeMap<String, Variable>,
) -> Option<Value> {
    for (key, blob) in data {
        let name = format!("{prefix}{key}");
        let (entry, text) = match kind {
            ConfigKind::ConfigMap => verbatim(blob),
            ConfigKind::Secret => (json!({"envFromSecret": key}), None),
        };
        imported.insert(
            name.clone(),
            Variable {
                name,
                entry,
                text,
                field: field.to_owned(),
            },
        );
    }
    // One digest over the whole, never one a key: short secrets must not be guessable from a surface.
    let digests: Map<_, _> = data
        .iter()
        .map(|(key, blob)| (key.clone(), json!(blob.digest)))
        .collect();
    (kind == ConfigKind::Secret).then(|| json!({"secret": Digest::of_json(&Value::Object(digests)), "prefix": prefix}))
}
