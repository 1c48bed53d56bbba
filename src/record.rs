//! What is told of what was done: Events on transitions, and one structured log line for every decision.
//!
//! Takes objects and decisions. Events are written by a task of their own: what they are about never waits for them, and one that cannot be
//! written is logged.

pub(crate) mod decided;

use crate::metrics::Metrics;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client, Resource, ResourceExt,
    api::DynamicObject,
    runtime::events::{self, Event, EventType, Reporter},
};
use std::sync::Arc;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinSet,
};
use vouchsafe_api::{
    Promotion,
    promotion::status::{PromotionStatus, Verdict},
};

/// Letters that an Event's note may have.
const MAX_NOTE: usize = 1000;

/// Events that may wait to be written.
const MAX_WAITING: usize = 4096;
/// Events that are written at the same time.
const AT_ONCE: usize = 4;

/// Takes Events to be written.
#[derive(Clone)]
pub(crate) struct Recorder {
    waiting: Sender<(Event, ObjectReference)>,
    metrics: Arc<Metrics>,
}

impl Recorder {
    /// Writes in `tasks` what it is given.
    pub(crate) fn new(client: Client, metrics: Arc<Metrics>, tasks: &mut JoinSet<()>) -> Self {
        let reporter = Reporter {
            controller: "vouchsafe".to_owned(),
            instance: std::env::var("POD_NAME").ok(),
        };
        let events = events::Recorder::new(client, reporter);
        let (waiting, taken) = mpsc::channel(MAX_WAITING);
        tasks.spawn(write(events, taken));
        Self { waiting, metrics }
    }

    /// The verdict on a Promotion is another one.
    pub(crate) fn verdict(&self, promotion: &Promotion, next: &PromotionStatus) {
        let Some(verdict) = next.verdict else { return };
        let normal = matches!(
            verdict,
            Verdict::Cleared | Verdict::Superseded | Verdict::Waiting | Verdict::AwaitingApproval
        );
        let words = next.conditions.iter().find(|condition| condition.kind == "Ready");
        let note = words.map_or_else(String::new, |condition| condition.message.clone());
        self.say(promotion.object_ref(&()), normal, verdict.as_str(), "Decide", &note);
    }

    /// Something about an object, under a stable reason.
    pub(crate) fn about(&self, object: &DynamicObject, normal: bool, reason: &'static str, note: &str) {
        let types = object.types.clone().unwrap_or_default();
        let reference = ObjectReference {
            api_version: Some(types.api_version),
            kind: Some(types.kind),
            name: Some(object.name_any()),
            namespace: object.namespace(),
            uid: object.uid(),
            ..ObjectReference::default()
        };
        self.say(reference, normal, reason, "Gate", note);
    }

    /// Something about an object of ours, under a stable reason.
    pub(crate) fn about_ours<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &'static str, note: &str) {
        self.say(object.object_ref(&()), false, reason, "Enforce", note);
    }

    fn say(&self, about: ObjectReference, normal: bool, reason: &str, action: &str, note: &str) {
        let event = Event {
            type_: if normal { EventType::Normal } else { EventType::Warning },
            reason: reason.to_owned(),
            note: Some(note.chars().take(MAX_NOTE).collect()),
            action: action.to_owned(),
            secondary: None,
        };
        if self.waiting.try_send((event, about)).is_err() {
            self.metrics.event_dropped();
            tracing::warn!(event = "record", %reason, "an Event was not written: too many wait");
        }
    }
}

async fn write(events: events::Recorder, mut waiting: Receiver<(Event, ObjectReference)>) {
    let waiting = stream::poll_fn(move |task| waiting.poll_recv(task));
    let written = waiting.map(|(event, about)| {
        let events = events.clone();
        async move {
            if let Err(error) = events.publish(&event, &about).await {
                tracing::warn!(event = "record", reason = event.reason, %error, "an Event was not written");
            }
        }
    });
    written.buffered(AT_ONCE).for_each(|()| std::future::ready(())).await;
}
