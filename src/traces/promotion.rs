//! What is told of one Promotion: the whole of it, its waits, decisions, and questions to registries on its behalf.

use super::{
    Traces, ids,
    span::{Span, text, texts},
};
use jiff::Timestamp;
use kube::ResourceExt;
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceId, trace::SpanKind};
use std::sync::Arc;
use vouchsafe_api::{
    Promotion,
    promotion::status::{PromotionStatus, Verdict},
};
use vouchsafe_core::{decision::Decision, digest::Digest};

/// A Promotion that is traced.
#[derive(Clone)]
pub(crate) struct Traced(Arc<Inner>);

struct Inner {
    traces: Arc<Traces>,
    trace: TraceId,
    created: Timestamp,
    requested_by: Option<String>,
    /// What all of its spans say.
    common: Vec<KeyValue>,
}

/// A decision that changed what is known of a Promotion.
pub(crate) struct Decided<'a> {
    /// What was known before.
    pub(crate) previous: &'a PromotionStatus,
    /// What was written.
    pub(crate) next: &'a PromotionStatus,
    /// What was decided and the digest of the facts; none when there was nothing to decide by.
    pub(crate) decision: Option<(&'a Decision, Digest)>,
    /// When it was looked at.
    pub(crate) begun: Timestamp,
    /// When that was written.
    pub(crate) ended: Timestamp,
}

/// A registry was asked about an image.
pub(crate) struct Asked<'a> {
    /// The registry's host and port.
    pub(crate) host: &'a str,
    /// The image.
    pub(crate) image: &'a str,
    /// What it came to: `verified`, `not_signed`, `cannot_tell`.
    pub(crate) answer: &'static str,
    /// The same in words.
    pub(crate) detail: &'a str,
    pub(crate) begun: Timestamp,
    pub(crate) ended: Timestamp,
}

impl Traced {
    pub(super) fn new(traces: &Arc<Traces>, promotion: &Promotion, share: f64) -> Option<Self> {
        let trace = ids::trace(&promotion.uid().unwrap_or_default());
        if !ids::is_in(trace, share) {
            return None;
        }
        let spec = &promotion.spec;
        let created = promotion.metadata.creation_timestamp.as_ref();
        let common = vec![
            text("k8s.namespace.name", promotion.namespace().unwrap_or_default()),
            text("vouchsafe.promotion", promotion.name_any()),
            text("vouchsafe.agent", &spec.agent),
            text("vouchsafe.environment", &spec.environment),
            text("vouchsafe.release", spec.release.to_string()),
        ];
        Some(Self(Arc::new(Inner {
            traces: Arc::clone(traces),
            trace,
            created: created.map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            requested_by: spec.requested_by.as_ref().map(|stamp| stamp.username.clone()),
            common,
        })))
    }

    /// The ids of the decision that began then, for the log.
    pub(crate) fn decision(&self, begun: Timestamp) -> (TraceId, SpanId) {
        (self.0.trace, self.id("decide", begun, ""))
    }

    pub(super) fn id(&self, name: &str, begun: Timestamp, part: &str) -> SpanId {
        ids::span(self.0.trace, name, begun, part)
    }

    /// A span below the root, to be told.
    pub(super) fn below_root(&self, name: &'static str, begun: Timestamp, ended: Timestamp) -> Span {
        Span {
            name,
            kind: SpanKind::Internal,
            id: self.id(name, begun, ""),
            parent: Some(ids::root(self.0.trace)),
            begun,
            ended,
            attributes: Vec::new(),
            error: None,
        }
    }

    pub(super) fn tell(&self, span: Span) {
        let scope = InstrumentationScope::builder("vouchsafe").build();
        self.0.traces.send(span.data(self.0.trace, &self.0.common, scope));
    }

    /// Tells of a decision, and of the wait that it ended.
    pub(crate) fn decided(&self, decided: &Decided<'_>) {
        let Decided { previous, next, .. } = decided;
        let mut span = self.below_root("decide", decided.begun, decided.ended);
        span.attributes = said(decided);
        let stalled = next.conditions.iter().find(|condition| condition.kind == "Stalled");
        if let Some(stalled) = stalled.filter(|_| decided.decision.is_none()) {
            span.attributes.push(text("error.type", &stalled.reason));
            span.error = Some(stalled.message.clone());
        }
        self.tell(span);
        if previous.verdict == next.verdict {
            return;
        }
        self.waited(previous, decided.begun);
        let is_over = next.verdict == Some(Verdict::Superseded);
        if is_over && count(previous, Verdict::Superseded) == 0 {
            self.whole(Verdict::Superseded, decided.ended);
        }
    }

    /// Time for which it waited, now that it does not any more, or for others.
    fn waited(&self, previous: &PromotionStatus, until: Timestamp) {
        let (Some(since), Some(verdict)) = (previous.history.first(), previous.verdict) else {
            return;
        };
        let name = match verdict {
            Verdict::Waiting => "wait for machines",
            Verdict::AwaitingApproval => "wait for people",
            Verdict::Refused => "refused",
            Verdict::Revoked => "revoked",
            Verdict::Cleared | Verdict::Superseded => return,
        };
        let mut span = self.below_root(name, since.at, until);
        span.attributes.push(text("vouchsafe.verdict", verdict.as_str()));
        let words = previous.waiting_for.as_ref();
        span.attributes
            .extend(words.map(|words| text("vouchsafe.waiting_for", words)));
        self.tell(span);
    }

    /// Tells of a question to a registry.
    pub(crate) fn asked(&self, asked: &Asked<'_>) {
        let mut span = self.below_root("ask registry", asked.begun, asked.ended);
        span.id = self.id("ask registry", asked.begun, asked.image);
        span.kind = SpanKind::Client;
        let (host, port) = match asked.host.rsplit_once(':') {
            Some((host, port)) => (host, port.parse::<u16>().ok()),
            None => (asked.host, None),
        };
        span.attributes = vec![
            text("server.address", host),
            text("vouchsafe.image", asked.image),
            text("vouchsafe.signature", asked.answer),
        ];
        let port = port.map(|port| KeyValue::new("server.port", i64::from(port)));
        span.attributes.extend(port);
        if asked.answer == "cannot_tell" {
            span.attributes.push(text("error.type", asked.answer));
            span.error = Some(asked.detail.to_owned());
        }
        self.tell(span);
    }

    /// Tells of the whole: what all the others are in. Once: when it is let in for the first time, or another release took its place.
    pub(super) fn whole(&self, verdict: Verdict, ended: Timestamp) {
        let mut span = self.below_root("promotion", self.0.created, ended);
        (span.id, span.parent) = (ids::root(self.0.trace), None);
        span.attributes.push(text("vouchsafe.verdict", verdict.as_str()));
        let asked = self.0.requested_by.as_ref();
        span.attributes
            .extend(asked.map(|name| text("vouchsafe.requested_by", name)));
        self.tell(span);
    }
}

/// What a decision says.
fn said(decided: &Decided<'_>) -> Vec<KeyValue> {
    let Decided { previous, next, .. } = decided;
    let mut all = Vec::new();
    let mut say = |key, value: Option<&str>| all.extend(value.map(|value| text(key, value)));
    say("vouchsafe.verdict", next.verdict.map(Verdict::as_str));
    say("vouchsafe.verdict.before", previous.verdict.map(Verdict::as_str));
    say("vouchsafe.waiting_for", next.waiting_for.as_deref());
    let Some((decision, facts)) = decided.decision else {
        return all;
    };
    let term = decision.term.map(|term| term.not_after.to_string());
    say("vouchsafe.not_after", term.as_deref());
    say("vouchsafe.facts.digest", Some(&facts.to_string()));
    say("vouchsafe.policy.digest", Some(&decision.policy_digest.to_string()));
    let outcome =
        |check: &vouchsafe_core::decision::CheckOutcome| format!("{}={}/{}", check.check, check.outcome, check.reason);
    all.push(texts("vouchsafe.checks", decision.checks.iter().map(outcome)));
    let role = |role: &vouchsafe_core::decision::ApprovalOutcome| format!("{}={}/{}", role.role, role.have, role.need);
    all.push(texts("vouchsafe.approvals", decision.approvals.iter().map(role)));
    all
}

/// How often it had a verdict, as far as is remembered.
fn count(status: &PromotionStatus, verdict: Verdict) -> usize {
    status.history.iter().filter(|entry| entry.verdict == verdict).count()
}

/// Whether it is cleared for the first time: only then is the whole told when it is let in.
pub(super) fn is_first(status: &PromotionStatus) -> bool {
    let never = [Verdict::Superseded, Verdict::Revoked]
        .into_iter()
        .all(|verdict| count(status, verdict) == 0);
    never && status.verdict == Some(Verdict::Cleared) && count(status, Verdict::Cleared) == 1
}

#[cfg(test)]
mod tests {
    use super::{Decided, Traced, is_first};
    use crate::{metrics::Metrics, traces::Traces};
    use jiff::Timestamp;
    use opentelemetry::SpanId;
    use opentelemetry_sdk::trace::SpanData;
    use serde_json::json;
    use std::sync::Arc;
    use tokio::sync::mpsc;
    use vouchsafe_api::{
        Promotion,
        promotion::status::{HistoryEntry, PromotionStatus, Verdict},
    };

    fn promotion() -> Promotion {
        let object = json!({
            "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Promotion",
            "metadata": {
                "name": "refund-1", "namespace": "team", "uid": "9f0c2a52-51c4-4b87-9d0e-6a7c1f30b5e4",
                "creationTimestamp": "2026-01-01T10:00:00Z",
            },
            "spec": {
                "agent": "refund", "release": format!("v1:sha256:{}", "1".repeat(64)), "environment": "prod",
                "surface": {"components": []}, "requestedBy": {"username": "dana"},
            },
        });
        serde_json::from_value(object).unwrap()
    }

    /// At ten past each hour a verdict, the first one first.
    fn status(verdicts: &[Verdict]) -> PromotionStatus {
        let entry = |(number, verdict): (usize, &Verdict)| HistoryEntry {
            at: format!("2026-01-01T{}:10:00Z", 10 + number).parse().unwrap(),
            verdict: *verdict,
            message: String::new(),
            policy_digest: None,
        };
        PromotionStatus {
            verdict: verdicts.last().copied(),
            waiting_for: Some("security".to_owned()),
            history: verdicts.iter().enumerate().map(entry).rev().collect(),
            ..PromotionStatus::default()
        }
    }

    /// What is told of the last of these verdicts.
    fn told(verdicts: &[Verdict]) -> Vec<SpanData> {
        let (waiting, mut taken) = mpsc::channel(16);
        let traces = Arc::new(Traces {
            waiting,
            share: 1.0,
            metrics: Arc::new(Metrics::new()),
        });
        let traced = traces.of(&promotion()).unwrap();
        let (previous, next) = (status(&verdicts[..verdicts.len() - 1]), status(verdicts));
        let begun = next.history[0].at;
        traced.decided(&Decided {
            previous: &previous,
            next: &next,
            decision: None,
            begun,
            ended: begun,
        });
        std::iter::from_fn(|| taken.try_recv().ok()).collect()
    }

    #[test]
    fn a_wait_is_told_when_it_ends_and_the_whole_once() {
        use Verdict::{AwaitingApproval, Cleared, Refused, Revoked, Superseded, Waiting};
        for (verdicts, names) in [
            (&[Waiting][..], &["decide"][..]),
            (&[Waiting, AwaitingApproval], &["decide", "wait for machines"]),
            (&[Waiting, AwaitingApproval, Cleared], &["decide", "wait for people"]),
            (&[Cleared, Revoked], &["decide"]),
            (&[Cleared, Revoked, Cleared], &["decide", "revoked"]),
            (&[Refused, Waiting], &["decide", "refused"]),
            (&[Waiting, Superseded], &["decide", "wait for machines", "promotion"]),
            (&[Superseded, Waiting, Superseded], &["decide", "wait for machines"]),
        ] {
            let spans = told(verdicts);
            let found: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
            assert_eq!(found, names, "{verdicts:?}");
            for span in &spans {
                let is_root = span.parent_span_id == SpanId::INVALID;
                assert_eq!(is_root, span.name == "promotion", "{span:?}");
            }
        }
    }

    #[test]
    fn a_wait_lasts_from_verdict_to_verdict() {
        let spans = told(&[Verdict::Waiting, Verdict::AwaitingApproval, Verdict::Cleared]);
        let times = [spans[1].start_time, spans[1].end_time].map(|time| Timestamp::try_from(time).unwrap().to_string());
        assert_eq!(times, ["2026-01-01T11:10:00Z", "2026-01-01T12:10:00Z"]);
    }

    #[test]
    fn the_same_comes_out_of_every_process() {
        let ids = |spans: Vec<SpanData>| spans.into_iter().map(|span| span.span_context).collect::<Vec<_>>();
        let verdicts = [Verdict::Waiting, Verdict::Superseded];
        assert_eq!(ids(told(&verdicts)), ids(told(&verdicts)));
    }

    #[test]
    fn what_is_not_in_the_share_is_not_told() {
        let traces = Arc::new(Traces {
            waiting: mpsc::channel(1).0,
            share: 0.0,
            metrics: Arc::new(Metrics::new()),
        });
        assert!(Traced::new(&traces, &promotion(), 0.0).is_none());
        assert!(traces.of(&promotion()).is_none());
    }

    #[test]
    fn it_is_let_in_for_the_first_time_once() {
        use Verdict::{Cleared, Revoked, Superseded, Waiting};
        for (verdicts, expected) in [
            (&[Waiting, Cleared][..], true),
            (&[Waiting], false),
            (&[Cleared, Waiting, Cleared], false),
            (&[Cleared, Revoked], false),
            (&[Revoked, Cleared], false),
            (&[Superseded, Cleared], false),
        ] {
            assert_eq!(is_first(&status(verdicts)), expected, "{verdicts:?}");
        }
    }
}
