//! When a process has nothing more to do: it hardly uses the processor.

use super::{Look, within};
use crate::operator::{Memory, Operator};
use anyhow::Result;
use std::time::{Duration, Instant};

/// Ticks of the clock in a second.
const TICKS: f64 = 100.0;

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

/// What it uses over this time when nothing happens, in words: it still renews its Lease, and tries its gate.
///
/// # Errors
/// When it does not run.
pub(super) async fn over(operator: &Operator, time: Duration) -> Result<String> {
    let before = operator.processor_ticks()?;
    tokio::time::sleep(time).await;
    let used = operator.processor_ticks()?.saturating_sub(before) as f64 / TICKS;
    let Memory { resident, most } = operator.memory()?;
    let mebibytes = |bytes: u64| bytes as f64 / 1_048_576.0;
    Ok(format!(
        "{:.1} millicores over {} s, {:.1} MiB in RAM, {:.1} MiB at most",
        1000.0 * used / time.as_secs_f64(),
        time.as_secs(),
        mebibytes(resident),
        mebibytes(most)
    ))
}
