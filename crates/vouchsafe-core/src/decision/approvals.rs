//! Whose word is there, and whose is missing.
//!
//! A person counts once over all roles, where they are needed most. Whether a role is theirs the API server judged when they voted; that
//! nobody approves what they asked for or wrote is judged here.

use super::{
    ApprovalFact, ApprovalOutcome, ApprovalRule, Author, BindingChange, Exclude, Facts, Policy, UnknownAuthor,
    matching,
    votes::{self, Ballot},
};
use std::collections::{BTreeMap, BTreeSet};

/// The role of the approval that takes the place of knowing the author.
pub const INDEPENDENT: &str = "independent";
/// The role of the approval that lets a revoked release in again where none other is asked for.
pub const REINSTATE: &str = "reinstate";
/// Approvals that one rule can ask for; a rule that asks for more is never satisfied.
const MAX_COUNT: u32 = 64;

/// What the votes came to.
#[derive(Debug)]
pub(super) struct Approvals {
    pub(super) outcomes: Vec<ApprovalOutcome>,
    /// Every rule has its approvals.
    pub(super) satisfied: bool,
    /// Somebody says no.
    pub(super) rejected: bool,
}

impl Approvals {
    /// Roles that lack approvals, sorted.
    pub(super) fn lacking(&self) -> BTreeSet<String> {
        let lacks = |outcome: &&ApprovalOutcome| outcome.have < outcome.need;
        self.outcomes
            .iter()
            .filter(lacks)
            .map(|outcome| outcome.role.clone())
            .collect()
    }
}

pub(super) fn judge(policy: &Policy, facts: &Facts, ballot: &Ballot<'_>) -> Approvals {
    let seats = seats(policy, facts);
    let candidates: Vec<_> = seats
        .iter()
        .map(|seat| candidates(seat, policy, facts, ballot))
        .collect();
    let places: Vec<(usize, Vec<&str>)> = seats
        .iter()
        .zip(&candidates)
        .enumerate()
        .flat_map(|(index, (seat, one))| {
            let people: Vec<&str> = one.eligible.iter().copied().collect();
            std::iter::repeat_n(
                (index, people),
                usize::try_from(seat.count.min(MAX_COUNT)).unwrap_or_default(),
            )
        })
        .collect();
    let people: Vec<_> = places.iter().map(|(_, people)| people.clone()).collect();
    let mut by: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for (person, place) in matching::pair(&people) {
        if let Some((seat, _)) = places.get(place) {
            by.entry(*seat).or_default().insert(person);
        }
    }
    let mut outcomes: Vec<_> = seats
        .iter()
        .zip(candidates)
        .enumerate()
        .map(|(index, (seat, one))| outcome(seat, one, by.remove(&index).unwrap_or_default(), ballot))
        .collect();
    outcomes.extend(rejects_elsewhere(&seats, ballot));
    Approvals {
        satisfied: outcomes.iter().all(|outcome| outcome.have >= outcome.need),
        rejected: !ballot.rejects.is_empty(),
        outcomes,
    }
}

/// One rule, those that follow from the facts among them.
struct Seat<'a> {
    role: &'a str,
    count: u32,
    contact: Option<&'a str>,
    exclude: &'a [Exclude],
    /// Any role will do.
    any_role: bool,
    /// Only people who cannot write workloads there.
    independent: bool,
}

impl<'a> Seat<'a> {
    fn of(rule: &'a ApprovalRule) -> Self {
        Self {
            role: &rule.role,
            count: rule.count,
            contact: rule.contact.as_deref(),
            exclude: &rule.exclude,
            any_role: false,
            independent: false,
        }
    }

    fn extra(role: &'a str, independent: bool) -> Self {
        Self {
            role,
            count: 1,
            contact: None,
            exclude: &[Exclude::Requester, Exclude::Author, Exclude::ServiceAccount],
            any_role: true,
            independent,
        }
    }
}

fn seats<'a>(policy: &'a Policy, facts: &Facts) -> Vec<Seat<'a>> {
    let mut seats: Vec<_> = policy.approvals.iter().map(Seat::of).collect();
    let asked = policy.approvals.iter().any(|rule| rule.count > 0);
    if asked && facts.author == Author::Unknown && policy.unknown_author == UnknownAuthor::ExtraApproval {
        seats.push(Seat::extra(INDEPENDENT, true));
    }
    if !asked && facts.past.as_ref().is_some_and(|past| past.revoked_at.is_some()) {
        seats.push(Seat::extra(REINSTATE, false));
    }
    seats
}

/// Who may count for a seat, and who voted for it and may not.
#[derive(Default)]
struct Candidates<'a> {
    eligible: BTreeSet<&'a str>,
    passed_over: BTreeMap<&'a str, &'static str>,
}

fn candidates<'a>(seat: &Seat<'_>, policy: &Policy, facts: &Facts, ballot: &Ballot<'a>) -> Candidates<'a> {
    let mut candidates = Candidates::default();
    for vote in ballot
        .approvals
        .iter()
        .filter(|vote| seat.any_role || vote.role == seat.role)
    {
        match objection(seat, policy, facts, vote) {
            None => {
                candidates.eligible.insert(&vote.by.username);
            }
            Some(why) => {
                candidates.passed_over.insert(&vote.by.username, why);
            }
        }
    }
    candidates
        .passed_over
        .retain(|person, _| !candidates.eligible.contains(person));
    candidates
}

/// Why a vote does not count.
fn objection(seat: &Seat<'_>, policy: &Policy, facts: &Facts, vote: &ApprovalFact) -> Option<&'static str> {
    let person = vote.by.username.as_str();
    let excluded = |exclude: &Exclude| match exclude {
        Exclude::Requester
            if facts
                .requester
                .as_ref()
                .is_some_and(|requester| requester.username == person) =>
        {
            Some("asked for the promotion")
        }
        Exclude::Author if matches!(&facts.author, Author::Known(authors) if authors.contains(person)) => {
            Some("wrote what is promoted")
        }
        Exclude::ServiceAccount if !votes::is_person(&vote.by) => Some("is a service account"),
        _ => None,
    };
    if let Some(why) = seat.exclude.iter().find_map(excluded) {
        return Some(why);
    }
    if seat.independent && facts.writers.contains(person) {
        return Some("can write workloads in the namespace");
    }
    if !votes::after(vote, facts.past.as_ref().and_then(|past| past.revoked_at)) {
        return Some("approved before it was revoked");
    }
    let reapprove = policy.on_binding_change == BindingChange::Reapprove;
    if reapprove && !votes::after(vote, facts.bindings_changed_at) {
        return Some("approved before the bindings changed");
    }
    None
}

fn outcome(seat: &Seat<'_>, candidates: Candidates<'_>, by: BTreeSet<&str>, ballot: &Ballot<'_>) -> ApprovalOutcome {
    let not_counted = |(person, why): (&str, &str)| format!("{person}: {why}");
    let elsewhere = candidates
        .eligible
        .iter()
        .filter(|person| !by.contains(**person) && !seat.any_role)
        .map(|person| (*person, "is not needed here, or counts for another role"));
    let mut passed_over: Vec<_> = elsewhere.map(not_counted).collect();
    passed_over.extend(candidates.passed_over.into_iter().map(not_counted));
    passed_over.sort();
    ApprovalOutcome {
        role: seat.role.to_owned(),
        have: u32::try_from(by.len()).unwrap_or(u32::MAX),
        need: seat.count,
        by: by.into_iter().map(str::to_owned).collect(),
        rejected_by: rejected_by(seat.role, ballot),
        not_counted: passed_over,
        contact: seat.contact.map(str::to_owned),
    }
}

fn rejected_by(role: &str, ballot: &Ballot<'_>) -> Vec<String> {
    let people = ballot.rejects.iter().filter(|vote| vote.role == role);
    let people: BTreeSet<_> = people.map(|vote| vote.by.username.clone()).collect();
    people.into_iter().collect()
}

/// A standing reject refuses even when nobody asks for its role any more.
fn rejects_elsewhere(seats: &[Seat<'_>], ballot: &Ballot<'_>) -> Vec<ApprovalOutcome> {
    let roles: BTreeSet<_> = ballot.rejects.iter().map(|vote| vote.role.as_str()).collect();
    let unasked = roles
        .into_iter()
        .filter(|role| !seats.iter().any(|seat| seat.role == *role));
    unasked
        .map(|role| ApprovalOutcome {
            role: role.to_owned(),
            have: 0,
            need: 0,
            by: Vec::new(),
            rejected_by: rejected_by(role, ballot),
            not_counted: Vec::new(),
            contact: None,
        })
        .collect()
}
