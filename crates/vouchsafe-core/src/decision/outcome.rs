//! What was decided, and all that can be said of it.

use super::{facts::Seen, policy::SubjectKind};
use crate::digest::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// It may enter.
    Cleared,
    /// A machine has to give something.
    #[default]
    Waiting,
    /// A person has to.
    AwaitingApproval,
    /// Something was measured and bad, or somebody said no.
    Refused,
    /// It was cleared and is not any more.
    Revoked,
    /// A newer release took its place.
    Superseded,
}

/// What became of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// Measured and good.
    Pass,
    /// Measured and bad.
    Fail,
    /// Not measured well enough.
    Inconclusive,
    /// Not measured yet.
    Pending,
    /// Measured or not, somebody let it go for a while.
    Waived,
}

macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident,)* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[doc = $doc])* $variant,)* }

        impl $name {
            /// The word, in CamelCase.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

impl Verdict {
    /// The word, in CamelCase.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cleared => "Cleared",
            Self::Waiting => "Waiting",
            Self::AwaitingApproval => "AwaitingApproval",
            Self::Refused => "Refused",
            Self::Revoked => "Revoked",
            Self::Superseded => "Superseded",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Outcome {
    /// The word, in CamelCase.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "Pass",
            Self::Fail => "Fail",
            Self::Inconclusive => "Inconclusive",
            Self::Pending => "Pending",
            Self::Waived => "Waived",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

words! {
    /// Why a check has its outcome: a stable word for status, events and tests.
    OutcomeReason {
        /// It is satisfied.
        Satisfied,
        /// There is no such Check.
        CheckNotFound,
        /// A parameter is missing, unknown or cannot be read.
        ParameterInvalid,
        /// A policy does not compile, errs or costs too much.
        PolicyError,
        /// A policy is not satisfied.
        PolicyNotSatisfied,
        /// No evidence yet.
        EvidenceMissing,
        /// Evidence is older than allowed.
        EvidenceStale,
        /// Evidence is about the right thing, but not of a producer or format that counts.
        EvidenceNotTrusted,
        /// The report says that it failed.
        EvidenceFailed,
        /// The report says nothing for sure.
        EvidenceInconclusive,
        /// Nobody whose signature counts has signed.
        SignatureMissing,
        /// The registry could not be asked.
        RegistryUnavailable,
        /// Nobody has asked the registry yet.
        SignaturePending,
        /// There is nothing to judge: the release has no such part.
        NothingToJudge,
        /// A part of the release is not pinned down.
        Unresolved,
        /// Somebody let it go.
        Waived,
        /// Something could not be learnt.
        FactsMissing,
        /// The policy as a whole cannot be used.
        PolicyUnusable,
        /// Nobody knows who wrote it, and the environment wants to know.
        AuthorUnknown,
    }
}

/// Parts that a check names at most.
pub const MAX_MISSING: usize = 16;

/// One part of the release that a check is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// What it is.
    pub subject: SubjectKind,
    /// Its name in the surface; of a release the agent's.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckOutcome {
    /// Its name.
    pub check: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, as a stable word.
    pub reason: OutcomeReason,
    /// Why, as a sentence.
    pub message: String,
    /// The evidence used, sorted.
    pub evidence: Vec<String>,
    /// The parts that keep it from passing, sorted; at most [`MAX_MISSING`].
    pub missing: Vec<Part>,
    /// When it stops being valid by itself.
    pub expires_at: Option<Timestamp>,
}

/// One role's approvals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalOutcome {
    /// The role.
    pub role: String,
    /// How many count.
    pub have: u32,
    /// How many are needed.
    pub need: u32,
    /// Who counts, sorted.
    pub by: Vec<String>,
    /// Who said no, sorted.
    pub rejected_by: Vec<String>,
    /// Who voted and does not count, as `user: why`, sorted.
    pub not_counted: Vec<String>,
    /// How to reach the role.
    pub contact: Option<String>,
}

/// One environment before this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PredecessorOutcome {
    /// Its name.
    pub environment: String,
    /// Whether it holds.
    pub satisfied: bool,
    /// In words.
    pub message: String,
    /// When it will, if nothing breaks.
    pub satisfied_at: Option<Timestamp>,
}

/// One waiver that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaiverOutcome {
    /// The object.
    pub waiver: String,
    /// Whether it counts.
    pub active: bool,
    /// In words: what it waives, or why it does not count.
    pub message: String,
    /// Its end.
    pub not_after: Timestamp,
}

/// Who has to act.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingFor {
    /// A machine's: names of checks and environments, sorted.
    pub machines: Vec<String>,
    /// People's: roles, sorted.
    pub people: Vec<String>,
}

/// How long a clearance is good. It says how long what the ledger holds of the release stays; only a verdict of `Cleared` lets more in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Term {
    /// Since when.
    pub cleared_at: Timestamp,
    /// When it was last renewed; at first as `cleared_at`.
    pub renewed_at: Timestamp,
    /// Break-glass let it in without its predecessors: until they hold it is as long as that and not longer.
    pub after_waived: bool,
    /// Until when.
    pub not_after: Timestamp,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The answer.
    pub verdict: Verdict,
    /// Who has to act before every requirement is met, whether it is cleared meanwhile or not.
    pub waiting_for: WaitingFor,
    /// One outcome a requirement, in the order of the policy; the built-in ones (`resolution`, `facts`, `author`, `policy`) last, each
    /// only when it does not pass.
    pub checks: Vec<CheckOutcome>,
    /// One a role.
    pub approvals: Vec<ApprovalOutcome>,
    /// One a predecessor.
    pub after: Vec<PredecessorOutcome>,
    /// One a waiver of this release.
    pub waivers: Vec<WaiverOutcome>,
    /// How long what was cleared of it stays, whatever the verdict: a superseded release can be rolled back to, and one whose bindings
    /// await another approval keeps the pods that it has.
    pub term: Option<Term>,
    /// Since when something fails though it is cleared.
    pub failing_since: Option<Timestamp>,
    /// Whether pods that run are to be evicted.
    pub evict: bool,
    /// It runs because it ran before enforcement began.
    pub grandfathered: bool,
    /// Break-glass lets it in, and nobody else has reviewed that yet.
    pub break_glass_unreviewed: bool,
    /// What to remember: rejects and failing evidence.
    pub seen: Seen,
    /// The earliest time after `now` at which the answer can change by itself.
    pub next_review_at: Option<Timestamp>,
    /// The digest of the policy it was made by.
    pub policy_digest: Digest,
}
