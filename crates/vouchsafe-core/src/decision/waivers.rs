//! What somebody let go for a while.
//!
//! A waiver subtracts named checks only, and counts once another person's approval names it. Break-glass is one person's waiver of
//! everything, four hours at most. Each stands by itself: one that does not count borrows nothing from one that does.

use super::{
    ApprovalScope, Facts, Policy, WaiverFact, WaiverOutcome,
    clock::{Clock, later},
    votes::{self, Ballot, Votes},
};
use crate::digest::ReleaseDigest;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How long break-glass lasts at most.
pub const BREAK_GLASS: SignedDuration = SignedDuration::from_hours(4);

/// What is waived at this time.
#[derive(Debug, Default)]
pub(super) struct Waivers {
    pub(super) outcomes: Vec<WaiverOutcome>,
    /// The latest end of the waivers of a check, and which it is.
    checks: BTreeMap<String, (Timestamp, String)>,
    /// The latest end of break-glass, and which it is.
    pub(super) break_glass: Option<(Timestamp, String)>,
    /// Break-glass that nobody else has looked at.
    pub(super) unreviewed: bool,
}

impl Waivers {
    /// The end and the name of what waives a check; the named waiver before break-glass.
    pub(super) fn of(&self, check: &str) -> Option<&(Timestamp, String)> {
        self.checks.get(check).or(self.break_glass.as_ref())
    }

    fn add(&mut self, waiver: &WaiverFact, end: Timestamp) {
        let entry = (end, waiver.id.clone());
        if waiver.break_glass {
            self.break_glass = self.break_glass.take().max(Some(entry));
            return;
        }
        for check in &waiver.checks {
            let latest = self.checks.entry(check.clone()).or_insert_with(|| entry.clone());
            *latest = entry.clone().max(latest.clone());
        }
    }
}

pub(super) fn judge(
    policy: &Policy,
    release: ReleaseDigest,
    facts: &Facts,
    votes: &Votes<'_>,
    clock: &Clock,
) -> Waivers {
    let relevant = |waiver: &&WaiverFact| waiver.release == release && waiver.environment == policy.environment;
    let relevant: BTreeSet<_> = facts.waivers.iter().filter(relevant).collect();
    let mut waivers = Waivers::default();
    let nobody = Ballot::default();
    for waiver in relevant {
        let ballot = votes.waivers.get(waiver.id.as_str()).unwrap_or(&nobody);
        let end = end(waiver);
        waivers.unreviewed |= waiver.break_glass && reviewers(waiver, ballot).is_empty();
        let message = match objection(waiver, ballot) {
            Some(why) => Err(why),
            None if clock.reached(end) => Err("it has ended".to_owned()),
            None => Ok(said(waiver, ballot)),
        };
        if message.is_ok() {
            waivers.add(waiver, end);
        }
        waivers.outcomes.push(WaiverOutcome {
            waiver: waiver.id.clone(),
            active: message.is_ok(),
            message: message.unwrap_or_else(|why| why),
            not_after: end,
        });
    }
    waivers
}

fn end(waiver: &WaiverFact) -> Timestamp {
    if waiver.break_glass {
        waiver.not_after.min(later(waiver.at, BREAK_GLASS))
    } else {
        waiver.not_after
    }
}

/// People other than who asked for the waiver, and what they said of it since it exists. Names of waivers are unique only within a
/// namespace, so a vote from elsewhere does not count.
fn others<'a>(waiver: &WaiverFact, votes: &[&'a super::ApprovalFact]) -> BTreeSet<&'a str> {
    let counts = |vote: &&&super::ApprovalFact| {
        vote.by.username != waiver.by.username
            && votes::is_person(&vote.by)
            && vote.at >= waiver.at
            && vote.scope == ApprovalScope::Namespace
    };
    votes
        .iter()
        .filter(counts)
        .map(|vote| vote.by.username.as_str())
        .collect()
}

fn reviewers<'a>(waiver: &WaiverFact, ballot: &Ballot<'a>) -> BTreeSet<&'a str> {
    let mut reviewers = others(waiver, &ballot.approvals);
    reviewers.extend(others(waiver, &ballot.rejects));
    reviewers
}

fn objection(waiver: &WaiverFact, ballot: &Ballot<'_>) -> Option<String> {
    if let Some(reject) = ballot.rejects.first() {
        return Some(format!("{} rejected it", reject.by.username));
    }
    if waiver.break_glass {
        return (!votes::is_person(&waiver.by)).then(|| "only a person may break the glass".to_owned());
    }
    if waiver.checks.is_empty() {
        return Some("it names no check".to_owned());
    }
    let by = &waiver.by.username;
    others(waiver, &ballot.approvals)
        .is_empty()
        .then(|| format!("nobody but {by}, who asked for it, has approved it"))
}

fn said(waiver: &WaiverFact, ballot: &Ballot<'_>) -> String {
    let by = &waiver.by.username;
    if waiver.break_glass {
        return format!("{by} broke the glass: {}", waiver.reason);
    }
    let checks: Vec<_> = waiver.checks.iter().map(|check| format!("`{check}`")).collect();
    let approved: Vec<_> = others(waiver, &ballot.approvals).into_iter().collect();
    format!(
        "{by} waives {}, approved by {}: {}",
        checks.join(", "),
        approved.join(", "),
        waiver.reason
    )
}
