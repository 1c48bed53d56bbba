//! What the gate costs when a pod is created, whoever holds it: the API server by its policies, or a webhook.

use crate::{
    attempt::{self, Answer},
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    users::User,
};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Creations of each kind that count, and before them those that do not.
const ROUNDS: usize = 500;
const WARM: usize = 50;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "what a pod costs at its creation, cleared and held, beside one in a namespace that is not governed",
            costs,
        )
        .alone()
        .on_request(),
    ]
}

/// One after the other, so that whatever keeps the machine busy hits all alike.
async fn costs(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.run(&agent).await?;
    let free = cx.namespace("free").await?;
    let cleared = pod(&agent.template());
    let uncleared = pod(&AgentOf::new("refund").with_prompt("Refund everything.").template());
    let mut took: [Vec<Duration>; 3] = Default::default();
    for round in 0..WARM + ROUNDS {
        for (took, (namespace, pod, held)) in took.iter_mut().zip([
            (&free, &cleared, false),
            (&stage.namespace, &cleared, false),
            (&stage.namespace, &uncleared, true),
        ]) {
            let time = created(cx.admin(), namespace, pod, held).await?;
            if round >= WARM {
                took.push(time);
            }
        }
    }
    let [free, cleared, held] = took.map(|mut took| {
        took.sort();
        let at = |part: usize| {
            took.get(took.len() * part / 100)
                .copied()
                .unwrap_or_default()
                .as_secs_f64()
                * 1e3
        };
        (at(50), at(90))
    });
    let more = |of: (f64, f64)| format!("+{:.2} / +{:.2} ms", of.0 - free.0, of.1 - free.1);
    cx.tell(&format!(
        "a pod's creation on {}, p50 / p90: not governed {:.2} / {:.2} ms, cleared {}, held {}",
        cx.cluster().tools().kubernetes(),
        free.0,
        free.1,
        more(cleared),
        more(held)
    ));
    Ok(())
}

fn pod(template: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "cost-"}, "spec": template.get("spec")})
}

async fn created(admin: &User, namespace: &str, pod: &Value, held: bool) -> Result<Duration> {
    let begun = Instant::now();
    let answer = attempt::try_create(admin, namespace, pod).await?;
    let took = begun.elapsed();
    let is = matches!(&answer, Answer::Taken(pod) if attempt::is_gated(pod) == held);
    ensure!(is, "held should be {held}: {answer:?}");
    Ok(took)
}
