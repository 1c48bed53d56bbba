//! Configuration that an agent is made of: how it is asked for, and what was asked for.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What became of looking something up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// It is there.
    Found(T),
    /// It is not there; this is known.
    Absent,
    /// It could not be read, for this reason.
    Unknown(String),
}

/// A ConfigMap's or Secret's content: `data` and `binaryData` together, Secrets decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigObject {
    /// Bytes by key.
    pub data: BTreeMap<String, Vec<u8>>,
    /// Whether the API server refuses to change it.
    pub immutable: bool,
}

/// Where the bytes of configuration come from, in the agent's own namespace.
pub trait Content {
    /// The ConfigMap of this name.
    fn config_map(&self, name: &str) -> Lookup<ConfigObject>;
    /// The Secret of this name. Asked only when its bytes are content; `Unknown` when we may not read it.
    fn secret(&self, name: &str) -> Lookup<ConfigObject>;
}

/// The kind of object that configuration is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConfigKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret whose bytes are content.
    Secret,
}

impl ConfigKind {
    /// The kind, as in a manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// An object whose bytes are in the digest: it has to be protected while the release is cleared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigReference {
    /// Its kind.
    pub kind: ConfigKind,
    /// Its name, in the agent's namespace.
    pub name: String,
    /// The role whose workload refers to it.
    pub role: String,
    /// Whether every reference of this role to it is optional. Absent and optional means: has to stay absent.
    pub optional: bool,
    /// Whether it was there.
    pub present: bool,
    /// Whether it is immutable.
    pub immutable: bool,
}
