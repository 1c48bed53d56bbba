//! Waiting until a Promotion is cleared, or cannot be any more.

use crate::cli::{
    Ended, Failure,
    cluster::Cluster,
    screen::{Screen, note},
    verdict,
};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use vouchsafe_api::{Promotion, promotion::status::Verdict};

/// How often we look. Reading one object is all that the user needs the right to do.
const EVERY: Duration = Duration::from_secs(1);

/// Waits, telling every change on standard error.
pub(super) async fn until_settled(
    name: &str,
    cluster: &Cluster,
    timeout: Duration,
    screen: &mut Screen,
) -> Result<Ended, Failure> {
    let end = Instant::now() + timeout;
    let mut told = String::new();
    loop {
        let promotion: Promotion = cluster.get(name).await?;
        let verdict = verdict::of(&promotion);
        let settled = match verdict {
            Some(Verdict::Cleared) => Some(Ended::Well),
            Some(Verdict::Refused | Verdict::Revoked | Verdict::Superseded) => Some(Ended::Badly),
            Some(Verdict::Waiting | Verdict::AwaitingApproval) | None => None,
        };
        let words = line(&promotion);
        if let Some(ended) = settled {
            screen.styled(verdict::style(verdict), &words);
            return Ok(ended);
        }
        if Instant::now() >= end {
            screen.line(&format!("{words} (gave up after {}s)", timeout.as_secs()));
            return Ok(Ended::Badly);
        }
        if words != told {
            note(&words);
            told = words;
        }
        sleep(EVERY).await;
    }
}

fn line(promotion: &Promotion) -> String {
    let name = promotion.metadata.name.as_deref().unwrap_or_default();
    let waiting = match verdict::waiting_for(promotion) {
        "" => String::new(),
        waiting => format!(", waiting for {waiting}"),
    };
    format!("{name}: {}{waiting}", verdict::word(verdict::of(promotion)))
}
