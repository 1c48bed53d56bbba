//! Field by field: what a template says, and what is there.

use super::{Difference, defaults};
use serde_json::Value;

/// Characters of a value that are shown.
const MAX_SHOWN: usize = 60;

/// Adds how `found` differs from `expected`. `place` is the name of the field that both are in, which decides what is a default there.
pub(in crate::clearance) fn between(place: &str, at: &str, expected: &Value, found: &Value, all: &mut Vec<Difference>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in found {
                let at = format!("{at}.{key}");
                match expected.get(key).filter(|expected| !expected.is_null()) {
                    _ if defaults::is_free(place, key) => {}
                    Some(expected) => between(key, &at, expected, value, all),
                    None if defaults::is_default(place, key, value) => {}
                    None => all.push(differs(&at, None, Some(value))),
                }
            }
            for (key, value) in expected.iter().filter(|(key, _)| !found.contains_key(*key)) {
                if !defaults::is_free(place, key) && !defaults::is_omitted(key, value) {
                    all.push(differs(&format!("{at}.{key}"), Some(value), None));
                }
            }
        }
        (Value::Array(expected), Value::Array(found)) => lists(place, at, expected, found, all),
        _ if expected == found => {}
        _ => all.push(differs(at, Some(expected), Some(found))),
    }
}

/// Lists are compared in order; where the names differ, that is all there is to say.
fn lists(place: &str, at: &str, expected: &[Value], found: &[Value], all: &mut Vec<Difference>) {
    let (names, others) = (names(expected), names(found));
    if names != others || expected.len() != found.len() {
        let (expected, found) = (short(&Value::from(expected)), short(&Value::from(found)));
        return all.push(message(at, &expected, &found));
    }
    for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
        let label = names.as_ref().and_then(|names| names.get(index).copied());
        let at = label.map_or_else(|| format!("{at}[{index}]"), |name| format!("{at}[{name}]"));
        between(place, &at, expected, found, all);
    }
}

fn names(list: &[Value]) -> Option<Vec<&str>> {
    list.iter().map(|item| item.get("name")?.as_str()).collect()
}

fn differs(at: &str, expected: Option<&Value>, found: Option<&Value>) -> Difference {
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), short);
    message(at, &shown(expected), &shown(found))
}

fn message(at: &str, expected: &str, found: &str) -> Difference {
    Difference {
        field: at.to_owned(),
        message: format!("the template has {expected}, the pod {found}"),
    }
}

/// The beginning of a value; of a list of named things the names.
fn short(value: &Value) -> String {
    let names = value
        .as_array()
        .filter(|list| !list.is_empty())
        .and_then(|list| names(list));
    let text = names.map_or_else(|| value.to_string(), |names| format!("[{}]", names.join(", ")));
    let mut shown: String = text.chars().take(MAX_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("`{shown}`")
}
