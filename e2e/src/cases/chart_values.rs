//! The values of the chart, rendered by the real helm: each does what it says, and what is no value is refused by its name.

use crate::{
    chart,
    program::Run,
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::fs;

/// How many helms run at the same time.
const WIDTH: usize = 4;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(&[], "helm finds nothing to complain about in the chart", lint),
        Case::new(
            &[],
            "every value of the chart does what it says, and a wrong one is refused by its name",
            values,
        ),
        Case::new(
            &[],
            "the chart writes mutating policies in the version that is served, and a webhook where none is",
            versions,
        ),
    ]
}

/// One line of `e2e/chart/values.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// The value's path.
    value: String,
    /// What it is set to.
    to: Value,
    /// What else is set, by path.
    #[serde(default)]
    with: Map<String, Value>,
    /// The object in which it shows, as `Kind/name`.
    #[serde(rename = "in")]
    object: String,
    /// Whether the object is not there, and would be by default.
    #[serde(default)]
    absent: bool,
    /// Where in the object.
    at: Option<String>,
    /// What is there.
    is: Option<Value>,
    /// What is in the list there.
    has: Option<Value>,
    /// What is no value of it.
    wrong: Value,
    /// The version of Kubernetes that it is for, where it means nothing to the pinned one.
    kubernetes: Option<String>,
}

impl Line {
    /// The chart with the value that is tried, or without.
    fn template(&self, cx: &Context, tried: Option<&Value>) -> Result<Run> {
        let version = self.kubernetes.iter().flat_map(|version| ["--kube-version", version]);
        Ok(template(cx, &values_of(self, tried))?.args(version))
    }
}

async fn lint(cx: Context) -> Result<()> {
    let chart = chart::folder();
    let said = cx.helm()?.run(cx.admin(), ["lint", "--strict", &chart]).must().await?;
    ensure!(said.contains("0 chart(s) failed"), "helm lint says: {said}");
    Ok(())
}

async fn values(cx: Context) -> Result<()> {
    let path = crate::checkout().join("e2e/chart/values.yaml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let lines: Vec<Line> = serde_saphyr::from_str(&text).context("the values to try cannot be read")?;
    let attempts: Vec<_> = lines.into_iter().map(|line| tried(cx.clone(), line)).collect();
    let tried: Vec<()> = stream::iter(attempts).buffer_unordered(WIDTH).try_collect().await?;
    ensure!(!tried.is_empty(), "no value was tried");
    Ok(())
}

/// What a cluster says of itself, and in which version the mutating policies are written; or a webhook in their place, or why nothing is.
const SERVED: &[(&str, &[&str], Result<&str, &str>)] = &[
    ("1.36.0", &[], Ok("v1")),
    ("1.35.0", &[], Ok(WEBHOOK)),
    ("1.35.0", &["v1/Pod", STABLE, BETA], Ok("v1")),
    ("1.36.0", &["v1/Pod", STABLE, BETA], Ok("v1")),
    ("1.35.0", &["v1/Pod", BETA], Ok("v1beta1")),
    ("1.35.0", &[BETA], Ok("v1beta1")),
    ("1.34.4", &["v1/Pod"], Ok(WEBHOOK)),
    ("1.36.0", &["v1/Pod"], Ok(WEBHOOK)),
    ("1.33.9", &["v1/Pod"], Err("chart requires kubeVersion: >= 1.34.0-0")),
];
const WEBHOOK: &str = "a webhook";
const STABLE: &str = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy";
const BETA: &str = "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy";

async fn versions(cx: Context) -> Result<()> {
    for (version, kinds, expected) in SERVED {
        let kinds = kinds.iter().map(|kind| format!("--api-versions={kind}"));
        let run = template(&cx, &json!({}))?.args(["--kube-version", version]).args(kinds);
        let told = run.line();
        match expected {
            Err(reason) => drop(run.ran().await?.must_fail_with(reason)?),
            Ok(expected) => {
                let objects = chart::objects(&run.must().await?)?;
                let written = |start: &str| -> Vec<&str> {
                    let of = |object: &&Value| chart::called(object).starts_with(start);
                    let versions = objects.iter().filter(of).map(|object| object.get("apiVersion"));
                    versions.flatten().filter_map(Value::as_str).collect()
                };
                let group = "admissionregistration.k8s.io/";
                let (mutating, validating) = (written("MutatingAdmission"), written("ValidatingAdmission"));
                let webhooks = written("MutatingWebhook");
                let is_so = if *expected == WEBHOOK {
                    mutating.is_empty() && webhooks.len() == 1
                } else {
                    let versions = mutating.iter().map(|found| found.strip_prefix(group));
                    webhooks.is_empty()
                        && mutating.len() > 6
                        && versions.into_iter().all(|found| found == Some(expected))
                };
                let is_stable = validating.iter().all(|found| found.strip_prefix(group) == Some("v1"));
                ensure!(
                    is_so && is_stable && validating.len() > 12,
                    "{told}: {mutating:?}, {webhooks:?}, {validating:?}"
                );
            }
        }
    }
    Ok(())
}

async fn tried(cx: Context, line: Line) -> Result<()> {
    let told = || format!("{} set to {}", line.value, line.to);
    let default = rendered(&cx, &line, None).await?;
    let found = rendered(&cx, &line, Some(&line.to)).await?;
    let (default, found) = (object(&default, &line.object), object(&found, &line.object));
    if line.absent {
        ensure!(default.is_some(), "{} is never there", line.object);
        ensure!(found.is_none(), "{}: {} is there", told(), line.object);
    } else {
        let found = found.with_context(|| format!("{}: there is no {}", told(), line.object))?;
        let at = line.at.as_deref().context("nowhere to look")?;
        ensure!(shows(&line, found.pointer(at)), "{}: {:?}", told(), found.pointer(at));
        let before = default.and_then(|object| object.pointer(at));
        ensure!(!shows(&line, before), "{}: it is so by default", told());
    }
    let refused = line.template(&cx, Some(&line.wrong))?.ran().await?;
    let named = format!("'/{}", line.value.replace('.', "/"));
    refused.must_fail_with(&named).map(drop)
}

fn shows(line: &Line, found: Option<&Value>) -> bool {
    match (&line.is, &line.has) {
        (Some(is), _) => found == Some(is),
        (None, Some(has)) => found.and_then(Value::as_array).is_some_and(|list| list.contains(has)),
        (None, None) => false,
    }
}

/// Values as helm reads them, with the one that is tried or without.
fn values_of(line: &Line, tried: Option<&Value>) -> Value {
    let mut values = json!({});
    for (path, value) in line.with.iter().map(|(path, value)| (path.as_str(), value)) {
        set(&mut values, path, value);
    }
    if let Some(value) = tried {
        set(&mut values, &line.value, value);
    }
    values
}

fn set(values: &mut Value, path: &str, value: &Value) {
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Some(fields) = values.as_object_mut() else { return };
    match rest {
        Some(rest) => set(fields.entry(first).or_insert_with(|| json!({})), rest, value),
        None => {
            fields.insert(first.to_owned(), value.clone());
        }
    }
}

/// As for a cluster that has the Prometheus operator's kinds, too.
fn template(cx: &Context, values: &Value) -> Result<Run> {
    let run = chart::template(cx.cluster().tools(), cx.admin(), values)?;
    let kinds = ["ServiceMonitor", "PrometheusRule"];
    Ok(run.args(kinds.map(|kind| format!("--api-versions=monitoring.coreos.com/v1/{kind}"))))
}

async fn rendered(cx: &Context, line: &Line, tried: Option<&Value>) -> Result<Vec<Value>> {
    chart::objects(&line.template(cx, tried)?.must().await?)
}

fn object<'o>(objects: &'o [Value], name: &str) -> Option<&'o Value> {
    objects.iter().find(|object| chart::called(object) == name)
}
