//! Evidence: one result in normal form, about one digest, from whoever the API server let attest. Create-only.

use crate::{stamp::Stamp, words::words};
use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vouchsafe_core::digest::Digest;

words! {
    /// What evidence is about.
    SubjectKind {
        /// The whole release.
        Release,
        /// An image.
        Image,
        /// A model.
        Model,
        /// A tool server.
        ToolServer,
    }
}

words! {
    /// The format of the raw report.
    Format {
        /// Trivy's JSON, schema 2.
        Trivy,
        /// SARIF 2.1.0.
        Sarif,
        /// None: the normal form was written directly.
        Normal,
    }
}

words! {
    /// What a report says.
    EvidenceResult {
        /// Measured and good, as the tool sees it.
        Pass,
        /// Measured and bad.
        Fail,
        /// Not measured well enough.
        Inconclusive,
    }
}

words! {
    /// How bad a finding is.
    FindingSeverity {
        /// Not known.
        Unknown,
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

/// One result about one digest.
#[allow(clippy::duplicated_attributes, reason = "printer columns repeat their types")]
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "vouchsafe.dev",
    version = "v1alpha1",
    kind = "Evidence",
    plural = "evidence",
    namespaced,
    derive = "PartialEq",
    shortname = "vsev",
    category = "vouchsafe",
    doc = "One result about one digest, from an authenticated producer. It can be created, not changed.",
    selectable = ".spec.check",
    selectable = ".spec.subject.digest",
    printcolumn(name = "Check", type_ = "string", json_path = ".spec.check"),
    printcolumn(name = "Result", type_ = "string", json_path = ".spec.result"),
    printcolumn(name = "Subject", type_ = "string", json_path = ".spec.subject.kind"),
    printcolumn(name = "Tool", type_ = "string", json_path = ".spec.tool.name"),
    printcolumn(name = "By", type_ = "string", json_path = ".spec.by.username", priority = 1),
    printcolumn(name = "Digest", type_ = "string", json_path = ".spec.subject.digest", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("Evidence cannot be changed; create another"))]
#[x_kube(validation = Rule::new("!has(self.finishedAt) || self.finishedAt >= self.startedAt").message("finishedAt is before startedAt"))]
pub struct EvidenceSpec {
    /// What it is about.
    pub subject: Subject,
    /// The Check that it is for.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub check: String,
    /// The format of the raw report.
    pub format: Format,
    /// What made it.
    pub tool: Tool,
    /// When measuring began; its age counts from here.
    #[schemars(schema_with = "crate::schema::time")]
    pub started_at: Timestamp,
    /// When measuring ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub finished_at: Option<Timestamp>,
    /// What it says.
    pub result: EvidenceResult,
    /// Why it is inconclusive, when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
    /// Its counters, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "counters")]
    pub counters: BTreeMap<String, i64>,
    /// Its findings, the worst first; more are counted, not listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub findings: Vec<Finding>,
    /// The raw report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// Who gave it; written by the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Stamp>,
}

fn counters(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "maxProperties": 128, "additionalProperties": {"type": "integer", "format": "int64"}})
}

/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.kind == 'Release') == self.digest.startsWith('v1:')").message("a release's digest starts with `v1:sha256:`, any other with `sha256:`"))]
pub struct Subject {
    /// Its kind.
    pub kind: SubjectKind,
    /// Its digest: the component's own, or the release's.
    #[schemars(length(max = 74), regex(pattern = "^(v1:)?sha256:[0-9a-f]{64}$"))]
    pub digest: String,
}

/// What made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub version: Option<String>,
    /// The time of its database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub database_time: Option<Timestamp>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// As `CVE-2026-0001`.
    #[schemars(length(min = 1, max = 253))]
    pub id: String,
    /// How bad it is.
    pub severity: FindingSeverity,
    /// A few words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub title: String,
    /// What it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub package: Option<String>,
    /// Where it is mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub fixed_version: Option<String>,
    /// Somebody decided to pass over it; it is counted all the same.
    #[serde(default)]
    pub suppressed: bool,
}

/// The raw report, which stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The digest of its bytes.
    #[schemars(schema_with = "crate::schema::digest")]
    pub digest: Digest,
    /// Where it is. For people: nobody fetches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub uri: Option<String>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub size: Option<i64>,
}
