//! `crds/` is what the types say, and everything in it is bounded.

use serde_json::Value;
use std::{collections::BTreeSet, env, fs, path::PathBuf};
use vouchsafe_api::crds;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../crds")
}

/// Compares, or with `UPDATE=1` rewrites.
#[test]
fn the_files_are_what_the_types_say() {
    let mut names = BTreeSet::new();
    for crd in crds::all().unwrap() {
        let name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
        let text = format!(
            "# Generated from crates/vouchsafe-api; UPDATE=1 cargo test -p vouchsafe-api\n{}",
            serde_saphyr::to_string(&crd).unwrap()
        );
        let path = folder().join(&name);
        if env::var_os("UPDATE").is_some() {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let stored = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == text,
            "crds/{name} is not what the types say: run UPDATE=1 cargo test -p vouchsafe-api"
        );
        let read: Value = serde_saphyr::from_str(&stored).unwrap();
        assert_eq!(
            read,
            serde_json::to_value(&crd).unwrap(),
            "crds/{name} is read back as something else"
        );
        names.insert(name);
    }
    let stored: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(stored, names);
}

#[test]
fn everything_is_bounded() {
    let mut schemas = 0;
    for crd in crds::all().unwrap() {
        let crd = serde_json::to_value(&crd).unwrap();
        let root = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        schemas += bounded(&root["properties"]["spec"], &format!("{kind}.spec"));
        if root["properties"].get("status").is_some() {
            schemas += bounded(&root["properties"]["status"], &format!("{kind}.status"));
        }
    }
    assert!(schemas > 300, "only {schemas} schemas were looked at");
}

/// How many schemas were looked at.
fn bounded(schema: &Value, path: &str) -> usize {
    let has = |key: &str| schema.get(key).is_some();
    assert!(!has("nullable"), "{path} is nullable");
    assert!(
        !has("anyOf") && !has("oneOf") && !has("$ref"),
        "{path} is not structural: {schema}"
    );
    let free = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => {
            let format = schema.get("format").and_then(Value::as_str);
            assert!(
                has("maxLength") || has("enum") || format == Some("date-time"),
                "{path} is a string without a bound"
            );
            if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
                assert!(
                    pattern.starts_with('^'),
                    "{path} has a pattern that is not anchored: {pattern}"
                );
            }
        }
        Some("array") => assert!(has("maxItems"), "{path} is a list without a bound"),
        Some("object") if has("additionalProperties") => {
            assert!(has("maxProperties"), "{path} is a map without a bound");
        }
        Some("object") => assert!(free || has("properties"), "{path} is an object without properties"),
        Some("integer") => {
            let format = schema.get("format").and_then(Value::as_str);
            assert!(
                matches!(format, Some("int32" | "int64")),
                "{path} has format {format:?}"
            );
        }
        Some("boolean") => {}
        other => assert!(free, "{path} has type {other:?}"),
    }
    let named = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let children = named.map(|(name, child)| (format!("{path}.{name}"), child));
    let of = |key: &'static str, sign: &str| schema.get(key).map(|child| (format!("{path}{sign}"), child));
    1 + children
        .chain(of("items", "[]"))
        .chain(of("additionalProperties", "{}"))
        .map(|(path, child)| bounded(child, &path))
        .sum::<usize>()
}
