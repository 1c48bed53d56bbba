//! What the operator says of an Agent.

use crate::{environment::Enforcement, promotion::status::Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vouchsafe_core::{conditions::Condition, digest::ReleaseDigest};

/// What the operator found. `Ready` means that the declaration was resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatus {
    /// The generation that was looked at; -1 before the first time.
    #[serde(default = "crate::unobserved")]
    #[schemars(schema_with = "crate::schema::observed_generation")]
    pub observed_generation: i64,
    /// What it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::release")]
    pub release: Option<ReleaseDigest>,
    /// The environment of its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub environment: Option<String>,
    /// What happens there to what is not cleared; under `Observe` nothing waits, whatever the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforcement: Option<Enforcement>,
    /// The verdict on that release there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The Promotion that asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub promotion: Option<String>,
    /// Components that could not be pinned down, as `Facet name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 544)))]
    pub unresolved: Vec<String>,
    /// What stands in the way, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub problems: Vec<Problem>,
    /// In the way of Kubernetes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

impl Default for AgentStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::unobserved(),
            release: None,
            environment: None,
            enforcement: None,
            verdict: None,
            promotion: None,
            unresolved: Vec::new(),
            problems: Vec::new(),
            conditions: Vec::new(),
        }
    }
}

/// One thing that is wrong, where, and how to put it right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// A stable word.
    #[schemars(length(max = 63))]
    pub reason: String,
    /// The object, as `Kind/name`.
    #[schemars(length(max = 320))]
    pub object: String,
    /// The field in it; left out when the whole object is meant.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub field: String,
    /// What is wrong.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub fix: String,
    /// Whether the release cannot be cleared anywhere while it stands.
    #[serde(default)]
    pub blocking: bool,
}
