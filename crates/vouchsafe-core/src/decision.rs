//! Whether a release may enter an environment.
//!
//! Takes a [`Policy`], a [`Release`], [`Facts`] and the time, gives a [`Decision`]: pure and total. The same inputs give the same bytes; bad
//! input is an outcome, never an error. It must not touch clocks, networks or Kubernetes.

mod facts;
mod outcome;
mod policy;

pub use self::{
    facts::{
        ApprovalFact, ApprovalScope, Author, Counters, EvidenceFact, EvidenceResult, FactProblem, Facts, Finding, Past,
        Person, Run, Scanner, Seen, SeenFailure, SignatureFact, SignatureState, Vote, WaiverFact,
    },
    outcome::{
        ApprovalOutcome, CheckOutcome, Decision, MAX_MISSING, Outcome, OutcomeReason, Part, PredecessorOutcome, Term,
        Verdict, WaitingFor, WaiverOutcome,
    },
    policy::{
        ApprovalRule, Authority, BindingChange, Check, CheckRule, ClearanceRule, Enforcement, Exclude, OnFailure,
        Parameter, ParameterType, Policy, Predecessor, Producer, Requirement, Sensitivity, SignatureSubject,
        SubjectKind, UnknownAuthor,
    },
};

use crate::surface::Surface;

/// One release of one agent, asking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Release<'a> {
    /// The agent's name, for words only.
    pub agent: &'a str,
    /// What it is.
    pub surface: &'a Surface,
}
