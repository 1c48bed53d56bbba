//! What is expected of a live object's health, and awaiting that it is so.

use crate::{
    await_::{Look, until},
    gitops::{Judgement, Said},
    stage::Stage,
    suite::Context,
};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// What each of them should say.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    argocd: String,
    flux: String,
    kstatus: String,
    says: String,
}

/// An object of ours with a name.
pub(super) fn named(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// The words of Argo CD, of Flux by our checks, and of kstatus alone.
pub(super) fn expect(argocd: &str, flux: &str, kstatus: &str) -> Expected {
    Expected {
        argocd: argocd.to_owned(),
        flux: flux.to_owned(),
        kstatus: kstatus.to_owned(),
        says: String::new(),
    }
}

impl Expected {
    /// What is part of Argo CD's sentence.
    pub(super) fn saying(mut self, says: &str) -> Self {
        says.clone_into(&mut self.says);
        self
    }

    /// Nothing, when that is what was judged; else both.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn compare(&self, judged: &Judgement) -> Result<(), String> {
        // An expression that errs is `?` here: Flux does not know, and goes on waiting.
        let word = |said: &Said| {
            if said.error.is_empty() {
                said.status.clone()
            } else {
                "?".to_owned()
            }
        };
        let is = [&judged.argocd, &judged.flux, &judged.kstatus].map(word);
        if is == [&self.argocd, &self.flux, &self.kstatus].map(Clone::clone)
            && judged.argocd.message.contains(&self.says)
        {
            return Ok(());
        }
        Err(format!("{judged:?}, not {self:?}"))
    }
}

/// A namespace whose objects are judged; an empty one for what is in none.
pub(super) struct Shows<'a> {
    cx: &'a Context,
    namespace: &'a str,
}

impl<'a> Shows<'a> {
    pub(super) fn new(cx: &'a Context, namespace: &'a str) -> Self {
        Self { cx, namespace }
    }

    /// The object as the API server has it.
    pub(super) async fn live(&self, kind: &str, name: &str) -> Result<Value> {
        let of = match kind {
            "Deployment" => "deployments.apps".to_owned(),
            "Evidence" => "evidence.vouchsafe.dev".to_owned(),
            kind => format!("{}s.vouchsafe.dev", kind.to_lowercase()),
        };
        let mut args = vec!["get", &of, name, "-o", "json"];
        if !self.namespace.is_empty() {
            args.extend(["-n", self.namespace]);
        }
        let text = self.cx.admin().kubectl(args).must().await?;
        serde_json::from_str(&text).context("no JSON")
    }

    /// Awaits that the live object is judged like this.
    pub(super) async fn shows(&self, kind: &str, name: &str, expected: &Expected) -> Result<()> {
        let gitops = self.cx.gitops().await?;
        until(&format!("{kind} {name} to be shown as {expected:?}"), || async {
            let judged = gitops.judge(&[self.live(kind, name).await?]).await?;
            let judged = judged.first().context("no judgement")?;
            Ok(match expected.compare(judged) {
                Ok(()) => Look::Seen(()),
                Err(difference) => Look::NotYet(difference),
            })
        })
        .await
    }
}

impl Stage {
    /// Awaits that an object of the stage's namespace is judged like this.
    pub(super) async fn shows(&self, kind: &str, name: &str, expected: &Expected) -> Result<()> {
        Shows::new(&self.cx, &self.namespace).shows(kind, name, expected).await
    }
}
