//! What the API server would say of an object, by the schema of its kind: close enough to try every rule in milliseconds. The API server
//! itself is the judge; the suite shows it the same cases.

mod rules;

use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::LazyLock,
};
use vouchsafe_api::crds;

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The field, as the API server writes it.
    pub(crate) field: String,
    /// The reason, as the API server's without `FieldValue`.
    pub(crate) reason: &'static str,
    /// In words.
    pub(crate) message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.field, self.reason, self.message)
    }
}

/// Everything that is wrong with an object, created or, with an old one, updated. Rules are asked only of what has the right shape.
pub(crate) fn judge(object: &Value, old: Option<&Value>) -> Vec<Fault> {
    let schema = schema(object["kind"].as_str().unwrap());
    let mut object = object.clone();
    defaults(&mut object, schema);
    let mut faults = Vec::new();
    shape(&object, schema, "", &mut faults);
    if faults.is_empty() {
        let mut old = old.cloned();
        old.iter_mut().for_each(|old| defaults(old, schema));
        rules::ask(&object, old.as_ref(), schema, "", &mut faults);
    }
    faults
}

pub(crate) fn schema(kind: &str) -> &'static Value {
    static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
        let all = crds::all().unwrap().into_iter().map(|crd| {
            let schema = crd.spec.versions.into_iter().next().unwrap().schema.unwrap();
            (
                crd.spec.names.kind,
                serde_json::to_value(schema.open_api_v3_schema).unwrap(),
            )
        });
        all.collect()
    });
    SCHEMAS.get(kind).unwrap_or_else(|| panic!("no kind {kind}"))
}

fn defaults(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(object) => {
            for (name, of) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(default) = of
                    .get("default")
                    .filter(|_| object.get(name).is_none_or(Value::is_null))
                {
                    object.insert(name.clone(), default.clone());
                }
                if let Some(child) = object.get_mut(name) {
                    defaults(child, of);
                }
            }
            if let Some(of) = schema.get("additionalProperties") {
                object.values_mut().for_each(|child| defaults(child, of));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| defaults(item, &schema["items"])),
        _ => {}
    }
}

fn shape(value: &Value, schema: &Value, path: &str, faults: &mut Vec<Fault>) {
    let mut fault = |reason, message: String| {
        faults.push(Fault {
            field: path.to_owned(),
            reason,
            message,
        });
    };
    let Some(kind) = schema["type"].as_str() else { return };
    let fits = match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    if !fits {
        return fault("TypeInvalid", format!("must be of type {kind}"));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return fault("NotSupported", format!("supported values: {}", schema["enum"]));
    }
    match value {
        Value::String(text) => text_shape(text, schema, fault),
        Value::Number(number) => number_shape(number.as_f64().unwrap(), schema, fault),
        Value::Array(items) => list_shape(items, schema, path, faults),
        Value::Object(object) => object_shape(object, schema, path, faults),
        _ => {}
    }
}

fn text_shape(text: &str, schema: &Value, mut fault: impl FnMut(&'static str, String)) {
    let length = text.chars().count() as u64;
    if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
        fault("TooLong", format!("may not be more than {} bytes", schema["maxLength"]));
    }
    if schema["minLength"].as_u64().is_some_and(|least| length < least) {
        fault(
            "Invalid",
            format!("should be at least {} chars long", schema["minLength"]),
        );
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && !regex::Regex::new(pattern).unwrap().is_match(text)
    {
        fault("Invalid", format!("should match '{pattern}'"));
    }
    if schema["format"] == "date-time" && text.parse::<jiff::Timestamp>().is_err() {
        fault("Invalid", "must be of type date-time".to_owned());
    }
}

fn number_shape(number: f64, schema: &Value, mut fault: impl FnMut(&'static str, String)) {
    if schema["minimum"].as_f64().is_some_and(|least| number < least) {
        fault(
            "Invalid",
            format!("should be greater than or equal to {}", schema["minimum"]),
        );
    }
    if schema["maximum"].as_f64().is_some_and(|most| number > most) {
        fault(
            "Invalid",
            format!("should be less than or equal to {}", schema["maximum"]),
        );
    }
}

fn list_shape(items: &[Value], schema: &Value, path: &str, faults: &mut Vec<Fault>) {
    let mut fault = |field: String, reason, message: String| faults.push(Fault { field, reason, message });
    let length = items.len() as u64;
    if schema["maxItems"].as_u64().is_some_and(|most| length > most) {
        fault(
            path.to_owned(),
            "TooMany",
            format!("must have at most {} items", schema["maxItems"]),
        );
    }
    if schema["minItems"].as_u64().is_some_and(|least| length < least) {
        fault(
            path.to_owned(),
            "Invalid",
            format!("should have at least {} items", schema["minItems"]),
        );
    }
    let keys = schema["x-kubernetes-list-map-keys"].as_array();
    let unique = keys.is_some() || schema["x-kubernetes-list-type"] == "set";
    let mut seen = BTreeSet::new();
    for (at, item) in items.iter().enumerate().filter(|_| unique) {
        let key = keys.map_or_else(
            || item.to_string(),
            |keys| keys.iter().map(|key| item[key.as_str().unwrap()].to_string()).collect(),
        );
        if !seen.insert(key) {
            fault(format!("{path}[{at}]"), "Duplicate", item.to_string());
        }
    }
    for (at, item) in items.iter().enumerate() {
        shape(item, &schema["items"], &format!("{path}[{at}]"), faults);
    }
}

fn object_shape(object: &Map<String, Value>, schema: &Value, path: &str, faults: &mut Vec<Fault>) {
    let under = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    if path == "metadata" {
        return;
    }
    let most = schema["maxProperties"].as_u64();
    if most.is_some_and(|most| object.len() as u64 > most) {
        let message = format!("must have at most {} items", schema["maxProperties"]);
        faults.push(Fault {
            field: path.to_owned(),
            reason: "TooMany",
            message,
        });
    }
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if object.get(name).is_none_or(Value::is_null) {
            faults.push(Fault {
                field: under(name),
                reason: "Required",
                message: "Required value".to_owned(),
            });
        }
    }
    let free = schema["x-kubernetes-preserve-unknown-fields"] == true;
    for (name, child) in object.iter().filter(|(_, child)| !child.is_null()) {
        let known = schema["properties"]
            .get(name)
            .or_else(|| schema.get("additionalProperties"));
        match known {
            Some(of) => shape(child, of, &under(name), faults),
            None if free || (path.is_empty() && ["apiVersion", "kind", "metadata"].contains(&name.as_str())) => {}
            None => faults.push(Fault {
                field: under(name),
                reason: "Unknown",
                message: "unknown field".to_owned(),
            }),
        }
    }
}
