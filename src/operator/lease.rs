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
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use std::time::{Duration, Instant};
use tokio::{sync::watch, time::sleep};

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

/// Until when we may write.
#[derive(Debug, Clone)]
pub(crate) struct Claim(watch::Receiver<Option<Instant>>);

impl Claim {
    /// Whether we may write now.
    pub(crate) fn holds(&self) -> bool {
        self.0.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until we may write.
    pub(crate) async fn held(&mut self) {
        // It ends with the sender, and so with the process.
        if self.0.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until we may not write any more, after we could.
    pub(crate) async fn lost(&self) {
        loop {
            let until = *self.0.borrow();
            match until {
                Some(until) if Instant::now() < until => tokio::time::sleep_until(until.into()).await,
                _ => return,
            }
        }
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

/// Seeks the Lease and renews it, as long as it is polled.
pub(super) struct Seeker {
    api: Api<Lease>,
    name: String,
    us: String,
    claim: watch::Sender<Option<Instant>>,
    seen: Seen,
}

impl Seeker {
    /// For a Lease in a namespace. `us` has to be a name that no other process has at the same time; a process that follows a dead one
    /// under the same name takes the Lease at once.
    pub(super) fn new(client: Client, namespace: &str, name: &str, us: &str) -> (Self, Claim) {
        let (claim, receiver) = watch::channel(None);
        let seeker = Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            us: us.to_owned(),
            claim,
            seen: Seen::default(),
        };
        (seeker, Claim(receiver))
    }

    /// Seeks and renews for ever. What cannot be asked is asked again; the claim ends by itself meanwhile.
    pub(super) async fn run(mut self) {
        loop {
            let asked = Instant::now();
            let answer = tokio::time::timeout(ANSWER, self.turn()).await;
            let pause = match answer {
                Ok(Ok(true)) => {
                    self.claim.send_replace(Some(asked + WRITES));
                    RENEW
                }
                Ok(Ok(false)) => LOOK,
                Ok(Err(error)) => {
                    tracing::warn!(event = "lease", %error, "the lease cannot be asked for");
                    LOOK
                }
                Err(_) => LOOK,
            };
            sleep(pause).await;
        }
    }

    /// One look at the Lease; whether it is ours now.
    async fn turn(&mut self) -> Result<bool, kube::Error> {
        let Some(found) = self.api.get_opt(&self.name).await? else {
            return written(self.api.create(&PostParams::default(), &self.ours(None)).await);
        };
        let spec = found.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let version = found.metadata.resource_version.as_deref().unwrap_or_default();
        let lasts = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok());
        let lasts = lasts.map_or(DURATION, Duration::from_secs);
        match self.seen.step(holder, &self.us, version, lasts, Instant::now()) {
            Step::Wait => Ok(false),
            Step::Write => {
                let ours = self.ours(Some(&found));
                written(self.api.replace(&self.name, &PostParams::default(), &ours).await)
            }
        }
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

/// Another was faster: no error.
fn written(answer: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match answer {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives the Lease back, so that another need not wait; when nothing is written any more.
pub(super) async fn release(client: Client, namespace: &str, name: &str, us: &str) -> Result<(), OperatorError> {
    let api: Api<Lease> = Api::namespaced(client, namespace);
    let give_back = async {
        let Some(mut found) = api.get_opt(name).await? else {
            return Ok(());
        };
        match &mut found.spec {
            Some(spec) if spec.holder_identity.as_deref() == Some(us) => spec.holder_identity = None,
            _ => return Ok(()),
        }
        written(api.replace(name, &PostParams::default(), &found).await).map(drop)
    };
    let given = tokio::time::timeout(ANSWER, give_back).await;
    match given {
        Ok(given) => given.map_err(OperatorError::cluster("the lease cannot be given back")),
        // It ends by itself.
        Err(_) => Ok(()),
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
