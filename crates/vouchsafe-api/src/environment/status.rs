//! What the operator says of an Environment.

use crate::words::words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vouchsafe_core::conditions::Condition;

words! {
    /// How the installed admission policies compare with those that this version ships.
    InstalledPolicies {
        /// They are the same.
        Current,
        /// Some are not.
        Changed,
        /// Some are missing.
        Missing,
        /// It could not be read.
        Unknown,
    }
}

words! {
    /// What became of an uncleared pod in the operator's own governed namespace, in a dry run.
    Probe {
        /// It was held.
        Held,
        /// It was refused.
        Refused,
        /// It got through: nothing is enforced.
        Admitted,
        /// It could not be tried.
        Unknown,
    }
}

/// What the operator found. `Ready` means that the Environment can be used and is enforced as it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentStatus {
    /// The generation that was looked at; -1 before the first time.
    #[serde(default = "crate::unobserved")]
    #[schemars(schema_with = "crate::schema::observed_generation")]
    pub observed_generation: i64,
    /// Whether the API server really enforces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforced: Option<Enforced>,
    /// Namespaces that belong to it.
    #[serde(default)]
    pub governed_namespaces: u32,
    /// Their names, and the names of those that were deleted while they belonged to it. Such a name comes back with its label, or by
    /// whoever may `assign` this environment; beyond 1,024 names those that are gone longest are forgotten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub names: Vec<String>,
    /// Agents in them.
    #[serde(default)]
    pub agents: u32,
    /// Agents whose present release is cleared.
    #[serde(default)]
    pub cleared: u32,
    /// Agents whose present release waits.
    #[serde(default)]
    pub waiting: u32,
    /// Pods that `Hold` would keep waiting; counted while the enforcement is `Observe`.
    #[serde(default)]
    pub would_hold: u32,
    /// Namespace by namespace, by name; the first 1,024 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 1024),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub namespaces: Vec<NamespaceStatus>,
    /// In the way of Kubernetes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

impl Default for EnvironmentStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::unobserved(),
            enforced: None,
            governed_namespaces: 0,
            names: Vec::new(),
            agents: 0,
            cleared: 0,
            waiting: 0,
            would_hold: 0,
            namespaces: Vec::new(),
            conditions: Vec::new(),
        }
    }
}

/// Whether the API server really enforces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Enforced {
    /// The policies.
    pub policies: InstalledPolicies,
    /// The probe.
    pub probe: Probe,
    /// Policies and bindings that are missing or not as shipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 253)), extend("x-kubernetes-list-type" = "set"))]
    pub differing: Vec<String>,
}

/// What the operator found in one namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceStatus {
    /// Its name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Agents in it.
    #[serde(default)]
    pub agents: u32,
    /// Workloads that no Agent names: `kubectl vouchsafe adopt --all` writes Agents for them.
    #[serde(default)]
    pub undeclared: u32,
    /// Pods that `Hold` would keep waiting; counted while the enforcement is `Observe`.
    #[serde(default)]
    pub would_hold: u32,
    /// Pods that a kubelet runs from a file on its node, so that nothing can hold them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub static_pods: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}
