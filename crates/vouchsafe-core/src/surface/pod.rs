//! Pods: what their containers share, in which order they start, which volumes they have.

use super::{
    Facet, Resolution, container, fields, image,
    mount::Volumes,
    part,
    reading::{Reading, Who, list, text},
    volume::{self, Volume},
};
use crate::digest::Digest;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The lists of a PodSpec that are read element by element.
const LISTS: [&str; 3] = ["containers", "initContainers", "volumes"];

/// Reads the pod template of a workload. `claims` are the volumes that a StatefulSet claims for each pod.
pub(super) fn read(reading: &mut Reading<'_, '_>, claims: &[&str]) {
    let template = reading.template;
    let spec = template.get("spec").unwrap_or(&Value::Null);
    let mut value = Map::new();
    for (key, field) in spec.as_object().into_iter().flatten() {
        let kept = if LISTS.contains(&key.as_str()) {
            (!field.is_array() && !field.is_null()).then(|| field.clone())
        } else {
            fields::of_pod(key, field)
        };
        value.extend(kept.map(|kept| (key.clone(), kept)));
    }
    bind_account(reading, spec);
    let mut volumes = Volumes {
        by_name: volume::all(reading, spec, claims),
        uses: BTreeMap::new(),
    };
    let main = list(spec, "containers").count();
    for key in ["initContainers", "containers"] {
        let mut names = Vec::new();
        for (index, raw) in list(spec, key) {
            let name = text(raw, "name");
            let label = format!("{}/{name}", reading.role);
            let at = format!("{}spec.{key}[{index}]", reading.prefix);
            container::read(
                reading,
                raw,
                &Who {
                    name,
                    label,
                    at,
                    only: key == "containers" && main == 1,
                },
                &mut volumes,
            );
            names.push(json!(name));
        }
        if !names.is_empty() {
            value.insert(key.to_owned(), Value::Array(names));
        }
    }
    let shared = shared(reading, volumes);
    if !shared.is_empty() {
        value.insert("volumes".to_owned(), Value::Array(shared));
    }
    let component = part::of_value(Facet::Pod, reading.role, Resolution::Resolved, Value::Object(value));
    reading.add(component);
}

/// The service account is bound: its name differs between environments, what it may do is a check's business.
fn bind_account(reading: &mut Reading<'_, '_>, spec: &Value) {
    let names = [
        text(spec, "serviceAccountName"),
        text(spec, "serviceAccount"),
        "default",
    ];
    let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    reading.bind(&format!("serviceAccount:{}", reading.role), reading.role, name);
}

/// Every volume by what it is and who mounts it where, without its name and without order.
fn shared(reading: &mut Reading<'_, '_>, volumes: Volumes<'_>) -> Vec<Value> {
    let Volumes { by_name, uses } = volumes;
    let none = BTreeSet::new();
    let mut shared = Vec::new();
    for (name, volume) in &by_name {
        let mounts = uses.get(name).unwrap_or(&none);
        if mounts.is_empty() {
            unmounted_image(reading, volume);
        }
        shared.push(json!({"source": volume.source, "mounts": mounts}));
    }
    shared.sort_by_cached_key(Value::to_string);
    shared
}

/// An image volume that nobody mounts is pulled all the same.
fn unmounted_image(reading: &mut Reading<'_, '_>, volume: &Volume<'_>) {
    let Some(image) = volume.raw.get("image") else { return };
    let reference = text(image, "reference");
    let digest = image::pinned(reference).unwrap_or_else(|| Digest::of(reference.as_bytes()));
    let name = format!("{}:unmounted {}", reading.role, digest.hex());
    image::read(reading, &name, reference, &format!("{}.image.reference", volume.at));
}
