//! From what is cleared to what is written, and in which order.
//!
//! Takes the ledger as it is and what should be in it; gives up to three writes. **Withdraw first**: what has to go, goes in a write of its
//! own that can only get smaller, so that no revocation is ever blocked by what is granted. **Protect next**: names of configuration are
//! written before anything that is made of it, and whoever writes waits until the API server has seen them and reads again. **Grant last.**
//! The same input gives the same bytes; nothing is written when nothing changed.

mod budget;
mod configuration;
mod entries;
mod releases;
mod room;

use super::{
    identity::{self, Around},
    ledger::{LedgerSpec, Subject},
    profile::Profile,
};
use crate::{decision::Enforcement, digest::ReleaseDigest, surface::ConfigReference};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub use self::budget::{
    Dropped, MAX_BYTES, MAX_EXPLANATION, MAX_PER_IMAGE, MAX_PROFILES, MAX_PROTECTED, MAX_RELEASES, MAX_TEMPLATES,
    MAX_WAITING,
};
pub use self::configuration::config_maps;
use self::{budget::Budget, configuration::Truth, releases::Targets};

/// What a namespace's ledger should say. Configuration is from one reading: an object is there for all that it names, or for none.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The environment.
    pub environment: String,
    /// The namespace's uid.
    pub namespace_uid: String,
    /// How it enforces.
    pub enforcement: Enforcement,
    /// Whether a rollout may take no pod away while its new ones wait.
    pub require_surge: bool,
    /// Whether exec, attach, port-forward and proxies need the verb `debug`.
    pub require_debug: bool,
    /// The source of the service-account token that the API server injects.
    pub token: Value,
    /// What is cleared, in any order. What the ledger has of other releases goes.
    pub cleared: Vec<ClearedRelease>,
    /// New profiles, the most important first. Those that the ledger has already may be left out.
    pub profiles: Vec<Offered>,
    /// What ran when enforcement began, while `grandfather_until` is in the future. Has to be given once; then the ledger has it.
    pub grandfathered: Vec<Grandfathered>,
    /// Until when that may run.
    pub grandfather_until: Option<Timestamp>,
    /// Releases that may not run though they did when enforcement began.
    pub revoked: BTreeSet<ReleaseDigest>,
    /// Protected configuration, as `Kind/name`, whose bytes are not what was cleared: what refers to it goes, unless it is in `profiles` again.
    pub changed: BTreeSet<String>,
    /// What is there beside the agents: what their service accounts may do, and where names lead.
    pub around: Around,
    /// One line for each agent that waits.
    pub waiting: BTreeMap<String, String>,
    /// Releases of an agent that are kept beside its current ones, the last cleared first.
    pub keep_previous: usize,
}

/// A release that is cleared here.
#[derive(Debug, Clone, PartialEq)]
pub struct ClearedRelease {
    /// The agent.
    pub agent: String,
    /// The release.
    pub release: ReleaseDigest,
    /// When it was cleared.
    pub cleared_at: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// Whether it is deployed, or asked for: such are always kept.
    pub current: bool,
    /// What it is made of, if that was just resolved; else empty, and what the ledger protects for its profiles stays protected.
    pub configuration: Vec<ConfigReference>,
    /// Pod specs of its templates, as stored.
    pub templates: Vec<Value>,
}

/// A profile of a cleared release.
#[derive(Debug, Clone, PartialEq)]
pub struct Offered {
    /// What it is of.
    pub subject: Subject,
    /// What it is.
    pub profile: Profile,
    /// What the pod that it was taken from is made of.
    pub configuration: Vec<ConfigReference>,
}

/// Something that ran when enforcement began.
#[derive(Debug, Clone, PartialEq)]
pub struct Grandfathered {
    /// What it is of.
    pub subject: Subject,
    /// A pod of it.
    pub profile: Option<Profile>,
    /// The pod spec of its template.
    pub template: Option<Value>,
    /// What it is made of.
    pub configuration: Vec<ConfigReference>,
}

/// What to write, in this order; each is a whole spec. Nothing where there is nothing to write.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// What was there without what has to go.
    pub withdrawal: Option<LedgerSpec>,
    /// That with all configuration protected. Before the next write the API server has to have seen it, and the configuration has to be
    /// read and hashed again; also by a process that finds it written and did not see that itself.
    pub protect: Option<LedgerSpec>,
    /// All of it.
    pub grant: Option<LedgerSpec>,
    /// What had no room, and what contradicts the configuration. Not only said once: it stays here while it is so.
    pub dropped: Vec<Dropped>,
}

/// Plans the writes that make a ledger what it should be.
#[must_use]
pub fn plan(current: Option<&LedgerSpec>, wanted: &Wanted, now: Timestamp) -> Plan {
    let of_here =
        |ledger: &&LedgerSpec| ledger.environment == wanted.environment && ledger.namespace_uid == wanted.namespace_uid;
    let known = current.filter(of_here);
    let (target, dropped) = target(known, wanted, now);
    let withdrawal = current.map(|current| withdraw(current, known.is_some().then_some(&target)));
    let withdrawal = withdrawal.filter(|withdrawal| Some(withdrawal) != current);
    let base = withdrawal.as_ref().or(current);
    let protect = protect(base.filter(of_here), &target);
    let last = protect.as_ref().or(base);
    let grant = (last != Some(&target)).then_some(target);
    Plan {
        withdrawal,
        protect,
        grant,
        dropped,
    }
}

/// The ledger as it should be, and what had no room.
fn target(known: Option<&LedgerSpec>, wanted: &Wanted, now: Timestamp) -> (LedgerSpec, Vec<Dropped>) {
    let mut ledger = LedgerSpec {
        environment: wanted.environment.clone(),
        namespace_uid: wanted.namespace_uid.clone(),
        enforcement: wanted.enforcement,
        require_surge: wanted.require_surge,
        require_debug: wanted.require_debug,
        nonce: known.and_then(|known| known.nonce.clone()),
        token: wanted.token.clone(),
        ..LedgerSpec::default()
    };
    let mut budget = Budget::new(&ledger);
    let mut truth = Truth::new(known, &wanted.changed);
    let targets = Targets::choose(known, wanted, now, &mut truth, &mut budget);
    entries::profiles(&mut ledger, known, wanted, &targets, &mut truth, &mut budget);
    entries::templates(&mut ledger, known, wanted, &targets, &mut truth, &mut budget);
    ledger.releases = targets.into_releases();
    ledger.protected_config = truth.into_protected();
    // What was deleted while nothing was refused is nothing to bring back.
    let enforced = |known: &&LedgerSpec| {
        [known.enforcement, wanted.enforcement]
            .iter()
            .all(|one| *one != Enforcement::Observe)
    };
    let before = known.filter(enforced).map(|known| &known.identity);
    let (found, left_out) = identity::identity(before, ledger.profiles.values(), &wanted.around);
    ledger.identity = found;
    budget.left_out(left_out);
    for (agent, line) in &wanted.waiting {
        let line = budget::one_line(line);
        if budget.takes_waiting(agent, &line) {
            ledger.waiting.insert(agent.clone(), line);
        }
    }
    (ledger, budget.into_dropped())
}

/// The ledger without what the target does not have, and with the earlier ends; a ledger of another environment loses all that it grants.
fn withdraw(current: &LedgerSpec, target: Option<&LedgerSpec>) -> LedgerSpec {
    let mut ledger = current.clone();
    let Some(target) = target else {
        return without_grants(ledger);
    };
    ledger.enforcement = ledger.enforcement.max(target.enforcement);
    ledger.profiles.retain(|key, entry| {
        let kept = target.profiles.get(key);
        entry.not_after = kept.map_or(entry.not_after, |kept| kept.not_after.min(entry.not_after));
        kept.is_some()
    });
    ledger.templates.retain(|key, entry| {
        let kept = target.templates.get(key);
        entry.not_after = kept.map_or(entry.not_after, |kept| kept.not_after.min(entry.not_after));
        kept.is_some()
    });
    ledger.releases.retain(|key, entry| {
        let kept = target.releases.get(key).filter(|kept| kept.agent == entry.agent);
        entry.not_after = kept.map_or(entry.not_after, |kept| kept.not_after.min(entry.not_after));
        kept.is_some()
    });
    let LedgerSpec {
        profiles,
        index,
        templates,
        template_index,
        ..
    } = &mut ledger;
    prune(index, |key| profiles.contains_key(key));
    prune(template_index, |key| templates.contains_key(key));
    if ledger.same_grants(current) && ledger.enforcement != current.enforcement {
        // A stricter word alone needs no write before the others.
        ledger.enforcement = current.enforcement;
    }
    ledger
}

fn prune(index: &mut BTreeMap<String, Vec<String>>, keep: impl Fn(&str) -> bool) {
    index.retain(|_, keys| {
        keys.retain(|key| keep(key));
        !keys.is_empty()
    });
}

/// The target's words with no more grants than there are, if configuration has to be protected before there can be more.
fn protect(base: Option<&LedgerSpec>, target: &LedgerSpec) -> Option<LedgerSpec> {
    let protected = |name: &String, as_it_is| base.and_then(|base| base.protected_config.get(name)) == Some(as_it_is);
    if target
        .protected_config
        .iter()
        .all(|(name, as_it_is)| protected(name, as_it_is))
    {
        return None;
    }
    let mut ledger = without_grants(target.clone());
    if let Some(base) = base {
        ledger.profiles = base.profiles.clone();
        ledger.index = base.index.clone();
        ledger.templates = base.templates.clone();
        ledger.template_index = base.template_index.clone();
        ledger.releases = base.releases.clone();
    }
    Some(ledger)
}

fn without_grants(ledger: LedgerSpec) -> LedgerSpec {
    LedgerSpec {
        profiles: BTreeMap::new(),
        index: BTreeMap::new(),
        templates: BTreeMap::new(),
        template_index: BTreeMap::new(),
        releases: BTreeMap::new(),
        ..ledger
    }
}
