//! Votes: whose newest one says what.
//!
//! Takes the votes of this release and environment, those seen before among them; a person's newest vote counts, so that a slip can be
//! withdrawn, and of two at one instant the reject. A reject that was seen stands until that person approves again.

use super::{ApprovalFact, Facts, Person, Policy, Vote};
use crate::digest::ReleaseDigest;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Votes of one kind, by person.
#[derive(Debug, Default)]
pub(super) struct Ballot<'a> {
    /// Standing rejects.
    pub(super) rejects: Vec<&'a ApprovalFact>,
    /// Approvals that their giver has not taken back, sorted.
    pub(super) approvals: Vec<&'a ApprovalFact>,
}

/// All votes about a release in an environment.
#[derive(Debug, Default)]
pub(super) struct Votes<'a> {
    /// About the release.
    pub(super) release: Ballot<'a>,
    /// About waivers, by name.
    pub(super) waivers: BTreeMap<&'a str, Ballot<'a>>,
}

impl<'a> Votes<'a> {
    pub(super) fn of(policy: &Policy, release: ReleaseDigest, facts: &'a Facts) -> Self {
        let seen = facts.seen.rejects.iter().filter(|vote| vote.vote == Vote::Reject);
        let mut grouped: BTreeMap<(Option<&str>, &str), Vec<&ApprovalFact>> = BTreeMap::new();
        for vote in facts.approvals.iter().chain(seen) {
            if vote.release == release && vote.environment == policy.environment {
                let key = (vote.waiver.as_deref(), vote.by.username.as_str());
                grouped.entry(key).or_default().push(vote);
            }
        }
        let mut votes = Self::default();
        for ((waiver, _), ballots) in grouped {
            let ballot = match waiver {
                None => &mut votes.release,
                Some(name) => votes.waivers.entry(name).or_default(),
            };
            ballot.count(ballots);
        }
        votes
    }

    /// Rejects to be remembered.
    pub(super) fn standing_rejects(&self) -> Vec<ApprovalFact> {
        let ballots = std::iter::once(&self.release).chain(self.waivers.values());
        let mut rejects: Vec<_> = ballots
            .flat_map(|ballot| &ballot.rejects)
            .map(|vote| (*vote).clone())
            .collect();
        rejects.sort();
        rejects
    }
}

impl<'a> Ballot<'a> {
    /// Adds the votes of one person.
    fn count(&mut self, mut votes: Vec<&'a ApprovalFact>) {
        votes.sort_by(|a, b| newer(a, b));
        votes.dedup();
        let last_reject = votes.iter().rposition(|vote| vote.vote == Vote::Reject);
        match last_reject {
            Some(index) if index + 1 == votes.len() => self.rejects.extend(votes.pop()),
            Some(index) => self.approvals.extend(votes.into_iter().skip(index + 1)),
            None => self.approvals.extend(votes),
        }
    }
}

/// By time; at one instant a reject is the newer one.
fn newer(a: &ApprovalFact, b: &ApprovalFact) -> std::cmp::Ordering {
    (a.at, a.vote, a).cmp(&(b.at, b.vote, b))
}

/// Whether somebody is a person at all.
pub(super) fn is_person(person: &Person) -> bool {
    !person.is_service_account()
}

/// Whether a vote was given after an event, when there was one.
pub(super) fn after(vote: &ApprovalFact, event: Option<Timestamp>) -> bool {
    event.is_none_or(|event| vote.at > event)
}
