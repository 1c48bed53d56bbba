//! The verdict on a Promotion, check by check, and what the operator has to remember. Written by the operator alone.

mod memory;
mod outcome;

pub use self::{
    memory::{Bindings, HistoryEntry, Seen, SeenFailure, SeenReject},
    outcome::{ApprovalOutcome, CheckOutcome, Part, PredecessorOutcome, WaiverOutcome},
};

use crate::words::words;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vouchsafe_core::{conditions::Condition, digest::Digest};

words! {
    /// The answer.
    Verdict {
        /// It may run.
        Cleared,
        /// A machine has to act.
        Waiting,
        /// A person has to act.
        AwaitingApproval,
        /// It may not run.
        Refused,
        /// It might, and no longer may.
        Revoked,
        /// Another release took its place.
        Superseded,
    }
}

words! {
    /// What became of one check.
    Outcome {
        /// Satisfied.
        Pass,
        /// Measured and bad.
        Fail,
        /// Not measured well enough.
        Inconclusive,
        /// Not measured yet.
        Pending,
        /// Let go.
        Waived,
    }
}

/// The verdict. `Ready` and `Cleared` mean that it may run; the reason of `Cleared` is the verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionStatus {
    /// The generation that was looked at; -1 before the first time.
    #[serde(default = "crate::unobserved")]
    #[schemars(schema_with = "crate::schema::observed_generation")]
    pub observed_generation: i64,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Who has to act, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub waiting_for: Option<String>,
    /// One outcome a check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 72), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["check"]))]
    pub checks: Vec<CheckOutcome>,
    /// One a role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 24), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["role"]))]
    pub approvals: Vec<ApprovalOutcome>,
    /// One a Waiver of this release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["waiver"]))]
    pub waivers: Vec<WaiverOutcome>,
    /// One an environment that comes before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["environment"]))]
    pub after: Vec<PredecessorOutcome>,
    /// What its bindings are here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bindings: Option<Bindings>,
    /// Who wrote it, as far as is known; empty when it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 1024)), extend("x-kubernetes-list-type" = "set"))]
    pub author: Vec<String>,
    /// When the answer can next change by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub next_review_at: Option<Timestamp>,
    /// When it was cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub cleared_at: Option<Timestamp>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub not_after: Option<Timestamp>,
    /// When the clearance was last renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub renewed_at: Option<Timestamp>,
    /// When it was first seen deployed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub deployed_at: Option<Timestamp>,
    /// Since when it has been healthy here without a break, while cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub healthy_since: Option<Timestamp>,
    /// Since when something fails though it is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub failing_since: Option<Timestamp>,
    /// When it was revoked; only an approval after this clears again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub revoked_at: Option<Timestamp>,
    /// It ran when enforcement began, and may run on for a while.
    #[serde(default)]
    pub grandfathered: bool,
    /// Break-glass let it in without its predecessors, and they do not hold yet: it ends with that.
    #[serde(default)]
    pub after_waived: bool,
    /// Break-glass lets it in, and nobody else has reviewed that yet.
    #[serde(default)]
    pub break_glass_unreviewed: bool,
    /// The digest of the policy that it was decided by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::digest")]
    pub policy_digest: Option<Digest>,
    /// Verdicts, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub history: Vec<HistoryEntry>,
    /// What was seen and stands even when the objects are gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// In the way of Kubernetes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

impl Default for PromotionStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::unobserved(),
            verdict: None,
            waiting_for: None,
            checks: Vec::new(),
            approvals: Vec::new(),
            waivers: Vec::new(),
            after: Vec::new(),
            bindings: None,
            author: Vec::new(),
            next_review_at: None,
            cleared_at: None,
            not_after: None,
            renewed_at: None,
            deployed_at: None,
            healthy_since: None,
            failing_since: None,
            revoked_at: None,
            grandfathered: false,
            after_waived: false,
            break_glass_unreviewed: false,
            policy_digest: None,
            history: Vec::new(),
            seen: None,
            conditions: Vec::new(),
        }
    }
}
