//! When a process has nothing more to do: it hardly uses the processor.

use super::{Look, within};
use crate::operator::Operator;
use anyhow::Result;
use std::time::{Duration, Instant};

/// How long it has to be quiet.
const QUIET: Duration = Duration::from_secs(5);
/// Ticks of the clock (a hundredth of a second each) that it may use in that time.
const HARDLY_ANY: u64 = 5;

/// Waits until the operator is idle.
///
/// # Errors
/// When the deadline has passed, or it does not run.
pub(super) async fn until_idle(operator: &Operator, deadline: Duration) -> Result<()> {
    let mut mark = (Instant::now(), operator.processor_ticks()?);
    within(deadline, "the operator to be idle", || {
        let now = operator.processor_ticks();
        std::future::ready(now.map(|now| {
            if now.saturating_sub(mark.1) > HARDLY_ANY {
                mark = (Instant::now(), now);
            }
            if mark.0.elapsed() >= QUIET {
                Look::Seen(())
            } else {
                Look::NotYet(format!("{now} ticks used"))
            }
        }))
    })
    .await
}
