//! Pods as a real API server 1.36.3 and its controllers stored them, with a LimitRange and without; and what is made of them.

mod account;
mod exempted;
mod identity;
mod laws;
mod plan;
mod profiles;
mod room;

use super::*;
use serde_json::{Value, json};
use std::{env, fs, path::Path};

/// A workload and pods that its controller made.
struct Stored {
    name: &'static str,
    workload: Value,
    pods: Vec<Value>,
}

macro_rules! stored {
    ($($name:literal),* $(,)?) => {
        /// Every workload and its pods.
        fn stored() -> Vec<Stored> {
            vec![$(Stored::read($name, include_str!(concat!("tests/stored/", $name, ".json")))),*]
        }
    };
}

stored![
    "cronjob",
    "daemonset",
    "deployment",
    "deployment-reading-all-metadata",
    "indexed-job",
    "indexed-job-reading-all-metadata",
    "job",
    "pod",
    "replicaset",
    "replicationcontroller",
    "small-deployment",
    "statefulset",
];

impl Stored {
    fn read(name: &'static str, text: &str) -> Self {
        let mut file: Value = serde_json::from_str(text).unwrap();
        let pods = file["pods"].as_array().unwrap().clone();
        assert!(!pods.is_empty(), "{name}");
        Self {
            name,
            workload: file["workload"].take(),
            pods,
        }
    }

    fn of(name: &str) -> Self {
        stored().into_iter().find(|stored| stored.name == name).unwrap()
    }

    fn owner(&self) -> OwnerKind {
        OwnerKind::of(&self.workload)
    }

    fn profile(&self, pod: usize) -> Profile {
        Profile::of_pod(&self.pods[pod], &token(), self.owner(), Images::Pinned).unwrap()
    }
}

/// The source of the token that API server 1.36 injects.
fn token() -> Value {
    json!({"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
        {"downwardAPI": {"items": [{"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"}]}},
    ]})
}

/// JSON pointers of every leaf.
fn leaves(value: &Value, at: &str, all: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, field) in fields {
                leaves(field, &format!("{at}/{}", escaped(key)), all);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &format!("{at}/{index}"), all);
            }
        }
        _ => all.push(at.to_owned()),
    }
}

/// A value of the same kind that is not the same.
fn another(value: &Value) -> Value {
    match value {
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => json!(number.as_i64().unwrap() + 1),
        Value::String(text) => json!(format!("{text}x")),
        _ => json!({"x": "y"}),
    }
}

fn without(object: &Value, path: &str) -> Value {
    let (parent, key) = path.rsplit_once('/').unwrap();
    let mut object = object.clone();
    match object.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.remove(&key.replace("~1", "/")).unwrap()),
        Value::Array(items) => drop(items.remove(key.parse().unwrap())),
        other => panic!("{other}"),
    }
    object
}

fn with(object: &Value, path: &str, value: Value) -> Value {
    let (parent, key) = path.rsplit_once('/').unwrap();
    let mut object = object.clone();
    match object.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")) {
        Value::Object(fields) => drop(fields.insert(key.replace("~1", "/"), value)),
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        other => panic!("{other}"),
    }
    object
}

/// Compares with a file beside the tests; `UPDATE=1` rewrites it.
fn golden(file: &str, value: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/clearance/tests")
        .join(file);
    let text = format!("{value:#}\n");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {file}; UPDATE=1 writes it"));
    assert!(stored == text, "{file} differs; UPDATE=1 rewrites it");
}
