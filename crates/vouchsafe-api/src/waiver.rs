//! The Waiver: named checks, one release, until a date, with a reason; it counts once somebody else has approved it. With `breakGlass`
//! it waives everything for at most four hours (which the decision judges, by the object's creation). Create-only.

use crate::stamp::Stamp;
use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use vouchsafe_core::digest::ReleaseDigest;

/// What is let go, and until when.
#[allow(clippy::duplicated_attributes, reason = "printer columns repeat their types")]
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "vouchsafe.dev",
    version = "v1alpha1",
    kind = "Waiver",
    namespaced,
    derive = "PartialEq",
    shortname = "vswv",
    category = "vouchsafe",
    doc = "Named checks that one release may do without until a date. It can be created, not changed.",
    selectable = ".spec.environment",
    selectable = ".spec.release",
    printcolumn(name = "Promotion", type_ = "string", json_path = ".spec.promotion"),
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(name = "Checks", type_ = "string", json_path = ".spec.checks"),
    printcolumn(name = "Break-Glass", type_ = "boolean", json_path = ".spec.breakGlass"),
    printcolumn(name = "Not-After", type_ = "string", json_path = ".spec.notAfter"),
    printcolumn(name = "By", type_ = "string", json_path = ".spec.by.username"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("a Waiver cannot be changed; create another"))]
#[x_kube(validation = Rule::new("self.promotion.endsWith('-' + self.release.substring(10, 42))").message("the promotion is not one of this release"))]
#[x_kube(validation = Rule::new("self.breakGlass != (has(self.checks) && size(self.checks) > 0)").message("name the checks to waive; with breakGlass, which waives everything, name none"))]
pub struct WaiverSpec {
    /// The Promotion that was looked at.
    #[schemars(length(max = 253), regex(pattern = "^[a-z0-9][-a-z0-9]*-[0-9a-f]{32}$"))]
    pub promotion: String,
    /// The release that was looked at.
    #[schemars(schema_with = "crate::schema::release")]
    pub release: ReleaseDigest,
    /// The environment it is for.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub environment: String,
    /// The checks that are waived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub checks: Vec<String>,
    /// Everything is waived, on one person's word, and reviewed afterwards.
    #[serde(default)]
    pub break_glass: bool,
    /// Why.
    #[schemars(length(min = 10, max = 1024))]
    pub reason: String,
    /// Where more is written about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub ticket: Option<String>,
    /// Its end.
    #[schemars(schema_with = "crate::schema::time")]
    pub not_after: Timestamp,
    /// Who asked for it; written by the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Stamp>,
}
