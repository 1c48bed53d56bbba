//! `make test`: unit and property tests, then the checks, the suite, some of it on the newest and the oldest Kubernetes, the real node and the
//! demo; the sum of all in the last line.
//!
//! A part that could not run counts as a failure, so that the sum can never be good without it.

use crate::{
    cases, checks,
    cluster::Cluster,
    counts::Counts,
    demo, on_node,
    suite::{self, Report, World},
    tools::{Kubernetes, Progress, Tool, Tools},
    work::Work,
};
use anyhow::{Context, Result};
use std::{env, path::Path, process::Stdio, sync::Arc, time::Instant};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

/// From which the property tests draw their cases, so that two runs of the same tree say the same.
const SEED: &str = "20261125";

/// What a webhook could do otherwise than policies, and the story itself.
const ON_OLDEST: [&str; 9] = [
    "A01",
    "D01",
    "D03",
    "D06",
    "D43",
    "D52",
    "the webhook",
    "does not drift",
    "the cleared run and the uncleared stay out",
];

/// What a newer Kubernetes could break first: new fields of pods, new subresources, new defaults of policies, and the story itself.
const ON_NEWEST: [&str; 8] = [
    "A03",
    "D01",
    "D03",
    "D06",
    "D20",
    "D43",
    "D62",
    "the cleared run and the uncleared stay out",
];

/// Runs everything, and gives the sum.
pub async fn run(checkout: &Path, width: usize, progress: Progress) -> Counts {
    let mut sum = Counts::default();
    sum += part("unit and property tests", async { tests(checkout).await }).await;
    sum += part("checks", checks::run(checkout)).await;
    sum += part("suite", async {
        let report = cases(&[], width, Kubernetes::PINNED, progress).await?;
        report.sum_up();
        Ok(report.counts())
    })
    .await;
    for (other, some) in [
        (Kubernetes::NEWEST, ON_NEWEST.as_slice()),
        (Kubernetes::OLDEST, &ON_OLDEST),
    ] {
        let some: Vec<String> = some.iter().map(|case| (*case).to_owned()).collect();
        sum += part(&format!("suite on Kubernetes {other}"), async {
            let report = cases(&some, width, other, progress).await?;
            report.sum_up();
            Ok(report.counts())
        })
        .await;
    }
    sum += part("real node", on_node::run(&[], Kubernetes::PINNED, progress)).await;
    // It asserts every step, and is the first thing that anybody sees.
    sum += part("demo", async {
        demo::run(false, progress).await.map(|()| Counts::PASSED)
    })
    .await;
    sum
}

/// Runs the cases that a filter names against a cluster of this version.
///
/// # Errors
/// When the filter names none, or the cluster does not come up.
pub async fn cases(filter: &[String], width: usize, kubernetes: Kubernetes, progress: Progress) -> Result<Report> {
    let all = cases::all().into_iter().filter(|case| case.concerns(kubernetes));
    let cases = suite::select(all.collect(), filter)?;
    let tools = Tools::prepare(&Tool::WITHOUT_NODE, progress)?.of_kubernetes(kubernetes, progress)?;
    let folder = match kubernetes {
        Kubernetes::PINNED => "suite".to_owned(),
        other => format!("suite-{}", other.word.replace('.', "-")),
    };
    let world = Arc::new(World::new(Cluster::open(tools, Work::take(&folder)?).await?)?);
    Ok(suite::run(&world, cases, width).await)
}

async fn part(name: &str, work: impl Future<Output = Result<Counts>>) -> Counts {
    eprintln!("\n== {name}");
    let begun = Instant::now();
    let mut counts = work.await.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        Counts::FAILED
    });
    if counts == Counts::default() {
        eprintln!("nothing ran");
        counts = Counts::FAILED;
    }
    eprintln!("== {name}: {counts} in {} s", begun.elapsed().as_secs());
    counts
}

/// Runs cargo's tests in view, and counts what they say.
async fn tests(checkout: &Path) -> Result<Counts> {
    let mut child = Command::new("cargo")
        .current_dir(checkout)
        .args(["test", "--workspace", "--no-fail-fast"])
        .env(
            "PROPTEST_RNG_SEED",
            env::var_os("PROPTEST_RNG_SEED").unwrap_or_else(|| SEED.into()),
        )
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start cargo")?;
    let mut counts = Counts::default();
    let output = child.stdout.take().context("cargo has no output")?;
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await.context("cannot read what cargo says")? {
        show(&line);
        counts += Counts::of_cargo(&line).unwrap_or_default();
    }
    let status = child.wait().await.context("cannot wait for cargo")?;
    if !status.success() && counts.failed == 0 {
        // What does not compile fails without a count.
        counts += Counts::FAILED;
    }
    Ok(counts)
}

#[expect(clippy::print_stdout, reason = "what the tests say is shown as they say it")]
fn show(line: &str) {
    println!("{line}");
}
