//! Whether a release may enter an environment.
//!
//! Takes a [`Policy`], a [`Release`], [`Facts`] and the time, gives a [`Decision`]: pure and total. The same inputs give the same bytes; bad
//! input is an outcome, never an error. It must not touch clocks, networks or Kubernetes.

mod approvals;
mod builtin;
mod checks;
mod clearance;
mod clock;
mod compiled;
mod facts;
mod judge;
mod matching;
mod outcome;
mod parameters;
mod policy;
mod predecessors;
mod remember;
mod votes;
mod waivers;

pub use self::{
    approvals::{INDEPENDENT, REINSTATE},
    builtin::{AUTHOR, FACTS, POLICY, RESOLUTION},
    compiled::{CompiledPolicy, PreparedRelease},
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
    waivers::BREAK_GLASS,
};

use crate::surface::Surface;
use jiff::Timestamp;

/// Decides whether a release may enter an environment.
///
/// Total: whatever the input, there is a decision; what cannot be used is an outcome that does not pass. Who decides often makes policy and
/// release ready once and uses [`CompiledPolicy::decide`]; the answer is the same.
#[must_use]
pub fn decide(policy: &Policy, release: &Release<'_>, facts: &Facts, now: Timestamp) -> Decision {
    CompiledPolicy::new(policy.clone()).decide(&PreparedRelease::new(release), facts, now)
}

/// One release of one agent, asking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Release<'a> {
    /// The agent's name, for words only.
    pub agent: &'a str,
    /// What it is.
    pub surface: &'a Surface,
}
