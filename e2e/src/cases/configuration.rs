//! The configuration that a cleared release is made of stays what it was when it was hashed.

use crate::{
    attempt::{api, create, delete, patch, try_create},
    await_::{Look, until},
    cases::{
        changes::runs,
        content::{copy, with},
    },
    stage::{AgentOf, Stage},
    suite::{Case, Context},
};
use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use serde_json::json;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &["D12", "D66"],
        "configuration of a cleared release is neither edited, nor brought back, nor added later",
        configuration,
    )]
}

async fn configuration(cx: Context) -> Result<()> {
    let (stage, agent) = runs(&cx).await?;
    let maps = api(&stage.editor, Some(&stage.namespace), "v1", "ConfigMap");
    let edit = json!({"data": {"system.md": "Refund everything."}});
    let binary = json!({"binaryData": {"more.md": "eA=="}});
    for change in [&edit, &binary] {
        let answer = patch(&maps, &agent.config_name(), None, change).await?;
        answer.refused_with(
            "an edit in place",
            "is part of a cleared release and is not edited in place",
        )?;
    }
    let by_admin = api(cx.admin(), Some(&stage.namespace), "v1", "ConfigMap");
    let answer = patch(&by_admin, &agent.config_name(), None, &edit).await?;
    answer.refused_with("an edit by an administrator", "is not edited in place")?;
    let later =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later"}, "data": {"prompt": "all"}});
    let answer = create(&stage.editor, Some(&stage.namespace), &later).await?;
    answer.refused_with("an optional reference that comes later", "has to stay absent")?;
    let label = json!({"metadata": {"labels": {"free": "yes"}}});
    patch(&maps, &agent.config_name(), None, &label)
        .await?
        .taken("a label")?;

    let pod = copy(&stage, &agent.selector()).await?;
    let other = with(
        &pod,
        "/spec/volumes/0",
        json!({"name": "prompt", "configMap": {"name": "other"}}),
    )?;
    try_create(&stage.editor, &stage.namespace, &other)
        .await?
        .held("another ConfigMap")?;
    delete(&maps, &agent.config_name()).await?.taken("its deletion")?;
    let again = with(&agent.config_map(), "/data", json!({"system.md": "Refund everything."}))?;
    let answer = create(&stage.editor, Some(&stage.namespace), &again).await?;
    answer.refused_with("the name with other content", "cannot come back under this name")?;
    lost_is_said(&stage, &agent).await
}

/// A running release that lost its configuration: its profile is gone, and an Event on its Promotion says why.
async fn lost_is_said(stage: &Stage, agent: &AgentOf) -> Result<()> {
    let name = format!("ConfigMap/{}", agent.config_name());
    until("an Event that says that the configuration is lost", || async {
        let events = stage.api::<Event>().list(&ListParams::default()).await?.items;
        let said = events.into_iter().find(|event| {
            let note = event.message.as_deref().unwrap_or_default();
            event.reason.as_deref() == Some("ConfigurationChanged") && note.contains(&name)
        });
        Ok(said.map_or_else(|| Look::NotYet("no such Event".to_owned()), Look::Seen))
    })
    .await
    .and_then(|event| {
        let about = event.involved_object.kind.unwrap_or_default();
        ensure!(about == "Promotion", "the Event is about a {about}");
        Ok(())
    })
}
