//! What the policies would say, for status, `why` and tests. The API server is the judge; this is the same rules in the same words.

use super::{
    ledger::{LedgerSpec, TemplateEntry, first_image},
    profile::{Profile, is_pinned},
};
use crate::{digest::ReleaseDigest, surface::essence};
use jiff::Timestamp;
use serde_json::Value;
use std::fmt;

/// Why a pod would be held, or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// No cleared pod is like it, and none can be: this image is named by a tag.
    ImageNotPinned(String),
    /// No cleared pod is like it.
    NotCleared,
    /// Those that are like it were cleared until then.
    Expired(Timestamp),
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ImageNotPinned(image) => write!(f, "ImageNotPinned: `{image}` is named by a tag, which can move"),
            Self::NotCleared => f.write_str("not cleared in this form"),
            Self::Expired(end) => write!(f, "its clearance ended at {end}"),
        }
    }
}

impl LedgerSpec {
    /// Whether it was written for this environment and this very namespace; what another says grants nothing.
    #[must_use]
    pub fn is_of(&self, environment: &str, namespace_uid: &str) -> bool {
        self.environment == environment && self.namespace_uid == namespace_uid
    }

    /// Whether it knows a release as cleared: what a workload may claim by annotation, for the early answer.
    #[must_use]
    pub fn knows(&self, release: ReleaseDigest, now: Timestamp) -> bool {
        let entry = self.releases.get(&release.digest().hex());
        entry.is_some_and(|entry| now < entry.not_after)
    }

    /// Whether an entry is there because it ran when enforcement began: it is no agent's, and not exempted either.
    fn never_cleared(&self, agent: &str, release: ReleaseDigest) -> bool {
        agent.is_empty() && !self.releases.contains_key(&release.digest().hex())
    }
}

/// Why a new pod would not run by this ledger; nothing if it would. `pod` is as the API server is about to store it.
#[must_use]
pub fn would_hold(ledger: &LedgerSpec, pod: &Value, now: Timestamp) -> Option<Held> {
    let image = pod.get("spec").and_then(first_image).unwrap_or_default();
    let keys = ledger.index.get(image).into_iter().flatten();
    let entries = keys.filter_map(|key| ledger.profiles.get(key));
    let ends = entries
        .filter(|entry| entry.profile.matches(pod, &ledger.token))
        .map(|entry| entry.not_after);
    match ends.max() {
        Some(end) if now < end => None,
        Some(end) => Some(Held::Expired(end)),
        None => Some(unpinned(pod).map_or(Held::NotCleared, Held::ImageNotPinned)),
    }
}

fn unpinned(pod: &Value) -> Option<String> {
    let lists = ["containers", "initContainers"]
        .into_iter()
        .filter_map(|list| pod.get("spec")?.get(list)?.as_array());
    let mut images = lists.flatten().filter_map(|container| container.get("image")?.as_str());
    images.find(|image| !is_pinned(image)).map(str::to_owned)
}

/// The cleared template that the pod spec of a workload's template equals, as stored: such a workload may be applied, a rollback say.
#[must_use]
pub fn template_matches<'l>(ledger: &'l LedgerSpec, spec: &Value, now: Timestamp) -> Option<&'l TemplateEntry> {
    let keys = ledger.template_index.get(first_image(spec)?)?;
    let mut entries = keys.iter().filter_map(|key| ledger.templates.get(key));
    entries.find(|entry| now < entry.not_after && entry.spec == *spec)
}

/// Whether a pod is what ran when enforcement began, but for fields that mean nothing. `template` is the pod spec of the template that
/// made it, if that explains all of the pod; a pod that reads its own metadata is known by that alone.
#[must_use]
pub fn ran_before(ledger: &LedgerSpec, profile: &Profile, template: Option<&Value>, now: Timestamp) -> bool {
    let template = template.filter(|_| profile.refers.is_empty());
    template.is_some_and(|spec| template_ran_before(ledger, spec, now)) || {
        let keys = ledger.index.get(profile.image()).into_iter().flatten();
        let mut entries = keys.filter_map(|key| ledger.profiles.get(key));
        let same = |known: &Profile| {
            let parts = |of: &Profile| (of.token, of.varies.clone(), of.refers.clone(), of.metadata.clone());
            parts(known) == parts(profile) && essence(&known.spec) == essence(&profile.spec)
        };
        entries.any(|entry| {
            let subject = &entry.subject;
            now < entry.not_after && ledger.never_cleared(&subject.agent, subject.release) && same(&entry.profile)
        })
    }
}

/// Whether a template is one that was there when enforcement began, but for fields that mean nothing.
#[must_use]
pub fn template_ran_before(ledger: &LedgerSpec, spec: &Value, now: Timestamp) -> bool {
    let keys = first_image(spec).and_then(|image| ledger.template_index.get(image));
    let mut entries = keys.into_iter().flatten().filter_map(|key| ledger.templates.get(key));
    entries.any(|entry| {
        now < entry.not_after
            && ledger.never_cleared(&entry.agent, entry.release)
            && essence(&entry.spec) == essence(spec)
    })
}
