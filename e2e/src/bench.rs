//! What the operator costs: how long from its start until it is ready and until it has looked at every agent, and its memory when it is
//! idle afterwards.
//!
//! Takes a program, which should be a release build, and numbers of agents; each number gets a cluster of its own. Prints what it
//! measured, and judges nothing.

mod agents;
mod idle;

use crate::{
    await_::{Look, within},
    chart,
    cluster::Cluster,
    operator::{Memory, Operator},
    registries::Registries,
    tools::{Progress, Tool, Tools},
    work::Work,
};
use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;
use std::{path::Path, time::Duration};

/// Agents in a namespace at most, so that all their profiles have room in its ledger.
const EACH: usize = 100;
/// Namespaces at least.
const FEWEST: usize = 5;
/// No measure of speed: beyond this something hangs.
const SANE: Duration = Duration::from_secs(1200);

/// Measures a program with so many agents; and, when all is done, for how long it is watched doing nothing.
///
/// # Errors
/// When the cluster, the chart, an agent or the operator does not come up.
pub async fn run(program: &Path, numbers: &[usize], watched: Duration, progress: Progress) -> Result<()> {
    let tools = Tools::prepare(&[Tool::Cluster, Tool::Kwok, Tool::Helm], progress)?;
    for number in numbers {
        measure(program, *number, watched, tools.clone()).await?;
    }
    Ok(())
}

async fn measure(program: &Path, number: usize, watched: Duration, tools: Tools) -> Result<()> {
    let cluster = Cluster::start(tools, Work::take("bench")?).await?;
    let registries = Registries::reserve(cluster.tools())?;
    chart::install(&cluster).await?;
    let namespaces = number.div_ceil(EACH).max(FEWEST);
    eprintln!("making {number} agents in {namespaces} namespaces, one pod each");
    agents::make(&cluster.admin().client, number, namespaces).await?;
    let operator = Operator::prepare(&cluster, &registries, program, "operator").await?;
    let started = Timestamp::now();
    let statuses = agents::watch(&cluster.admin().client, number, SANE);
    let ((), seen) = tokio::try_join!(operator.start(), statuses)?;
    let first = settled(&operator, started).await?;
    operator.stop().await?;
    let started_again = Timestamp::now();
    operator.start().await?;
    let second = settled(&operator, started_again).await?;
    let idle = idle::over(&operator, watched).await?;
    operator.stop().await?;
    let (observed, cleared) = (seconds(started, seen.observed), seconds(started, seen.cleared));
    tell(&format!(
        "{number} agents in {namespaces} namespaces: {first}; every status after {observed}, all cleared after {cleared}"
    ));
    tell(&format!("{number} agents, started again: {second}"));
    tell(&format!("{number} agents, nothing to do: {idle}"));
    Ok(())
}

/// Waits until the operator is idle; in words, when it was ready and its memory now.
async fn settled(operator: &Operator, started: Timestamp) -> Result<String> {
    idle::until_idle(operator, SANE).await?;
    let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1_048_576.0);
    let Memory { resident, most } = operator.memory()?;
    Ok(format!(
        "ready after {}, idle with {} in RAM, {} at most",
        seconds(started, ready_at(&operator.log()?)?),
        mebibytes(resident),
        mebibytes(most)
    ))
}

fn seconds(from: Timestamp, to: Timestamp) -> String {
    format!("{:.2} s", to.duration_since(from).as_secs_f64())
}

/// When the last process said that it was ready, by its own log: finer than looking for the line.
fn ready_at(log: &str) -> Result<Timestamp> {
    let text = |line: &Value, field: &str| line.get(field).and_then(Value::as_str).map(str::to_owned);
    let mut lines = log.lines().rev().filter_map(|line| serde_json::from_str(line).ok());
    let ready = lines.find(|line| text(line, "event").as_deref() == Some("ready"));
    let ready = ready.context("no line of the operator's log says that it is ready")?;
    let timestamp = text(&ready, "timestamp").context("a line of the log has no time")?;
    timestamp.parse().context("the time of a line of the log is none")
}

#[expect(clippy::print_stdout, reason = "figures are what this is for")]
fn tell(words: &str) {
    println!("{words}");
}
