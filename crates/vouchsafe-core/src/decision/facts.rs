//! What is known when a decision is made. Whoever gathers it has verified it: stamps by the API server, signatures, tenancy.

use super::policy::SubjectKind;
use crate::{
    digest::{Digest, ReleaseDigest},
    surface::Problem,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything known. Order and duplicates of the lists mean nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// Evidence of the tenant, about anything; what is about something else is passed over.
    pub evidence: Vec<EvidenceFact>,
    /// What registries said.
    pub signatures: Vec<SignatureFact>,
    /// What image indexes consist of, as the registry's own bytes say: an index is covered by itself or by all its children.
    pub indexes: BTreeMap<Digest, BTreeSet<Digest>>,
    /// Votes that the API server admitted for this environment.
    pub approvals: Vec<ApprovalFact>,
    /// Waivers that the API server admitted for this environment.
    pub waivers: Vec<WaiverFact>,
    /// Who asked; none when the operator made the Promotion.
    pub requester: Option<Person>,
    /// Who wrote it.
    pub author: Author,
    /// People who can write workloads in the namespace, as far as access reviews said; they are not independent.
    pub writers: BTreeSet<String>,
    /// Where this very release is, in the same tenant.
    pub runs: Vec<Run>,
    /// What stands in the way where it is deployed.
    pub problems: Vec<Problem>,
    /// What could not be learnt, so that no absence may be concluded from it.
    pub unknown: Vec<FactProblem>,
    /// When the bindings got their present values; none when they never changed.
    pub bindings_changed_at: Option<Timestamp>,
    /// What was decided before.
    pub past: Option<Past>,
    /// What was seen before and may be gone.
    pub seen: Seen,
    /// It was running when enforcement began.
    pub grandfathered: bool,
    /// A newer release of the agent took its place.
    pub superseded: bool,
}

/// Somebody, as the API server knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Person {
    /// The user name.
    pub username: String,
    /// The groups.
    pub groups: BTreeSet<String>,
}

impl Person {
    /// Whether it is a service account.
    #[must_use]
    pub fn is_service_account(&self) -> bool {
        self.username.starts_with("system:serviceaccount:")
    }
}

/// Who wrote what is promoted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Author {
    /// Not known: a service account applied it, or nobody can tell.
    #[default]
    Unknown,
    /// These people.
    Known(BTreeSet<String>),
}

/// What a report said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EvidenceResult {
    /// Measured and good, as the tool sees it.
    Pass,
    /// Measured and bad.
    Fail,
    /// Not measured well enough.
    Inconclusive,
}

/// Counters of a report, by name.
pub type Counters = BTreeMap<String, i64>;

/// What made a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Scanner {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// The time of its database.
    pub database_time: Option<Timestamp>,
}

/// One finding of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Finding {
    /// As `CVE-2026-0001`.
    pub id: String,
    /// `critical`, `high`, `medium`, `low` or `unknown`.
    pub severity: String,
    /// A few words.
    pub title: String,
    /// What it is in.
    pub package: Option<String>,
    /// Where it is mended.
    pub fixed_version: Option<String>,
    /// Somebody decided to pass over it; it is counted all the same.
    pub suppressed: bool,
}

/// A report in normal form about one subject, from a producer that the API server let attest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceFact {
    /// The object, as `namespace/name`.
    pub id: String,
    /// The check it is for.
    pub check: String,
    /// What it is about.
    pub subject: SubjectKind,
    /// The digest of that: of the component, or of the release without its version.
    pub digest: Digest,
    /// The format of the raw report.
    pub format: String,
    /// What made it.
    pub tool: Scanner,
    /// When measuring began; its age counts from here.
    pub started_at: Timestamp,
    /// When measuring ended.
    pub finished_at: Option<Timestamp>,
    /// When the API server stored it.
    pub created_at: Timestamp,
    /// What it said.
    pub result: EvidenceResult,
    /// Why it is inconclusive, when it is.
    pub reason: Option<String>,
    /// Its counters.
    pub counters: Counters,
    /// Its findings, bounded.
    pub findings: Vec<Finding>,
    /// Who gave it.
    pub producer: Person,
}

/// What a registry said of the signatures of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignatureFact {
    /// The check it was asked for.
    pub check: String,
    /// The image's or artifact's digest.
    pub digest: Digest,
    /// What came of it.
    pub state: SignatureState,
    /// Whether everything that could change the answer was read; without it a missing authority is not known to be missing.
    pub complete: bool,
    /// In words.
    pub detail: String,
}

/// What came of looking for signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignatureState {
    /// Signed by these keys: fingerprint of the key by name of the authority.
    Verified(BTreeMap<String, BTreeSet<String>>),
    /// The registry answered, and no signature counts.
    NotSigned,
    /// The registry is down, slow or lying.
    CannotTell,
}

/// How somebody voted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Vote {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

/// Where a vote counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ApprovalScope {
    /// In its namespace.
    Namespace,
    /// In every namespace of the environment and tenant.
    Environment,
}

/// One person's vote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalFact {
    /// The object, as `namespace/name`.
    pub id: String,
    /// The release it is about.
    pub release: ReleaseDigest,
    /// The environment it is for.
    pub environment: String,
    /// In which role; whether it is theirs the API server judged.
    pub role: String,
    /// Where it counts; gathering has applied it.
    pub scope: ApprovalScope,
    /// How they voted.
    pub vote: Vote,
    /// The Waiver that it approves, when it is about one.
    pub waiver: Option<String>,
    /// Who.
    pub by: Person,
    /// When the API server stored it.
    pub at: Timestamp,
}

/// One Waiver.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaiverFact {
    /// The object's name, in the Promotion's namespace.
    pub id: String,
    /// The release it is about.
    pub release: ReleaseDigest,
    /// The environment it is for.
    pub environment: String,
    /// Checks that it waives; none with break-glass.
    pub checks: BTreeSet<String>,
    /// It waives everything, for at most four hours, on one person's word.
    pub break_glass: bool,
    /// Its end.
    pub not_after: Timestamp,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub by: Person,
    /// When the API server stored it.
    pub at: Timestamp,
}

/// The release in one namespace of one environment of the same tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The environment.
    pub environment: String,
    /// The namespace.
    pub namespace: String,
    /// Whether it is cleared there.
    pub cleared: bool,
    /// Since when it has been healthy there without a break.
    pub healthy_since: Option<Timestamp>,
}

/// Something that could not be learnt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FactProblem {
    /// The object, as `Kind/name`.
    pub object: String,
    /// Why.
    pub message: String,
    /// The check that it touches; none touches all.
    pub check: Option<String>,
}

/// What was decided before, from the operator-owned status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Past {
    /// When it was cleared.
    pub cleared_at: Option<Timestamp>,
    /// Until when.
    pub not_after: Option<Timestamp>,
    /// Since when something fails.
    pub failing_since: Option<Timestamp>,
    /// It was revoked: only a new approval after this time clears again.
    pub revoked_at: Option<Timestamp>,
    /// When it was last renewed; none when never since it was cleared.
    pub renewed_at: Option<Timestamp>,
    /// It was not cleared: it ran before enforcement began.
    pub grandfathered: bool,
    /// It was let in by break-glass without having been where it has to come from, and has not been there since.
    pub after_waived: bool,
}

/// What was seen before: it stands even when the objects are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Seen {
    /// Rejects.
    pub rejects: Vec<ApprovalFact>,
    /// Failing evidence, by check: what it said, until newer conclusive evidence of the same producer.
    pub failures: Vec<SeenFailure>,
}

/// Failing evidence that was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenFailure {
    /// The object, as `namespace/name`.
    pub id: String,
    /// The check.
    pub check: String,
    /// What it was about.
    pub digest: Digest,
    /// Who gave it.
    pub producer: String,
    /// When measuring began.
    pub started_at: Timestamp,
    /// What was wrong, in words.
    pub message: String,
}
