//! An upgrade of the product while pods are created all the time: it opens no window, and closes none.

use crate::{
    attempt::{self, Answer, is_gated},
    chart,
    operator::Operator,
    stage::{AgentOf, Stage, image, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, bail, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// Creations while upgrades are under way; half of them of a pod that is cleared.
const CREATIONS: usize = 10_000;
/// Clients at the same time.
const CLIENTS: usize = 8;
/// Values that change policies, one upgrade the one and the next the other.
const GATES: [&str; 2] = [
    "policies.allowedSchedulingGates={kueue.x-k8s.io/admission}",
    "policies.allowedSchedulingGates={example.com/quota}",
];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["D42"],
            "upgraded while pods are created: nothing uncleared comes in, nothing cleared is refused",
            under_load,
        )
        .alone()
        .patience(Duration::from_secs(600)),
    ]
}

/// What was created so far.
#[derive(Default)]
struct Count {
    begun: AtomicUsize,
    refused: AtomicUsize,
}

async fn under_load(cx: Context) -> Result<()> {
    let own = cx.elsewhere().await?;
    let stage = Stage::set(&own, one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.run(&agent).await?;
    let [cleared, uncleared] = pods(&agent);
    attempt::try_create(&stage.editor, &stage.namespace, &cleared)
        .await?
        .free("the cleared pod before")?;
    let (count, begun) = (Count::default(), Instant::now());
    let clients = (0..CLIENTS).map(|_| client(&stage, &cleared, &uncleared, &count));
    let (_, upgrades) = tokio::try_join!(try_join_all(clients), upgrades(&own, &count))?;
    ensure!(
        upgrades > 1,
        "only {upgrades} upgrades while {CREATIONS} pods were created"
    );
    let refused = count.refused.load(Ordering::Relaxed);
    cx.tell(&format!(
        "{upgrades} upgrades and as many other operators while {CREATIONS} pods were created in {} s: nothing uncleared came in ({refused} \
         refused, the others held), nothing cleared was refused",
        begun.elapsed().as_secs()
    ));
    Ok(())
}

/// One that is as the cleared ones are, and one that nobody cleared.
fn pods(agent: &AgentOf) -> [Value; 2] {
    let pod =
        |name: &str, spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
    let other = json!({"containers": [{"name": "main", "image": image("other")}]});
    [pod("as-cleared", agent.pod_spec()), pod("not-cleared", other)]
}

/// Creates one of each in turn, as dry runs, until there were enough.
async fn client(stage: &Stage, cleared: &Value, uncleared: &Value, count: &Count) -> Result<()> {
    loop {
        let number = count.begun.fetch_add(1, Ordering::Relaxed);
        if number >= CREATIONS {
            return Ok(());
        }
        let is_cleared = number.is_multiple_of(2);
        let pod = if is_cleared { cleared } else { uncleared };
        match (
            is_cleared,
            attempt::try_create(&stage.editor, &stage.namespace, pod).await?,
        ) {
            (true, answer) => drop(answer.free(&format!("creation {number}, cleared"))?),
            (false, Answer::Refused(_)) => drop(count.refused.fetch_add(1, Ordering::Relaxed)),
            (false, Answer::Taken(pod)) if is_gated(&pod) => {}
            (false, Answer::Taken(pod)) => bail!("creation {number}, uncleared, was let in: {pod}"),
        }
    }
}

/// Upgrades, and puts another operator in the place of the one that runs, as long as pods are created.
async fn upgrades(cx: &Context, count: &Count) -> Result<usize> {
    let first = cx.operator().await?;
    let mut others: Vec<Operator> = Vec::new();
    let mut number = 0;
    while count.begun.load(Ordering::Relaxed) < CREATIONS {
        let gates = GATES.get(number % GATES.len()).context("no value")?;
        chart::install_with(cx.cluster(), &["--set", "replicas=0", "--set", gates]).await?;
        let next = cx.another_operator(&format!("operator-{number}")).await?;
        next.start().await?;
        others.last().unwrap_or(first).stop().await?;
        others.push(next);
        number += 1;
    }
    Ok(number)
}
