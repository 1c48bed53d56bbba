//! Sending spans: in batches, from a queue that is bounded, by a task that nobody waits for.
//!
//! A batch that the collector does not take is kept for a while, so that a collector that restarts loses nothing; then it is dropped and
//! counted. What comes meanwhile waits in the queue, and is dropped and counted where that is full.

use crate::metrics::Metrics;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{
        mpsc::Receiver,
        watch::{self, Sender},
    },
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Spans that are sent together.
const BATCH: usize = 256;
/// How long a span waits for others to be sent with.
const GATHER: Duration = Duration::from_secs(1);
/// How long one batch may take, attempts of the exporter included.
const SENDING: Duration = Duration::from_secs(30);
/// Pauses before a batch is sent once more; after the last one it is dropped.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(10),
    Duration::from_secs(20),
];
/// How long a shutdown waits for what was not sent yet.
const FAREWELL: Duration = Duration::from_secs(3);

/// Ends the sending.
pub(crate) struct Flush {
    stop: Sender<bool>,
    task: JoinHandle<()>,
}

impl Flush {
    /// Sends what waits, as far as that takes no longer than a moment.
    pub(crate) async fn end(mut self) {
        self.stop.send_replace(true);
        if timeout(FAREWELL, &mut self.task).await.is_err() {
            self.task.abort();
            tracing::warn!(event = "traces", "the last spans were not sent");
        }
    }
}

/// Sends what comes, until it is told to end.
pub(super) fn spawn<E: SpanExporter + 'static>(
    exporter: E,
    waiting: Receiver<SpanData>,
    metrics: Arc<Metrics>,
) -> Flush {
    let (stop, stopped) = watch::channel(false);
    let sending = Sending {
        exporter,
        stopped,
        metrics,
        fails: false,
    };
    Flush {
        stop,
        task: tokio::spawn(sending.run(waiting)),
    }
}

struct Sending<E> {
    exporter: E,
    stopped: watch::Receiver<bool>,
    metrics: Arc<Metrics>,
    /// Whether the collector did not take the last batch: that is said once.
    fails: bool,
}

impl<E: SpanExporter> Sending<E> {
    async fn run(mut self, mut waiting: Receiver<SpanData>) {
        loop {
            let mut batch = Vec::new();
            let mut stopped = self.stopped.clone();
            tokio::select! {
                count = waiting.recv_many(&mut batch, BATCH) => if count == 0 { return },
                _ = stopped.wait_for(|stopped| *stopped) => waiting.close(),
            }
            if batch.len() < BATCH && !waiting.is_closed() {
                self.pause(GATHER).await;
            }
            while batch.len() < BATCH
                && let Ok(span) = waiting.try_recv()
            {
                batch.push(span);
            }
            if !batch.is_empty() {
                self.deliver(batch).await;
            } else if waiting.is_closed() {
                return;
            }
        }
    }

    async fn deliver(&mut self, batch: Vec<SpanData>) {
        let mut pauses = PAUSES.into_iter();
        loop {
            match self.attempt(batch.clone()).await {
                Ok(()) => return self.taken(),
                Err(error) => self.failed(&error),
            }
            let is_over = *self.stopped.borrow();
            match pauses.next().filter(|_| !is_over) {
                Some(length) => self.pause(length).await,
                None => return self.metrics.spans_dropped(batch.len()),
            }
        }
    }

    async fn attempt(&self, batch: Vec<SpanData>) -> Result<(), String> {
        let sent: Result<OTelSdkResult, _> = timeout(SENDING, self.exporter.export(batch)).await;
        match sent {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    fn taken(&mut self) {
        if std::mem::take(&mut self.fails) {
            tracing::info!(event = "traces", "the collector takes spans again");
        }
    }

    fn failed(&mut self, error: &str) {
        if !std::mem::replace(&mut self.fails, true) {
            tracing::warn!(
                event = "traces",
                error,
                "the collector takes no spans; they are kept for a while, then dropped"
            );
        }
    }

    /// Ends early when there is a shutdown.
    async fn pause(&self, length: Duration) {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            () = sleep(length) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH, FAREWELL, GATHER, spawn};
    use crate::{
        metrics::Metrics,
        traces::{
            MAX_WAITING, Traces,
            span::{Span, text},
        },
    };
    use jiff::Timestamp;
    use opentelemetry::{InstrumentationScope, SpanId, TraceId, trace::SpanKind};
    use opentelemetry_sdk::{
        error::{OTelSdkError, OTelSdkResult},
        trace::{SpanData, SpanExporter},
    };
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::{Duration, Instant},
    };
    use tokio::sync::mpsc;

    #[derive(Debug, Clone, Copy)]
    enum Manner {
        Takes,
        Fails,
        Hangs,
    }

    #[derive(Debug)]
    struct Collector(Manner, Arc<AtomicUsize>);

    impl SpanExporter for Collector {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            assert!(batch.len() <= BATCH);
            self.1.fetch_add(batch.len(), Ordering::SeqCst);
            match self.0 {
                Manner::Takes => Ok(()),
                Manner::Fails => Err(OTelSdkError::InternalFailure("500".to_owned())),
                Manner::Hangs => std::future::pending().await,
            }
        }
    }

    fn span() -> SpanData {
        let span = Span {
            name: "decide",
            kind: SpanKind::Internal,
            id: SpanId::from(1),
            parent: None,
            begun: Timestamp::UNIX_EPOCH,
            ended: Timestamp::UNIX_EPOCH,
            attributes: vec![text("key", "value")],
            error: None,
        };
        span.data(TraceId::from(1), &[], InstrumentationScope::default())
    }

    fn dropped(metrics: &Metrics) -> usize {
        let text = metrics.text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("vouchsafe_spans_dropped_total "));
        line.unwrap().parse().unwrap()
    }

    /// Sends so many; gives how many came to the collector, how many were dropped, and how long the end took.
    async fn sent(manner: Manner, count: usize) -> (usize, usize, Duration) {
        let (metrics, came) = (Arc::new(Metrics::new()), Arc::default());
        let (waiting, taken) = mpsc::channel(MAX_WAITING);
        let flush = spawn(Collector(manner, Arc::clone(&came)), taken, Arc::clone(&metrics));
        let traces = Traces {
            waiting,
            share: 1.0,
            metrics: Arc::clone(&metrics),
        };
        for _ in 0..count {
            traces.send(span());
        }
        let begun = Instant::now();
        flush.end().await;
        (came.load(Ordering::SeqCst), dropped(&metrics), begun.elapsed())
    }

    #[tokio::test]
    async fn what_waits_is_sent_at_the_end_at_once() {
        let (came, dropped, took) = sent(Manner::Takes, 3 * BATCH + 1).await;
        assert_eq!((came, dropped), (3 * BATCH + 1, 0));
        assert!(took < GATHER, "{took:?}");
    }

    #[tokio::test]
    async fn what_nobody_takes_is_counted() {
        let (came, dropped, took) = sent(Manner::Fails, 10).await;
        assert_eq!((came, dropped), (10, 10));
        assert!(took < GATHER, "{took:?}");
    }

    #[tokio::test]
    async fn a_collector_that_hangs_holds_up_nothing_and_no_more_waits_than_may() {
        // Nobody takes from the queue before this task waits: what does not fit is dropped at once.
        let (came, dropped, took) = sent(Manner::Hangs, MAX_WAITING + 500).await;
        assert_eq!((came, dropped), (BATCH, 500));
        assert!(took < 2 * FAREWELL, "{took:?}");
    }
}
