//! Objects that are accepted and objects that are refused, and why: one file a kind in `tests/cases/`.

use crate::judge::judge;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::PathBuf};

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    /// With everything that there is.
    full: Value,
    /// With nothing that can be left out.
    smallest: Value,
    /// What `full` may be changed into; a change is a JSON merge patch (RFC 7396).
    #[serde(default)]
    accepted: Vec<Value>,
    /// What `full` may not be changed into.
    refused: Vec<Refused>,
    /// What a stored `full` may not be changed into.
    #[serde(default)]
    immutable: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    /// The change.
    change: Value,
    /// `<field> <words of the message>`, or the reason instead of words.
    says: String,
}

fn files() -> Vec<(String, Cases)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let cases = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap());
            (name.clone(), cases.unwrap_or_else(|error| panic!("{name}: {error}")))
        })
        .collect()
}

fn changed(object: &Value, change: &Value) -> Value {
    let mut object = object.clone();
    merge(&mut object, change);
    object
}

fn merge(into: &mut Value, change: &Value) {
    let Value::Object(fields) = change else {
        *into = change.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(serde_json::Map::new());
    }
    let object = into.as_object_mut().unwrap();
    for (name, field) in fields {
        if field.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name).or_insert(Value::Null), field);
        }
    }
}

fn refused(file: &str, object: &Value, old: Option<&Value>, case: &Refused) {
    let (field, words) = case
        .says
        .split_once(' ')
        .unwrap_or_else(|| panic!("{file}: `{}` has no words", case.says));
    let faults = judge(object, old);
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let found = faults
        .iter()
        .any(|fault| fault.field == field && (fault.reason == words || fault.message.contains(words)));
    assert!(
        found,
        "{file}: {} should say `{}`, says {said:#?}",
        case.change, case.says
    );
}

#[test]
fn every_kind_has_cases() {
    let kinds: BTreeSet<String> = vouchsafe_api::crds::all()
        .unwrap()
        .into_iter()
        .map(|crd| crd.spec.names.kind)
        .collect();
    let files: BTreeSet<String> = files()
        .iter()
        .map(|(_, cases)| cases.full["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(files, kinds);
}

#[test]
fn what_is_right_is_accepted() {
    for (file, cases) in files() {
        let changes = cases.accepted.iter().map(|change| changed(&cases.full, change));
        for object in [cases.full.clone(), cases.smallest.clone()].into_iter().chain(changes) {
            let faults: Vec<String> = judge(&object, None).iter().map(ToString::to_string).collect();
            assert_eq!(faults, Vec::<String>::new(), "{file}: {object}");
        }
        let faults = judge(&cases.full, Some(&cases.full));
        assert_eq!(faults, [], "{file}: an update that changes nothing");
    }
}

#[test]
fn what_is_wrong_is_refused_and_named() {
    for (file, cases) in files() {
        assert!(cases.refused.len() >= 4, "{file} has few cases");
        for case in &cases.refused {
            refused(&file, &changed(&cases.full, &case.change), None, case);
        }
    }
}

#[test]
fn what_grants_cannot_be_changed() {
    for (file, cases) in files() {
        let grants = ["Promotion", "Evidence", "Approval", "Waiver"].contains(&cases.full["kind"].as_str().unwrap());
        assert_eq!(cases.immutable.is_empty(), !grants, "{file}");
        for case in &cases.immutable {
            refused(&file, &changed(&cases.full, &case.change), Some(&cases.full), case);
        }
    }
}

/// What is accepted can be read by the types, and none of it is lost on the way.
#[test]
fn what_is_accepted_can_be_read() {
    for (file, cases) in files() {
        let changes: Vec<Value> = cases
            .accepted
            .iter()
            .map(|change| changed(&cases.full, change))
            .collect();
        for object in [&cases.full, &cases.smallest].into_iter().chain(&changes) {
            let read = round_trip(object).unwrap_or_else(|error| panic!("{file}: {error}"));
            let lost = missing(object, &read, "");
            assert_eq!(lost, Vec::<String>::new(), "{file}");
        }
    }
}

fn round_trip(object: &Value) -> Result<Value, serde_json::Error> {
    use vouchsafe_api as api;
    let object = object.clone();
    match object["kind"].as_str().unwrap() {
        "Agent" => serde_json::to_value(serde_json::from_value::<api::Agent>(object)?),
        "Approval" => serde_json::to_value(serde_json::from_value::<api::Approval>(object)?),
        "Check" => serde_json::to_value(serde_json::from_value::<api::Check>(object)?),
        "Clearance" => serde_json::to_value(serde_json::from_value::<api::Clearance>(object)?),
        "Environment" => serde_json::to_value(serde_json::from_value::<api::Environment>(object)?),
        "Evidence" => serde_json::to_value(serde_json::from_value::<api::Evidence>(object)?),
        "Promotion" => serde_json::to_value(serde_json::from_value::<api::Promotion>(object)?),
        "Waiver" => serde_json::to_value(serde_json::from_value::<api::Waiver>(object)?),
        other => panic!("no kind {other}"),
    }
}

/// Fields of `of` that `value` lost or changed; more may be there.
fn missing(of: &Value, value: &Value, path: &str) -> Vec<String> {
    match (of, value) {
        (Value::Object(of), Value::Object(object)) => of
            .iter()
            .flat_map(|(name, child)| match object.get(name) {
                Some(found) => missing(child, found, &format!("{path}.{name}")),
                None => vec![format!("{path}.{name}")],
            })
            .collect(),
        (Value::Array(of), Value::Array(items)) if of.len() == items.len() => of
            .iter()
            .zip(items)
            .enumerate()
            .flat_map(|(at, (child, found))| missing(child, found, &format!("{path}[{at}]")))
            .collect(),
        (Value::String(of), Value::String(text)) if same_time(of, text) => Vec::new(),
        (of, value) if of == value => Vec::new(),
        _ => vec![path.to_owned()],
    }
}

fn same_time(a: &str, b: &str) -> bool {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    time(a).is_some() && time(a) == time(b)
}

/// Every property of the schema is shown somewhere.
#[test]
fn everything_is_shown() {
    for (file, cases) in files() {
        let schema = crate::judge::schema(cases.full["kind"].as_str().unwrap());
        let mut absent = Vec::new();
        for part in ["spec", "status"] {
            if schema["properties"].get(part).is_some() {
                let all: Vec<Value> = cases
                    .accepted
                    .iter()
                    .map(|change| changed(&cases.full, change))
                    .chain([cases.full.clone()])
                    .collect();
                let values: Vec<&Value> = all.iter().map(|object| &object[part]).collect();
                unused(&schema["properties"][part], &values, part, &mut absent);
            }
        }
        assert_eq!(absent, Vec::<String>::new(), "{file} does not show these");
    }
}

/// Properties that none of these values has.
fn unused(schema: &Value, values: &[&Value], path: &str, absent: &mut Vec<String>) {
    for (name, of) in schema["properties"].as_object().into_iter().flatten() {
        let found: Vec<&Value> = values.iter().filter_map(|value| value.get(name)).collect();
        let path = format!("{path}.{name}");
        if found.is_empty() {
            absent.push(path);
        } else {
            unused(of, &found, &path, absent);
        }
    }
    if let Some(of) = schema.get("items") {
        let items: Vec<&Value> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
        unused(of, &items, &format!("{path}[]"), absent);
    }
    if let Some(of) = schema.get("additionalProperties") {
        let items: Vec<&Value> = values
            .iter()
            .filter_map(|value| value.as_object())
            .flat_map(|map| map.values())
            .collect();
        unused(of, &items, &format!("{path}{{}}"), absent);
    }
}
