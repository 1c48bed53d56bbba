//! What an environment asks for: the Environment with its Checks, resolved into one value with one digest.

use crate::digest::Digest;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// How much harm can be done in an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Sensitivity {
    /// Little.
    Low,
    /// Some.
    Moderate,
    /// Much: what is unresolved is not cleared.
    High,
    /// The most.
    Critical,
}

/// What the API server does with what is not cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Enforcement {
    /// It warns.
    Observe,
    /// Pods wait.
    Hold,
    /// Changes are refused.
    Deny,
}

/// Everything that a decision is made by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The environment's name.
    pub environment: String,
    /// How much harm can be done there.
    pub sensitivity: Sensitivity,
    /// What has to come before; all must hold.
    pub after: Vec<Predecessor>,
    /// The checks; an empty list requires none.
    pub requires: Vec<Requirement>,
    /// Whose word is needed.
    pub approvals: Vec<ApprovalRule>,
    /// What follows from not knowing who wrote a change.
    pub unknown_author: UnknownAuthor,
    /// What follows from bindings that changed since the approval.
    pub on_binding_change: BindingChange,
    /// How long a clearance is good, and what ends it.
    pub clearance: ClearanceRule,
    /// Until when what ran before enforcement began may run on.
    pub grandfather_until: Option<Timestamp>,
    /// Why the policy as a whole cannot be used (a cycle of environments, say); nothing is cleared while there is one.
    pub problems: Vec<String>,
}

impl Policy {
    /// The digest of the whole, in canonical form.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_json(&serde_json::to_value(self).unwrap_or(Value::Null))
    }
}

/// An environment that comes before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Predecessor {
    /// Its name.
    pub environment: String,
    /// How long the release has to be healthy there; not negative.
    pub soak: SignedDuration,
}

/// A check that has to pass, as the environment asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// The check's name.
    pub check: String,
    /// How old its evidence may be.
    pub max_age: Option<SignedDuration>,
    /// Values of the check's parameters, as text.
    pub parameters: BTreeMap<String, String>,
    /// The check; none when there is no such Check.
    pub definition: Option<Check>,
}

/// One requirement and how to judge it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What may be set by environments.
    pub parameters: Vec<Parameter>,
    /// How it is judged.
    pub rule: CheckRule,
    /// Who gives what it needs, in words, for `why`.
    pub owner: Option<String>,
}

impl Check {
    /// What is wrong with the values that an environment sets, in words; nothing when all are declared, set and of their type.
    #[must_use]
    pub fn wrong_parameter(&self, set: &BTreeMap<String, String>) -> Option<String> {
        super::parameters::read(&self.parameters, set).err()
    }
}

/// A value that environments set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// How its text is read.
    pub kind: ParameterType,
    /// What it is when it is not set.
    pub default: Option<String>,
}

/// How a parameter's text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ParameterType {
    /// A decimal number.
    Number,
    /// As it is.
    String,
    /// `true` or `false`.
    Boolean,
}

/// How a check is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckRule {
    /// By signatures in the registry.
    #[serde(rename_all = "camelCase")]
    Signature {
        /// Of what.
        of: Vec<SignatureSubject>,
        /// Whose signatures count.
        authorities: Vec<Authority>,
        /// How many different authorities (and different keys) must have signed; at least one.
        threshold: u32,
    },
    /// By evidence that somebody gave.
    #[serde(rename_all = "camelCase")]
    Evidence {
        /// What it must be about.
        subject: SubjectKind,
        /// Formats that count; empty means all.
        formats: Vec<String>,
        /// CEL over the normal form: `counters`, `findings`, `tool`, `startedAt`, `finishedAt`, `result`, `format`, `params`.
        policy: String,
        /// Whose evidence counts; empty means whoever the API server let attest.
        producers: Vec<Producer>,
    },
    /// By the surface itself.
    #[serde(rename_all = "camelCase")]
    Surface {
        /// CEL over `surface` and `params`.
        policy: String,
        /// What to say when it is not satisfied.
        message: Option<String>,
    },
}

/// What a signature is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SignatureSubject {
    /// Every image.
    Image,
    /// Every model that is an artifact.
    Model,
}

/// Someone whose signature counts, by public keys in PEM.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authority {
    /// Its name.
    pub name: String,
    /// Its public key (SPKI, PEM).
    pub key: String,
}

/// What evidence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SubjectKind {
    /// The whole release.
    Release,
    /// Every image of it.
    Image,
    /// Every model.
    Model,
    /// Every tool server.
    ToolServer,
}

impl SubjectKind {
    /// The word for it, as in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "Release",
            Self::Image => "Image",
            Self::Model => "Model",
            Self::ToolServer => "ToolServer",
        }
    }
}

/// Whose evidence counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Producer {
    /// A user or service account, by its full user name.
    User(String),
    /// Everybody in a group.
    Group(String),
}

/// Whose word is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRule {
    /// The role.
    pub role: String,
    /// How many people.
    pub count: u32,
    /// How to reach them.
    pub contact: Option<String>,
    /// Who does not count.
    pub exclude: Vec<Exclude>,
}

/// Who does not count as an approver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Exclude {
    /// Whoever asked for the promotion.
    Requester,
    /// Whoever wrote what is promoted.
    Author,
    /// Service accounts.
    ServiceAccount,
}

/// What follows from not knowing who wrote a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum UnknownAuthor {
    /// Nothing.
    Accept,
    /// One more approval, by someone who cannot write workloads there.
    ExtraApproval,
    /// It is refused.
    Refuse,
}

/// What follows from bindings that changed since the approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BindingChange {
    /// Nothing, within their patterns.
    Accept,
    /// Approvals before the change do not count.
    Reapprove,
}

/// How long a clearance is good, and what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClearanceRule {
    /// How long; renewed at two thirds while checks pass.
    pub valid_for: SignedDuration,
    /// What happens when a check fails afterwards.
    pub on_failure: OnFailure,
    /// How long a check may fail before that.
    pub grace_period: SignedDuration,
}

/// What happens when a check fails after the clearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OnFailure {
    /// It is said; the clearance is not renewed.
    Alert,
    /// No new pods after the grace period.
    Hold,
    /// And running pods are evicted.
    Evict,
}
