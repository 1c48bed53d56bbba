//! Declared prompts and models, where they are in a container.

use super::{
    Facet, Model, ModelPin, ProblemReason, Resolution,
    env::Variable,
    image, part,
    reading::{Reading, Who},
};
use crate::digest::Digest;
use serde_json::{Value, json};

/// Words that move, as a whole name or as its last part.
const MOVING: &[&str] = &[
    "latest", "stable", "default", "auto", "preview", "main", "master", "head", "current",
];

/// What a variable becomes where a prompt or a model is declared in it; whether one is.
pub(super) fn in_variable(reading: &mut Reading<'_, '_>, variable: &mut Variable, who: &Who<'_>) -> bool {
    let declaration = reading.declaration;
    let mut entry = serde_json::Map::new();
    for prompt in &declaration.prompts {
        if prompt.place.env.as_deref() != Some(&variable.name) || !reading.is_at(&prompt.place, who) {
            continue;
        }
        let Some(text) = &variable.text else { continue };
        reading.add(part::of_digest(
            Facet::Prompt,
            &prompt.name,
            Digest::of(text.as_bytes()),
            None,
        ));
        reading.find(Facet::Prompt, &prompt.name);
        append(&mut entry, "prompt", &prompt.name);
    }
    for model in &declaration.models {
        let here = model
            .place
            .as_ref()
            .is_some_and(|place| place.env.as_deref() == Some(&variable.name) && reading.is_at(place, who));
        let Some(text) = variable.text.clone().filter(|_| here) else {
            continue;
        };
        add_model(reading, model, Some(&text), &variable.field);
        append(&mut entry, "model", &model.name);
    }
    let declared = !entry.is_empty();
    if declared {
        // A text that expands differs from one that does not, though it reads the same.
        let expansion = variable.entry.get("verbatim").is_some();
        entry.extend(expansion.then(|| ("verbatim".to_owned(), json!(true))));
        variable.entry = Value::Object(entry);
    }
    declared
}

/// Several may be in one variable; most have one.
fn append(entry: &mut serde_json::Map<String, Value>, kind: &str, name: &str) {
    let names = entry.entry(kind).or_insert_with(|| json!([]));
    if let Some(names) = names.as_array_mut() {
        names.push(json!(name));
        names.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
}

/// Adds a model, with the text that the workload names it by.
pub(super) fn add_model(reading: &mut Reading<'_, '_>, model: &Model, text: Option<&str>, field: &str) {
    reading.find(Facet::Model, &model.name);
    let (component, moving) = of_model(model, text);
    reading.add(component);
    if let Some(message) = moving {
        reading.notes.problems.push(super::Problem {
            reason: ProblemReason::ModelFloating,
            object: reading.object.clone(),
            field: field.to_owned(),
            message,
            fix: "name a version that its provider keeps, or the artifact by digest".to_owned(),
            blocking: false,
        });
    }
}

/// The component of a model, and what is wrong with how it is named.
pub(super) fn of_model(model: &Model, text: Option<&str>) -> (super::Component, Option<String>) {
    let name = &model.name;
    let mut known = json!({"provider": model.provider, "pin": model.pin, "in": model.place, "value": text});
    let artifact = model.artifact.as_deref();
    if let (Some(known), Some(artifact), true) = (known.as_object_mut(), artifact, model.pin != ModelPin::Digest) {
        known.insert(
            "artifact".to_owned(),
            image::pinned(artifact).map_or_else(|| json!(artifact), |digest| json!(digest)),
        );
    }
    let moving = match model.pin {
        ModelPin::Digest => match artifact.or(text).and_then(digest_of) {
            Some(digest) => {
                let summary = artifact.or(text);
                return (part::of_digest(Facet::Model, name, digest, summary), None);
            }
            None => format!("model `{name}` is declared as pinned by digest, and no `sha256:` digest is named"),
        },
        ModelPin::Floating => format!("model `{name}` is declared as floating: what answers can change by itself"),
        ModelPin::Version => match text.or(artifact) {
            None => format!("model `{name}` says neither `in` nor `artifact`, so that its version is not known"),
            Some(version) if moves(version) => format!("model `{name}` is `{version}`, a name that moves"),
            Some(_) => {
                let component = part::of_value(Facet::Model, name, Resolution::Resolved, known);
                return (component, None);
            }
        },
    };
    (part::unresolved(Facet::Model, name, known), Some(moving))
}

/// A digest at the end of `oci://repository@sha256:…`, or alone.
fn digest_of(text: &str) -> Option<Digest> {
    text.parse().ok().or_else(|| image::pinned(text))
}

/// Whether a model's name is empty or says that it moves.
fn moves(version: &str) -> bool {
    let version = version.trim().to_ascii_lowercase();
    let last = version
        .rsplit(['-', ':', '@', '/', '.', '_'])
        .next()
        .unwrap_or_default();
    version.is_empty() || MOVING.contains(&last)
}
