//! What the operator tells Prometheus: the truth, no tenant's words, and everything that the dashboard and the alerts ask for.

mod alerts;

use self::alerts::alerts;
use super::evidence::{attest, attestor};
use crate::{
    await_::{Look, until},
    metrics::{Answer, Metrics, Scrape, scrape},
    pods::await_running,
    stage::{AgentOf, Stage, environment},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, bail, ensure};
use kube::{Api, api::PostParams};
use regex::Regex;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};
use vouchsafe_api::{Check, approval::Vote};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "the operator's metrics say what is the case and name no tenant; dashboard, alerts and book have them, and no others",
            told,
        ),
        Case::new(
            &[],
            "each alert is quiet when all is well, and fires when it is not",
            alerts,
        ),
    ]
}

/// A release that waits for a machine, then for a person, then runs.
struct Release {
    stage: Stage,
    agent: AgentOf,
    check: String,
}

async fn release(cx: &Context) -> Result<Release> {
    cx.operator().await?;
    let check = cx.name("scan");
    let object = json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Check", "metadata": {"name": check},
        "spec": {"evidence": {"subject": "Release", "policy": "counters.failed == 0"}}});
    let object: Check = serde_json::from_value(object).context("the Check is none")?;
    Api::<Check>::all(cx.client())
        .create(&PostParams::default(), &object)
        .await?;
    let spec = json!({
        "sensitivity": "High", "enforcement": "Hold", "requires": [{"check": check}], "unknownAuthor": "Accept",
        "approvals": [{"role": "security"}],
    });
    let environment = environment(cx, "prod", spec).await?;
    Ok(Release {
        stage: Stage::in_environment(cx, &environment).await?,
        agent: AgentOf::new(&cx.name("metered")),
        check,
    })
}

/// What comes of an expression now.
async fn now(cx: &Context, expressions: &[String]) -> Result<Vec<Answer>> {
    let scrape = scrape(cx.operator().await?.address(), jiff::Timestamp::now().as_second()).await?;
    Metrics::prepare().await?.ask(&[scrape], expressions).await
}

/// Awaits that these expressions come to these values.
async fn come_to(cx: &Context, wanted: &[(String, f64)]) -> Result<()> {
    let expressions: Vec<_> = wanted.iter().map(|(expression, _)| expression.clone()).collect();
    until("the metrics to say it", || async {
        let answers = now(cx, &expressions).await?;
        let differs = answers.iter().zip(wanted).find(|(answer, (_, value))| {
            let sum: f64 = answer.result.iter().map(|sample| sample.value).sum();
            !answer.error.is_empty() || answer.result.is_empty() || (sum - value).abs() > f64::EPSILON
        });
        Ok(match differs {
            None => Look::Seen(()),
            Some((answer, (_, value))) => Look::NotYet(format!("{answer:?}, not {value}")),
        })
    })
    .await
}

async fn told(cx: Context) -> Result<()> {
    let Release { stage, agent, check } = release(&cx).await?;
    let of = format!("environment=\"{}\"", stage.environment);
    let is = |name: &str, labels: &str, value: f64| (format!("vouchsafe_{name}{{{of}{labels}}}"), value);
    let scanner = attestor(&cx, &stage.namespace, &check).await?;
    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion(&agent.name).await?;
    stage.held(&agent.selector(), 1).await?;
    let waits = [
        is("promotions", ",verdict=\"Waiting\"", 1.0),
        is("check_outcomes", ",outcome=\"Pending\"", 1.0),
        is("held_pods", "", 1.0),
        is("agents", "", 1.0),
        is("governed_namespaces", "", 1.0),
        is("environment_enforced", ",enforcement=\"Hold\"", 1.0),
        ("max(vouchsafe_leader)".to_owned(), 1.0),
    ];
    come_to(&cx, &waits).await?;
    let digest = promotion.spec.release.to_string();
    attest(&scanner, &stage.namespace, &check, &digest, 0).await?;
    come_to(&cx, &[is("promotions", ",verdict=\"AwaitingApproval\"", 1.0)]).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    await_running(&stage.pods(), &agent.selector(), 1).await?;
    let runs = [
        is("promotions", ",verdict=\"Cleared\"", 1.0),
        is("check_outcomes", ",outcome=\"Pass\"", 1.0),
        is("held_pods", "", 0.0),
        is("waited_seconds_count", ",waiting_for=\"machines\"", 1.0),
        is("waited_seconds_count", ",waiting_for=\"people\"", 1.0),
        (format!("vouchsafe_clearance_left_seconds{{{of}}} > bool 3600"), 1.0),
        (format!("vouchsafe_evidence_age_seconds{{{of}}} < bool 3600"), 1.0),
        (format!("sum(vouchsafe_decisions_total{{{of}}}) >= bool 3"), 1.0),
        ("vouchsafe_gate_open_duration_seconds_count >= bool 1".to_owned(), 1.0),
    ];
    come_to(&cx, &runs).await?;
    names_no_tenant(&cx, &stage, &agent).await?;
    asked_for(&cx).await
}

/// Names that a tenant chooses make no series: their number is no tenant's to choose.
async fn names_no_tenant(cx: &Context, stage: &Stage, agent: &AgentOf) -> Result<()> {
    let Scrape { text, .. } = scrape(cx.operator().await?.address(), 0).await?;
    for name in [&stage.namespace, &agent.name, &stage.security.name] {
        ensure!(!text.contains(name.as_str()), "the metrics name `{name}`");
    }
    Ok(())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(crate::checkout().join(path)).with_context(|| format!("cannot read `{path}`"))
}

/// Every PromQL expression in a JSON or YAML file, with the labels that its legend shows.
fn expressions(value: &Value, found: &mut Vec<(String, BTreeSet<String>)>) -> Result<()> {
    let shown = Regex::new(r"\{\{ *(?:\$labels\.)?([a-z_]+) *\}\}")?;
    match value {
        Value::Object(fields) => {
            if let Some(expression) = fields.get("expr").and_then(Value::as_str) {
                let legend =
                    [fields.get("legendFormat"), fields.get("annotations")].map(|value| json!(value).to_string());
                let labels = legend
                    .iter()
                    .flat_map(|text| shown.captures_iter(text))
                    .filter_map(|found| Some(found.get(1)?.as_str().to_owned()));
                found.push((expression.replace("$environment", ".*"), labels.collect()));
            }
            fields.values().try_for_each(|value| expressions(value, found))
        }
        Value::Array(values) => values.iter().try_for_each(|value| expressions(value, found)),
        _ => Ok(()),
    }
}

/// What dashboard and alerts ask for is there, with the labels that they show.
async fn asked_for(cx: &Context) -> Result<()> {
    let mut asked = Vec::new();
    for file in [
        "charts/vouchsafe/files/dashboard.json",
        "charts/vouchsafe/files/alerts.yaml",
    ] {
        let before = asked.len();
        let value: Value = serde_saphyr::from_str(&read(file)?).with_context(|| format!("`{file}` cannot be read"))?;
        expressions(&value, &mut asked)?;
        ensure!(asked.len() > before + 5, "`{file}` asks for little");
    }
    let only: Vec<_> = asked.iter().map(|(expression, _)| expression.clone()).collect();
    for (answer, (expression, labels)) in now(cx, &only).await?.into_iter().zip(asked) {
        ensure!(answer.error.is_empty(), "`{expression}`: {}", answer.error);
        for sample in answer.result {
            let missing = labels.iter().find(|label| !sample.labels.contains_key(*label));
            ensure!(
                missing.is_none(),
                "`{expression}` shows {missing:?}, which it does not have"
            );
        }
    }
    explained(&scrape(cx.operator().await?.address(), 0).await?.text)
}

/// The book has a row for each metric that is exposed, and no others; and a heading for each alert.
fn explained(text: &str) -> Result<()> {
    let page = read("docs/book/metrics.md")?;
    let of = |pattern: &str, text: &str| -> Result<BTreeSet<String>> {
        let found = Regex::new(pattern)?;
        let names = found
            .captures_iter(text)
            .filter_map(|name| Some(name.get(1)?.as_str().to_owned()));
        Ok(names.collect())
    };
    let exposed = of("(?m)^# TYPE (vouchsafe_[a-z_]+) ", text)?;
    let rows: BTreeSet<_> = of("(?m)^\\| `(vouchsafe_[a-z_]+?)(?:_total|_info)?` \\|", &page)?;
    if let Some(odd) = exposed.symmetric_difference(&rows).next() {
        bail!("`{odd}` is exposed and not in docs/book/metrics.md, or the other way round");
    }
    let alerts = of("(?m)^ *- alert: (.*)$", &read("charts/vouchsafe/files/alerts.yaml")?)?;
    let headings = of("(?m)^### (Vouchsafe.*)$", &page)?;
    ensure!(
        alerts.len() > 5 && alerts == headings,
        "{alerts:?} and in the book {headings:?}"
    );
    Ok(())
}
