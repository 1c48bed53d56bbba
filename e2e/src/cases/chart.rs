//! The chart, before any operator runs: it installs, and takes nothing from namespaces that are not governed.

use crate::{
    await_::{Look, until},
    operator::built_program,
    pods::{await_running, none_has_run},
    suite::{Case, Context},
    workloads::{IMAGE, deployment, pod},
};
use anyhow::Result;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "a namespace that is not governed is left alone without an operator",
            ungoverned_runs,
        ),
        Case::new(
            &[],
            "a governed namespace is closed until a ledger is there",
            closed_without_ledger,
        ),
        Case::new(
            &[],
            "what helm test runs fails where the gate is open, and where nothing can be tried",
            probe,
        ),
    ]
}

async fn ungoverned_runs(cx: Context) -> Result<()> {
    cx.chart().await?;
    let namespace = cx.namespace("free").await?;
    let editor = cx.editor(&namespace).await?;
    editor
        .apply(&namespace, &[deployment("agent", IMAGE, 2)])
        .must()
        .await?;
    await_running(&editor.api(&namespace), "app=agent", 2).await?;
    Ok(())
}

async fn closed_without_ledger(cx: Context) -> Result<()> {
    cx.chart().await?;
    let namespace = cx.governed_namespace("prod", &cx.name("prod")).await?;
    let editor = cx.editor(&namespace).await?;
    editor
        .apply(&namespace, &[pod("agent", IMAGE)])
        .ran()
        .await?
        .must_fail_with("vouchsafe")?;
    none_has_run(&editor.api(&namespace), "app=agent").await
}

async fn probe(cx: Context) -> Result<()> {
    cx.chart().await?;
    let (free, closed) = (
        cx.namespace("free").await?,
        cx.governed_namespace("prod", &cx.name("prod")).await?,
    );
    for (namespace, code, words) in [
        (free.as_str(), 1, "an uncleared pod was let in"),
        (&closed, 0, "'vouchsafe-pods'"),
        ("not-there", 1, "there is no namespace `not-there`"),
    ] {
        // It may need a moment: the namespace's service account, and the policies after their installation.
        until(&format!("`{words}` from {namespace}"), || async {
            let run = cx.admin().run(&built_program()?);
            let ran = run.args(["probe", "--namespace", namespace]).ran().await?;
            Ok(Look::when(ran, |ran| {
                ran.code == Some(code) && ran.stdout.contains(words)
            }))
        })
        .await?;
    }
    Ok(())
}
