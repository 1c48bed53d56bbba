//! What is told of what was done: Events on transitions, and one structured log line for every decision.
//!
//! Takes objects and decisions. A record that cannot be written is logged and never stops what it is about.

pub(crate) mod decided;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client, Resource, ResourceExt,
    api::DynamicObject,
    runtime::events::{self, Event, EventType, Reporter},
};
use vouchsafe_api::{
    Promotion,
    promotion::status::{PromotionStatus, Verdict},
};

/// Letters that an Event's note may have.
const MAX_NOTE: usize = 1000;

/// Writes Events.
#[derive(Clone)]
pub(crate) struct Recorder {
    events: events::Recorder,
}

impl Recorder {
    pub(crate) fn new(client: Client) -> Self {
        let reporter = Reporter {
            controller: "vouchsafe".to_owned(),
            instance: std::env::var("POD_NAME").ok(),
        };
        Self {
            events: events::Recorder::new(client, reporter),
        }
    }

    /// The verdict on a Promotion is another one.
    pub(crate) async fn verdict(&self, promotion: &Promotion, next: &PromotionStatus) {
        let Some(verdict) = next.verdict else { return };
        let normal = matches!(
            verdict,
            Verdict::Cleared | Verdict::Superseded | Verdict::Waiting | Verdict::AwaitingApproval
        );
        let words = next.conditions.iter().find(|condition| condition.kind == "Ready");
        let note = words.map_or_else(String::new, |condition| condition.message.clone());
        self.write(&promotion.object_ref(&()), normal, verdict.as_str(), "Decide", note)
            .await;
    }

    /// Something about an object, under a stable reason.
    pub(crate) async fn about(&self, object: &DynamicObject, normal: bool, reason: &'static str, note: String) {
        let types = object.types.clone().unwrap_or_default();
        let reference = ObjectReference {
            api_version: Some(types.api_version),
            kind: Some(types.kind),
            name: Some(object.name_any()),
            namespace: object.namespace(),
            uid: object.uid(),
            ..ObjectReference::default()
        };
        self.write(&reference, normal, reason, "Gate", note).await;
    }

    /// Something about an object of ours, under a stable reason.
    pub(crate) async fn about_ours<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        reason: &'static str,
        note: String,
    ) {
        self.write(&object.object_ref(&()), false, reason, "Enforce", note)
            .await;
    }

    async fn write(&self, about: &ObjectReference, normal: bool, reason: &str, action: &str, note: String) {
        let event = Event {
            type_: if normal { EventType::Normal } else { EventType::Warning },
            reason: reason.to_owned(),
            note: Some(note.chars().take(MAX_NOTE).collect()),
            action: action.to_owned(),
            secondary: None,
        };
        if let Err(error) = self.events.publish(&event, about).await {
            tracing::warn!(event = "record", %reason, %error, "an Event was not written");
        }
    }
}
