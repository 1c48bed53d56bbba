//! Who of several operators writes: the one that holds a Lease.
//!
//! Takes the Lease's name and who we are; gives a [`Claim`] that says until when we may write. Judges by what it sees change, never by
//! the clock of another machine: a Lease that was not renewed for its whole duration while we looked is over. The holder counts from
//! before it asked, and stops earlier than another may begin.

use super::OperatorError;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Config,
    api::{ObjectMeta, PostParams},
};
use std::time::{Duration, Instant};
use tokio::{
    sync::{oneshot, watch},
    time::sleep,
};

/// How long a Lease lasts without being renewed.
const DURATION: Duration = Duration::from_secs(4);
/// For how long the holder writes after it last asked to renew; less than `DURATION`, for the writes that are under way.
const WRITES: Duration = Duration::from_secs(3);
/// Between two renewals.
const RENEW: Duration = Duration::from_secs(1);
/// Between two looks at a Lease that another holds.
const LOOK: Duration = Duration::from_millis(300);
/// An answer that takes longer is none.
const ANSWER: Duration = Duration::from_secs(2);

/// What is known of the Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holding {
    /// It was never ours.
    Never,
    /// We may write until then; it may be renewed after that too, as long as nobody else had it.
    Until(Instant),
    /// It was ours, and another had it since.
    Over,
}

/// Until when we may write.
#[derive(Debug, Clone)]
pub(crate) struct Claim(watch::Receiver<Holding>);

impl Claim {
    /// Whether we may write now.
    pub(crate) fn holds(&self) -> bool {
        matches!(*self.0.borrow(), Holding::Until(until) if Instant::now() < until)
    }

    /// Waits until we may write.
    pub(crate) async fn held(&mut self) {
        // It ends with the sender, and so with the process.
        if self.0.wait_for(|holding| *holding != Holding::Never).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until another may have written, after we could. A Lease that lapsed and was nobody else's in between is ours still: then
    /// writes fail for a while, and nothing that is known is wrong.
    pub(crate) async fn lost(&mut self) {
        // Without a sender nobody renews it.
        drop(self.0.wait_for(|holding| *holding == Holding::Over).await);
    }
}

/// What to do about a Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is ours, or nobody's, or over: write it.
    Write,
    /// Another holds it.
    Wait,
}

/// The last change of a Lease that we saw, and when.
#[derive(Debug, Default)]
struct Seen(Option<(String, Instant)>);

impl Seen {
    /// `version` is whatever changes with each renewal.
    fn step(&mut self, holder: &str, us: &str, version: &str, lasts: Duration, now: Instant) -> Step {
        let since = match &self.0 {
            Some((seen, since)) if seen == version => *since,
            _ => {
                self.0 = Some((version.to_owned(), now));
                now
            }
        };
        let is_over = now.duration_since(since) >= lasts;
        if holder.is_empty() || holder == us || is_over {
            Step::Write
        } else {
            Step::Wait
        }
    }
}

/// Seeks the Lease and renews it, on a thread of its own: nothing that keeps the others busy makes it late.
pub(super) struct Seeking {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Seeking {
    /// For a Lease in a namespace. `us` has to be a name that no other process has at the same time; a process that follows a dead one
    /// under the same name takes the Lease at once.
    pub(super) fn begin(config: Config, namespace: &str, name: &str, us: &str) -> Result<(Self, Claim), OperatorError> {
        let (claim, receiver) = watch::channel(Holding::Never);
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let (namespace, name, us) = (namespace.to_owned(), name.to_owned(), us.to_owned());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(OperatorError::Threads)?;
        let seek = async move {
            let client = match Client::try_from(config) {
                Ok(client) => client,
                Err(error) => return tracing::error!(event = "lease", %error, "there is no client for it"),
            };
            let seeker = Seeker {
                api: Api::namespaced(client, &namespace),
                name,
                us,
                claim,
                seen: Seen::default(),
            };
            seeker.until(stopped).await;
            // Nobody waits for it who was stopped otherwise.
            let _ = end.send(());
        };
        let thread = std::thread::Builder::new().name("lease".to_owned());
        thread
            .spawn(move || runtime.block_on(seek))
            .map_err(OperatorError::Threads)?;
        Ok((Self { stop, ended }, Claim(receiver)))
    }

    /// Gives the Lease back, so that another need not wait; when nothing is written any more.
    pub(super) async fn end(self) {
        // What has ended by itself holds nothing.
        let _ = self.stop.send(());
        drop(self.ended.await);
    }
}

struct Seeker {
    api: Api<Lease>,
    name: String,
    us: String,
    claim: watch::Sender<Holding>,
    seen: Seen,
}

impl Seeker {
    async fn until(mut self, stopped: oneshot::Receiver<()>) {
        tokio::select! {
            () = self.run() => {}
            _ = stopped => {}
        }
        if *self.claim.borrow() == Holding::Never {
            return;
        }
        // What is not given back ends by itself.
        if let Ok(Err(error)) = tokio::time::timeout(ANSWER, self.give_back()).await {
            tracing::warn!(event = "lease", %error, "the lease cannot be given back");
        }
    }

    /// Seeks and renews until another has it after us. What cannot be asked is asked again; the claim ends by itself meanwhile.
    async fn run(&mut self) {
        loop {
            let asked = Instant::now();
            let answer = tokio::time::timeout(ANSWER, self.turn()).await;
            let pause = match answer {
                Ok(Ok(Turn::Ours)) => {
                    self.claim.send_replace(Holding::Until(asked + WRITES));
                    RENEW
                }
                Ok(Ok(Turn::Others)) if *self.claim.borrow() != Holding::Never => {
                    self.claim.send_replace(Holding::Over);
                    return;
                }
                Ok(Ok(Turn::Others | Turn::Unclear)) => LOOK,
                Ok(Err(error)) => {
                    tracing::warn!(event = "lease", %error, "the lease cannot be asked for");
                    LOOK
                }
                Err(_) => LOOK,
            };
            sleep(pause).await;
        }
    }

    /// One look at the Lease; whose it is now. Once it was ours nobody's is another's: somebody had it and gave it back.
    async fn turn(&mut self) -> Result<Turn, kube::Error> {
        let Some(found) = self.api.get_opt(&self.name).await? else {
            return written(self.api.create(&PostParams::default(), &self.ours(None)).await);
        };
        let spec = found.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        if holder != self.us && *self.claim.borrow() != Holding::Never {
            return Ok(Turn::Others);
        }
        let version = found.metadata.resource_version.as_deref().unwrap_or_default();
        let lasts = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok());
        let lasts = lasts.map_or(DURATION, Duration::from_secs);
        match self.seen.step(holder, &self.us, version, lasts, Instant::now()) {
            Step::Wait => Ok(Turn::Others),
            Step::Write => {
                let ours = self.ours(Some(&found));
                written(self.api.replace(&self.name, &PostParams::default(), &ours).await)
            }
        }
    }

    async fn give_back(&self) -> Result<(), kube::Error> {
        let Some(mut found) = self.api.get_opt(&self.name).await? else {
            return Ok(());
        };
        match &mut found.spec {
            Some(spec) if spec.holder_identity.as_deref() == Some(&self.us) => spec.holder_identity = None,
            _ => return Ok(()),
        }
        written(self.api.replace(&self.name, &PostParams::default(), &found).await).map(drop)
    }

    /// The Lease as ours; replaces exactly the one that was found.
    fn ours(&self, found: Option<&Lease>) -> Lease {
        let before = found.and_then(|found| found.spec.clone()).unwrap_or_default();
        let now = MicroTime(crate::enforce::now());
        let renewed = before.holder_identity.as_deref() == Some(&self.us);
        let transitions = before.lease_transitions.unwrap_or_default();
        Lease {
            metadata: found.map_or_else(
                || ObjectMeta {
                    name: Some(self.name.clone()),
                    ..ObjectMeta::default()
                },
                |found| found.metadata.clone(),
            ),
            spec: Some(LeaseSpec {
                holder_identity: Some(self.us.clone()),
                lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
                acquire_time: if renewed {
                    before.acquire_time
                } else {
                    Some(now.clone())
                },
                renew_time: Some(now),
                lease_transitions: Some(if renewed {
                    transitions
                } else {
                    transitions.saturating_add(1)
                }),
                ..LeaseSpec::default()
            }),
        }
    }
}

/// Whose the Lease is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Ours,
    Others,
    /// Somebody wrote it between our look and our write; it may have been we, by a request whose answer was late.
    Unclear,
}

/// That somebody was faster is no error.
fn written(answer: Result<Lease, kube::Error>) -> Result<Turn, kube::Error> {
    match answer {
        Ok(_) => Ok(Turn::Ours),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Turn::Unclear),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{DURATION, Seen, Step, WRITES};
    use std::time::{Duration, Instant};

    #[test]
    fn whoever_holds_it_stops_before_another_begins() {
        assert!(WRITES < DURATION);
    }

    #[test]
    fn a_lease_is_taken_when_it_is_free_ours_or_was_not_renewed_while_we_looked() {
        let begun = Instant::now();
        let after = |seconds: u64| begun + Duration::from_secs(seconds);
        let lasts = Duration::from_secs(4);
        let mut seen = Seen::default();
        for (holder, version, at, expected) in [
            ("", "1", 0, Step::Write),
            ("us", "2", 0, Step::Write),
            ("other", "3", 0, Step::Wait),
            ("other", "3", 3, Step::Wait),
            // Renewed: its time begins anew, whatever its holder's clock says.
            ("other", "4", 4, Step::Wait),
            ("other", "4", 7, Step::Wait),
            ("other", "4", 8, Step::Write),
        ] {
            let step = seen.step(holder, "us", version, lasts, after(at));
            assert_eq!(step, expected, "{holder} {version} after {at} s");
        }
    }
}
