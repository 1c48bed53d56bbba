//! What a namespace has beside what is cleared: pods that would be held, workloads that nobody declares, pods that nothing can hold.
//!
//! Takes a view of the namespace; gives numbers for the Environment's status, and tells of pods that nothing can hold: each once.

use super::view::View;
use crate::{
    enforce::{Context, write},
    observe::{change::Change, is_static, workloads},
};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use vouchsafe_core::decision::Enforcement;

/// How long numbers of a namespace may change until they are passed on again.
const SETTLE: Duration = Duration::from_secs(2);
/// The reason of a pod that a kubelet runs from a file on its node.
const STATIC_POD: &str = "StaticPod";

/// Numbers of one namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Pods that would be held, while the environment observes.
    pub(crate) would_hold: usize,
    /// Workloads that no Agent names.
    pub(crate) undeclared: usize,
    /// Pods that nothing can hold.
    pub(crate) static_pods: usize,
}

/// The last numbers of every namespace.
#[derive(Default)]
pub(crate) struct Surveys {
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Default)]
struct Known {
    survey: Survey,
    /// What was passed on, and when.
    told: Option<(Survey, Instant)>,
}

impl Surveys {
    /// Those of a namespace.
    pub(crate) fn of(&self, namespace: &str) -> Survey {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(namespace).map(|known| known.survey).unwrap_or_default()
    }

    /// How many pods would be held.
    pub(super) fn would_hold(&self, namespace: &str, count: usize) {
        self.change(namespace, |survey| survey.would_hold = count);
    }

    fn change(&self, namespace: &str, change: impl FnOnce(&mut Survey)) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut known.entry(namespace.to_owned()).or_default().survey);
    }

    /// Whether they are others than those that were passed on; not asked for more often than the Environment looks by itself while they change.
    fn is_news(&self, namespace: &str) -> bool {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(namespace.to_owned()).or_default();
        let news = known
            .told
            .is_none_or(|(told, when)| told != known.survey && when.elapsed() >= SETTLE);
        if news {
            known.told = Some((known.survey, Instant::now()));
        }
        news
    }
}

/// Counts what needs no judging.
pub(super) fn take(context: &Context, view: &View) {
    let static_pods = context.world.static_pods(&view.namespace);
    for pod in &static_pods {
        tell(context, view, pod);
    }
    let undeclared = undeclared(context, view);
    context.ledgers.surveys.change(&view.namespace, |survey| {
        survey.undeclared = undeclared;
        survey.static_pods = static_pods.len();
        if view.wanted.enforcement != Enforcement::Observe {
            survey.would_hold = 0;
        }
    });
    if context.ledgers.surveys.is_news(&view.namespace) {
        // A closed channel means that the operator is shutting down.
        let _ = context.world.changes.send(Change::Counted {
            environment: view.wanted.environment.clone(),
        });
    }
}

fn undeclared(context: &Context, view: &View) -> usize {
    let found = view.states.values().flat_map(|state| &state.workloads);
    let declared: BTreeSet<_> = found.filter_map(|found| found.object.uid()).collect();
    let all = context.world.workloads.of_namespace(&view.namespace);
    let nobodys = |object: &&std::sync::Arc<DynamicObject>| {
        !workloads::is_part(object)
            && !is_static(object)
            && !has_ended(object)
            && object.uid().is_none_or(|uid| !declared.contains(&uid))
    };
    all.iter().filter(nobodys).count()
}

/// A Job or a pod that will not run again.
fn has_ended(object: &DynamicObject) -> bool {
    let text = |at: &str| object.data.pointer(at).and_then(Value::as_str);
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let is = |condition: &Value, kind: &str| {
        condition.get("type").and_then(Value::as_str) == Some(kind)
            && condition.get("status").and_then(Value::as_str) == Some("True")
    };
    match workloads::kind_of(object) {
        "Pod" => matches!(text("/status/phase"), Some("Succeeded" | "Failed")),
        "Job" => conditions
            .into_iter()
            .flatten()
            .any(|condition| is(condition, "Complete") || is(condition, "Failed")),
        _ => false,
    }
}

/// Says it in the log and in an Event on the pod.
fn tell(context: &Context, view: &View, pod: &DynamicObject) {
    let about = format!("{}/{}", view.namespace, pod.uid().unwrap_or_default());
    if !context.ledgers.is_new(&about, STATIC_POD) {
        return;
    }
    let node = pod
        .data
        .pointer("/spec/nodeName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let message = format!(
        "the kubelet of node {node} runs this from a file of its own, where no gate can hold it: take the file away, or move it to a \
         namespace without an environment"
    );
    tracing::warn!(
        event = "static_pod",
        pod = write::name_of(pod),
        node,
        reason = STATIC_POD,
        message,
        "a pod runs that nothing can hold"
    );
    context.recorder.about(pod, false, STATIC_POD, &message);
}
