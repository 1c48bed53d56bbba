//! Volumes: what they are, and the files of those whose content is known.

use super::{
    ConfigKind, ProblemReason, downward, fields,
    loader::{self, Blob, Outcome, Reference},
    reading::{Reading, flag, list, text},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, rc::Rc};

/// A volume of a pod.
#[derive(Debug, Clone)]
pub(super) struct Volume<'a> {
    /// The object in the PodSpec.
    pub(super) raw: &'a Value,
    /// Its field.
    pub(super) at: String,
    /// What is hashed of it beside content: no names.
    pub(super) source: Value,
    /// The word for its kind.
    pub(super) kind: String,
}

/// One file of a volume.
#[derive(Debug, Clone)]
pub(super) enum File {
    /// Its bytes are content.
    Content(Rc<Blob>),
    /// The same, and must not be guessable.
    Secret(Rc<Blob>),
    /// A credential: key `1` of Secret `0`.
    Credential(String, String),
}

/// What a volume brings into a container.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// By path within the volume.
    pub(super) by_path: BTreeMap<String, File>,
    /// What optional references did not find.
    pub(super) absent: Vec<Value>,
    /// Whether something could not be read.
    pub(super) unresolved: bool,
}

/// The volumes of a PodSpec by name, and those that a StatefulSet claims.
pub(super) fn all<'a>(
    reading: &Reading<'_, '_>,
    spec: &'a Value,
    claims: &'a [&'a str],
) -> BTreeMap<&'a str, Volume<'a>> {
    let claimed = |name: &&'a str| {
        let (kind, source) = ("persistentVolumeClaim".to_owned(), json!({"persistentVolumeClaim": {}}));
        (
            *name,
            Volume {
                raw: &Value::Null,
                at: String::new(),
                source,
                kind,
            },
        )
    };
    let mut volumes = BTreeMap::new();
    for (index, raw) in list(spec, "volumes") {
        let at = format!("{}spec.volumes[{index}]", reading.prefix);
        let source = describe(reading.template, raw);
        let kind = kind_of(&source).to_owned();
        volumes.insert(text(raw, "name"), Volume { raw, at, source, kind });
    }
    // The StatefulSet controller puts its claims in the place of volumes with their names.
    volumes.extend(claims.iter().map(claimed));
    volumes
}

/// The word for a volume; one whose content is known is never hidden by a field beside it.
fn kind_of(source: &Value) -> &str {
    let known = ["configMap", "secret", "projected", "image"]
        .into_iter()
        .find(|kind| source.get(kind).is_some());
    known
        .or_else(|| source.as_object()?.keys().next().map(String::as_str))
        .unwrap_or_default()
}

/// What a volume is, without names of objects and without content.
fn describe(template: &Value, raw: &Value) -> Value {
    let Some(fields) = raw.as_object() else {
        return json!({"volume": raw});
    };
    let sources = fields
        .iter()
        .filter(|(key, source)| *key != "name" && !source.is_null());
    let described: Map<_, _> = sources
        .map(|(kind, source)| (kind.clone(), source_of(template, kind, source)))
        .collect();
    if described.is_empty() {
        json!({"emptyDir": {}})
    } else {
        Value::Object(described)
    }
}

fn source_of(template: &Value, kind: &str, source: &Value) -> Value {
    let source = fields::of_volume(kind, source);
    let Value::Object(mut fields) = source else {
        return source;
    };
    match kind {
        "configMap" | "secret" => files_of(kind, &mut fields),
        "downwardAPI" => {
            let items = downward::items(template, &Value::Object(fields.clone()));
            fields.insert("items".to_owned(), items);
        }
        "emptyDir" => {
            fields.remove("sizeLimit");
        }
        "persistentVolumeClaim" => {
            fields.remove("claimName");
        }
        "image" => {
            for key in ["reference", "pullPolicy"] {
                fields.remove(key);
            }
        }
        "csi" => {
            fields.remove("nodePublishSecretRef");
        }
        "ephemeral" => ephemeral(&mut fields),
        "projected" => {
            if let Some(Value::Array(sources)) = fields.get_mut("sources") {
                for source in sources {
                    *source = describe(template, source);
                }
            }
        }
        _ => {}
    }
    Value::Object(fields)
}

/// Of a ConfigMap or Secret: the modes of its files; of single keys of a Secret also which they are.
fn files_of(kind: &str, fields: &mut Map<String, Value>) {
    for name in ["name", "secretName"] {
        fields.remove(name);
    }
    let Some(Value::Array(items)) = fields.remove("items") else {
        return;
    };
    let mut kept = Map::new();
    for item in items {
        let path = text(&item, "path").to_owned();
        let Value::Object(mut item) = item else { continue };
        item.remove("path");
        if kind == "configMap" {
            item.remove("key");
        }
        if !item.is_empty() {
            kept.insert(path, Value::Object(item));
        }
    }
    if !kept.is_empty() || kind == "secret" {
        fields.insert("items".to_owned(), Value::Object(kept));
    }
}

/// Of a generic ephemeral volume: what it is filled with, and how it may be written.
fn ephemeral(fields: &mut Map<String, Value>) {
    let claim = fields
        .get("volumeClaimTemplate")
        .and_then(|claim| claim.get("spec"))
        .cloned()
        .unwrap_or_default();
    let filled: Map<_, _> = ["dataSource", "dataSourceRef"]
        .into_iter()
        .filter_map(|key| {
            Some((
                key.to_owned(),
                claim.get(key).filter(|source| !source.is_null())?.clone(),
            ))
        })
        .collect();
    fields.insert("volumeClaimTemplate".to_owned(), Value::Object(filled));
}

impl Volume<'_> {
    /// The Secret that is all this volume holds.
    pub(super) fn only_secret(&self) -> Option<&str> {
        let one = |volume: &'_ Value| {
            volume
                .as_object()
                .is_some_and(|fields| fields.keys().filter(|key| *key != "name").count() == 1)
        };
        if let Some(secret) = self.raw.get("secret").filter(|_| one(self.raw)) {
            return secret.get("secretName").and_then(Value::as_str);
        }
        let mut sources = list(self.raw.get("projected")?, "sources");
        let (first, second) = (sources.next()?.1, sources.next());
        let secret = first.get("secret").filter(|_| second.is_none() && one(first))?;
        secret.get("name").and_then(Value::as_str)
    }

    /// Whether its files come from configuration.
    pub(super) fn has_files(&self) -> bool {
        matches!(self.kind.as_str(), "configMap" | "secret" | "projected")
    }

    /// Reads the files.
    pub(super) fn files(&self, reading: &mut Reading<'_, '_>) -> Files {
        let mut files = Files::default();
        collect(reading, self.raw, &self.at, &mut files);
        for (index, source) in list(self.raw.get("projected").unwrap_or(&Value::Null), "sources") {
            collect(
                reading,
                source,
                &format!("{}.projected.sources[{index}]", self.at),
                &mut files,
            );
        }
        files
    }
}

fn collect(reading: &mut Reading<'_, '_>, volume: &Value, at: &str, files: &mut Files) {
    for (word, kind) in [("configMap", ConfigKind::ConfigMap), ("secret", ConfigKind::Secret)] {
        let Some(source) = volume.get(word).filter(|source| source.is_object()) else {
            continue;
        };
        let name = source
            .get("secretName")
            .or_else(|| source.get("name"))
            .and_then(Value::as_str)
            .unwrap_or_default();
        let optional = flag(source, "optional");
        let items: Vec<_> = list(source, "items")
            .map(|(_, item)| (text(item, "key"), text(item, "path")))
            .collect();
        if kind == ConfigKind::Secret && !items.is_empty() {
            let credentials = items
                .iter()
                .map(|(key, path)| (normal(path), File::Credential(name.to_owned(), (*key).to_owned())));
            files.by_path.extend(credentials);
            reading.bind(
                &format!("secret:{}:{}", reading.role, items_label(&items)),
                reading.role,
                name,
            );
            continue;
        }
        let reference = Reference {
            kind,
            name,
            optional,
            role: reading.role,
        };
        content(reading, &reference, &items, &format!("{at}.{word}"), files);
    }
}

fn items_label(items: &[(&str, &str)]) -> String {
    items.iter().map(|(_, path)| *path).collect::<Vec<_>>().join(",")
}

fn content(
    reading: &mut Reading<'_, '_>,
    reference: &Reference<'_>,
    items: &[(&str, &str)],
    field: &str,
    files: &mut Files,
) {
    let outcome = reading.loader.read(reference);
    let kind = reference.kind;
    let file = |blob: &Rc<Blob>| match kind {
        ConfigKind::ConfigMap => File::Content(Rc::clone(blob)),
        ConfigKind::Secret => File::Secret(Rc::clone(blob)),
    };
    match &outcome {
        Outcome::Found(data) if items.is_empty() => {
            files
                .by_path
                .extend(data.iter().map(|(key, blob)| (key.clone(), file(blob))));
        }
        Outcome::Found(data) => {
            for (key, path) in items {
                if let Some(blob) = data.get(*key) {
                    files.by_path.insert(normal(path), file(blob));
                } else if reference.optional {
                    files.absent.push(json!({"absent": kind.as_str(), "path": path}));
                } else {
                    files.unresolved = true;
                    let message = format!("{} `{}` has no key `{key}`", kind.as_str(), reference.name);
                    reading.block(
                        ProblemReason::ConfigKeyNotFound,
                        field,
                        message,
                        "add the key, or correct its name",
                    );
                }
            }
        }
        Outcome::Absent if reference.optional => files.absent.push(json!({"absent": kind.as_str()})),
        Outcome::Absent | Outcome::Unreadable(..) => {
            files.unresolved = true;
            let problem = loader::problem(reference, &outcome, &reading.object, field);
            reading.notes.problems.extend(problem);
        }
    }
}

/// A path within a volume without empty, `.` and `..` parts.
pub(super) fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
