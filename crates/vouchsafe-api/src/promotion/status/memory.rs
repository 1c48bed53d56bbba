//! What has to be remembered between decisions.

use super::Verdict;
use crate::approval::{Scope, Vote};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vouchsafe_core::digest::{Digest, ReleaseDigest};

/// What its bindings are here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bindings {
    /// The digest of their values.
    #[schemars(schema_with = "crate::schema::digest")]
    pub digest: Digest,
    /// Since when they are as they are, when they ever changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub changed: Option<Timestamp>,
}

/// A verdict of the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// When it was reached.
    #[schemars(schema_with = "crate::schema::time")]
    pub at: Timestamp,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub message: String,
    /// The digest of the policy that it was decided by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::digest")]
    pub policy_digest: Option<Digest>,
}

/// What was seen and stands even when the objects are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Rejects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub rejects: Vec<SeenReject>,
    /// Failing evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub failures: Vec<SeenFailure>,
}

/// A reject that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeenReject {
    /// The Approval, as `namespace/name`.
    #[schemars(length(max = 317))]
    pub id: String,
    /// The release it is about.
    #[schemars(schema_with = "crate::schema::release")]
    pub release: ReleaseDigest,
    /// The environment it is for.
    #[schemars(length(max = 63))]
    pub environment: String,
    /// In which role.
    #[schemars(length(max = 63))]
    pub role: String,
    /// Where it counts.
    pub scope: Scope,
    /// The vote.
    pub vote: Vote,
    /// The Waiver that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub waiver: Option<String>,
    /// Who.
    #[schemars(length(max = 1024))]
    pub username: String,
    /// When the API server stored it.
    #[schemars(schema_with = "crate::schema::time")]
    pub at: Timestamp,
}

/// Failing evidence that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeenFailure {
    /// The Evidence, as `namespace/name`.
    #[schemars(length(max = 317))]
    pub id: String,
    /// The Check.
    #[schemars(length(max = 63))]
    pub check: String,
    /// What it is about.
    #[schemars(schema_with = "crate::schema::digest")]
    pub digest: Digest,
    /// Who gave it.
    #[schemars(length(max = 1024))]
    pub producer: String,
    /// When measuring began.
    #[schemars(schema_with = "crate::schema::time")]
    pub started_at: Timestamp,
    /// What was wrong.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,
}
