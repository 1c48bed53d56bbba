//! What became of the single requirements.

use super::Outcome;
use crate::evidence::SubjectKind;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vouchsafe_core::digest::Digest;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckOutcome {
    /// Its name.
    #[schemars(length(max = 63))]
    pub check: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, as a stable word.
    #[schemars(length(max = 63))]
    pub reason: String,
    /// Why, as a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,
    /// The evidence used, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 317)), extend("x-kubernetes-list-type" = "set"))]
    pub evidence: Vec<String>,
    /// The parts that keep it from passing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub missing: Vec<Part>,
    /// When it stops being valid by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub expires_at: Option<Timestamp>,
}

/// One part of the release that a check is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// What it is.
    pub subject: SubjectKind,
    /// Its name in the surface; of a release the agent's.
    #[schemars(length(max = 512))]
    pub name: String,
    /// Its digest.
    #[schemars(schema_with = "crate::schema::digest")]
    pub digest: Digest,
}

/// One role's approvals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalOutcome {
    /// The role.
    #[schemars(length(max = 63))]
    pub role: String,
    /// How many count.
    pub have: u32,
    /// How many are needed.
    pub need: u32,
    /// Who counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 1024)), extend("x-kubernetes-list-type" = "set"))]
    pub by: Vec<String>,
    /// Who said no.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 1024)), extend("x-kubernetes-list-type" = "set"))]
    pub rejected_by: Vec<String>,
    /// Who voted and does not count, as `user: why`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 1280)), extend("x-kubernetes-list-type" = "set"))]
    pub not_counted: Vec<String>,
    /// How to reach the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub contact: Option<String>,
}

/// One environment that comes before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PredecessorOutcome {
    /// Its name.
    #[schemars(length(max = 63))]
    pub environment: String,
    /// Whether it holds.
    pub satisfied: bool,
    /// In words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,
    /// When it will, if nothing breaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub satisfied_at: Option<Timestamp>,
}

/// One Waiver that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaiverOutcome {
    /// The object.
    #[schemars(length(max = 253))]
    pub waiver: String,
    /// Whether it counts.
    pub active: bool,
    /// In words: what it waives, or why it does not count.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,
    /// Its end.
    #[schemars(schema_with = "crate::schema::time")]
    pub not_after: Timestamp,
}
