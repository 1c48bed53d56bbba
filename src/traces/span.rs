//! One span as it is sent: what was done from when to when, in words of bounded length.

use jiff::Timestamp;
use opentelemetry::{
    Array, InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId, Value,
    trace::{SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::time::SystemTime;

/// Letters of one text.
const MAX_LETTERS: usize = 300;
/// Texts of one list.
const MAX_TEXTS: usize = 32;

/// What was done.
pub(super) struct Span {
    pub(super) name: &'static str,
    pub(super) kind: SpanKind,
    pub(super) id: SpanId,
    /// None for the root.
    pub(super) parent: Option<SpanId>,
    pub(super) begun: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) attributes: Vec<KeyValue>,
    /// Why it failed, if it did.
    pub(super) error: Option<String>,
}

impl Span {
    /// In its trace, with what all spans of the trace have.
    pub(super) fn data(self, trace: TraceId, common: &[KeyValue], scope: InstrumentationScope) -> SpanData {
        let context = SpanContext::new(trace, self.id, TraceFlags::SAMPLED, false, TraceState::NONE);
        let mut attributes = common.to_vec();
        attributes.extend(self.attributes);
        SpanData {
            span_context: context,
            parent_span_id: self.parent.unwrap_or(SpanId::INVALID),
            parent_span_is_remote: false,
            span_kind: self.kind,
            name: self.name.into(),
            start_time: SystemTime::from(self.begun),
            // A clock that was set back makes no span that ends before it begins.
            end_time: SystemTime::from(self.ended.max(self.begun)),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: self.error.map_or(Status::Unset, |error| Status::error(cut(&error))),
            instrumentation_scope: scope,
        }
    }
}

/// An attribute.
pub(super) fn text(key: &'static str, value: impl AsRef<str>) -> KeyValue {
    KeyValue::new(key, cut(value.as_ref()))
}

/// An attribute that has several texts.
pub(super) fn texts<T: AsRef<str>>(key: &'static str, values: impl IntoIterator<Item = T>) -> KeyValue {
    let values = values
        .into_iter()
        .take(MAX_TEXTS)
        .map(|value| cut(value.as_ref()).into());
    KeyValue::new(key, Value::Array(Array::String(values.collect())))
}

fn cut(value: &str) -> String {
    value.chars().take(MAX_LETTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::{Span, text, texts};
    use jiff::{SignedDuration, Timestamp};
    use opentelemetry::{
        Array, InstrumentationScope, SpanId, TraceId, Value,
        trace::{SpanKind, Status},
    };

    #[test]
    fn texts_and_lists_are_bounded_whoever_chose_them() {
        let long = "ü".repeat(100_000);
        assert_eq!(text("key", &long).value.as_str().chars().count(), 300);
        let Value::Array(Array::String(values)) = texts("key", vec![long; 1000]).value else {
            panic!("no list")
        };
        assert_eq!(values.len(), 32);
        assert!(values.iter().all(|value| value.as_str().chars().count() == 300));
    }

    #[test]
    fn a_span_ends_no_earlier_than_it_begins_and_says_why_it_failed() {
        let begun = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(60);
        let span = |parent, error: Option<&str>| Span {
            name: "decide",
            kind: SpanKind::Internal,
            id: SpanId::from(7),
            parent,
            begun,
            ended: begun - SignedDuration::from_secs(5),
            attributes: vec![text("own", "b")],
            error: error.map(ToOwned::to_owned),
        };
        let scope = InstrumentationScope::default;
        let data = span(None, None).data(TraceId::from(9), &[text("common", "a")], scope());
        assert_eq!((data.start_time, data.parent_span_id), (data.end_time, SpanId::INVALID));
        assert_eq!((data.status, data.span_context.is_valid()), (Status::Unset, true));
        let keys: Vec<_> = data.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(keys, ["common", "own"]);
        let data = span(Some(SpanId::from(1)), Some("refused")).data(TraceId::from(9), &[], scope());
        assert_eq!(
            (data.status, data.parent_span_id),
            (Status::error("refused"), SpanId::from(1))
        );
    }
}
