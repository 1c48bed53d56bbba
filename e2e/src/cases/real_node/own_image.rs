//! Vouchsafe before its own gate: its image is kept out until it is signed, and what it is made of is attested.

use crate::{
    await_::{Look, until},
    product,
    stage::{AgentOf, Stage},
    suite::Context,
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::batch::v1::Job;
use kube::{
    Api, ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};
use std::fs;
use vouchsafe_api::{Check, promotion::status::Verdict};

pub(super) async fn passes(cx: Context) -> Result<()> {
    cx.installed().await?;
    let (image, cosign) = (&cx.images()?.operator, cx.cosign().await?);
    let keys = cosign.keys(&cx.name("release")).await?;
    let stage = requiring(&cx, &keys.pem).await?;
    let agent = AgentOf {
        image: image.clone(),
        ..AgentOf::new("vouchsafe")
    };
    stage
        .apply(&[agent.config_map(), job(&agent)?, agent.agent("Job", "batch/v1")])
        .await?;
    let promotion = stage.promotion(&agent.name).await?.name_any();
    let waiting = stage.verdict(&promotion, Verdict::Waiting).await?;
    let checks = json!(waiting.status.unwrap_or_default().checks);
    ensure!(
        checks.pointer("/0/reason") == Some(&json!("SignatureMissing")),
        "before it is signed: {checks}"
    );
    stage.nothing_ran(&agent.selector()).await?;
    cosign.sign(&keys, image).await?;
    stage.verdict(&promotion, Verdict::Cleared).await?;
    ran(&stage, &agent).await?;
    is_attested(&cx, image, &keys).await
}

/// An environment that lets in what this key has signed.
async fn requiring(cx: &Context, key: &str) -> Result<Stage> {
    let check = cx.name("signed");
    let object = json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Check", "metadata": {"name": check},
        "spec": {"signature": {"of": ["Image"], "authorities": [{"name": "release", "key": key}]}}});
    let object: Check = serde_json::from_value(object).context("the Check is none")?;
    Api::<Check>::all(cx.client())
        .create(&PostParams::default(), &object)
        .await?;
    let spec = json!({"sensitivity": "High", "enforcement": "Hold", "unknownAuthor": "Accept", "requires": [{"check": check}]});
    Stage::on_node(cx, spec).await
}

/// A Job that has its only program say its version.
fn job(agent: &AgentOf) -> Result<Value> {
    let mut template = agent.template();
    let spec = template.pointer_mut("/spec").and_then(Value::as_object_mut);
    let spec = spec.context("no pod")?;
    spec.insert("restartPolicy".to_owned(), json!("Never"));
    let container = spec.get_mut("containers").and_then(|containers| containers.get_mut(0));
    let container = container.and_then(Value::as_object_mut).context("no container")?;
    container.insert("args".to_owned(), json!(["version"]));
    Ok(
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": agent.name}, "spec": {"template": template}}),
    )
}

/// The Job succeeds, and what ran is the image that was signed.
async fn ran(stage: &Stage, agent: &AgentOf) -> Result<()> {
    until("the Job to succeed", || async {
        let job = stage.api::<Job>().get(&agent.name).await?;
        let status = job.status.unwrap_or_default();
        Ok(Look::when(status, |status| status.succeeded == Some(1)))
    })
    .await?;
    let of_agent = ListParams::default().labels(&agent.selector());
    let pods = stage.pods().list(&of_agent).await?;
    let pod = pods.items.into_iter().next().context("the Job's pod is gone")?;
    let status = pod
        .status
        .and_then(|status| status.container_statuses?.into_iter().next());
    let status = status.context("the pod has no container")?;
    ensure!(status.image_id == agent.image, "`{}` ran", status.image_id);
    let ended = status.state.and_then(|state| state.terminated).context("it runs on")?;
    ensure!(ended.exit_code == 0, "it ended with {}", ended.exit_code);
    Ok(())
}

/// The SBOM lists every crate that the program is linked from, and no folder of this machine.
async fn is_attested(cx: &Context, image: &str, keys: &crate::cosign::Keys) -> Result<()> {
    let text = product::sbom().await?;
    ensure!(
        !text.contains(&crate::checkout().display().to_string()),
        "the SBOM names this checkout"
    );
    let path = cx.cluster().work().path("vouchsafe.cdx.json");
    fs::write(&path, &text).context("cannot write the SBOM")?;
    let cosign = cx.cosign().await?;
    cosign.attest(keys, image, "cyclonedx", &path).await?;
    let found = cosign.attested(keys, image, "cyclonedx").await?;
    ensure!(found.get("bomFormat") == Some(&json!("CycloneDX")), "attested: {found}");
    let components = found
        .get("components")
        .and_then(Value::as_array)
        .context("no components")?;
    for name in ["kube", "rustls", "aws-lc-sys", "vouchsafe-core"] {
        let component = components
            .iter()
            .find(|component| component.get("name") == Some(&json!(name)));
        let component = component.with_context(|| format!("`{name}` is not in the SBOM"))?;
        ensure!(
            component.get("licenses").is_some() && component.get("purl").is_some(),
            "of `{name}`: {component}"
        );
    }
    cx.tell(&format!("SBOM: {} components, attested and verified", components.len()));
    Ok(())
}
