//! The Environment: how sensitive a place is, what comes before it, what it asks for and how it enforces. Cluster-scoped; a namespace
//! belongs to the one that its label `vouchsafe.dev/environment` names.

pub mod rules;
pub mod status;

use self::{
    rules::{Approvals, Clearance, Connect, Exemption, Existing, Hold, Predecessor, Requirement},
    status::EnvironmentStatus,
};
use crate::words::words;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

words! {
    /// How much harm can be done there.
    Sensitivity {
        /// Little.
        Low,
        /// Some.
        Moderate,
        /// Much: what is unresolved is not cleared.
        High,
        /// The most.
        Critical,
    }
}

words! {
    /// What the API server does with what is not cleared.
    Enforcement {
        /// It warns and never denies.
        Observe,
        /// Pods wait.
        Hold,
        /// Changes are refused, and pods wait.
        Deny,
    }
}

words! {
    /// What follows from not knowing who wrote a change.
    UnknownAuthor {
        /// Nothing.
        Accept,
        /// One more approval, by someone who cannot write workloads there.
        ExtraApproval,
        /// It is refused.
        Refuse,
    }
}

words! {
    /// What follows from bindings that changed, within their patterns, since the approval.
    BindingChange {
        /// Nothing.
        Accept,
        /// Approvals before the change do not count.
        Reapprove,
    }
}

/// What an agent must have to enter.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "vouchsafe.dev",
    version = "v1alpha1",
    kind = "Environment",
    status = "EnvironmentStatus",
    derive = "PartialEq",
    shortname = "vsenv",
    category = "vouchsafe",
    doc = "A place that agents are promoted into: how sensitive it is and what it asks for.",
    printcolumn(name = "Sensitivity", type_ = "string", json_path = ".spec.sensitivity"),
    printcolumn(name = "Enforcement", type_ = "string", json_path = ".spec.enforcement"),
    printcolumn(name = "Cleared", type_ = "integer", json_path = ".status.cleared"),
    printcolumn(name = "Waiting", type_ = "integer", json_path = ".status.waiting"),
    printcolumn(name = "Would-Hold", type_ = "integer", json_path = ".status.wouldHold"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 63 && !self.metadata.name.contains('.')").message("an Environment's name is at most 63 characters without dots: it is a label's value"),
    validation = Rule::new("!has(self.spec.after) || self.spec.after.all(before, before.environment != self.metadata.name)").message("an Environment cannot come before itself").field_path(".spec.after")
)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentSpec {
    /// How much harm can be done there.
    pub sensitivity: Sensitivity,
    /// What the API server does with what is not cleared.
    pub enforcement: Enforcement,
    /// Environments that come before; all must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["environment"]))]
    pub after: Vec<Predecessor>,
    /// Checks that must pass. Write `[]` for none.
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["check"]))]
    pub requires: Vec<Requirement>,
    /// Whose word is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["role"]))]
    pub approvals: Vec<Approvals>,
    /// What follows from not knowing who wrote a change, as with GitOps.
    #[serde(default = "EnvironmentSpec::unknown_author")]
    pub unknown_author: UnknownAuthor,
    /// What follows from bindings that changed since the approval.
    #[serde(default = "EnvironmentSpec::on_binding_change")]
    pub on_binding_change: BindingChange,
    /// What ran when enforcement began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,
    /// How long a clearance is good, and what ends it.
    #[serde(default)]
    pub clearance: Clearance,
    /// How pods are held.
    #[serde(default)]
    pub hold: Hold,
    /// Who reaches into a pod that runs.
    #[serde(default)]
    pub connect: Connect,
    /// Containers that others add to pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub exempt: Vec<Exemption>,
}

impl EnvironmentSpec {
    fn unknown_author() -> UnknownAuthor {
        UnknownAuthor::ExtraApproval
    }

    fn on_binding_change() -> BindingChange {
        BindingChange::Accept
    }
}
