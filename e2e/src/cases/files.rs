//! Verbs that write files for Git: digests in the place of tags, and Agents for workloads that are there already.

use super::verbs::verb;
use crate::{
    operator::built_program,
    program::Run,
    registry::Registry,
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
};
use anyhow::{Result, ensure};
use serde_json::json;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "tags become digests by the registry's own content, and comments stay",
            pin,
        ),
        Case::new(
            &[],
            "an existing workload is adopted by an Agent that the API server takes",
            adopt,
        ),
    ]
}

async fn pin(cx: Context) -> Result<()> {
    let registry = cx.registry().await?;
    let repository = cx.name("agent");
    let manifest = tagged(registry, &repository).await?;
    let image = format!("{}/{repository}:1.0", registry.address());
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}} # stays\nspec: {{containers: [{{name: a, image: '{image}'}}]}} # so\n"
    );
    let program = built_program()?;
    let line = ["pin", "-f", "-", "--write", "--plain-http-registry", registry.address()];
    let pinned = Run::new(&program).args(line).input(pod.clone()).must().await?;
    ensure!(
        pinned == pod.replace(&image, &format!("{image}@{manifest}")),
        "pinned: {pinned}"
    );
    let line = ["pin", "-f", "-"];
    let refused = Run::new(&program).args(line).input(pod).ran().await?;
    refused.must_fail_with("fix: name it with --private-registry").map(drop)
}

/// Pushes a small image under a tag; the digest of its manifest.
async fn tagged(registry: &Registry, repository: &str) -> Result<String> {
    let config =
        r#"{"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}"#;
    let digest = registry.push_blob(repository, config.as_bytes()).await?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [],
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.len()},
    });
    registry
        .push_manifest(repository, Some("1.0"), &manifest.to_string())
        .await
}

async fn adopt(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.apply(&[agent.config_map(), agent.deployment()]).await?;
    let written = verb(&stage, &stage.editor, &["adopt", "deployment/refund"])
        .must()
        .await?;
    ensure!(
        written.contains("path: /etc/agent/system.md"),
        "the prompt was not found: {written}"
    );
    let apply = ["apply", "--validate=strict", "-n", &stage.namespace, "-f", "-"];
    stage.editor.kubectl(apply).input(written).must().await?;
    let promotion = stage.promotion("refund").await?;
    let missing = verb(&stage, &stage.editor, &["adopt", "deployment/other"])
        .ran()
        .await?;
    missing.must_fail_with("there is no Deployment `other`")?;
    ensure!(
        promotion.spec.agent == "refund",
        "the Promotion is of {}",
        promotion.spec.agent
    );
    Ok(())
}
