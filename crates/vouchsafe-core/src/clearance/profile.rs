//! Pods as profiles: what of a pod is compared. The rules are those of the module above.

use super::{ledger::first_image, owner::OwnerKind, refers, token};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a profile's JSON: a pod of 50 containers fits, and a ledger holds several of the largest.
pub const MAX_PROFILE: usize = 128 * 1024;

/// References to metadata, annotations, and labels, that a profile has at most, each; the bound of the Clearance's schema. Its other bounds
/// follow from [`MAX_PROFILE`].
const MAX_READ: usize = 2048;

/// What only scheduler and API server set, and what no new pod has.
const FREE: [&str; 7] = [
    "ephemeralContainers",
    "nodeName",
    "preemptionPolicy",
    "priority",
    "schedulingGates",
    "serviceAccount",
    "tolerations",
];

/// Why a pod has no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// It is no pod.
    #[error("`{0}` is not there, so that it is no pod")]
    NotAPod(&'static str),
    /// An image is named by a tag, which can move.
    #[error("ImageNotPinned: `{image}` at `{field}` is not pinned by digest, and a tag can move")]
    ImageNotPinned {
        /// Where.
        field: String,
        /// As it is named.
        image: String,
    },
    /// It reads more from its metadata than fits into a ledger.
    #[error("{read} annotations or labels are read by the pod's containers, at most {MAX_READ} fit into the ledger")]
    TooMuchRead {
        /// How many.
        read: usize,
    },
    /// It does not fit into a ledger.
    #[error("the pod's spec is {size} bytes as a profile, at most {MAX_PROFILE} fit into the ledger")]
    TooLarge {
        /// Bytes of its JSON.
        size: usize,
    },
}

/// Which images a profile may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Images {
    /// Only those that are pinned by digest.
    Pinned,
    /// As they are: for what already ran when enforcement began.
    AsTheyAre,
}

/// What differs from pod to pod of one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Varies {
    /// `hostname`, which is the pod's name or the beginning of it; and the indices that controllers write into metadata.
    Hostname,
    /// The claims that a StatefulSet makes for each pod.
    Claims,
    /// `affinity`, by which a DaemonSet pins a pod to its node.
    Affinity,
}

/// What a spec reads from the pod's metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// What of a pod is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Whether the API server's service-account token is in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub token: bool,
    /// What is not compared.
    #[serde(default)]
    pub varies: BTreeSet<Varies>,
    /// What the spec reads from the metadata.
    #[serde(default)]
    pub refers: BTreeSet<String>,
    /// That of the metadata which the spec reads.
    #[serde(default)]
    pub metadata: Metadata,
    /// The spec, without what is not compared.
    pub spec: Value,
}

impl Profile {
    /// The profile of a pod as stored, raw. `token` is the exact source of the injected service-account token, `owner` the kind of the
    /// declared workload that it belongs to.
    ///
    /// # Errors
    /// When it is no pod, is too large, or an image is not pinned that has to be.
    pub fn of_pod(pod: &Value, token: &Value, owner: OwnerKind, images: Images) -> Result<Self, ProfileError> {
        let spec = pod.get("spec").unwrap_or(&Value::Null);
        let Some(fields) = spec.as_object() else {
            return Err(ProfileError::NotAPod("spec"));
        };
        if first_image(spec).is_none() {
            return Err(ProfileError::NotAPod("spec.containers[0].image"));
        }
        if images == Images::Pinned {
            all_pinned(fields)?;
        }
        let name = pod
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let varies = varies(owner);
        let spec = Value::Object(stripped(fields, token, &varies, name));
        let refers = refers::find(&spec);
        let metadata = refers::read(&refers, pod, varies.contains(&Varies::Hostname));
        let profile = Self {
            token: token::is_in(fields, token),
            varies,
            refers,
            metadata,
            spec,
        };
        profile.bounded()
    }

    /// Itself, if it fits into a ledger.
    fn bounded(self) -> Result<Self, ProfileError> {
        let Metadata { annotations, labels } = &self.metadata;
        let read = self.refers.len().max(annotations.len()).max(labels.len());
        if read > MAX_READ {
            return Err(ProfileError::TooMuchRead { read });
        }
        match self.size() {
            size if size > MAX_PROFILE => Err(ProfileError::TooLarge { size }),
            _ => Ok(self),
        }
    }

    /// Bytes of its JSON.
    #[must_use]
    pub fn size(&self) -> usize {
        serde_json::to_string(self).map_or(usize::MAX, |text| text.len())
    }

    /// The image of the first container, which the ledger finds it by.
    #[must_use]
    pub fn image(&self) -> &str {
        first_image(&self.spec).unwrap_or_default()
    }

    /// Whether the policies take this pod for it.
    #[must_use]
    pub fn matches(&self, pod: &Value, token: &Value) -> bool {
        let Some(Value::Object(spec)) = pod.get("spec") else {
            return false;
        };
        let name = pod
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let numbered = self.varies.contains(&Varies::Hostname);
        let same_token = self.token == token::is_in(spec, token);
        let spec = Value::Object(stripped(spec, token, &self.varies, name));
        let metadata = refers::read(&self.refers, pod, numbered);
        same_token && by_name(&self.spec) == by_name(&spec) && self.metadata == metadata
    }
}

fn varies(owner: OwnerKind) -> BTreeSet<Varies> {
    match owner {
        OwnerKind::Plain => BTreeSet::new(),
        OwnerKind::StatefulSet => BTreeSet::from([Varies::Hostname, Varies::Claims]),
        OwnerKind::DaemonSet => BTreeSet::from([Varies::Affinity]),
        OwnerKind::IndexedJob => BTreeSet::from([Varies::Hostname]),
    }
}

/// The spec without what is not compared, its volumes in the order of a profile.
fn stripped(spec: &Map<String, Value>, token: &Value, varies: &BTreeSet<Varies>, name: &str) -> Map<String, Value> {
    let mut spec = spec.clone();
    for key in FREE {
        spec.remove(key);
    }
    token::strip(&mut spec, token);
    let own = |hostname: &Value| hostname.as_str().is_some_and(|hostname| is_own(hostname, name));
    if varies.contains(&Varies::Hostname) && spec.get("hostname").is_some_and(own) {
        spec.remove("hostname");
    }
    if varies.contains(&Varies::Affinity) {
        spec.remove("affinity");
    }
    if let Some(Value::Array(volumes)) = spec.get_mut("volumes").filter(|_| varies.contains(&Varies::Claims)) {
        let (mut claims, others): (Vec<_>, Vec<_>) = volumes.drain(..).partition(|volume| is_claim(volume, name));
        claims.iter_mut().for_each(unclaim);
        claims.sort_by_cached_key(|volume| volume.get("name").map(ToString::to_string));
        volumes.extend(claims.into_iter().chain(others));
    }
    spec
}

/// The spec with its volumes by name, in whatever order they were.
fn by_name(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(Value::Array(volumes)) = spec.get_mut("volumes") {
        volumes.sort_by_cached_key(|volume| volume.get("name").map(ToString::to_string));
    }
    spec
}

/// Whether a host is called like the pod, or like it without what makes its name unique.
pub(super) fn is_own(hostname: &str, pod: &str) -> bool {
    let rest = pod.strip_prefix(hostname);
    !hostname.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Whether a volume is exactly a claim that was made for this pod.
pub(super) fn is_claim(volume: &Value, pod: &str) -> bool {
    let name = volume.get("name").and_then(Value::as_str).unwrap_or_default();
    *volume == json!({"name": name, "persistentVolumeClaim": {"claimName": format!("{name}-{pod}")}})
}

/// Takes the pod's name out of a claim.
fn unclaim(volume: &mut Value) {
    if let Some(claim) = volume.pointer_mut("/persistentVolumeClaim/claimName") {
        *claim = json!("");
    }
}

/// Every image that the pod runs or mounts.
fn all_pinned(spec: &Map<String, Value>) -> Result<(), ProfileError> {
    for (list, pointer, key) in [
        ("containers", "/image", "image"),
        ("initContainers", "/image", "image"),
        ("volumes", "/image/reference", "image.reference"),
    ] {
        let items = spec.get(list).and_then(Value::as_array).into_iter().flatten();
        for (index, item) in items.enumerate() {
            let Some(image) = item.pointer(pointer) else { continue };
            if !image.as_str().is_some_and(is_pinned) {
                let image = image.as_str().unwrap_or_default().to_owned();
                let field = format!("spec.{list}[{index}].{key}");
                return Err(ProfileError::ImageNotPinned { field, image });
            }
        }
    }
    Ok(())
}

/// Whether a reference ends in a digest.
pub(super) fn is_pinned(reference: &str) -> bool {
    let digest = reference.rsplit_once('@').map(|(_, digest)| digest);
    digest.is_some_and(|digest| digest.parse::<crate::digest::Digest>().is_ok())
}
