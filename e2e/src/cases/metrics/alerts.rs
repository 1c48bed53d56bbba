//! Alerts, over lines that were written for them: a quarter of an hour, a scrape a minute.

use super::read;
use crate::{
    metrics::{Metrics, Scrape},
    suite::Context,
};
use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;

const MINUTES: i64 = 15;

/// `n` in a line is the minute, so that counters count.
const ALERTS: [(&str, &[&str], &[&str]); 9] = [
    (
        "VouchsafeNotEnforced",
        &[
            r#"environment_enforced{environment="prod",enforcement="Hold"} 1"#,
            r#"environment_enforced{environment="dev",enforcement="Observe"} 0"#,
        ],
        &[r#"environment_enforced{environment="prod",enforcement="Hold"} 0"#],
    ),
    (
        "VouchsafeDoesNotHold",
        &[r#"environment_holds{environment="prod"} 1"#],
        &[r#"environment_holds{environment="prod"} 0"#],
    ),
    (
        "VouchsafeNobodyLeads",
        &[r#"leader{pod="a"} 0"#, r#"leader{pod="b"} 1"#],
        &[r#"leader{pod="a"} 0"#, r#"leader{pod="b"} 0"#],
    ),
    (
        "VouchsafeRevoked",
        &[
            r#"promotions{environment="prod",verdict="Cleared"} 3"#,
            r#"promotions{environment="prod",verdict="Refused"} 1"#,
        ],
        &[r#"promotions{environment="prod",verdict="Revoked"} 1"#],
    ),
    (
        "VouchsafeClearanceEnds",
        &[r#"clearance_left_seconds{environment="prod"} 90000"#],
        &[r#"clearance_left_seconds{environment="prod"} 1800"#],
    ),
    (
        "VouchsafeFailing",
        &[
            r#"reconciles_total{controller="agents",result="done"} n"#,
            r#"reconciles_total{controller="agents",result="failed"} 4"#,
        ],
        &[r#"reconciles_total{controller="agents",result="failed"} n0"#],
    ),
    (
        "VouchsafeBehind",
        &[r#"queue_depth{controller="agents"} 100"#],
        &[r#"queue_depth{controller="agents"} 101"#],
    ),
    (
        "VouchsafeRegistryUnclear",
        &[
            r#"registry_requests_total{result="verified"} n0"#,
            r#"registry_requests_total{result="cannot_tell"} n"#,
        ],
        &[
            r#"registry_requests_total{result="verified"} n"#,
            r#"registry_requests_total{result="cannot_tell"} n0"#,
        ],
    ),
    (
        "VouchsafeWaitsForPeople",
        &[r#"promotions{environment="prod",verdict="Waiting"} 1"#],
        &[r#"promotions{environment="prod",verdict="AwaitingApproval"} 2"#],
    ),
];

#[derive(Deserialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: String,
    expr: String,
}

/// The same lines a minute apart, of which `n` is the minute's number.
fn minutes(lines: &[&str]) -> Vec<Scrape> {
    let text = |minute: i64| {
        let lines = lines.iter().map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or((line, "0"));
            format!("vouchsafe_{series} {}\n", value.replace('n', &minute.to_string()))
        });
        lines.chain(["# EOF\n".to_owned()]).collect()
    };
    let scrapes = (0..=MINUTES).map(|minute| Scrape {
        at: 1_700_000_000 + 60 * minute,
        text: text(minute),
    });
    scrapes.collect()
}

pub(super) async fn alerts(_: Context) -> Result<()> {
    let file: File = serde_saphyr::from_str(&read("charts/vouchsafe/files/alerts.yaml")?).context("no alerts")?;
    let rules = file.groups.into_iter().flat_map(|group| group.rules);
    let mut rules: BTreeMap<_, _> = rules.map(|rule| (rule.alert, rule.expr)).collect();
    let metrics = Metrics::prepare().await?;
    for (alert, quiet, loud) in ALERTS {
        let expression = rules.remove(alert).with_context(|| format!("there is no {alert}"))?;
        for (lines, fires) in [(quiet, false), (loud, true)] {
            let answers = metrics.ask(&minutes(lines), std::slice::from_ref(&expression)).await?;
            let answer = answers.first().context("no answer")?;
            ensure!(answer.error.is_empty(), "{alert}: {}", answer.error);
            ensure!(
                fires != answer.result.is_empty(),
                "{alert} over {lines:?}: {:?}",
                answer.result
            );
        }
    }
    ensure!(rules.is_empty(), "not tried: {:?}", rules.keys());
    Ok(())
}
