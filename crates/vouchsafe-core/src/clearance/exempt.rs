//! Containers that the environment exempts: known by all that they are, never by a name, an image's prefix or a service account.

use super::{account, profile};
use crate::digest::{Digest, ReleaseDigest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Fields that an exemption can leave free: none of them can make the image do something else by itself but `env`.
const CAN_BE_FREE: [&str; 6] = [
    "env",
    "imagePullPolicy",
    "ports",
    "resources",
    "terminationMessagePath",
    "terminationMessagePolicy",
];

/// A container that others add to pods.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exempt {
    /// Its name.
    pub name: String,
    /// All else that it is, as stored: image by digest, command, args, security context, mounts. Not the mount of the injected token.
    pub container: Map<String, Value>,
    /// Its fields that may be anything. Other fields than those above cannot be free, whatever is said here.
    #[serde(default)]
    pub free: Vec<String>,
    /// Volumes, whole, that may come with it beside those that bring nothing in: `emptyDir`, `downwardAPI`, and tokens.
    #[serde(default)]
    pub volumes: Vec<Value>,
}

impl Exempt {
    /// What stands for a release in the profiles of pods that are made of these containers alone: another list is another one, so that its
    /// pods have to be judged again.
    #[must_use]
    pub fn release(all: &[Self]) -> ReleaseDigest {
        ReleaseDigest::v1(Digest::of_json(&json!({"exempt": all})))
    }

    /// Whether a container of a pod, without the injected token, is this one.
    #[must_use]
    pub fn is(&self, container: &Value) -> bool {
        let pinned = |fields: &Map<String, Value>| {
            fields
                .get("image")
                .and_then(Value::as_str)
                .is_some_and(profile::is_pinned)
        };
        let Some(found) = container.as_object().filter(|found| pinned(found)) else {
            return false;
        };
        if found.get("name") != Some(&json!(self.name)) {
            return false;
        }
        let compared = |fields: &Map<String, Value>| {
            let mut fields = fields.clone();
            fields.remove("name");
            fields.retain(|key, _| !(self.free.contains(key) && CAN_BE_FREE.contains(&key.as_str())));
            Value::Object(fields)
        };
        let mut differences = Vec::new();
        account::between(
            "containers",
            "",
            &compared(&self.container),
            &compared(found),
            &mut differences,
        );
        differences.is_empty()
    }

    fn brings(&self, volume: &Value) -> bool {
        self.volumes.contains(volume)
    }
}

/// Takes exempted containers off a pod's spec, if the template does not have containers of their names; and volumes that only they mount
/// and that the template does not have.
pub(super) fn strip(spec: &mut Map<String, Value>, template: &Value, exempt: &[Exempt]) {
    let declared = |list: &str| named(template.get("spec").and_then(|spec| spec.get(list)));
    let (mut own, volumes) = (declared("containers"), declared("volumes"));
    own.append(&mut declared("initContainers"));
    let (mut taken, mut mounted, mut theirs) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for list in ["containers", "initContainers"] {
        let Some(Value::Array(containers)) = spec.get_mut(list) else {
            continue;
        };
        containers.retain(|container| {
            let found = exempt
                .iter()
                .find(|exempt| exempt.is(container))
                .filter(|exempt| !own.contains(&exempt.name));
            let mounts = if found.is_some() { &mut theirs } else { &mut mounted };
            for key in ["volumeMounts", "volumeDevices"] {
                mounts.append(&mut named(container.get(key)));
            }
            taken.extend(found);
            found.is_none()
        });
        if containers.is_empty() {
            spec.remove(list);
        }
    }
    let Some(Value::Array(found)) = spec.get_mut("volumes") else {
        return;
    };
    found.retain(|volume| {
        let name = volume.get("name").and_then(Value::as_str).unwrap_or_default();
        let only_theirs = theirs.contains(name) && !mounted.contains(name) && !volumes.contains(name);
        !(only_theirs && (brings_nothing(volume) || taken.iter().any(|exempt| exempt.brings(volume))))
    });
    if found.is_empty() {
        spec.remove("volumes");
    }
}

/// Whether a volume has no content but what the pod is: an empty folder, its own metadata, tokens of its own account.
fn brings_nothing(volume: &Value) -> bool {
    let Some(fields) = volume.as_object().filter(|fields| fields.len() == 2) else {
        return false;
    };
    let harmless = |source: &Value| {
        let keys = source
            .as_object()
            .map(|fields| fields.keys().map(String::as_str).collect::<Vec<_>>());
        matches!(keys.as_deref(), Some(["serviceAccountToken" | "downwardAPI"]))
    };
    let sources = volume.pointer("/projected/sources").and_then(Value::as_array);
    fields.contains_key("emptyDir")
        || fields.contains_key("downwardAPI")
        || sources.is_some_and(|sources| sources.iter().all(harmless))
}

fn named(list: Option<&Value>) -> BTreeSet<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items
        .filter_map(|item| item.get("name")?.as_str())
        .map(str::to_owned)
        .collect()
}
