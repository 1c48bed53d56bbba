//! The operator is killed twenty times in a storm of applies and votes: afterwards everything is as without the kills.

use crate::{
    await_::{Look, until},
    operator::Operator,
    pods::is_held,
    stage::{AgentOf, Stage, environment, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ListParams};
use std::{collections::BTreeSet, time::Duration};
use vouchsafe_api::{Promotion, approval::Vote, promotion::status::Verdict};

/// Kills, each in the midst of a step.
const KILLS: usize = 20;
/// Agents that take turns, so that each changes several times.
const AGENTS: usize = 5;
/// Every so many votes is a Reject.
const REJECT: usize = 4;
/// Where the pseudo-random numbers begin: every run kills after the same times.
const SEED: u64 = 0x5eed;
/// The latest moment of a step at which it is killed, in milliseconds.
const LATEST: u64 = 1500;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "the operator killed 20 times in a storm: the same verdicts and ledgers, nothing lost or doubled",
            storm,
        )
        .alone()
        .patience(Duration::from_secs(600)),
    ]
}

/// What is left of a storm; two that are equal in this had the same end.
#[derive(Debug, PartialEq, Eq)]
struct End {
    /// Agent, release and verdict of every Promotion.
    promotions: Vec<(String, String, String)>,
    /// Releases that the ledger holds, and whose profiles.
    ledger: BTreeSet<String>,
    /// App, prompt, and whether it waits, of every pod.
    pods: Vec<(String, String, bool)>,
}

async fn storm(cx: Context) -> Result<()> {
    let operator = cx.operator().await?;
    let environment = environment(&cx, "prod", one_approval()).await?;
    let calm = Stage::in_environment(&cx, &environment).await?;
    let wild = Stage::in_environment(&cx, &environment).await?;
    for number in 0..KILLS {
        step(&calm, number).await?;
    }
    let mut chance = SEED;
    for number in 0..KILLS {
        let pause = Duration::from_millis(next(&mut chance) % LATEST);
        let (done, killed) = tokio::join!(step(&wild, number), kill(operator, pause));
        killed?;
        done.with_context(|| format!("step {number}, killed after {} ms", pause.as_millis()))?;
    }
    let found = until("the same end as without kills", || async {
        let (expected, found) = (end(&calm).await?, end(&wild).await?);
        let running = found.pods.iter().filter(|(_, _, held)| !held).count();
        Ok(if running == AGENTS && found == expected {
            Look::Seen(found)
        } else {
            Look::NotYet(format!("{found:?}, and without kills {expected:?}"))
        })
    })
    .await?;
    ensure!(
        found.promotions.len() == KILLS,
        "{} promotions for {KILLS} releases",
        found.promotions.len()
    );
    let cleared = found
        .promotions
        .iter()
        .filter(|(_, _, verdict)| verdict == "Cleared")
        .count();
    ensure!(
        cleared > 0 && !found.ledger.is_empty(),
        "nothing was cleared: {found:?}"
    );
    cx.tell(&format!(
        "operator killed {KILLS} times in a storm: {} promotions, {cleared} cleared at the end, as without kills",
        found.promotions.len()
    ));
    Ok(())
}

/// A linear congruential generator, for which no crate is needed.
fn next(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

async fn kill(operator: &Operator, pause: Duration) -> Result<()> {
    tokio::time::sleep(pause).await;
    operator.restart().await
}

/// One agent changes, and somebody votes on what it became.
async fn step(stage: &Stage, number: usize) -> Result<()> {
    let agent = AgentOf::new(&format!("agent-{}", number % AGENTS)).with_prompt(&format!("Be number {number}."));
    stage.apply(&agent.objects()).await?;
    let promotion = of_prompt(stage, &agent).await?;
    let (vote, verdict) = if number % REJECT == REJECT - 1 {
        (Vote::Reject, Verdict::Refused)
    } else {
        (Vote::Approve, Verdict::Cleared)
    };
    let voted = || stage.vote(&stage.security, &promotion, "security", vote);
    if stage.holds_alone() {
        voted().await?;
    } else {
        // Where a webhook stamps, nobody votes while there is no operator.
        until("the vote to be taken", || async { voted().await.map(Look::Seen) }).await?;
    }
    stage.verdict(&promotion.name_any(), verdict).await?;
    if verdict == Verdict::Cleared {
        // A pod that the next change takes away while it waits leaves no profile.
        let running = (agent.name.clone(), agent.config_name(), false);
        until("a pod of what was cleared to be let in", || async {
            let pods = stage.pods().list(&ListParams::default()).await?.items;
            Ok(Look::when(pods.iter().map(described).collect(), |pods: &Vec<_>| {
                pods.contains(&running)
            }))
        })
        .await?;
    }
    Ok(())
}

/// The Promotion of what was just applied: the agent's status may still tell of what it was before.
async fn of_prompt(stage: &Stage, agent: &AgentOf) -> Result<Promotion> {
    let objects = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": agent.objects()});
    let digest = ["vouchsafe", "digest", "-f", "-", "--output", "json"];
    let said = stage.editor.kubectl(digest).input(objects.to_string()).must().await?;
    let release = said.split('"').find(|word| word.starts_with("v1:sha256:"));
    let release = release.with_context(|| format!("no digest in: {said}"))?;
    until(&format!("the Promotion of {release}"), || async {
        let all = stage.api::<Promotion>().list(&ListParams::default()).await?.items;
        let found = all.into_iter().find(|one| one.spec.release.to_string() == release);
        Ok(found.map_or_else(|| Look::NotYet("none".to_owned()), Look::Seen))
    })
    .await
}

async fn end(stage: &Stage) -> Result<End> {
    let all = stage.api::<Promotion>().list(&ListParams::default()).await?.items;
    let mut promotions: Vec<_> = all
        .iter()
        .map(|one| {
            let verdict = one.status.as_ref().and_then(|status| status.verdict);
            (
                one.spec.agent.clone(),
                one.spec.release.to_string(),
                verdict.map_or_else(String::new, |of| of.to_string()),
            )
        })
        .collect();
    promotions.sort();
    let ledger = stage.ledger().await?.context("there is no ledger")?.spec;
    let profiles = ledger
        .profiles
        .values()
        .map(|profile| format!("profile of {}", profile.release));
    let releases = ledger
        .releases
        .iter()
        .map(|(key, release)| format!("{key} of {}", release.agent));
    let pods = stage.pods().list(&ListParams::default()).await?.items;
    let mut pods: Vec<_> = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .map(described)
        .collect();
    pods.sort();
    Ok(End {
        promotions,
        ledger: profiles.chain(releases).collect(),
        pods,
    })
}

fn described(pod: &Pod) -> (String, String, bool) {
    let app = pod.labels().get("app").cloned().unwrap_or_default();
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
    let mut configs = volumes
        .into_iter()
        .flatten()
        .filter_map(|volume| volume.config_map.as_ref());
    let prompt = configs
        .find(|config| config.name.contains("-prompt-"))
        .map(|config| config.name.clone());
    (app, prompt.unwrap_or_default(), is_held(pod))
}
