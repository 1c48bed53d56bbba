//! One agent is one release, however it is written and wherever it is stored: the example as plain manifests, by the real helm under two
//! names, by the real kustomize with three prefixes and hash suffixes, and as the API server keeps it in three namespaces.

use crate::{
    example::Example,
    operator::built_program,
    program::Run,
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "one digest comes out of manifests, helm, kustomize and what is stored",
            one_digest,
        ),
        Case::new(
            &[],
            "a chart that edits its configuration in place is told so, with the fix",
            edited_in_place,
        ),
    ]
}

async fn one_digest(cx: Context) -> Result<()> {
    let example = Example::as_it_is();
    let mut found = BTreeMap::new();
    let plain = digest(&example, "agent", String::new()).await?;
    found.insert("agent/".to_owned(), plain.clone());
    for name in ["refund-triage", "eu-west-refunds"] {
        let rendered = rendered(&cx, &example, name, "chart").await?;
        found.insert(format!("helm template {name}"), digest(&example, "-", rendered).await?);
    }
    for overlay in ["dev", "staging", "prod"] {
        let folder = example.folder().join("kustomize/overlays").join(overlay);
        let build = cx
            .admin()
            .run(&cx.cluster().tools().path("kustomize")?)
            .arg("build")
            .arg(folder);
        found.insert(
            format!("kustomize {overlay}"),
            digest(&example, "-", build.must().await?).await?,
        );
    }
    for environment in ["dev", "staging", "prod"] {
        let stored = stored(&cx, &example, environment).await?;
        found.insert(format!("stored in {environment}"), digest(&example, "-", stored).await?);
    }
    ensure!(found.len() == 9, "only {} forms were looked at", found.len());
    ensure!(
        found.values().all(|digest| *digest == plain),
        "these are not one release: {found:#?}"
    );
    Ok(())
}

async fn edited_in_place(cx: Context) -> Result<()> {
    let example = Example::as_it_is();
    let (kept, edited) = (
        rendered(&cx, &example, "refunds", "chart").await?,
        rendered(&cx, &example, "refunds", "chart-stable-name").await?,
    );
    ensure!(
        reasons(&known("-", kept).await?) == Vec::<String>::new(),
        "the chart that is right is advised"
    );
    let agent = known("-", edited).await?;
    let said = reasons(&agent);
    ensure!(said == ["ConfigEditedInPlace", "ConfigNotKept"], "{said:?}");
    ensure!(
        agent.to_string().contains("name it by its content"),
        "no fix is named: {agent}"
    );
    Ok(())
}

async fn rendered(cx: &Context, example: &Example, name: &str, chart: &str) -> Result<String> {
    let chart = example.folder().join(chart).display().to_string();
    cx.helm()?.run(cx.admin(), ["template", name, &chart]).must().await
}

/// The Deployment and its configuration as the API server stores them, with a URL of their own, and the Agent.
async fn stored(cx: &Context, example: &Example, environment: &str) -> Result<String> {
    let namespace = cx.namespace(environment).await?;
    let mut objects = example.objects("agent/config.yaml")?;
    objects.extend(example.objects("agent/deployment.yaml")?);
    let text = Value::Array(objects).to_string();
    let text = text.replace("crm.prod.", &format!("crm.{environment}."));
    let objects: Vec<Value> = serde_json::from_str(&text).context("the example is not JSON any more")?;
    cx.admin().apply(&namespace, &objects).must().await?;
    let get = ["get", "deployments,configmaps", "-n", &namespace, "-o", "json"];
    let mut list: Value =
        serde_json::from_str(&cx.admin().kubectl(get).must().await?).context("kubectl gives no JSON")?;
    let items = list
        .get_mut("items")
        .and_then(Value::as_array_mut)
        .context("kubectl gives no list")?;
    for mut agent in example.objects("agent/agent.yaml")? {
        let metadata = agent.pointer_mut("/metadata").and_then(Value::as_object_mut);
        metadata
            .context("the Agent has no metadata")?
            .insert("namespace".to_owned(), json!(namespace));
        items.push(agent);
    }
    Ok(list.to_string())
}

async fn digest(example: &Example, place: &str, input: String) -> Result<String> {
    let place = match place {
        "-" => place.to_owned(),
        folder => example.folder().join(folder).display().to_string(),
    };
    let agent = known(&place, input).await?;
    let release = agent
        .get("release")
        .and_then(Value::as_str)
        .context("there is no release")?;
    Ok(release.to_owned())
}

/// What the product says of the only agent.
async fn known(place: &str, input: String) -> Result<Value> {
    let run = Run::new(built_program()?)
        .args(["digest", "-f", place, "-o", "json"])
        .input(input);
    let mut said: Value = serde_json::from_str(&run.must().await?).context("the product gives no JSON")?;
    let agents = said
        .get_mut("agents")
        .and_then(Value::as_array_mut)
        .context("there are no agents")?;
    ensure!(agents.len() == 1, "{} agents", agents.len());
    agents.pop().context("there is no agent")
}

fn reasons(agent: &Value) -> Vec<String> {
    let problems = agent.get("problems").and_then(Value::as_array).into_iter().flatten();
    problems
        .filter_map(|problem| Some(problem.get("reason")?.as_str()?.to_owned()))
        .collect()
}
