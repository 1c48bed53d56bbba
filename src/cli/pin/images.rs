//! Where manifests name images.

use crate::cli::manifests::Manifests;
use serde_json::Value;
use std::collections::BTreeSet;
use vouchsafe_core::surface::pod_template;

/// Lists of containers of a pod.
const CONTAINERS: &[&str] = &["initContainers", "containers", "ephemeralContainers"];

/// Images that are not pinned, each once, sorted.
pub(super) fn tagged(manifests: &Manifests) -> Vec<String> {
    let all = manifests.objects.iter().flat_map(|manifest| images(&manifest.object));
    let tagged: BTreeSet<_> = all.filter(|image| !image.is_empty() && !image.contains('@')).collect();
    tagged.into_iter().map(str::to_owned).collect()
}

/// The images of an object that owns pods, those of volumes too.
pub(crate) fn images(object: &Value) -> Vec<&str> {
    let Some(spec) = pod_template(object).and_then(|template| template.get("spec")) else {
        return Vec::new();
    };
    let list = |name: &str| spec.get(name).and_then(Value::as_array).into_iter().flatten();
    let containers = CONTAINERS.iter().flat_map(|name| list(name));
    let volumes = list("volumes").filter_map(|volume| volume.pointer("/image/reference"));
    containers
        .filter_map(|container| container.get("image"))
        .chain(volumes)
        .filter_map(Value::as_str)
        .collect()
}
