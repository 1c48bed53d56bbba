//! The Check: one requirement and how to judge it, by exactly one of signature, evidence or surface. Cluster-scoped.

pub mod rules;

use self::rules::{EvidenceRule, Parameter, SignatureRule, SurfaceRule};
use crate::words::words;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vouchsafe_core::conditions::Condition;

words! {
    /// How bad it is when it is not met. For people and reports; the decision treats all alike.
    Severity {
        /// Not very.
        Low,
        /// Somewhat.
        Medium,
        /// Very.
        High,
        /// It could not be worse.
        Critical,
    }
}

/// One requirement.
#[derive(CustomResource, KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "vouchsafe.dev",
    version = "v1alpha1",
    kind = "Check",
    status = "CheckStatus",
    derive = "PartialEq",
    shortname = "vschk",
    category = "vouchsafe",
    doc = "One requirement on agents and how to judge it.",
    printcolumn(name = "Severity", type_ = "string", json_path = ".spec.severity"),
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Description", type_ = "string", json_path = ".spec.description", priority = 1),
    validation = Rule::new("size(self.metadata.name) <= 63 && !self.metadata.name.contains('.')").message("a Check's name is at most 63 characters without dots")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.signature), has(self.evidence), has(self.surface)].filter(given, given).size() == 1").message("give exactly one of signature, evidence and surface"))]
pub struct CheckSpec {
    /// What it asks for, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// Who answers for it and helps to meet it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub owner: Option<String>,
    /// How bad it is when it is not met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Controls of frameworks that it serves, as `OWASP-ASI01`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub controls: Vec<String>,
    /// What Environments may set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub parameters: Vec<Parameter>,
    /// By signatures in the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureRule>,
    /// By evidence that somebody gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceRule>,
    /// By the surface itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<SurfaceRule>,
}

/// What the operator found. `Ready` means that the Check can be used: its expression compiles, its keys can be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckStatus {
    /// The generation that was looked at; -1 before the first time.
    #[serde(default = "crate::unobserved")]
    #[schemars(schema_with = "crate::schema::observed_generation")]
    pub observed_generation: i64,
    /// In the way of Kubernetes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

impl Default for CheckStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::unobserved(),
            conditions: Vec::new(),
        }
    }
}
