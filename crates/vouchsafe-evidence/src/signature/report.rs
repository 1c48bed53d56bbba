//! What a search for signatures came to, as a value and in words.
//!
//! Takes findings and troubles, gives a [`SignatureReport`]. Pure.

use super::{Authority, finding::Finding, key::Keyring};
use crate::registry::RegistryError;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use vouchsafe_core::digest::Digest;

/// How many kinds of findings the words mention.
const MENTIONED: usize = 4;

/// What a search for signatures came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureState {
    /// At least one authority has signed the image.
    Verified,
    /// Everything was read, and no authority has.
    NotSigned,
    /// Not everything could be read, and nothing that was read is a signature that counts.
    CannotTell,
}

/// Who has signed an image, as far as could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureReport {
    /// The names of the authorities that have signed it.
    pub verified: BTreeSet<String>,
    /// The fingerprints of the keys that have signed it, and whose they are. A key of two authorities shows up once, with both.
    pub keys: BTreeMap<Digest, BTreeSet<String>>,
    /// What it came to.
    pub state: SignatureState,
    /// Whether everything that could have changed the answer was read. Without it, a missing authority is not known to be missing.
    pub complete: bool,
    /// A sentence for people: what was found, and why it does not count.
    pub detail: String,
    /// Whether asking again soon may help without anybody changing anything.
    pub transient: bool,
    /// When to ask again, as far as the registry said.
    pub retry_after: Option<Duration>,
}

impl SignatureReport {
    /// How many authorities have signed with keys that differ from one another's: what a threshold is compared with. Two authorities
    /// that hold the same key count once for it.
    #[must_use]
    pub fn distinct(&self) -> usize {
        let mut taken = BTreeMap::new();
        self.keys
            .keys()
            .filter(|key| self.seat(key, &mut taken, &mut BTreeSet::new()))
            .count()
    }

    /// Finds an authority for a key, moving other keys to another of their authorities where needed.
    fn seat<'a>(
        &'a self,
        key: &'a Digest,
        taken: &mut BTreeMap<&'a str, &'a Digest>,
        asked: &mut BTreeSet<&'a str>,
    ) -> bool {
        let authorities = self.keys.get(key).into_iter().flatten();
        for authority in authorities.map(String::as_str) {
            if !asked.insert(authority) {
                continue;
            }
            let free = match taken.get(authority).copied() {
                None => true,
                Some(other) => self.seat(other, taken, asked),
            };
            if free {
                taken.insert(authority, key);
                return true;
            }
        }
        false
    }
}

/// Why something was not read.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The registry.
    Registry(RegistryError),
    /// There is more than may be read.
    More,
}

/// A search under way.
#[derive(Debug, Default)]
pub(super) struct Search {
    findings: Vec<Finding>,
    troubles: Vec<Trouble>,
    /// The image itself is not in the registry.
    pub(super) absent: bool,
}

impl Search {
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn trouble(&mut self, trouble: Trouble) {
        self.troubles.push(trouble);
    }

    /// Whether reading on cannot help, or should not be tried now.
    pub(super) fn is_over(&self, keys: &Keyring<'_>) -> bool {
        self.signers().len() == keys.len() || self.is_transient()
    }

    pub(super) fn report(self, authorities: &[Authority], keys: &Keyring<'_>) -> SignatureReport {
        let signers = self.signers();
        let signed = signers.iter().map(|key| {
            let names = keys.names(key).iter().map(|name| (*name).to_owned());
            (*key, names.collect::<BTreeSet<_>>())
        });
        let signed = signed.collect::<BTreeMap<_, _>>();
        let verified = signed.values().flatten().cloned().collect::<BTreeSet<_>>();
        let complete =
            signers.len() == keys.len() || self.troubles.is_empty() && self.findings.iter().all(Finding::is_conclusive);
        let state = match (verified.is_empty(), complete) {
            (false, _) => SignatureState::Verified,
            (true, true) => SignatureState::NotSigned,
            (true, false) => SignatureState::CannotTell,
        };
        SignatureReport {
            detail: self.words(authorities, &verified),
            transient: !complete && self.is_transient(),
            retry_after: self.registry_errors().filter_map(RegistryError::retry_after).max(),
            verified,
            keys: signed,
            state,
            complete,
        }
    }

    fn signers(&self) -> BTreeSet<Digest> {
        let signer = |finding: &Finding| match finding {
            Finding::Signed(key) => Some(*key),
            _ => None,
        };
        self.findings.iter().filter_map(signer).collect()
    }

    fn registry_errors(&self) -> impl Iterator<Item = &RegistryError> {
        self.troubles.iter().filter_map(|trouble| match trouble {
            Trouble::Registry(error) => Some(error),
            Trouble::More => None,
        })
    }

    fn is_transient(&self) -> bool {
        self.registry_errors().any(RegistryError::is_transient)
    }

    fn words(&self, authorities: &[Authority], verified: &BTreeSet<String>) -> String {
        if self.absent {
            return "the registry has no such image".to_owned();
        }
        let missing = authorities.iter().map(|authority| &authority.name);
        let missing = names(missing.filter(|name| !verified.contains(*name)));
        let mut sentence = match (verified.is_empty(), missing.is_empty()) {
            (true, true) => return "no authority is trusted to sign".to_owned(),
            (false, true) => return format!("signed by {}", names(verified.iter())),
            (false, false) => format!("signed by {}, not by {missing}", names(verified.iter())),
            (true, false) => format!("no signature by a key of {missing} was found"),
        };
        let others = self.others();
        if !others.is_empty() {
            sentence.push_str(&format!("; found: {others}"));
        }
        if let Some(trouble) = self.troubles.first() {
            let problem = match trouble {
                Trouble::Registry(error) => error.explain(),
                Trouble::More => "there are more candidates than are read".to_owned(),
            };
            sentence.push_str(&format!("; not everything could be read: {problem}"));
        }
        sentence
    }

    /// What was found that does not count, as `2 signed by another key, 1 malformed (…)`.
    fn others(&self) -> String {
        let mut counts = BTreeMap::new();
        let others = self
            .findings
            .iter()
            .filter(|finding| !matches!(finding, Finding::Signed(_)));
        for finding in others {
            *counts.entry(finding).or_insert(0_usize) += 1;
        }
        let mut words = counts
            .iter()
            .map(|(finding, count)| format!("{count} {finding}"))
            .collect::<Vec<_>>();
        if words.len() > MENTIONED {
            words.truncate(MENTIONED);
            words.push("and others".to_owned());
        }
        words.join(", ")
    }
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
