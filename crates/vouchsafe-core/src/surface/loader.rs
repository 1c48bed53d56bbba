//! Reading configuration: each object once, each key hashed once, and not more than an agent may have.

use super::{ConfigKind, ConfigObject, ConfigReference, Content, Lookup, Problem, ProblemReason};
use crate::digest::Digest;
use std::{collections::BTreeMap, rc::Rc};

/// Bytes of one object; the API server allows no more.
const MAX_OBJECT: usize = 1024 * 1024;
/// Bytes of all objects of an agent.
const MAX_TOTAL: usize = 16 * 1024 * 1024;

/// The bytes under one key.
#[derive(Debug)]
pub(super) struct Blob {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// Their digest.
    pub(super) digest: Digest,
}

/// What became of reading an object.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// Its keys.
    Found(Rc<BTreeMap<String, Rc<Blob>>>),
    /// It is not there.
    Absent,
    /// Why its bytes are not known.
    Unreadable(ProblemReason, String),
}

/// Reads configuration.
pub(super) struct Loader<'c> {
    content: &'c dyn Content,
    outcomes: BTreeMap<(ConfigKind, String), (Outcome, bool)>,
    total: usize,
    references: BTreeMap<(ConfigKind, String, String), ConfigReference>,
}

/// A reference to an object, as found in a workload.
pub(super) struct Reference<'a> {
    /// Its kind.
    pub(super) kind: ConfigKind,
    /// Its name.
    pub(super) name: &'a str,
    /// Whether it may be absent.
    pub(super) optional: bool,
    /// Who refers to it.
    pub(super) role: &'a str,
}

impl<'c> Loader<'c> {
    pub(super) fn new(content: &'c dyn Content) -> Self {
        Self {
            content,
            outcomes: BTreeMap::new(),
            total: 0,
            references: BTreeMap::new(),
        }
    }

    /// The bytes of an object, which is noted as configuration of the role.
    pub(super) fn read(&mut self, reference: &Reference<'_>) -> Outcome {
        let Reference {
            kind,
            name,
            optional,
            role,
        } = *reference;
        let key = (kind, name.to_owned());
        if !self.outcomes.contains_key(&key) {
            let loaded = self.load(kind, name);
            self.outcomes.insert(key.clone(), loaded);
        }
        let (outcome, immutable) = self.outcomes.get(&key).cloned().unwrap_or((Outcome::Absent, false));
        let present = match outcome {
            Outcome::Found(_) => true,
            Outcome::Absent => false,
            Outcome::Unreadable(..) => return outcome,
        };
        let fresh = ConfigReference {
            kind,
            name: name.to_owned(),
            role: role.to_owned(),
            optional,
            present,
            immutable,
        };
        let noted = self
            .references
            .entry((kind, name.to_owned(), role.to_owned()))
            .or_insert(fresh);
        noted.optional &= optional;
        outcome
    }

    fn load(&mut self, kind: ConfigKind, name: &str) -> (Outcome, bool) {
        let looked_up = match kind {
            ConfigKind::ConfigMap => self.content.config_map(name),
            ConfigKind::Secret => self.content.secret(name),
        };
        match (looked_up, kind) {
            (Lookup::Found(object), _) => (self.accept(kind, name, object.data), object.immutable),
            (Lookup::Absent, _) => (Outcome::Absent, false),
            (Lookup::Unknown(why), ConfigKind::ConfigMap) => {
                (Outcome::Unreadable(ProblemReason::ConfigMapNotReadable, why), false)
            }
            (Lookup::Unknown(why), ConfigKind::Secret) => {
                (Outcome::Unreadable(ProblemReason::SecretNotReadable, why), false)
            }
        }
    }

    fn accept(&mut self, kind: ConfigKind, name: &str, data: BTreeMap<String, Vec<u8>>) -> Outcome {
        let size = data.iter().map(|(key, bytes)| key.len() + bytes.len()).sum::<usize>();
        self.total = self.total.saturating_add(size);
        let too_large = |bytes: usize, of: &str| {
            let words = format!("{} `{name}` brings {of} to {bytes} bytes", kind.as_str());
            Outcome::Unreadable(ProblemReason::ContentTooLarge, words)
        };
        if size > MAX_OBJECT {
            return too_large(size, "itself");
        }
        if self.total > MAX_TOTAL {
            return too_large(self.total, "the agent's configuration");
        }
        let blob = |bytes: Vec<u8>| {
            Rc::new(Blob {
                digest: Digest::of(&bytes),
                bytes,
            })
        };
        Outcome::Found(Rc::new(
            data.into_iter().map(|(key, bytes)| (key, blob(bytes))).collect(),
        ))
    }

    /// What was read, for protection.
    pub(super) fn into_references(self) -> Vec<ConfigReference> {
        self.references.into_values().collect()
    }
}

/// The problem that an object is not there, or not readable.
pub(super) fn problem(reference: &Reference<'_>, outcome: &Outcome, object: &str, field: &str) -> Option<Problem> {
    let Reference { kind, name, .. } = reference;
    let (reason, message, fix) = match (outcome, kind) {
        (Outcome::Found(_), _) => return None,
        (Outcome::Absent, ConfigKind::ConfigMap) => (
            ProblemReason::ConfigMapNotFound,
            format!("ConfigMap `{name}` is not there"),
            "create it, or correct the name",
        ),
        (Outcome::Absent, ConfigKind::Secret) => (
            ProblemReason::SecretNotFound,
            format!("Secret `{name}` is not there"),
            "create it, or correct the name",
        ),
        (Outcome::Unreadable(ProblemReason::ContentTooLarge, words), _) => (
            ProblemReason::ContentTooLarge,
            words.clone(),
            "keep an object within 1 MiB and an agent's within 16 MiB",
        ),
        (Outcome::Unreadable(reason, why), ConfigKind::ConfigMap) => (
            *reason,
            format!("ConfigMap `{name}` could not be read: {why}"),
            "let Vouchsafe read it, or add it to the manifests",
        ),
        (Outcome::Unreadable(reason, why), ConfigKind::Secret) => (
            *reason,
            format!("the bytes of Secret `{name}` are content here and could not be read: {why}"),
            "name single keys (`secretKeyRef`, or `items` of the volume), or declare the mount as a binding (`secretMount`)",
        ),
    };
    let (object, field) = (object.to_owned(), field.to_owned());
    Some(Problem {
        reason,
        object,
        field,
        message,
        fix: fix.to_owned(),
        blocking: true,
    })
}

/// A [`Content`] of objects at hand, by name.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// ConfigMaps.
    pub config_maps: BTreeMap<String, ConfigObject>,
    /// Secrets.
    pub secrets: BTreeMap<String, ConfigObject>,
}

impl Content for Objects {
    fn config_map(&self, name: &str) -> Lookup<ConfigObject> {
        self.config_maps
            .get(name)
            .cloned()
            .map_or(Lookup::Absent, Lookup::Found)
    }

    fn secret(&self, name: &str) -> Lookup<ConfigObject> {
        self.secrets.get(name).cloned().map_or(Lookup::Absent, Lookup::Found)
    }
}
