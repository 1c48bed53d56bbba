//! Manifests, indexes and descriptors, as far as we read them (OCI image specification 1.1).
//!
//! Takes JSON, gives the fields that say where things are. Nothing in them is signed: they lead to content, they prove nothing.

use serde::Deserialize;
use std::collections::BTreeMap;

/// A manifest or an index: what is not there is empty.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    #[serde(default)]
    schema_version: u64,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

/// Points at content.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    /// What it claims to be.
    #[serde(default)]
    pub(crate) media_type: String,
    /// Its digest, unchecked: it may be of an algorithm that we do not read.
    pub(crate) digest: String,
    /// Its length in bytes, as claimed.
    pub(crate) size: u64,
    /// What the referrer claims to be.
    #[serde(default)]
    pub(crate) artifact_type: Option<String>,
    /// Unsigned notes.
    #[serde(default)]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// Whether it is an image manifest or an index, and not some other JSON.
    pub(crate) fn is_image(&self) -> bool {
        let image = self.config.is_some() && self.layers.is_some();
        self.schema_version == 2 && (image || self.manifests.is_some())
    }

    /// The layers of a manifest.
    pub(crate) fn into_layers(self) -> Vec<Descriptor> {
        self.layers.unwrap_or_default()
    }

    /// The entries of an index.
    pub(crate) fn into_manifests(self) -> Vec<Descriptor> {
        self.manifests.unwrap_or_default()
    }
}
