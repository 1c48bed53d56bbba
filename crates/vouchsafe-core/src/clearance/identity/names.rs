//! Names of Services in what an agent is given: hosts of URLs in its pod, and hosts in its bindings.

use super::MAX_OF_ONE;
use crate::surface::{Declaration, Resolved};
use serde_json::Value;
use std::collections::BTreeSet;

/// Services of a namespace that an agent names by what it declares: hosts in the values of its bindings, and the agents that it hands work to.
#[must_use]
pub fn named(declaration: &Declaration, resolved: &Resolved, namespace: &str) -> BTreeSet<String> {
    let is_binding = |key: &str| {
        let name = key.split('@').next().unwrap_or_default();
        let bindings = declaration.bindings.iter();
        bindings
            .filter(|binding| binding.env.is_some())
            .any(|binding| binding.name == key || binding.name == name)
    };
    let mut names = BTreeSet::new();
    for (_, value) in resolved.bindings.iter().filter(|(key, _)| is_binding(key)) {
        for word in value.split(|letter: char| letter.is_whitespace() || ",;".contains(letter)) {
            match word.contains("://") {
                true => urls(word, namespace, &mut names),
                false => insert(host_of(word), namespace, &mut names),
            }
        }
    }
    for delegate in &declaration.delegates {
        insert(&delegate.agent, namespace, &mut names);
    }
    names
}

/// Those that the variables, arguments and commands of a pod's containers have in URLs.
pub(super) fn of_spec(spec: &Value, namespace: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for list in ["containers", "initContainers"] {
        for container in spec.get(list).and_then(Value::as_array).into_iter().flatten() {
            let items = |key: &str| container.get(key).and_then(Value::as_array).into_iter().flatten();
            let values = items("env").filter_map(|variable| variable.get("value"));
            let words = items("command").chain(items("args"));
            for text in values.chain(words).filter_map(Value::as_str) {
                urls(text, namespace, &mut names);
            }
        }
    }
    names
}

fn urls(text: &str, namespace: &str, names: &mut BTreeSet<String>) {
    for (at, mark) in text.match_indices("://") {
        let rest = text.get(at + mark.len()..).unwrap_or_default();
        insert(host_of(rest), namespace, names);
    }
}

/// The host of `user@host:port/path`, and of less.
fn host_of(text: &str) -> &str {
    let ends = |letter: char| letter.is_whitespace() || "/?#,;\"'\\)}]>".contains(letter);
    let authority = text.split(ends).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default()
}

fn insert(host: &str, namespace: &str, names: &mut BTreeSet<String>) {
    for name in services_of(host, namespace) {
        if names.len() < MAX_OF_ONE {
            names.insert(name);
        }
    }
}

/// The Services of a namespace that decide what a host resolves to inside of it.
///
/// `name`, `name.namespace`, `name.namespace.svc` and whatever is behind that, with or without a pod's name before it. A cluster's resolver
/// tries the namespace first, so `a.b` is also the host `a` of a headless Service `b` here.
pub(super) fn services_of(host: &str, namespace: &str) -> Vec<String> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = host.split('.').collect();
    let behind = |label: &&str| is_name(label).then(|| (*label).to_owned());
    match labels.as_slice() {
        [name] => behind(name).into_iter().collect(),
        [name, place] => {
            let here = behind(name).filter(|_| *place == namespace);
            here.into_iter().chain(behind(place)).collect()
        }
        labels => {
            let mut found = labels.windows(3).filter_map(|three| match three {
                [name, place, "svc"] if *place == namespace => behind(name),
                _ => None,
            });
            found.next().into_iter().collect()
        }
    }
}

/// Whether a Service can have this name. A number is an address, and `localhost` never leaves the pod.
fn is_name(label: &str) -> bool {
    let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let ends = label.starts_with('-') || label.ends_with('-');
    let number = label.bytes().all(|byte| byte.is_ascii_digit());
    letters && !ends && !number && label.len() <= 63 && label != "localhost"
}
