//! The Approval: one person's word on one release for one environment. Create-only; a newer one of the same person replaces it.

use crate::{stamp::Stamp, words::words};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use vouchsafe_core::digest::ReleaseDigest;

words! {
    /// Where a word counts.
    Scope {
        /// In this namespace.
        Namespace,
        /// In every namespace of the environment and tenant.
        Environment,
    }
}

words! {
    /// Yes or no.
    Vote {
        /// Yes.
        Approve,
        /// No.
        Reject,
    }
}

/// One person's word on one release.
#[allow(clippy::duplicated_attributes, reason = "printer columns repeat their types")]
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "vouchsafe.dev",
    version = "v1alpha1",
    kind = "Approval",
    namespaced,
    derive = "PartialEq",
    shortname = "vsap",
    category = "vouchsafe",
    doc = "One person's word on one release for one environment. It can be created, not changed.",
    selectable = ".spec.environment",
    selectable = ".spec.release",
    printcolumn(name = "Promotion", type_ = "string", json_path = ".spec.promotion"),
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.role"),
    printcolumn(name = "Decision", type_ = "string", json_path = ".spec.decision"),
    printcolumn(name = "By", type_ = "string", json_path = ".spec.by.username"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("an Approval cannot be changed; create another"))]
#[x_kube(validation = Rule::new("self.promotion.endsWith('-' + self.release.substring(10, 42))").message("the promotion is not one of this release"))]
pub struct ApprovalSpec {
    /// The Promotion that was looked at.
    #[schemars(length(max = 253), regex(pattern = "^[a-z0-9][-a-z0-9]*-[0-9a-f]{32}$"))]
    pub promotion: String,
    /// The release that was looked at.
    #[schemars(schema_with = "crate::schema::release")]
    pub release: ReleaseDigest,
    /// The environment it is for.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub environment: String,
    /// In which role.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub role: String,
    /// Where it counts.
    #[serde(default = "ApprovalSpec::here")]
    pub scope: Scope,
    /// Yes or no.
    pub decision: Vote,
    /// The Waiver that it is about, when it is about one and not about the release as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub waiver: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
    /// Who; written by the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Stamp>,
}

impl ApprovalSpec {
    fn here() -> Scope {
        Scope::Namespace
    }
}
