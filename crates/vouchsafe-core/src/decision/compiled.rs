//! Policies and releases made ready once, to decide by many times.
//!
//! Takes plain values, does what does not depend on facts or time: digests, parameters, compiling expressions. What cannot be used is
//! kept as the reason why, and comes out as the outcome of its check.

use super::{
    Check, CheckRule, Decision, Facts, OutcomeReason, Policy, Release, Requirement, SubjectKind, judge, parameters,
};
use crate::{
    cel::{self, PolicyKind, Program},
    digest::{Digest, ReleaseDigest},
    surface::{Component, Facet, Resolution, Surface},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long a clearance has to be good at least.
const SHORTEST: SignedDuration = SignedDuration::from_secs(1);

/// A policy whose expressions are compiled and whose parameters are read.
#[derive(Debug)]
pub struct CompiledPolicy {
    pub(super) policy: Policy,
    pub(super) digest: Digest,
    pub(super) requirements: Vec<Compiled>,
    pub(super) problems: Vec<String>,
}

/// One requirement, ready to be judged; or why it cannot be.
pub(super) type Compiled = Result<Rule, (OutcomeReason, String)>;

/// What a requirement's rule needs beyond its own text.
#[derive(Debug)]
pub(super) struct Rule {
    /// The expression; none when the rule has none.
    pub(super) program: Option<Program>,
    /// The values of the check's parameters.
    pub(super) parameters: cel::Parameters,
}

impl CompiledPolicy {
    /// Makes a policy ready. Total: what cannot be used makes its check inconclusive.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let mut problems = policy.problems.clone();
        problems.sort();
        problems.dedup();
        if policy.clearance.valid_for < SHORTEST {
            problems.push("`clearance.validFor` is shorter than a second".to_owned());
        }
        Self {
            digest: policy.digest(),
            requirements: policy.requires.iter().map(compile).collect(),
            policy,
            problems,
        }
    }

    /// The policy as it was given.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Decides whether a release may enter: as [`super::decide`], without making policy and release ready again.
    #[must_use]
    pub fn decide(&self, release: &PreparedRelease, facts: &Facts, now: Timestamp) -> Decision {
        judge::decide(self, release, facts, now)
    }
}

fn compile(requirement: &Requirement) -> Compiled {
    let Some(check) = &requirement.definition else {
        let message = format!("there is no Check `{}`", requirement.check);
        return Err((OutcomeReason::CheckNotFound, message));
    };
    let parameters = parameters::read(&check.parameters, &requirement.parameters)
        .map_err(|message| (OutcomeReason::ParameterInvalid, message))?;
    let program = expression(check).map(|(source, kind)| Program::compile(source, kind));
    let program = program
        .transpose()
        .map_err(|error| (OutcomeReason::PolicyError, error.to_string()))?;
    Ok(Rule { program, parameters })
}

fn expression(check: &Check) -> Option<(&str, PolicyKind)> {
    match &check.rule {
        CheckRule::Signature { .. } => None,
        CheckRule::Evidence { policy, .. } if policy.trim().is_empty() => None,
        CheckRule::Evidence { policy, .. } => Some((policy, PolicyKind::Evidence)),
        CheckRule::Surface { policy, .. } => Some((policy, PolicyKind::Surface)),
    }
}

/// A release whose digest is known and whose parts are sorted by what evidence is about.
#[derive(Debug)]
pub struct PreparedRelease {
    pub(super) digest: ReleaseDigest,
    pub(super) parts: BTreeMap<SubjectKind, Vec<Subject>>,
    pub(super) unresolved: Vec<String>,
    pub(super) input: cel::Input,
}

/// One part that signatures and evidence can be about.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// Its name in the surface.
    pub(super) name: String,
    /// Its digest; none when it is not pinned down, so that nothing can be about it.
    pub(super) digest: Option<Digest>,
    /// Its digest in any case, for words.
    pub(super) shown: Digest,
    /// A model that is an artifact of its own.
    pub(super) artifact: bool,
}

impl PreparedRelease {
    /// Makes a release ready.
    #[must_use]
    pub fn new(release: &Release<'_>) -> Self {
        let digest = release.surface.digest();
        let whole = Subject {
            name: release.agent.to_owned(),
            digest: Some(digest.digest()),
            shown: digest.digest(),
            artifact: false,
        };
        let facets = [
            (SubjectKind::Image, Facet::Image),
            (SubjectKind::Model, Facet::Model),
            (SubjectKind::ToolServer, Facet::ToolServer),
        ];
        let mut parts: BTreeMap<_, _> = facets
            .into_iter()
            .map(|(kind, facet)| (kind, subjects(release.surface, facet)))
            .collect();
        parts.insert(SubjectKind::Release, vec![whole]);
        let name = |component: &Component| format!("{}/{}", component.facet, component.name);
        Self {
            digest,
            parts,
            unresolved: release.surface.unresolved().map(name).collect(),
            input: cel::Input::of_surface(release.surface),
        }
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> ReleaseDigest {
        self.digest
    }

    pub(super) fn subjects(&self, kind: SubjectKind) -> &[Subject] {
        self.parts.get(&kind).map_or(&[], Vec::as_slice)
    }
}

/// The parts of one facet, each digest once: what is said of one image counts wherever it is used.
fn subjects(surface: &Surface, facet: Facet) -> Vec<Subject> {
    let mut by_digest = BTreeMap::new();
    for component in surface.of(facet) {
        let resolved = component.resolution != Resolution::Unresolved;
        by_digest
            .entry((component.digest, resolved))
            .or_insert_with(|| Subject {
                name: component.name.clone(),
                digest: resolved.then_some(component.digest),
                shown: component.digest,
                artifact: component.value.is_none(),
            });
    }
    let mut subjects: Vec<_> = by_digest.into_values().collect();
    subjects.sort_by(|a, b| a.name.cmp(&b.name));
    subjects
}
