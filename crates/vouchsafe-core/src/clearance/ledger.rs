//! The spec of a Clearance, as the policies read it.

use super::{identity::Identity, profile::Profile};
use crate::{
    decision::Enforcement,
    digest::{Digest, ReleaseDigest},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a namespace's ledger says. The JSON is that of `Clearance.spec`; every map is always there, so that a policy need not ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerSpec {
    /// The environment that it was written for.
    pub environment: String,
    /// The namespace that it was written for: a name can come back as another namespace.
    pub namespace_uid: String,
    /// What becomes of what is not in it.
    pub enforcement: Enforcement,
    /// Whether a rollout may take no pod away while its new ones wait, not even one that its strategy allows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_surge: bool,
    /// Whether exec, attach, port-forward and proxies need the verb `debug`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_debug: bool,
    /// Says nothing; changed to see whether the API server has caught up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The exact `projected` source of the service-account token that the API server injects.
    #[serde(default)]
    pub token: Value,
    /// Keys of `profiles` by the image of their first container.
    #[serde(default)]
    pub index: BTreeMap<String, Vec<String>>,
    /// Pods that may run, by [`Subject::key`].
    #[serde(default)]
    pub profiles: BTreeMap<String, ProfileEntry>,
    /// Keys of `templates` by the image of their first container.
    #[serde(default)]
    pub template_index: BTreeMap<String, Vec<String>>,
    /// Pod templates that may be applied again.
    #[serde(default)]
    pub templates: BTreeMap<String, TemplateEntry>,
    /// Releases that are cleared, by the 64 hexadecimal digits of their digest.
    #[serde(default)]
    pub releases: BTreeMap<String, Cleared>,
    /// Configuration that is not edited in place, by `Kind/name`.
    #[serde(default)]
    pub protected_config: BTreeMap<String, Protected>,
    /// What service accounts may do and where names lead, as they were cleared.
    #[serde(default)]
    pub identity: Identity,
    /// One line for each agent that waits.
    #[serde(default)]
    pub waiting: BTreeMap<String, String>,
}

impl Default for LedgerSpec {
    /// A ledger that grants nothing.
    fn default() -> Self {
        Self {
            environment: String::new(),
            namespace_uid: String::new(),
            enforcement: Enforcement::Deny,
            require_surge: false,
            require_debug: false,
            nonce: None,
            token: Value::Null,
            index: BTreeMap::new(),
            profiles: BTreeMap::new(),
            template_index: BTreeMap::new(),
            templates: BTreeMap::new(),
            releases: BTreeMap::new(),
            protected_config: BTreeMap::new(),
            identity: Identity::default(),
            waiting: BTreeMap::new(),
        }
    }
}

impl LedgerSpec {
    /// Whether both let the same run until the same times.
    pub(super) fn same_grants(&self, other: &Self) -> bool {
        self.profiles == other.profiles
            && self.index == other.index
            && self.templates == other.templates
            && self.template_index == other.template_index
            && self.releases == other.releases
    }
}

/// A pod that may run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileEntry {
    /// Whose it is.
    #[serde(flatten)]
    pub subject: Subject,
    /// From when on it may not be created any more.
    pub not_after: Timestamp,
    /// What it is.
    #[serde(flatten)]
    pub profile: Profile,
}

/// A pod template that may be applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateEntry {
    /// The agent that it belongs to.
    pub agent: String,
    /// The release that it is of.
    pub release: ReleaseDigest,
    /// Until when.
    pub not_after: Timestamp,
    /// The template's pod spec, as stored.
    pub spec: Value,
}

/// A release that is cleared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cleared {
    /// The agent.
    pub agent: String,
    /// Until when.
    pub not_after: Timestamp,
}

/// An object that a cleared release is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protected {
    /// Whether it is there; if not, it has to stay absent.
    pub present: bool,
}

/// What a profile was cleared as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// The agent.
    pub agent: String,
    /// The workload's role in it.
    pub role: String,
    /// The release.
    pub release: ReleaseDigest,
}

impl Subject {
    /// The key of a profile: 32 hexadecimal digits of the SHA-256 over all of the entry but its end (RFC 8785), so that a renewal keeps it
    /// and what two releases have in common ends with each of them alone.
    #[must_use]
    pub fn key(&self, profile: &Profile) -> String {
        short(&json!({"subject": self, "profile": profile}))
    }
}

/// The first 32 hexadecimal digits of a value's digest: 128 bits, which nobody can collide on purpose.
pub(super) fn short(value: &Value) -> String {
    let mut hex = Digest::of_json(value).hex();
    hex.truncate(32);
    hex
}

/// The image of a pod spec's first container, which the ledger finds it by.
pub(super) fn first_image(spec: &Value) -> Option<&str> {
    spec.get("containers")?.as_array()?.first()?.get("image")?.as_str()
}
