//! What is told of one look at a ledger: to each Promotion that it let in, took out, or whose pods it let go, the steps with their times.

use super::{
    Traces,
    promotion::{Traced, is_first},
    span::text,
};
use crate::enforce::{Context, Error, now};
use jiff::Timestamp;
use kube::{ResourceExt, api::DynamicObject};
use opentelemetry::{KeyValue, trace::SpanKind};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};
use vouchsafe_api::promotion::status::Verdict;
use vouchsafe_core::{clearance::LedgerSpec, digest::ReleaseDigest};

/// Pods of one Promotion that are told of.
const MAX_PODS: usize = 32;

/// A release of an agent: the agent's name and 64 hexadecimal digits.
type Of = (String, String);
/// What a ledger has of each.
type Held = BTreeMap<Of, BTreeSet<String>>;

/// The steps as they are taken; nothing where there are no traces.
pub(crate) struct Trail(Option<Mutex<Walk>>);

struct Walk {
    traces: Arc<Traces>,
    begun: Timestamp,
    before: Held,
    /// What was written last.
    after: Option<Held>,
    steps: Vec<Step>,
    /// Whose the objects are that wait, by uid.
    owners: BTreeMap<String, Of>,
    let_go: Vec<(Of, Step)>,
}

#[derive(Clone)]
struct Step {
    name: &'static str,
    kind: SpanKind,
    begun: Timestamp,
    ended: Timestamp,
    attributes: Vec<KeyValue>,
    error: Option<String>,
}

impl Trail {
    /// Begins with the ledger as it is.
    pub(crate) fn begin(traces: Option<&Arc<Traces>>, ledger: Option<&LedgerSpec>) -> Self {
        let walk = |traces: &Arc<Traces>| {
            Mutex::new(Walk {
                traces: Arc::clone(traces),
                begun: now(),
                before: ledger.map(held).unwrap_or_default(),
                after: None,
                steps: Vec::new(),
                owners: BTreeMap::new(),
                let_go: Vec::new(),
            })
        };
        Self(traces.map(walk))
    }

    /// Whether it leads anywhere.
    pub(crate) fn is_told(&self) -> bool {
        self.0.is_some()
    }

    fn note(&self, note: impl FnOnce(&mut Walk)) {
        if let Some(walk) = &self.0 {
            note(&mut walk.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// This is written next.
    pub(crate) fn writes(&self, ledger: &LedgerSpec) {
        self.note(|walk| walk.after = Some(held(ledger)));
    }

    /// An object that may go is of a release.
    pub(crate) fn owns(&self, object: &DynamicObject, agent: &str, release: ReleaseDigest) {
        let of = (agent.to_owned(), release.digest().hex());
        self.note(|walk| drop(walk.owners.insert(object.uid().unwrap_or_default(), of)));
    }

    /// Takes a step; one that is a request says by which method.
    pub(crate) async fn step<T>(
        &self,
        name: &'static str,
        method: Option<&'static str>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        if !self.is_told() {
            return work.await;
        }
        let begun = now();
        let done = work.await;
        let step = Step::new(name, method, begun, done.as_ref().err());
        self.note(|walk| walk.steps.push(step));
        done
    }

    /// Lets an object go.
    pub(crate) async fn lets_go(
        &self,
        object: &DynamicObject,
        work: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        if !self.is_told() {
            return work.await;
        }
        let begun = now();
        let done = work.await;
        let mut step = Step::new("let go", Some("PATCH"), begun, done.as_ref().err());
        let key = match object.types.as_ref().map(|types| types.kind.as_str()) {
            Some("Job") => "k8s.job.name",
            _ => "k8s.pod.name",
        };
        step.attributes.push(text(key, object.name_any()));
        self.note(|walk| {
            let of = object.uid().and_then(|uid| walk.owners.get(&uid).cloned());
            walk.let_go.extend(of.map(|of| (of, step)));
        });
        done
    }

    /// Tells each Promotion that this look was about, how it ended included.
    pub(crate) fn tell(self, context: &Context, namespace: &str, error: Option<&Error>) {
        let Some(walk) = self.0 else { return };
        let walk = walk.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (ended, concerned) = (now(), walk.concerned());
        if concerned.is_empty() {
            return;
        }
        let promotions = context.world.promotions_of(namespace);
        for (of, change) in concerned {
            let (agent, release) = &of;
            let mut same = promotions.iter().filter(|promotion| {
                promotion.spec.agent == *agent && promotion.spec.release.digest().hex() == *release
            });
            let Some(promotion) = same.next() else { continue };
            let Some(traced) = walk.traces.of(promotion) else {
                continue;
            };
            walk.look(&traced, &of, change, ended, error);
            let is_first = promotion.status.as_ref().is_some_and(is_first);
            if change == "granted" && error.is_none() && is_first {
                traced.whole(Verdict::Cleared, ended);
            }
        }
    }
}

impl Walk {
    /// The releases that it was about, each with what became of it.
    fn concerned(&self) -> BTreeMap<Of, &'static str> {
        let mut all: BTreeMap<_, _> = self.let_go.iter().map(|(of, _)| (of.clone(), "let go")).collect();
        let Some(after) = &self.after else { return all };
        for of in self.before.keys().chain(after.keys()) {
            let change = match (self.before.get(of), after.get(of)) {
                (None, _) => "granted",
                (_, None) => "withdrawn",
                (before, after) if before != after => "changed",
                _ => continue,
            };
            all.insert(of.clone(), change);
        }
        all
    }

    fn look(&self, traced: &Traced, of: &Of, change: &'static str, ended: Timestamp, error: Option<&Error>) {
        let mut look = traced.below_root("ledger", self.begun, ended);
        look.attributes.push(text("vouchsafe.ledger.change", change));
        look.attributes
            .extend(error.map(|error| text("error.type", word(error))));
        look.error = error.map(ToString::to_string);
        let parent = look.id;
        traced.tell(look);
        let theirs = self.let_go.iter().filter(|(whose, _)| whose == of).take(MAX_PODS);
        let steps = self.steps.iter().chain(theirs.map(|(_, step)| step));
        for (number, step) in steps.cloned().enumerate() {
            let mut span = traced.below_root(step.name, step.begun, step.ended);
            span.id = traced.id(step.name, step.begun, &number.to_string());
            span.parent = Some(parent);
            span.kind = step.kind;
            span.attributes = step.attributes;
            span.error = step.error;
            traced.tell(span);
        }
    }
}

impl Step {
    fn new(name: &'static str, method: Option<&'static str>, begun: Timestamp, error: Option<&Error>) -> Self {
        let mut attributes = Vec::new();
        attributes.extend(method.map(|method| KeyValue::new("http.request.method", method)));
        let code = error.and_then(code);
        attributes.extend(code.map(|code| KeyValue::new("http.response.status_code", i64::from(code))));
        attributes.extend(error.map(|error| text("error.type", word(error))));
        Self {
            name,
            kind: method.map_or(SpanKind::Internal, |_| SpanKind::Client),
            begun,
            ended: now(),
            attributes,
            error: error.map(ToString::to_string),
        }
    }
}

/// The API server's answer, when it gave one.
fn code(error: &Error) -> Option<u16> {
    match error {
        Error::Api { source, .. } => match source.as_ref() {
            kube::Error::Api(status) => Some(status.code),
            _ => None,
        },
        Error::NotSeen(_) => None,
    }
}

/// In one word, as OpenTelemetry has it: a status, or what there is no word for.
fn word(error: &Error) -> String {
    match (error, code(error)) {
        (_, Some(code)) => code.to_string(),
        (Error::NotSeen(_), _) => "not_seen".to_owned(),
        (Error::Api { .. }, None) => "_OTHER".to_owned(),
    }
}

/// Everything that a ledger has of each release; of what has no agent nobody is told.
fn held(ledger: &LedgerSpec) -> Held {
    let mut held = Held::new();
    for (release, cleared) in &ledger.releases {
        held.entry((cleared.agent.clone(), release.clone())).or_default();
    }
    let profiles = ledger.profiles.iter();
    let profiles = profiles.map(|(key, entry)| (key, &entry.subject.agent, entry.subject.release));
    let templates = ledger.templates.iter();
    let templates = templates.map(|(key, entry)| (key, &entry.agent, entry.release));
    for (key, agent, release) in profiles.chain(templates) {
        let of = (agent.clone(), release.digest().hex());
        // What ends with its release is not let in by it.
        if let Some(parts) = held.get_mut(&of) {
            parts.insert(key.clone());
        }
    }
    held.retain(|(agent, _), _| !agent.is_empty());
    held
}

#[cfg(test)]
mod tests {
    use super::{Trail, held, word};
    use crate::{enforce::Error, metrics::Metrics, traces::Traces};
    use serde_json::{Value, json};
    use std::sync::Arc;
    use tokio::sync::mpsc;
    use vouchsafe_core::clearance::LedgerSpec;

    /// A ledger that has releases of one letter each, with templates.
    fn ledger(releases: &[(&str, &str)], templates: &[(&str, &str, &str)]) -> LedgerSpec {
        let not_after = "2026-01-01T10:00:00Z";
        let release =
            |(agent, letter): &(&str, &str)| (letter.repeat(64), json!({"agent": agent, "notAfter": not_after}));
        let template = |(key, agent, letter): &(&str, &str, &str)| {
            let release = format!("v1:sha256:{}", letter.repeat(64));
            let entry = json!({"agent": agent, "release": release, "notAfter": not_after, "spec": {}});
            ((*key).to_owned(), entry)
        };
        let releases: serde_json::Map<_, Value> = releases.iter().map(release).collect();
        let templates: serde_json::Map<_, Value> = templates.iter().map(template).collect();
        let spec = json!({
            "environment": "prod", "namespaceUid": "1", "enforcement": "Hold", "releases": releases, "templates": templates,
        });
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn a_look_is_about_what_it_lets_in_takes_out_or_changes() {
        let before = ledger(
            &[("stays", "a"), ("goes", "b"), ("grows", "c"), ("", "d")],
            &[("1", "grows", "c")],
        );
        let after = ledger(
            &[("stays", "a"), ("grows", "c"), ("comes", "e"), ("", "f")],
            &[("1", "grows", "c"), ("2", "grows", "c"), ("3", "nobody", "9")],
        );
        assert_eq!(held(&after).len(), 3, "{:?}", held(&after));
        let traces = Arc::new(Traces {
            waiting: mpsc::channel(1).0,
            share: 1.0,
            metrics: Arc::new(Metrics::new()),
        });
        let trail = Trail::begin(Some(&traces), Some(&before));
        trail.writes(&after);
        let walk = trail.0.unwrap().into_inner().unwrap();
        let about: Vec<_> = walk
            .concerned()
            .into_iter()
            .map(|((agent, _), change)| (agent, change))
            .collect();
        let expected = [("comes", "granted"), ("goes", "withdrawn"), ("grows", "changed")];
        assert_eq!(about, expected.map(|(agent, change)| (agent.to_owned(), change)));
    }

    #[tokio::test]
    async fn without_traces_nothing_is_kept() {
        let trail = Trail::begin(None, None);
        trail.writes(&ledger(&[("comes", "e")], &[]));
        assert!(trail.step("grant", Some("PUT"), async { Ok(()) }).await.is_ok());
        assert!(trail.0.is_none() && !trail.is_told());
    }

    #[tokio::test]
    async fn a_step_that_fails_says_why_in_one_word() {
        let traces = Arc::new(Traces {
            waiting: mpsc::channel(1).0,
            share: 1.0,
            metrics: Arc::new(Metrics::new()),
        });
        let trail = Trail::begin(Some(&traces), None);
        let lost = async { Err::<(), _>(Error::NotSeen("probe".to_owned())) };
        assert!(trail.step("barrier", None, lost).await.is_err());
        let walk = trail.0.unwrap().into_inner().unwrap();
        assert_eq!(walk.steps.len(), 1);
        assert!(walk.steps[0].error.is_some());
        assert_eq!(word(&Error::NotSeen(String::new())), "not_seen");
    }
}
