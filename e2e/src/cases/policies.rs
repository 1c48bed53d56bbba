//! Policies and bindings cannot be guarded by policies: whoever may write them can take the gate down. What was done to them is told within
//! seconds, and that it was put right.

mod disturb;

use self::disturb::{BINDING, Disturbance, Policies, disturbances, holding};
use crate::{
    await_::{Look, until},
    chart,
    stage::{environment, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Event;
use kube::{Api, api::ListParams};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use vouchsafe_api::{
    Environment,
    environment::status::{InstalledPolicies, Probe},
};

/// "Within seconds".
const SOON: Duration = Duration::from_secs(10);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["D43"],
            "a policy or binding that was deleted or edited is reported within seconds, and that it was restored",
            reported,
        )
        .alone()
        .patience(Duration::from_secs(600)),
    ]
}

/// What an Environment says.
#[derive(Debug, PartialEq)]
struct Said {
    policies: InstalledPolicies,
    probe: Probe,
    differing: Vec<String>,
    reason: String,
    holds: bool,
    message: String,
}

async fn said(cx: &Context, environment: &str) -> Result<Said> {
    let found = Api::<Environment>::all(cx.client()).get(environment).await?;
    let status = serde_json::to_value(found.status)?;
    let enforced = status.get("enforced").context("nothing is said yet")?;
    let conditions = status.get("conditions").and_then(Value::as_array).into_iter().flatten();
    let condition = conditions.into_iter().find(|condition| condition["type"] == "Enforced");
    let condition = condition.context("there is no such condition")?;
    let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    Ok(Said {
        policies: serde_json::from_value(enforced["policies"].clone())?,
        probe: serde_json::from_value(enforced["probe"].clone())?,
        differing: serde_json::from_value(enforced.get("differing").cloned().unwrap_or(json!([])))?,
        reason: text("reason"),
        holds: condition["status"] == "True",
        message: text("message"),
    })
}

/// Awaits that it says so, and gives how long that took.
async fn await_said(
    cx: &Context,
    environment: &str,
    what: &str,
    condition: impl Fn(&Said) -> bool,
) -> Result<(Said, Duration)> {
    let begun = Instant::now();
    let said = until(&format!("{what} to be told"), || async {
        Ok(Look::when(said(cx, environment).await?, |said| condition(said)))
    })
    .await?;
    Ok((said, begun.elapsed()))
}

async fn await_current(cx: &Context, environment: &str) -> Result<Duration> {
    let is = |said: &Said| said.policies == InstalledPolicies::Current && said.probe == Probe::Held && said.holds;
    let (said, took) = await_said(cx, environment, "that all is as shipped", is).await?;
    ensure!(said.differing.is_empty() && said.reason == "Enforced", "{said:?}");
    Ok(took)
}

/// Warnings on an Environment about policies.
async fn warnings(cx: &Context, environment: &str) -> Result<i32> {
    let selector = format!("reason=PoliciesDiffer,involvedObject.name={environment}");
    let events = Api::<Event>::all(cx.client())
        .list(&ListParams::default().fields(&selector))
        .await?;
    let times = |event: &Event| {
        let series = event.series.as_ref().and_then(|series| series.count);
        (event.type_.as_deref() == Some("Warning")).then(|| series.unwrap_or(1))
    };
    Ok(events.iter().filter_map(times).sum())
}

async fn reported(cx: Context) -> Result<()> {
    cx.operator().await?;
    let policies = Policies::as_installed(&cx).await?;
    let shown = show(&cx, &policies).await;
    policies.restore().await.context("cannot restore the policies")?;
    shown
}

async fn show(cx: &Context, policies: &Policies) -> Result<()> {
    let holds = environment(cx, "prod", one_approval()).await?;
    let observing = json!({
        "sensitivity": "High", "enforcement": "Observe", "requires": [], "unknownAuthor": "Accept",
        "approvals": [{"role": "security", "count": 1}],
    });
    let observes = environment(cx, "watched", observing).await?;
    await_current(cx, &holds).await?;
    // What means nothing stays so under all that follows, and nothing names it.
    policies.label(BINDING, "vouchsafe-access").await?;
    let (mut slowest, mut slowest_back) = (Duration::ZERO, Duration::ZERO);
    for (number, disturbance) in disturbances(cx).iter().enumerate() {
        let (there, back) = told(cx, policies, &holds, disturbance)
            .await
            .context(disturbance.what)?;
        (slowest, slowest_back) = (slowest.max(there), slowest_back.max(back));
        warned(cx, &holds, number + 1).await.context(disturbance.what)?;
    }
    cx.tell(&format!(
        "policies: each of {} ways to disturb them was told after {:.1} s at most, and that it was restored after {:.1} s",
        disturbances(cx).len(),
        slowest.as_secs_f64(),
        slowest_back.as_secs_f64()
    ));
    opened(cx, policies, &holds, &observes).await?;
    upgraded(cx, policies, &holds).await
}

/// Disturbs one, and restores it; how long each took to be told.
async fn told(
    cx: &Context,
    policies: &Policies,
    environment: &str,
    disturbance: &Disturbance,
) -> Result<(Duration, Duration)> {
    let name = format!("{}/{}", disturbance.kind, disturbance.name);
    policies.disturb(disturbance).await?;
    let is = |said: &Said| said.policies == disturbance.says && said.reason == "PoliciesDiffer";
    let (said, there) = await_said(cx, environment, disturbance.what, is).await?;
    ensure!(!said.holds && said.differing == [name.clone()], "{said:?}");
    ensure!(
        said.message.contains(&name) && said.message.contains("helm upgrade"),
        "{}",
        said.message
    );
    policies.restore().await?;
    let back = await_current(cx, environment).await?;
    ensure!(
        there < SOON && back < SOON,
        "told after {there:?}, and restored after {back:?}"
    );
    Ok((there, back))
}

/// Once for each difference.
async fn warned(cx: &Context, environment: &str, differences: usize) -> Result<()> {
    let expected = i32::try_from(differences)?;
    let seen = until("a warning", || async {
        Ok(Look::when(warnings(cx, environment).await?, |seen| *seen >= expected))
    });
    let seen = seen.await?;
    ensure!(seen == expected, "{seen} warnings about {expected} differences");
    Ok(())
}

/// With nothing left that holds or refuses, that is what is said; and an environment that only observes says that.
async fn opened(cx: &Context, policies: &Policies, holds: &str, observes: &str) -> Result<()> {
    for kind in [BINDING, holding(cx).1] {
        let name = if kind == BINDING {
            "vouchsafe-pods"
        } else {
            "vouchsafe-hold"
        };
        policies.delete(kind, name).await?;
    }
    let open = |said: &Said| said.probe == Probe::Admitted && said.differing.len() == 2;
    let (said, took) = await_said(cx, holds, "that nothing is enforced", open).await?;
    ensure!(said.reason == "ProbeAdmitted" && !said.holds, "{said:?}");
    ensure!(said.policies == InstalledPolicies::Missing, "{said:?}");
    cx.tell(&format!(
        "policies: that an uncleared pod is let in was told after {:.1} s",
        took.as_secs_f64()
    ));
    let watched = |said: &Said| said.policies == InstalledPolicies::Missing && said.differing.len() == 2;
    let (said, _) = await_said(cx, observes, "what is missing", watched).await?;
    ensure!(said.reason == "ObserveOnly" && !said.holds, "{said:?}");
    policies.restore().await?;
    await_current(cx, holds).await.map(drop)
}

/// What the message says to do restores everything; what people would try first restores a part, and the rest stays told.
async fn upgraded(cx: &Context, policies: &Policies, environment: &str) -> Result<()> {
    let all = disturbances(cx);
    let chosen = [
        "a binding deleted",
        "an expression edited",
        "a condition added",
        "an exception added",
    ];
    let chosen = all.iter().filter(|one| chosen.contains(&one.what));
    for disturbance in chosen {
        policies.disturb(disturbance).await?;
    }
    let differ = |said: &Said| said.differing.len() == 4;
    let (said, _) = await_said(cx, environment, "four differences", differ).await?;
    let (quiet, server_side) = (["--set", "replicas=0"], "--server-side=true");
    let upgrade = |flags: &[&'static str]| [&quiet, flags].concat();
    let refused = chart::install_with(cx.cluster(), &upgrade(&[])).await;
    let refused = refused.err().context("an upgrade replaced what somebody edited")?;
    ensure!(format!("{refused:#}").contains("conflict"), "{refused:#}");
    chart::install_with(cx.cluster(), &upgrade(&["--force-conflicts"])).await?;
    let added = ["ValidatingAdmissionPolicy/vouchsafe-grants"];
    await_said(cx, environment, "what was added to be left", |said| {
        said.differing == added
    })
    .await?;
    ensure!(said.message.contains("--server-side=false --force-replace"), "{said:?}");
    chart::install_with(cx.cluster(), &upgrade(&["--server-side=false", "--force-replace"])).await?;
    await_current(cx, environment).await?;
    // An ordinary upgrade is possible again.
    chart::install_with(cx.cluster(), &upgrade(&[server_side])).await?;
    await_current(cx, environment).await.map(drop)
}
