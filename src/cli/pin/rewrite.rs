//! Images replaced in the text itself, so that comments, order and quotes stay.
//!
//! Only what stands behind `image:` or `reference:` is replaced, and the result has to be the same manifests with other images; else
//! nothing is written.

use super::{PinError, images::images};
use crate::cli::manifests::{Manifests, documents};
use regex::{Captures, Regex};
use serde_json::Value;
use std::collections::BTreeMap;

/// The text with every known image pinned.
pub(super) fn text(file: &str, text: &str, known: &BTreeMap<String, String>) -> Result<String, PinError> {
    let mut rewritten = text.to_owned();
    for (image, pinned) in known {
        rewritten = replaced(&rewritten, image, pinned);
    }
    let before = documents(text.as_bytes()).unwrap_or_default();
    let after = documents(rewritten.as_bytes()).unwrap_or_default();
    let missed = left(&after, known);
    if let Some(image) = missed {
        return Err(PinError::NotFound {
            file: file.to_owned(),
            image,
        });
    }
    let expected: Vec<_> = before
        .into_iter()
        .map(|document| substituted(document, known))
        .collect();
    match known.keys().next() {
        Some(image) if expected != after => Err(PinError::NotFound {
            file: file.to_owned(),
            image: image.clone(),
        }),
        _ => Ok(rewritten),
    }
}

fn replaced(text: &str, image: &str, pinned: &str) -> String {
    let pattern = format!(
        r#"(?m)(\b(?:image|reference)["']?[ \t]*:[ \t]*["']?){}(["',}} \t\r]|$)"#,
        regex::escape(image)
    );
    let Ok(pattern) = Regex::new(&pattern) else {
        return text.to_owned();
    };
    let whole = |found: &Captures<'_>| {
        let part = |index| found.get(index).map_or("", |part| part.as_str());
        format!("{}{pinned}{}", part(1), part(2))
    };
    pattern.replace_all(text, whole).into_owned()
}

/// An image that is known and was not replaced.
fn left(documents: &[Value], known: &BTreeMap<String, String>) -> Option<String> {
    let objects = Manifests::of_documents(documents.to_vec());
    let all = objects.objects.iter().flat_map(|manifest| images(&manifest.object));
    all.into_iter()
        .find(|image| known.contains_key(*image))
        .map(str::to_owned)
}

/// The document with every `image` and `reference` that is known pinned.
fn substituted(value: Value, known: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Object(fields) => {
            let each = fields.into_iter().map(|(name, field)| {
                let pinned = field
                    .as_str()
                    .filter(|_| name == "image" || name == "reference")
                    .and_then(|image| known.get(image));
                let field = pinned.map_or_else(|| substituted(field.clone(), known), |pinned| pinned.clone().into());
                (name, field)
            });
            Value::Object(each.collect())
        }
        Value::Array(items) => items.into_iter().map(|item| substituted(item, known)).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> BTreeMap<String, String> {
        BTreeMap::from([
            ("r.example/a:1".to_owned(), "r.example/a:1@sha256:0".to_owned()),
            ("b".to_owned(), "b@sha256:1".to_owned()),
        ])
    }

    fn pod(image: &str) -> String {
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec:\n  containers:\n  - {image}\n")
    }

    #[test]
    fn only_images_are_replaced_and_everything_else_stays() {
        for (before, after) in [
            ("image: r.example/a:1 # why", "image: r.example/a:1@sha256:0 # why"),
            ("image: 'r.example/a:1'", "image: 'r.example/a:1@sha256:0'"),
            (
                "{name: n, image: b, args: [b]}",
                "{name: n, image: b@sha256:1, args: [b]}",
            ),
            ("{\"image\": \"b\"}", "{\"image\": \"b@sha256:1\"}"),
            ("{image: r.example/a:1.2}", "{image: r.example/a:1.2}"),
            ("{image: bb, args: [--image=b]}", "{image: bb, args: [--image=b]}"),
        ] {
            assert_eq!(text("f", &pod(before), &known()).unwrap(), pod(after));
        }
    }

    #[test]
    fn what_is_not_in_one_piece_is_left_to_people() {
        let folded = pod("image: >-\n      r.example/a:1");
        let error = text("f", &folded, &known()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`f` does not hold `r.example/a:1` in one piece, so that it is not rewritten"
        );
        let elsewhere = pod("{image: c, env: [{name: x, value: 'say image: b'}]}");
        assert!(text("f", &elsewhere, &known()).is_err());
    }
}
