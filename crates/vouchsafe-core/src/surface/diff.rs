//! Two surfaces side by side, component by component.

use super::{Component, Facet};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Paths within a value that a change names at most.
const MAX_PATHS: usize = 64;

/// What happened to a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// It is another one under the same name.
    Changed,
}

/// One component that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Its facet.
    pub facet: Facet,
    /// Its name.
    pub name: String,
    /// What happened to it.
    pub kind: ChangeKind,
    /// As it was.
    pub before: Option<Component>,
    /// As it is.
    pub after: Option<Component>,
    /// JSON pointers into the value that differ, when both values are known; at most 64, then `…`.
    pub paths: Vec<String>,
}

pub(super) fn between(from: &[Component], to: &[Component]) -> Vec<Change> {
    let key = |component: &Component| (component.facet, component.name.clone());
    let before: BTreeMap<_, _> = from.iter().map(|component| (key(component), component)).collect();
    let after: BTreeMap<_, _> = to.iter().map(|component| (key(component), component)).collect();
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter_map(|key| change(key, before.get(key).copied(), after.get(key).copied()))
        .collect()
}

fn change(key: &(Facet, String), before: Option<&Component>, after: Option<&Component>) -> Option<Change> {
    let (kind, paths) = match (before, after) {
        (None, None) => return None,
        (None, Some(_)) => (ChangeKind::Added, Vec::new()),
        (Some(_), None) => (ChangeKind::Removed, Vec::new()),
        (Some(a), Some(b)) if a.digest == b.digest && super::canonical(a) == super::canonical(b) => return None,
        (Some(a), Some(b)) => (ChangeKind::Changed, changed_paths(a.value.as_ref(), b.value.as_ref())),
    };
    let (facet, name) = key.clone();
    Some(Change {
        facet,
        name,
        kind,
        before: before.cloned(),
        after: after.cloned(),
        paths,
    })
}

fn changed_paths(before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let mut paths = Vec::new();
    if let (Some(before), Some(after)) = (before, after) {
        walk(&mut String::new(), before, after, &mut paths);
    }
    if paths.len() > MAX_PATHS {
        paths.truncate(MAX_PATHS);
        paths.push("…".to_owned());
    }
    paths
}

fn walk(at: &mut String, before: &Value, after: &Value, paths: &mut Vec<String>) {
    if before == after || paths.len() > MAX_PATHS {
        return;
    }
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                step(at, key, a.get(key), b.get(key), paths);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for index in 0..a.len().max(b.len()) {
                step(at, &index.to_string(), a.get(index), b.get(index), paths);
            }
        }
        _ => paths.push(at.clone()),
    }
}

fn step(at: &mut String, key: &str, before: Option<&Value>, after: Option<&Value>, paths: &mut Vec<String>) {
    let length = at.len();
    at.push('/');
    at.push_str(&key.replace('~', "~0").replace('/', "~1"));
    match (before, after) {
        (Some(before), Some(after)) => walk(at, before, after, paths),
        _ => paths.push(at.clone()),
    }
    at.truncate(length);
}
