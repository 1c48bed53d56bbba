//! Traces of promotions, by OTLP: one trace for each Promotion, from its creation to its pods, over days, restarts and leaders.
//!
//! Takes what was done once it is done, with the times; a span is never held open, so nothing is kept of a Promotion that waits. Ids follow
//! from the Promotion's uid and from times: they are no random numbers, and nothing is hashed, decided or recorded by them. Without an
//! endpoint there is none of this. What the collector does not take in time is dropped and counted: nobody waits for it.

mod client;
mod export;
mod ids;
mod ledger;
mod promotion;
mod settings;
mod span;

pub(crate) use self::{
    export::Flush,
    ledger::Trail,
    promotion::{Asked, Decided, Traced},
};

pub(crate) use opentelemetry::{SpanId, TraceId};

use self::settings::Settings;
use crate::metrics::Metrics;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
    trace::{SpanData, SpanExporter as _},
};
use std::{env, sync::Arc};
use tokio::sync::mpsc::{self, Sender};
use vouchsafe_api::Promotion;

/// Spans that may wait to be sent.
const MAX_WAITING: usize = 2048;

/// Takes spans to be sent.
pub(crate) struct Traces {
    waiting: Sender<SpanData>,
    /// The share of the Promotions that is traced.
    share: f64,
    metrics: Arc<Metrics>,
}

/// Why there are no traces though somebody asks for them.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Settings(#[from] settings::SettingsError),
    #[error(transparent)]
    Client(#[from] client::ClientError),
    #[error(transparent)]
    Exporter(#[from] ExporterBuildError),
}

/// Begins to send, when the environment names an endpoint: the platform's, as are all of its settings. What cannot be used is said once;
/// the gate does not depend on it.
pub(crate) fn start(instance: &str, metrics: &Arc<Metrics>) -> Option<(Arc<Traces>, Flush)> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let begun = Settings::read(&variable).map_err(Unusable::from);
    let begun = begun.and_then(|settings| settings.map(|settings| begin(&settings, instance, metrics)).transpose());
    match begun {
        Ok(begun) => begun,
        Err(error) => {
            tracing::error!(event = "traces", %error, "there will be no traces: OTEL_* cannot be used");
            None
        }
    }
}

fn begin(settings: &Settings, instance: &str, metrics: &Arc<Metrics>) -> Result<(Arc<Traces>, Flush), Unusable> {
    let client = client::Collector::new(settings.certificates.as_deref())?;
    let mut exporter = SpanExporter::builder().with_http().with_http_client(client).build()?;
    exporter.set_resource(&resource(instance));
    let (waiting, taken) = mpsc::channel(MAX_WAITING);
    let flush = export::spawn(exporter, taken, Arc::clone(metrics));
    tracing::info!(
        event = "traces",
        collector = settings.host,
        share = settings.share,
        "promotions are traced"
    );
    let traces = Traces {
        waiting,
        share: settings.share,
        metrics: Arc::clone(metrics),
    };
    Ok((Arc::new(traces), flush))
}

/// Who sends: what the standard variables say comes before what we say.
fn resource(instance: &str) -> Resource {
    let ours = [
        KeyValue::new("service.name", "vouchsafe"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance.to_owned()),
    ];
    let resource = Resource::builder_empty()
        .with_attributes(ours)
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()));
    match env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty()) {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

impl Traces {
    /// For what happens to a Promotion; none when it is not in the share.
    pub(crate) fn of(self: &Arc<Self>, promotion: &Promotion) -> Option<Traced> {
        Traced::new(self, promotion, self.share)
    }

    /// Takes a span, or counts it where too many wait.
    fn send(&self, span: SpanData) {
        if self.waiting.try_send(span).is_err() {
            self.metrics.spans_dropped(1);
        }
    }
}
