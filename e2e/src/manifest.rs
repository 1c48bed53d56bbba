//! `deploy/install/install.yaml`: what the chart says with its own values, for whoever does without Helm. Written by `make generate`.
//!
//! Takes the chart and the real helm; gives the file's text. No cluster is asked.

use crate::{
    chart::{self, NAME, NAMESPACE},
    checkout,
    program::Run,
    tools::{Kubernetes, Tools},
};
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;

/// The line by which Helm knows its own: these objects are nobody's but who applies them.
const MANAGED: &str = "app.kubernetes.io/managed-by: Helm";

/// Where the file and the kustomization around it lie.
#[must_use]
pub fn folder() -> PathBuf {
    checkout().join("deploy").join("install")
}

/// The file's name.
pub const FILE: &str = "install.yaml";

/// The file's text, as it has to be.
///
/// # Errors
/// When helm fails.
pub async fn text(tools: &Tools) -> Result<String> {
    let (chart, version) = (chart::folder(), Kubernetes::PINNED.version.trim_start_matches('v'));
    let place = ["-n", NAMESPACE, "--kube-version", version];
    let args = ["template", NAME, &chart, "--skip-tests"].into_iter().chain(place);
    let rendered = Run::new(tools.path("helm")?).args(args).must().await?;
    let mut text = format!(
        "# Generated from charts/vouchsafe with its own values: make generate. How to apply it: docs/book/install.md\n\
         apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n  labels:\n    app.kubernetes.io/name: {NAME}\n"
    );
    let mut dropped = 0;
    for line in rendered.lines() {
        if line.trim() == MANAGED {
            dropped += 1;
        } else {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    ensure!(dropped > 10, "only {dropped} objects are labelled as Helm's");
    Ok(text)
}

/// Writes the file.
///
/// # Errors
/// When helm fails, or the file cannot be written.
pub async fn write(tools: &Tools) -> Result<PathBuf> {
    let path = folder().join(FILE);
    std::fs::write(&path, text(tools).await?).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(path)
}

/// The file's text, as it lies there.
///
/// # Errors
/// When it cannot be read.
pub fn stored() -> Result<String> {
    let path = folder().join(FILE);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
}
