//! Collectors in trouble, each in turn with one that is well and with none: how long pods wait, and how much memory the operator has.

use super::{super::latency, traced};
use crate::{
    collector::{Collector, Manner},
    operator::Operator,
    stage::{Stage, environment, one_approval},
    suite::Context,
};
use anyhow::{Context as _, Result, ensure};
use std::time::Duration;

/// How often each collector has its turn.
const ROUNDS: usize = 3;
/// What spans that nobody takes may cost in memory.
const MEMORY: u64 = 24 << 20;

/// A collector, the operator that sends to it, and how long pods waited with it.
struct Turn {
    word: &'static str,
    collector: Option<Collector>,
    operator: Operator,
    waits: Vec<Duration>,
    resident: u64,
}

pub(super) async fn troubled(cx: Context) -> Result<()> {
    let first = cx.operator().await?;
    let (identity, _) = cx.cluster().server()?;
    let mut turns = Vec::new();
    for (word, manner) in [
        ("no collector", None),
        ("one that takes them", Some(Manner::Takes)),
        ("hangs", Some(Manner::Hangs)),
        ("fails", Some(Manner::Fails)),
        ("lies", Some(Manner::Lies)),
        ("not believed", Some(Manner::Takes)),
    ] {
        let name = format!("operator-{}", word.replace(' ', "-"));
        let collector = match manner {
            None => None,
            // Its certificate leads to nobody that the operator knows.
            Some(manner) if word == "not believed" => Some(Collector::start_with_tls(manner, &identity).await?),
            Some(manner) => Some(Collector::start(manner).await?),
        };
        let operator = match &collector {
            Some(collector) => traced(&cx, &name, collector).await?,
            None => cx.another_operator(&name).await?,
        };
        turns.push(Turn {
            word,
            collector,
            operator,
            waits: Vec::new(),
            resident: 0,
        });
    }
    first.stop().await?;
    let result = in_turn(&cx, &mut turns).await;
    turns.iter().try_for_each(|turn| turn.operator.kill())?;
    first.start().await?;
    result?;
    compare(&cx, turns)
}

/// One after the other and again, so that a machine that gets slower is slow for all of them.
async fn in_turn(cx: &Context, turns: &mut [Turn]) -> Result<()> {
    let environment = environment(cx, "prod", one_approval()).await?;
    for _ in 0..ROUNDS {
        for turn in &mut *turns {
            turn.operator.start().await?;
            let stage = Stage::in_environment(cx, &environment).await?;
            let waited = latency::of_namespace(&stage).await;
            turn.waits
                .extend(waited.with_context(|| format!("with {}", turn.word))?);
            turn.resident = turn.resident.max(turn.operator.resident_bytes()?);
            turn.operator.stop().await?;
        }
    }
    Ok(())
}

fn compare(cx: &Context, turns: Vec<Turn>) -> Result<()> {
    let mut without = None;
    for mut turn in turns {
        turn.waits.sort();
        let [half, most] = [50, 90].map(|percent| latency::percentile(&turn.waits, percent));
        let (without, memory) = *without.get_or_insert((half, turn.resident));
        cx.tell(&format!(
            "last approval to the pod without its gate, {}: {} pods, p50 {:.1} ms, p90 {:.1} ms, {} MiB",
            turn.word,
            turn.waits.len(),
            half.as_secs_f64() * 1000.0,
            most.as_secs_f64() * 1000.0,
            turn.resident >> 20
        ));
        ensure!(
            half < without * 3 + Duration::from_millis(200),
            "{half:?} with {}",
            turn.word
        );
        ensure!(
            turn.resident < memory + MEMORY,
            "{} bytes with {}",
            turn.resident,
            turn.word
        );
        let Some(collector) = turn.collector else { continue };
        let (requests, believed) = (collector.requests()?, turn.word != "not believed");
        ensure!(
            (requests >= ROUNDS) == believed && (requests > 0) == believed,
            "{requests} requests: {}",
            turn.word
        );
        let log = turn.operator.log()?;
        let count = |words: &str| {
            log.lines()
                .filter(|line| line.contains("\"traces\"") && line.contains(words))
                .count()
        };
        let (refused, unsent) = (count("takes no spans"), count("were not sent"));
        let said = match turn.word {
            "fails" | "not believed" => refused == ROUNDS,
            "hangs" => refused <= ROUNDS && unsent == ROUNDS,
            _ => refused + unsent == 0,
        };
        ensure!(
            said,
            "{}: {refused} times refused, {unsent} times unsent in {log}",
            turn.word
        );
    }
    Ok(())
}
