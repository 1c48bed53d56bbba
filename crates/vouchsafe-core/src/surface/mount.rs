//! Mounts: what a container sees at which path.
//!
//! The bytes of configuration become components of their own, one a file, so that a prompt's edit shows as that and nothing else.

use super::{
    ConfigKind, Facet, ProblemReason, binding, fields, image,
    loader::{self, Blob, Outcome, Reference},
    part, places,
    reading::{Reading, Who, list, text},
    volume::{File, Files, Volume, normal},
};
use crate::digest::Digest;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// Files of one mount that get a component each; more are one component together.
const MAX_FILES: usize = 32;

/// The volumes of a pod, and who mounts which.
pub(super) struct Volumes<'a> {
    /// By name.
    pub(super) by_name: BTreeMap<&'a str, Volume<'a>>,
    /// Places, as `container:path`, by volume name.
    pub(super) uses: BTreeMap<&'a str, BTreeSet<String>>,
}

/// One mount of one container.
struct Mount<'m> {
    path: &'m str,
    field: String,
    raw: &'m Value,
    /// Paths of all mounts of the container.
    all: &'m [String],
}

/// Reads `volumeMounts` and `volumeDevices` into the container's value; whether all of it is known.
pub(super) fn read<'a>(
    reading: &mut Reading<'_, '_>,
    container: &'a Value,
    who: &Who<'_>,
    volumes: &mut Volumes<'a>,
    value: &mut Map<String, Value>,
) -> bool {
    let mut known = true;
    for (key, place) in [("volumeMounts", "mountPath"), ("volumeDevices", "devicePath")] {
        let all: Vec<_> = list(container, key)
            .map(|(_, mount)| absolute(text(mount, place)))
            .collect();
        let mut entries = Map::new();
        for (index, raw) in list(container, key) {
            let path = text(raw, place);
            let name = text(raw, "name");
            volumes
                .uses
                .entry(name)
                .or_default()
                .insert(format!("{}:{path}", who.name));
            let mount = Mount {
                path,
                field: format!("{}.{key}[{index}]", who.at),
                raw,
                all: &all,
            };
            let entry = one(reading, &mount, volumes.by_name.get(name), who, &mut known);
            let path = if entries.contains_key(path) {
                format!("{path}#{index}")
            } else {
                path.to_owned()
            };
            entries.insert(path, entry);
        }
        if !entries.is_empty() {
            value.insert(key.to_owned(), Value::Object(entries));
        }
    }
    known
}

fn one(
    reading: &mut Reading<'_, '_>,
    mount: &Mount<'_>,
    volume: Option<&Volume<'_>>,
    who: &Who<'_>,
    known: &mut bool,
) -> Value {
    let mut rest = fields::of_mount(mount.raw);
    for key in ["name", "mountPath", "devicePath"] {
        rest.remove(key);
    }
    let Some(volume) = volume else {
        *known = false;
        let message = format!("the pod has no volume `{}`", text(mount.raw, "name"));
        reading.block(
            ProblemReason::VolumeNotFound,
            &mount.field,
            message,
            "add the volume, or correct its name",
        );
        return entry_of("missing", rest, json!({}));
    };
    let secret = volume.only_secret();
    if let Some(name) = binding::of_mount(reading, mount.path, secret, who, &mount.field) {
        return entry_of(&volume.kind, rest, json!({"binding": name}));
    }
    if volume.kind == "image" {
        let reference = volume.raw.get("image").map_or("", |image| text(image, "reference"));
        let (name, field) = (
            format!("{}:{}", who.label, mount.path),
            format!("{}.image.reference", volume.at),
        );
        image::read(reading, &name, reference, &field);
    }
    if !volume.has_files() {
        return entry_of(&volume.kind, rest, json!({}));
    }
    let files = volume.files(reading);
    if files.unresolved {
        *known = false;
        let name = format!("{}:{}", who.label, mount.path);
        reading.add(part::unresolved(
            Facet::Config,
            &name,
            json!({"unresolved": volume.kind}),
        ));
    }
    // Which file of the volume it is shows in the content; its name there does not matter.
    rest.remove("subPath");
    let mut absent = files.absent.clone();
    absent.sort_by_cached_key(Value::to_string);
    let absent = (!absent.is_empty()).then_some(absent);
    let entry = entry_of(&volume.kind, rest, json!({"absent": absent}));
    emit(reading, mount, selected(mount, files), who);
    entry
}

/// What is hashed of a mount: the kind of its volume, what is left of its own fields, and facts of ours. Nulls are left out later.
fn entry_of(kind: &str, rest: Map<String, Value>, mut facts: Value) -> Value {
    if let Some(facts) = facts.as_object_mut() {
        facts.insert("kind".to_owned(), json!(kind));
        facts.extend((!rest.is_empty()).then(|| ("with".to_owned(), Value::Object(rest))));
    }
    facts
}

/// The files by the absolute paths at which the container sees them.
fn selected(mount: &Mount<'_>, files: Files) -> BTreeMap<String, File> {
    let (base, below) = (absolute(mount.path), normal(text(mount.raw, "subPath")));
    let place = |path: String, file| {
        if below.is_empty() {
            return Some((format!("{base}/{path}"), file));
        }
        let rest = path.strip_prefix(&below)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| (format!("{base}{rest}"), file))
    };
    files
        .by_path
        .into_iter()
        .filter_map(|(path, file)| place(path, file))
        .collect()
}

fn emit(reading: &mut Reading<'_, '_>, mount: &Mount<'_>, files: BTreeMap<String, File>, who: &Who<'_>) {
    let (mut content, mut secret) = (BTreeMap::new(), BTreeMap::new());
    for (path, file) in files {
        if declared(reading, mount, &path, &file, who) {
            continue;
        }
        match file {
            File::Content(blob) => content.insert(path, blob.digest),
            File::Secret(blob) => secret.insert(path, blob.digest),
            File::Credential(..) => None,
        };
    }
    let here = format!("{}:{}/", who.label, absolute(mount.path));
    if content.len() > MAX_FILES {
        let words = format!("{} files", content.len());
        reading.add(part::of_digest(
            Facet::Config,
            &here,
            Digest::of_json(&json!(content)),
            Some(&words),
        ));
    } else {
        for (path, digest) in content {
            reading.add(part::of_digest(
                Facet::Config,
                &format!("{}:{path}", who.label),
                digest,
                None,
            ));
        }
    }
    if !secret.is_empty() {
        // One digest over all of it: short secrets must not be guessable from a surface.
        let digest = Digest::of_json(&json!(secret));
        reading.add(part::of_digest(
            Facet::Config,
            &format!("{here} (Secret)"),
            digest,
            Some("a Secret, whole"),
        ));
    }
}

/// Adds the prompts and models that are declared at this path. True for a prompt: its bytes are its component.
fn declared(reading: &mut Reading<'_, '_>, mount: &Mount<'_>, path: &str, file: &File, who: &Who<'_>) -> bool {
    let declaration = reading.declaration;
    let at = |place: &super::Place| place.path.as_deref().is_some_and(|declared| absolute(declared) == path);
    let prompts: Vec<_> = declaration
        .prompts
        .iter()
        .filter(|prompt| at(&prompt.place) && reading.is_at(&prompt.place, who))
        .collect();
    let here = |model: &&super::Model| {
        model
            .place
            .as_ref()
            .is_some_and(|place| at(place) && reading.is_at(place, who))
    };
    let models: Vec<_> = declaration.models.iter().filter(here).collect();
    if (prompts.is_empty() && models.is_empty()) || shadowed(mount, path) {
        return false;
    }
    let Some(blob) = bytes(reading, file, mount) else {
        return false;
    };
    for model in models {
        let text = String::from_utf8(blob.bytes.clone())
            .ok()
            .filter(|_| matches!(file, File::Content(_)));
        places::add_model(reading, model, text.as_deref().map(str::trim_end), &mount.field);
    }
    for prompt in &prompts {
        reading.add(part::of_digest(Facet::Prompt, &prompt.name, blob.digest, None));
        reading.find(Facet::Prompt, &prompt.name);
    }
    !prompts.is_empty()
}

/// Whether another mount lies deeper over this path, or the path is only known when the container starts.
fn shadowed(mount: &Mount<'_>, path: &str) -> bool {
    if !text(mount.raw, "subPathExpr").is_empty() {
        return true;
    }
    let own = absolute(mount.path).len();
    let covers = |other: &String| {
        path.strip_prefix(other.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    mount.all.iter().any(|other| other.len() > own && covers(other))
}

/// The bytes of a file; a credential that is declared to be a prompt is content, and is read.
fn bytes(reading: &mut Reading<'_, '_>, file: &File, mount: &Mount<'_>) -> Option<Rc<Blob>> {
    let (secret, key) = match file {
        File::Content(blob) | File::Secret(blob) => return Some(Rc::clone(blob)),
        File::Credential(secret, key) => (secret, key),
    };
    let reference = Reference {
        kind: ConfigKind::Secret,
        name: secret,
        optional: false,
        role: reading.role,
    };
    let outcome = reading.loader.read(&reference);
    let problem = loader::problem(&reference, &outcome, &reading.object, &mount.field);
    reading.notes.problems.extend(problem);
    match outcome {
        Outcome::Found(data) => data.get(key).cloned(),
        _ => None,
    }
}

/// An absolute path in one spelling: no trailing slash, no empty, `.` or `..` parts; the root is empty.
pub(super) fn absolute(path: &str) -> String {
    let path = normal(path);
    if path.is_empty() { path } else { format!("/{path}") }
}
