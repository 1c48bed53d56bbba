//! How Argo CD and Flux apply what is in Git, by their own engines, in the name of whoever they are given.
//!
//! Takes objects, and those that are no longer in Git; gives what came of it. Their controllers and Git are not there: whoever calls decides when
//! there is another step.

use super::GitOps;
use crate::users::User;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// What is in Git, and in whose name it is applied where.
#[derive(Clone)]
pub struct Delivery<'a> {
    /// Whose rights are used.
    pub user: &'a User,
    /// The namespace of everything.
    pub namespace: &'a str,
    /// What is in Git.
    pub objects: &'a [Value],
    /// What was, and is pruned.
    pub stale: &'a [Value],
}

/// A sync operation of Argo CD so far.
#[derive(Debug, Clone, Deserialize)]
pub struct Operation {
    /// `Running`, `Succeeded`, `Failed` or `Error`.
    pub phase: String,
    /// What it waits for, or why it failed.
    pub message: String,
    /// The health of the Application.
    pub health: String,
    /// What came of each object.
    pub results: Value,
    /// All of it, for the next step.
    #[serde(skip)]
    whole: Value,
}

/// What came of a Kustomization of Flux.
#[derive(Debug, Clone, Deserialize)]
pub struct Reconciled {
    /// Each object, and whether it was created, configured or left unchanged.
    pub applied: Vec<String>,
    /// Each object that is no longer in Git, and whether it was deleted or skipped.
    pub pruned: Vec<String>,
    /// Why it is not Ready; empty when it is.
    #[serde(default)]
    pub unhealthy: String,
}

/// What Argo CD sends when somebody presses a button.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    /// `patch` or `create`.
    pub operation: String,
    /// A merge patch, or an object.
    pub body: Value,
}

impl Operation {
    /// Whether these words are in what it says, of itself or of an object.
    #[must_use]
    pub fn says(&self, words: &str) -> bool {
        self.message.contains(words) || self.results.to_string().contains(words)
    }
}

impl GitOps {
    /// One step of a sync operation: of the one so far, or of another.
    ///
    /// # Errors
    /// When the engine could not start.
    pub async fn sync(
        &self,
        git: &Delivery<'_>,
        options: &[&str],
        project: Option<&Value>,
        so_far: Option<&Operation>,
    ) -> Result<Operation> {
        let mut question = self.applied(git);
        if let Some(fields) = question.as_object_mut() {
            fields.insert("options".to_owned(), json!(options));
            fields.insert("project".to_owned(), json!(project));
            fields.insert("operation".to_owned(), json!(so_far.map(|operation| &operation.whole)));
        }
        let answer = self.ask("sync", &question).await?;
        let whole: Value = serde_json::from_str(&answer).context("no operation")?;
        let operation: Operation = serde_json::from_value(whole.clone()).context("no operation")?;
        Ok(Operation { whole, ..operation })
    }

    /// Applies and prunes, and waits this long until everything is healthy.
    ///
    /// # Errors
    /// When something could not be applied or pruned.
    pub async fn reconcile(&self, git: &Delivery<'_>, timeout: Duration) -> Result<Reconciled> {
        let mut question = self.applied(git);
        if let Some(fields) = question.as_object_mut() {
            fields.insert("timeout".to_owned(), json!(format!("{}s", timeout.as_secs())));
        }
        let answer = self.ask("flux", &question).await?;
        serde_json::from_str(&answer).context("nothing reconciled")
    }

    /// What Argo CD would request for a button: one of its own, or of these settings.
    ///
    /// # Errors
    /// When there is no such button.
    pub async fn act(&self, settings: &Value, object: &Value, action: &str) -> Result<Vec<Request>> {
        let question = json!({"configMap": settings, "object": object, "action": action});
        let answer = self.ask("act", &question).await?;
        serde_json::from_str(&answer).context("no requests")
    }

    fn applied(&self, git: &Delivery<'_>) -> Value {
        json!({
            "configMap": self.config_map, "healthCheckExprs": self.checks, "kubeconfig": git.user.kubeconfig,
            "namespace": git.namespace, "objects": git.objects, "stale": git.stale,
        })
    }
}
