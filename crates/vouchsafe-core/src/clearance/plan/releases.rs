//! Which releases the ledger is of.

use super::{ClearedRelease, Wanted, budget::Budget, configuration::Truth};
use crate::{
    clearance::ledger::{Cleared, LedgerSpec, Subject},
    digest::ReleaseDigest,
};
use jiff::Timestamp;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// Releases that may be granted, and until when.
#[derive(Debug)]
pub(super) struct Targets<'w> {
    by_release: BTreeMap<(&'w str, ReleaseDigest), Timestamp>,
    releases: BTreeMap<String, Cleared>,
    before: BTreeMap<String, String>,
    grandfather_until: Option<Timestamp>,
    revoked: &'w BTreeSet<ReleaseDigest>,
}

impl<'w> Targets<'w> {
    /// Current releases and the last cleared before them, as many as there is room for; what the ledger has goes first.
    pub(super) fn choose(
        known: Option<&LedgerSpec>,
        wanted: &'w Wanted,
        now: Timestamp,
        truth: &mut Truth<'_>,
        budget: &mut Budget,
    ) -> Self {
        let mut targets = Self {
            by_release: BTreeMap::new(),
            releases: BTreeMap::new(),
            before: known.map(agents).unwrap_or_default(),
            grandfather_until: wanted.grandfather_until.map(whole).filter(|until| *until > now),
            revoked: &wanted.revoked,
        };
        let mut kept = kept(wanted, now);
        let known = |release: &ClearedRelease| targets.before.get(&hex(release.release)) == Some(&release.agent);
        kept.sort_by_cached_key(|release| {
            (
                !release.current,
                !known(release),
                release.cleared_at,
                release.agent.as_str(),
                release.release,
            )
        });
        for release in kept {
            let what = format!("release {} of agent `{}`", release.release, release.agent);
            let of = (release.agent.as_str(), release.release);
            let objects = Truth::now(&release.configuration);
            let added = match truth.added(&objects) {
                Ok(added) => added,
                Err(name) => {
                    budget.drop(
                        "ConfigurationChanged",
                        of,
                        &what,
                        &format!("{name} is there for another cleared release, or is not"),
                    );
                    continue;
                }
            };
            let cleared = Cleared {
                agent: release.agent.clone(),
                not_after: whole(release.not_after),
            };
            match budget.takes_release(&cleared, &added) {
                Ok(()) => truth.add(objects),
                Err(why) => {
                    budget.drop("LedgerFull", of, &what, &why);
                    continue;
                }
            }
            targets.add(release, cleared);
        }
        targets
    }

    /// Two agents can be the same release: the later end counts.
    fn add(&mut self, release: &'w ClearedRelease, cleared: Cleared) {
        let end = self
            .by_release
            .entry((&release.agent, release.release))
            .or_insert(cleared.not_after);
        *end = (*end).max(cleared.not_after);
        match self.releases.get_mut(&hex(release.release)) {
            Some(entry) if entry.not_after >= cleared.not_after => {}
            _ => drop(self.releases.insert(hex(release.release), cleared)),
        }
    }

    /// Until when what is of this may run, if it may.
    pub(super) fn until(&self, agent: &str, release: ReleaseDigest) -> Option<Timestamp> {
        self.by_release.get(&(agent, release)).copied()
    }

    /// Until when what the ledger has of this may stay: because it is cleared, or because it is there without ever having been. Of two
    /// agents that are one release the ledger names one; then the end tells.
    pub(super) fn until_kept(&self, agent: &str, release: ReleaseDigest, not_after: Timestamp) -> Option<Timestamp> {
        let grandfather = self.grandfather(release);
        let never_cleared = match self.before.get(&hex(release)) {
            None => true,
            Some(cleared) => cleared != agent && grandfather == Some(not_after),
        };
        let cleared = self.until(agent, release);
        cleared.or_else(|| grandfather.filter(|_| never_cleared))
    }

    /// The same for what is said to have run when enforcement began.
    pub(super) fn until_grandfathered(&self, subject: &Subject) -> Option<Timestamp> {
        let cleared = self.until(&subject.agent, subject.release);
        cleared.or_else(|| self.grandfather(subject.release))
    }

    /// Until when what ran when enforcement began may run.
    fn grandfather(&self, release: ReleaseDigest) -> Option<Timestamp> {
        self.grandfather_until.filter(|_| !self.revoked.contains(&release))
    }

    pub(super) fn into_releases(self) -> BTreeMap<String, Cleared> {
        self.releases
    }
}

/// Who each release of a ledger is cleared for.
fn agents(ledger: &LedgerSpec) -> BTreeMap<String, String> {
    let releases = ledger.releases.iter();
    releases
        .map(|(release, entry)| (release.clone(), entry.agent.clone()))
        .collect()
}

/// Of each agent the releases that have not ended: all current ones, and of the others the last cleared.
fn kept(wanted: &Wanted, now: Timestamp) -> Vec<&ClearedRelease> {
    let lasting = wanted.cleared.iter().filter(|release| whole(release.not_after) > now);
    let (mut kept, mut previous): (Vec<_>, Vec<_>) = lasting.partition(|release| release.current);
    previous.sort_by_key(|release| (&release.agent, Reverse(release.cleared_at), release.release));
    let mut of_agent: BTreeMap<&str, usize> = BTreeMap::new();
    kept.extend(previous.into_iter().filter(|release| {
        let count = of_agent.entry(&release.agent).or_default();
        *count += 1;
        *count <= wanted.keep_previous
    }));
    kept
}

/// What a profile is called when it is left out.
pub(super) fn named(what: &str, subject: &Subject) -> String {
    let Subject { agent, role, release } = subject;
    format!("{what} of agent `{agent}`, role `{role}`, release {release}")
}

/// Whole seconds: what policies compare, and one text for one time.
pub(super) fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn hex(release: ReleaseDigest) -> String {
    release.digest().hex()
}
