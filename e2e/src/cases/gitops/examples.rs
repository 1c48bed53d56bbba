//! The example for GitOps: what Argo CD and Flux are given is of their own types, and says what the book says of it.

use super::deployer::{Way, documents, in_sync, parse, settings};
use crate::{
    chart, gitops,
    program::Run,
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;

/// All of ours.
const KINDS: [&str; 8] = [
    "Agent",
    "Environment",
    "Check",
    "Promotion",
    "Evidence",
    "Approval",
    "Waiver",
    "Clearance",
];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "the examples for Argo CD and Flux are of their own types, and build",
            examples,
        )
        .patience(super::PATIENCE),
        Case::new(
            &[],
            "the settings of Argo CD take our health checks beside others",
            patched,
        ),
        Case::new(&[], "what the chart installs does not drift", chart_in_sync).patience(super::PATIENCE),
    ]
}

async fn build(cx: &Context, folder: &Path) -> Result<Vec<Value>> {
    let kustomize = Run::new(cx.cluster().tools().path("kustomize")?);
    parse(&kustomize.arg("build").arg(folder).must().await?)
}

async fn examples(cx: Context) -> Result<()> {
    let example = crate::checkout().join("examples/gitops");
    let mut objects = Vec::new();
    for folder in ["argocd", "flux", "flux/helm"] {
        let built = build(&cx, &example.join(folder)).await?;
        let theirs = built.into_iter().filter(|object| !is_of_kubernetes(object));
        objects.extend(theirs);
    }
    ensure!(objects.len() == 16, "{} objects", objects.len());
    misspelt(&cx, &objects).await?;
    for read in cx.gitops().await?.read(&objects, &KINDS).await? {
        ensure!(read.error.is_empty(), "{}: {}", read.name, read.error);
        let permitted: Vec<_> = read
            .permits
            .iter()
            .filter(|(_, is)| **is)
            .map(|(kind, _)| kind.as_str())
            .collect();
        match read.name.as_str() {
            "AppProject/policies" => ensure!(permitted == ["Check", "Environment"], "{permitted:?}"),
            "AppProject/support" => ensure!(permitted == ["Agent", "Clearance", "Promotion"], "{permitted:?}"),
            _ => {}
        }
    }
    checked(&objects)?;
    paths(&objects)?;
    waves()
}

/// A field that is not theirs is an error: what is said of the others counts.
async fn misspelt(cx: &Context, objects: &[Value]) -> Result<()> {
    let mut object = objects.first().context("no object")?.clone();
    let spec = object.get_mut("spec").and_then(Value::as_object_mut);
    spec.context("no spec")?.insert("destinatoin".to_owned(), json!({}));
    let read = cx.gitops().await?.read(&[object], &[]).await?;
    ensure!(
        read.iter().all(|read| read.error.contains("destinatoin")) && read.len() == 1,
        "{read:?}"
    );
    Ok(())
}

fn is_of_kubernetes(object: &Value) -> bool {
    let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    version == "v1" || version.ends_with(".k8s.io/v1")
}

/// Every Kustomization of Flux has the shipped checks.
fn checked(objects: &[Value]) -> Result<()> {
    let shipped = gitops::file("deploy/flux/health-checks.yaml")?;
    let all = objects
        .iter()
        .filter(|object| object.get("kind") == Some(&json!("Kustomization")));
    let with = all
        .clone()
        .filter(|object| object.pointer("/spec/healthCheckExprs") == shipped.pointer("/spec/healthCheckExprs"));
    ensure!(
        with.count() == 4 && all.count() == 4,
        "a Kustomization without health checks"
    );
    Ok(())
}

/// What they point at is there.
fn paths(objects: &[Value]) -> Result<()> {
    let mut found = 0;
    for path in ["/spec/path", "/spec/source/path", "/spec/chart/spec/chart"] {
        for object in objects {
            if let Some(path) = object.pointer(path).and_then(Value::as_str) {
                ensure!(crate::checkout().join(path).is_dir(), "there is no `{path}`");
                found += 1;
            }
        }
    }
    ensure!(found == 11, "{found} paths");
    Ok(())
}

/// Checks, then Environments, then namespaces, then what is in them.
fn waves() -> Result<()> {
    let mut seen = Vec::new();
    for file in ["checks", "environments", "namespaces"] {
        for object in documents(&format!("examples/refund-triage/policies/{file}.yaml"))? {
            let wave = object.pointer("/metadata/annotations/argocd.argoproj.io~1sync-wave");
            let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
            seen.push(format!("{kind} {}", wave.and_then(Value::as_str).unwrap_or("0")));
        }
    }
    seen.dedup();
    let expected = ["Check -3", "Environment -2", "Namespace -1", "ServiceAccount 0"];
    ensure!(seen == expected, "{seen:?}");
    Ok(())
}

/// The operator runs and writes no field of what the chart renders; the API server gives none another form.
async fn chart_in_sync(cx: Context) -> Result<()> {
    cx.operator().await?;
    let values = json!({"replicas": 0, "webhook": {"url": chart::asked_at(cx.cluster())}});
    let rendered = chart::template(cx.cluster().tools(), cx.admin(), &values)?;
    // The pod of `helm test` is no part of what is installed.
    let rendered = rendered.arg("--skip-tests");
    let objects = chart::objects(&rendered.must().await?)?;
    ensure!(objects.len() > 30, "{} objects", objects.len());
    const PROBE: &str = "vouchsafe-probe";
    let in_probe = |object: &Value| object.pointer("/metadata/namespace") == Some(&json!(PROBE));
    let (probe, others): (Vec<_>, Vec<_>) = objects.into_iter().partition(in_probe);
    ensure!(!probe.is_empty(), "nothing in {PROBE}");
    in_sync(Way::ArgoServerSide, cx.admin(), &cx, PROBE, &probe).await?;
    in_sync(Way::ArgoServerSide, cx.admin(), &cx, chart::NAMESPACE, &others).await
}

/// By the command in the file's head, and as a component of a kustomization.
async fn patched(cx: Context) -> Result<()> {
    let namespace = cx.namespace("argocd").await?;
    let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": {"url": "https://argocd.example.com"}});
    cx.admin()
        .apply(&namespace, std::slice::from_ref(&other))
        .must()
        .await?;
    let file = crate::checkout()
        .join("deploy/argocd/argocd-cm.yaml")
        .display()
        .to_string();
    let patch = [
        "patch",
        "configmap",
        "argocd-cm",
        "-n",
        &namespace,
        "--type",
        "merge",
        "--patch-file",
        &file,
    ];
    cx.admin().kubectl(patch).must().await?;
    let get = ["get", "configmap", "argocd-cm", "-n", &namespace, "-o", "json"];
    let by_command: Value = serde_json::from_str(&cx.admin().kubectl(get).must().await?)?;
    holds_both(&by_command)?;

    let folder = tempfile::tempdir().context("no folder")?;
    let component = folder.path().join("component");
    std::fs::create_dir(&component)?;
    for file in ["kustomization.yaml", "argocd-cm.yaml"] {
        std::fs::copy(crate::checkout().join("deploy/argocd").join(file), component.join(file))?;
    }
    std::fs::write(folder.path().join("argocd-cm.yaml"), other.to_string())?;
    let kustomization = json!({"resources": ["argocd-cm.yaml"], "components": ["component"]});
    std::fs::write(folder.path().join("kustomization.yaml"), kustomization.to_string())?;
    let built = build(&cx, folder.path()).await?;
    holds_both(built.first().context("nothing was built")?)
}

fn holds_both(settings_there: &Value) -> Result<()> {
    let data = settings_there
        .get("data")
        .and_then(Value::as_object)
        .context("no data")?;
    let shipped = settings()?;
    let shipped = shipped.get("data").and_then(Value::as_object).context("no data")?;
    ensure!(
        data.len() == KINDS.len() + 1 && data.contains_key("url"),
        "{:?}",
        data.keys()
    );
    ensure!(
        shipped.iter().all(|(key, lua)| data.get(key) == Some(lua)),
        "not what is shipped"
    );
    Ok(())
}
