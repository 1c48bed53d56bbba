//! Making components: names and values within their bounds, digests of what is meant.

use super::{Component, Facet, MAX_NAME, MAX_SUMMARY, MAX_VALUE, Resolution};
use crate::digest::Digest;
use serde_json::{Value, json};

/// Bytes of a string within a value that are kept as they are; of longer ones the digest is.
const MAX_TEXT: usize = 1024;
/// Integers up to here are exact in RFC 8785, whose numbers are IEEE doubles.
const MAX_EXACT: u64 = (1 << 53) - 1;

/// A component of a JSON value.
pub(super) fn of_value(facet: Facet, name: &str, resolution: Resolution, value: Value) -> Component {
    let value = folded(value);
    let digest = Digest::of_json(&value);
    let value = (value.to_string().len() <= MAX_VALUE).then_some(value);
    Component {
        facet,
        name: bounded(name),
        digest,
        resolution,
        value,
        summary: None,
    }
}

/// A component that is known by a digest alone.
pub(super) fn of_digest(facet: Facet, name: &str, digest: Digest, summary: Option<&str>) -> Component {
    let summary = summary.map(self::summary);
    Component {
        facet,
        name: bounded(name),
        digest,
        resolution: Resolution::Resolved,
        value: None,
        summary,
    }
}

/// Words for people, within their bound and without control characters.
pub(super) fn summary(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(MAX_SUMMARY)
        .collect()
}

/// A component that could not be pinned down; `known` is what can be said of it, no object's name in it.
pub(super) fn unresolved(facet: Facet, name: &str, known: Value) -> Component {
    let component = of_value(facet, name, Resolution::Unresolved, known);
    if super::claim::of_bytes(facet) {
        Component {
            value: None,
            ..component
        }
    } else {
        component
    }
}

/// The value with what is too long for people, or not exact in canonical JSON, replaced by what stands for it; and without nulls, which
/// do not survive `kubectl apply`.
fn folded(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > MAX_TEXT => {
            json!({"sha256": Digest::of(text.as_bytes()).hex(), "bytes": text.len()})
        }
        Value::Number(number) if !exact(&number) => json!({"number": number.to_string()}),
        Value::Array(items) => items.into_iter().map(folded).collect(),
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, field)| !field.is_null());
            Value::Object(kept.map(|(key, field)| (key, folded(field))).collect())
        }
        other => other,
    }
}

/// Whether RFC 8785 keeps the number apart from every other one.
pub(super) fn exact(number: &serde_json::Number) -> bool {
    match (number.as_u64(), number.as_i64()) {
        (Some(positive), _) => positive <= MAX_EXACT,
        (None, Some(negative)) => negative.unsigned_abs() <= MAX_EXACT,
        (None, None) => true,
    }
}

/// A name within its bound and without control characters, which could steer a terminal: of another one the beginning and the digest of
/// the whole.
fn bounded(name: &str) -> String {
    if name.is_empty() {
        return "-".to_owned();
    }
    if name.len() <= MAX_NAME && !name.contains(char::is_control) {
        return name.to_owned();
    }
    let mut kept = String::new();
    for letter in name.chars().filter(|letter| !letter.is_control()) {
        if kept.len() + letter.len_utf8() > MAX_NAME - 80 {
            break;
        }
        kept.push(letter);
    }
    format!("{kept}…{}", Digest::of(name.as_bytes()))
}
