//! Exactly what was there comes back, without the operator.

use super::{
    equipped::{administrator, cleared, objects},
    refused, service,
};
use crate::{
    attempt::{api, create},
    pods::await_running,
    stage::{Stage, one_approval},
    suite::Context,
    users::User,
};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The release of helm.
const RELEASE: &str = "refund";

pub(super) async fn dead(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let admin = administrator(&cx, &stage.namespace).await?;
    let chart = chart(&stage)?;
    helm(&stage, &admin, &["install", RELEASE], Some(&chart)).await?;
    cleared(&stage).await?;
    helm(&stage, &admin, &["upgrade", RELEASE, "--set", "word=two"], Some(&chart)).await?;
    ensure!(word(&stage).await? == "two", "the upgrade changed nothing");
    let operator = cx.operator().await?;
    operator.kill()?;
    let result = without(&stage, &admin, &chart).await;
    operator.start().await?;
    result
}

async fn without(stage: &Stage, admin: &User, chart: &Path) -> Result<()> {
    helm(stage, admin, &["rollback", RELEASE, "1"], None).await?;
    ensure!(word(stage).await? == "one", "the rollback changed nothing");
    helm(stage, admin, &["uninstall", RELEASE, "--wait"], None).await?;
    let elsewhere = create(admin, Some(&stage.namespace), &service("tools", "other")).await?;
    refused(elsewhere, "another Service", "leads elsewhere than it did")?;
    helm(stage, admin, &["install", RELEASE], Some(chart)).await?;
    await_running(&stage.pods(), "app=refund", 1).await.map(drop)
}

async fn helm(stage: &Stage, admin: &User, words: &[&str], chart: Option<&Path>) -> Result<()> {
    let chart = chart.map(|chart| chart.display().to_string());
    let mut args = words.to_vec();
    args.extend(chart.as_deref());
    args.extend(["-n", stage.namespace.as_str()]);
    stage.cx.helm()?.run(admin, args).must().await.map(drop)
}

/// What the last upgrade wrote on the Role.
async fn word(stage: &Stage) -> Result<String> {
    let roles = api(stage.cx.admin(), Some(&stage.namespace), super::RBAC, "Role");
    let labels = roles.get("refund").await?.metadata.labels.unwrap_or_default();
    labels.get("word").cloned().context("no word")
}

/// The agent as a chart, each object with a label that is a value.
fn chart(stage: &Stage) -> Result<PathBuf> {
    let folder = stage.cx.cluster().work().path(&stage.cx.name("chart"));
    fs::create_dir_all(folder.join("templates"))?;
    fs::write(
        folder.join("Chart.yaml"),
        "apiVersion: v2\nname: refund\nversion: 0.1.0\n",
    )?;
    fs::write(folder.join("values.yaml"), "word: one\n")?;
    for (number, mut object) in objects(&stage.namespace)?.into_iter().enumerate() {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("labels".to_owned(), json!({"word": "{{ .Values.word }}"}));
        }
        fs::write(folder.join(format!("templates/{number}.yaml")), object.to_string())?;
    }
    Ok(folder)
}
