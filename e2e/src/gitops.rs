//! How Argo CD and Flux judge objects, by their own code.
//!
//! Takes objects as the API server gives them, and what is shipped in `deploy/`: the health checks of the one in `deploy/argocd`, of the
//! other in `deploy/flux`. Gives what each of them says. Neither of them runs, and no cluster is asked, but by their [`engines`].

pub mod engines;

use crate::{
    program::Run,
    tools::{Progress, Tools},
};
use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf};

/// The program that is both.
#[derive(Debug, Clone)]
pub struct GitOps {
    program: PathBuf,
    config_map: Value,
    checks: Value,
}

/// What one of them says of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Said {
    /// Its word; empty when it says nothing of such objects.
    #[serde(default)]
    pub status: String,
    /// Its sentence.
    #[serde(default)]
    pub message: String,
    /// Why it could not say anything.
    #[serde(default)]
    pub error: String,
}

/// What all of them say of an object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Judgement {
    /// Argo CD, by our checks or by its own.
    pub argocd: Said,
    /// Flux, by our checks or by kstatus.
    pub flux: Said,
    /// kstatus alone, which is also what `helm --wait` asks.
    pub kstatus: Said,
}

/// What Argo CD's diff says.
#[derive(Debug, Clone, Deserialize)]
pub struct Difference {
    /// Whether the object is out of sync.
    pub modified: bool,
    /// The live object as it is compared.
    pub live: Value,
    /// The object as it would be after a sync.
    pub predicted: Value,
}

/// What a manifest of their own kinds is to them.
#[derive(Debug, Clone, Deserialize)]
pub struct Read {
    /// `Kind/name`.
    pub name: String,
    /// What is wrong with it; empty when nothing is.
    #[serde(default)]
    pub error: String,
    /// For an `AppProject`: whether it lets an Application have objects of these kinds of ours.
    #[serde(default)]
    pub permits: BTreeMap<String, bool>,
}

/// A YAML file of the checkout.
///
/// # Errors
/// When it cannot be read.
pub fn file(path: &str) -> Result<Value> {
    let text =
        std::fs::read_to_string(crate::checkout().join(path)).with_context(|| format!("cannot read `{path}`"))?;
    serde_saphyr::from_str(&text).with_context(|| format!("`{path}` is no YAML"))
}

impl GitOps {
    /// Builds the program if it is not there, and reads what is shipped.
    ///
    /// # Errors
    /// When it cannot be built, or a file cannot be read.
    pub async fn prepare() -> Result<Self> {
        let progress: Progress = |program, elapsed| eprintln!("building {program} ({} s)", elapsed.as_secs());
        let program = tokio::task::spawn_blocking(move || Tools::gitops(progress)).await??;
        let kustomization = file("deploy/flux/health-checks.yaml")?;
        let checks = kustomization.pointer("/spec/healthCheckExprs");
        Ok(Self {
            program,
            config_map: file("deploy/argocd/argocd-cm.yaml")?,
            checks: checks.cloned().context("no healthCheckExprs")?,
        })
    }

    /// What they say of each of these objects.
    ///
    /// # Errors
    /// When the program fails.
    pub async fn judge(&self, objects: &[Value]) -> Result<Vec<Judgement>> {
        let question = json!({"configMap": self.config_map, "healthCheckExprs": self.checks, "objects": objects});
        let answer = self.ask("health", &question).await?;
        let judged: Vec<Judgement> = serde_json::from_str(&answer).context("no judgement")?;
        ensure!(judged.len() == objects.len(), "{} judgements", judged.len());
        Ok(judged)
    }

    /// What Argo CD's diff says of objects in Git and those in the cluster, each beside the other.
    ///
    /// # Errors
    /// When the program fails.
    pub async fn diff(&self, desired: &[Value], live: &[Value]) -> Result<Vec<Difference>> {
        let pairs = desired.iter().zip(live);
        let pairs: Vec<_> = pairs
            .map(|(desired, live)| json!({"desired": desired, "live": live}))
            .collect();
        let answer = self.ask("diff", &json!(pairs)).await?;
        let found: Vec<Difference> = serde_json::from_str(&answer).context("no difference")?;
        ensure!(
            found.len() == desired.len() && found.len() == live.len(),
            "{} differences",
            found.len()
        );
        Ok(found)
    }

    /// Their own manifests, read as their own types and no field more; `kinds` are ours, for `AppProject`s.
    ///
    /// # Errors
    /// When the program fails, or something is of none of their kinds.
    pub async fn read(&self, objects: &[Value], kinds: &[&str]) -> Result<Vec<Read>> {
        let answer = self.ask("strict", &json!({"objects": objects, "kinds": kinds})).await?;
        serde_json::from_str(&answer).context("no answer")
    }

    async fn ask(&self, verb: &str, question: &Value) -> Result<String> {
        Run::new(&self.program)
            .arg(verb)
            .input(question.to_string())
            .must()
            .await
    }
}
