//! What Prometheus reads of the operator: how much it decided, how long that took, and what waits for whom.
//!
//! Takes what happened as it happens; what is the case is read from the watches at each scrape, by whoever leads. Labels are names that
//! administrators gave (environments, checks) and words of ours; nothing that a namespace's admin can name.

mod labels;
mod state;

use self::{
    labels::{Answered, Asked, Controller, Decided, Reconciled, Version, Waited},
    state::State,
};
use crate::enforce::Context;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};
use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

/// The format that [`Metrics::text`] gives.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The controllers, as labels call them.
const CONTROLLERS: [&str; 5] = ["agents", "promotions", "ledgers", "environments", "checks"];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that is measured.
pub(crate) struct Metrics {
    registry: Registry,
    context: Arc<OnceLock<Weak<Context>>>,
    leader: Gauge,
    decisions: Family<Decided, Counter>,
    decision_duration: Histogram,
    reconciles: Family<Reconciled, Counter>,
    reconcile_duration: Histograms<Controller>,
    queue_depth: Family<Controller, Gauge>,
    gate_open_duration: Histogram,
    waited: Histograms<Waited>,
    api_requests: Family<Answered, Counter>,
    registry_requests: Family<Asked, Counter>,
    registry_duration: Histogram,
    events_dropped: Counter,
    spans_dropped: Counter,
}

impl Metrics {
    /// Nothing happened yet.
    pub(crate) fn new() -> Self {
        let context = Arc::new(OnceLock::new());
        let mut all = Self {
            registry: Registry::with_prefix("vouchsafe"),
            context: Arc::clone(&context),
            leader: Gauge::default(),
            decisions: Family::default(),
            decision_duration: Histogram::new([0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.001, 0.01, 0.1]),
            reconciles: Family::default(),
            reconcile_duration: Family::new_with_constructor(quick),
            queue_depth: Family::default(),
            gate_open_duration: quick(),
            waited: Family::new_with_constructor(patient),
            api_requests: Family::default(),
            registry_requests: Family::default(),
            registry_duration: quick(),
            events_dropped: Counter::default(),
            spans_dropped: Counter::default(),
        };
        all.register();
        all.begin();
        all.registry.register_collector(Box::new(State::new(context)));
        all
    }

    fn register(&mut self) {
        let version = Info::new(Version {
            version: env!("CARGO_PKG_VERSION"),
        });
        let leader = "1 for the operator that writes, 0 for others";
        self.registry.register("build", "The version that runs", version);
        self.registry.register("leader", leader, self.leader.clone());
        self.register_work();
        self.register_calls();
    }

    fn register_work(&mut self) {
        let to = &mut self.registry;
        let help = "Decisions made, whether anything changed or not";
        to.register("decisions", help, self.decisions.clone());
        let help = "Time to decide, facts at hand";
        to.register("decision_duration_seconds", help, self.decision_duration.clone());
        let help = "Objects looked at: done, again at once after a lost race, or failed";
        to.register("reconciles", help, self.reconciles.clone());
        let help = "Time to look at one object, and to write what follows";
        to.register("reconcile_duration_seconds", help, self.reconcile_duration.clone());
        let help = "Objects that changed and wait to be looked at";
        to.register("queue_depth", help, self.queue_depth.clone());
        let help = "Time from being woken to a cleared pod without its gate";
        to.register("gate_open_duration_seconds", help, self.gate_open_duration.clone());
        let help = "Time that releases waited, for machines and for people";
        to.register("waited_seconds", help, self.waited.clone());
    }

    fn register_calls(&mut self) {
        let to = &mut self.registry;
        let help = "Requests to the API server by the code of its answer, 0 for none";
        to.register("api_requests", help, self.api_requests.clone());
        let help = "Questions to registries about an image's signatures, by answer";
        to.register("registry_requests", help, self.registry_requests.clone());
        let help = "Time of such a question";
        to.register(
            "registry_request_duration_seconds",
            help,
            self.registry_duration.clone(),
        );
        let help = "Events that were not written, as too many waited";
        to.register("events_dropped", help, self.events_dropped.clone());
        let help = "Spans not sent, as too many waited or the collector did not take them";
        to.register("spans_dropped", help, self.spans_dropped.clone());
    }

    /// What has not happened yet has happened zero times: a rate needs a beginning.
    fn begin(&self) {
        for result in ["verified", "not_signed", "cannot_tell"] {
            drop(self.registry_requests.get_or_create(&Asked { result }));
        }
        for controller in CONTROLLERS {
            self.waiting(controller, 0);
            for result in ["done", "again", "failed"] {
                drop(self.reconciles.get_or_create(&Reconciled { controller, result }));
            }
        }
    }

    /// This operator writes from now on; it knows this.
    pub(crate) fn leads(&self, context: &Arc<Context>) {
        self.leader.set(1);
        // It leads once in its life.
        let _ = self.context.set(Arc::downgrade(context));
    }

    /// A decision was made.
    pub(crate) fn decided(&self, environment: &str, verdict: &'static str, took: Duration) {
        let labels = Decided {
            environment: environment.to_owned(),
            verdict,
        };
        self.decisions.get_or_create(&labels).inc();
        self.decision_duration.observe(took.as_secs_f64());
    }

    /// An object was looked at.
    pub(crate) fn reconciled(&self, controller: &'static str, took: Duration, result: &'static str) {
        self.reconciles.get_or_create(&Reconciled { controller, result }).inc();
        let of = self.reconcile_duration.get_or_create(&Controller { controller });
        of.observe(took.as_secs_f64());
    }

    /// So many objects wait to be looked at.
    pub(crate) fn waiting(&self, controller: &'static str, count: usize) {
        let depth = i64::try_from(count).unwrap_or(i64::MAX);
        self.queue_depth.get_or_create(&Controller { controller }).set(depth);
    }

    /// So many pods and Jobs were let go.
    pub(crate) fn opened(&self, count: usize, took: Duration) {
        for _ in 0..count {
            self.gate_open_duration.observe(took.as_secs_f64());
        }
    }

    /// A release had waited for this long for `machines` or `people`.
    pub(crate) fn waited(&self, environment: &str, whom: &'static str, seconds: f64) {
        let labels = Waited {
            environment: environment.to_owned(),
            waiting_for: whom,
        };
        self.waited.get_or_create(&labels).observe(seconds);
    }

    /// The API server answered with this code; 0 when it did not.
    pub(crate) fn api_answered(&self, code: u16) {
        self.api_requests.get_or_create(&Answered { code }).inc();
    }

    /// A registry was asked.
    pub(crate) fn registry_asked(&self, result: &'static str, took: Duration) {
        self.registry_requests.get_or_create(&Asked { result }).inc();
        self.registry_duration.observe(took.as_secs_f64());
    }

    /// An Event could not be written.
    pub(crate) fn event_dropped(&self) {
        self.events_dropped.inc();
    }

    /// So many spans could not be sent.
    pub(crate) fn spans_dropped(&self, count: usize) {
        self.spans_dropped.inc_by(count as u64);
    }

    /// All of it, in [`CONTENT_TYPE`].
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail; what is there would be cut off, which readers notice by the missing end.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

/// From milliseconds to what others call a timeout.
fn quick() -> Histogram {
    Histogram::new([
        0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ])
}

/// From seconds, for machines, to two weeks, for people.
fn patient() -> Histogram {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    const DAY: f64 = 24.0 * HOUR;
    let bounds = [10.0, MINUTE, 5.0 * MINUTE, 15.0 * MINUTE, HOUR, 4.0 * HOUR, 12.0 * HOUR];
    Histogram::new(bounds.into_iter().chain([DAY, 3.0 * DAY, 7.0 * DAY, 14.0 * DAY]))
}

#[cfg(test)]
mod tests {
    use super::Metrics;
    use std::time::Duration;

    #[test]
    fn what_happened_is_what_is_read() {
        let metrics = Metrics::new();
        metrics.decided("prod", "Cleared", Duration::from_micros(20));
        metrics.reconciled("agents", Duration::from_millis(3), "done");
        metrics.waiting("agents", 2);
        metrics.opened(2, Duration::from_millis(50));
        metrics.waited("prod", "people", 7200.0);
        metrics.api_answered(409);
        metrics.registry_asked("verified", Duration::from_millis(80));
        metrics.event_dropped();
        metrics.spans_dropped(3);
        let text = metrics.text();
        for line in [
            "vouchsafe_leader 0",
            r#"vouchsafe_decisions_total{environment="prod",verdict="Cleared"} 1"#,
            r#"vouchsafe_decision_duration_seconds_bucket{le="0.000025"} 1"#,
            r#"vouchsafe_reconciles_total{controller="agents",result="done"} 1"#,
            r#"vouchsafe_queue_depth{controller="agents"} 2"#,
            "vouchsafe_gate_open_duration_seconds_count 2",
            r#"vouchsafe_waited_seconds_bucket{le="14400.0",environment="prod",waiting_for="people"} 1"#,
            r#"vouchsafe_api_requests_total{code="409"} 1"#,
            r#"vouchsafe_registry_requests_total{result="verified"} 1"#,
            "vouchsafe_events_dropped_total 1",
            "vouchsafe_spans_dropped_total 3",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in {text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
        assert!(
            !text.contains("vouchsafe_promotions"),
            "who does not lead tells what is the case"
        );
    }
}
