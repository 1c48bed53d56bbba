//! What registries say of signatures: asked in the background, kept in memory, asked again with growing patience.
//!
//! Takes images and authorities, gives at once what is known; an answer that comes later wakes the promotions that it concerns. A
//! namespace has few requests under way at a time, so that a registry that hangs delays nobody else.

use super::change::Change;
use crate::{
    enforce::now,
    metrics::Metrics,
    traces::{Asked, Traced},
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc::UnboundedSender},
    time::Instant,
};
use vouchsafe_core::{
    decision::{Authority, SignatureFact, SignatureState},
    digest::Digest,
};
use vouchsafe_evidence::{
    credentials::Credentials,
    reference::ImageReference,
    registry::Client,
    signature::{self, PublicKey, SignatureReport, image_signatures},
};

/// Requests of one namespace that may be under way at a time.
const PER_NAMESPACE: usize = 4;
/// Images of one namespace that are remembered; more are not asked about.
const MAX_IMAGES: usize = 1024;
/// The first pause before asking again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// What nobody wanted to know for so long is forgotten.
const FORGET: Duration = Duration::from_secs(1800);

/// What was asked, by namespace: of which image, with which authorities.
type Key = (String, Digest);

/// Everything that is known of signatures.
pub(crate) struct Signatures {
    registry: Client,
    credentials: Credentials,
    known: Mutex<HashMap<String, HashMap<Key, Entry>>>,
    slots: Mutex<HashMap<String, Arc<Semaphore>>>,
    changes: UnboundedSender<Change>,
    metrics: Arc<Metrics>,
}

/// What a registry said of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) state: SignatureState,
    pub(crate) complete: bool,
    pub(crate) detail: String,
}

impl Answer {
    fn cannot_tell(detail: String) -> Self {
        Self {
            state: SignatureState::CannotTell,
            complete: false,
            detail,
        }
    }
}

struct Entry {
    answer: Option<Answer>,
    wanted: Instant,
    /// Who wanted it last, where that is traced.
    asker: Option<Traced>,
}

/// One question.
#[derive(Clone)]
struct Question {
    namespace: String,
    key: Key,
    image: ImageReference,
    authorities: Vec<signature::Authority>,
}

impl Signatures {
    pub(crate) fn new(
        registry: Client,
        credentials: Credentials,
        changes: UnboundedSender<Change>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            registry,
            credentials,
            known: Mutex::default(),
            slots: Mutex::default(),
            changes,
            metrics,
        }
    }

    /// What is known of the signatures of these images, for one check. What is not known yet is asked for.
    pub(crate) fn facts(
        self: &Arc<Self>,
        namespace: &str,
        check: &str,
        authorities: &[Authority],
        images: &BTreeSet<String>,
        asker: Option<&Traced>,
    ) -> Vec<SignatureFact> {
        let fact = |digest, answer: Answer| SignatureFact {
            check: check.to_owned(),
            digest,
            state: answer.state,
            complete: answer.complete,
            detail: answer.detail,
        };
        let keys = match keys(authorities) {
            Ok(keys) => keys,
            Err(problem) => {
                let digests = images.iter().filter_map(|image| image.parse::<ImageReference>().ok());
                let cannot = |image: ImageReference| fact(image.digest(), Answer::cannot_tell(problem.clone()));
                return digests.map(cannot).collect();
            }
        };
        let asked = Digest::of_json(&serde_json::to_value(authorities).unwrap_or_default());
        let mut facts = Vec::new();
        for image in images {
            // What has no digest is a component that is unresolved, and fails as such.
            let Ok(reference) = image.parse::<ImageReference>() else {
                continue;
            };
            let digest = reference.digest();
            let question = Question {
                namespace: namespace.to_owned(),
                key: (image.clone(), asked),
                image: reference,
                authorities: keys.clone(),
            };
            facts.extend(self.look(question, asker).map(|answer| fact(digest, answer)));
        }
        facts
    }

    fn look(self: &Arc<Self>, question: Question, asker: Option<&Traced>) -> Option<Answer> {
        let mut known = self.known();
        let entries = known.entry(question.namespace.clone()).or_default();
        if let Some(entry) = entries.get_mut(&question.key) {
            entry.wanted = Instant::now();
            entry.asker = asker.cloned();
            return entry.answer.clone();
        }
        if entries.len() >= MAX_IMAGES {
            let words = format!("more than {MAX_IMAGES} images of this namespace are being asked about");
            return Some(Answer::cannot_tell(words));
        }
        let entry = Entry {
            answer: None,
            wanted: Instant::now(),
            asker: asker.cloned(),
        };
        entries.insert(question.key.clone(), entry);
        let this = Arc::clone(self);
        tokio::spawn(async move { this.ask(question).await });
        None
    }

    /// Asks until there is an answer that does not change, or nobody wants to know.
    async fn ask(self: Arc<Self>, question: Question) {
        let slots = self.slots(&question.namespace);
        let mut pause = PAUSES.0;
        loop {
            let (begun_at, report) = {
                let Ok(_slot) = slots.acquire().await else { return };
                let (begun_at, begun) = (now(), Instant::now());
                let report = image_signatures(
                    &self.registry,
                    &question.image,
                    &self.credentials,
                    &question.authorities,
                )
                .await;
                self.metrics.registry_asked(word(report.state), begun.elapsed());
                (begun_at, report)
            };
            let retry_after = report.retry_after.unwrap_or_default();
            let settled = report.complete && report.state == signature::SignatureState::Verified;
            let word = word(report.state);
            if !self.tell(&question, answer(report), begun_at, word) || settled {
                return;
            }
            tokio::time::sleep(pause.max(retry_after)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Notes an answer and wakes whom it concerns; false when nobody has wanted to know for long.
    fn tell(&self, question: &Question, answer: Answer, begun: Timestamp, word: &'static str) -> bool {
        let mut known = self.known();
        let Some(entries) = known.get_mut(&question.namespace) else {
            return false;
        };
        let Some(entry) = entries.get_mut(&question.key) else {
            return false;
        };
        if entry.wanted.elapsed() > FORGET {
            entries.remove(&question.key);
            return false;
        }
        if entry.answer.as_ref() != Some(&answer) {
            if let Some(asker) = &entry.asker {
                asker.asked(&Asked {
                    host: question.image.repository().host(),
                    image: &question.key.0,
                    answer: word,
                    detail: &answer.detail,
                    begun,
                    ended: now(),
                });
            }
            entry.answer = Some(answer);
            let digest = question.image.digest().to_string();
            let _ = self.changes.send(Change::Signature { digest });
        }
        true
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, HashMap<Key, Entry>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots(&self, namespace: &str) -> Arc<Semaphore> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let of_namespace = slots.entry(namespace.to_owned());
        Arc::clone(of_namespace.or_insert_with(|| Arc::new(Semaphore::new(PER_NAMESPACE))))
    }
}

/// A state as a label of a metric.
fn word(state: signature::SignatureState) -> &'static str {
    match state {
        signature::SignatureState::Verified => "verified",
        signature::SignatureState::NotSigned => "not_signed",
        signature::SignatureState::CannotTell => "cannot_tell",
    }
}

/// The authorities with their keys read.
pub(crate) fn keys(authorities: &[Authority]) -> Result<Vec<signature::Authority>, String> {
    let mut by_name: BTreeMap<&str, Vec<PublicKey>> = BTreeMap::new();
    for authority in authorities {
        let key = PublicKey::from_pem(&authority.key)
            .map_err(|error| format!("the key of authority `{}` cannot be read: {error}", authority.name))?;
        by_name.entry(&authority.name).or_default().push(key);
    }
    let named = |(name, keys): (&str, Vec<PublicKey>)| signature::Authority {
        name: name.to_owned(),
        keys,
    };
    Ok(by_name.into_iter().map(named).collect())
}

/// A report as a fact. What was verified counts even when not everything could be read.
pub(crate) fn answer(report: SignatureReport) -> Answer {
    let state = match report.state {
        signature::SignatureState::Verified => {
            let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (fingerprint, names) in &report.keys {
                for name in names {
                    keys.entry(name.clone()).or_default().insert(fingerprint.to_string());
                }
            }
            SignatureState::Verified(keys)
        }
        signature::SignatureState::NotSigned => SignatureState::NotSigned,
        signature::SignatureState::CannotTell => SignatureState::CannotTell,
    };
    Answer {
        state,
        complete: report.complete,
        detail: report.detail,
    }
}
