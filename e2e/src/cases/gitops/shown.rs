//! What is expected of a live object's health, and awaiting that it is so.

use crate::{
    await_::{Look, until},
    gitops::{Judgement, Said},
    stage::Stage,
    suite::Context,
};
use anyhow::{Context as _, Result};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};
use tokio::sync::Mutex;

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
        let (group, version) = match kind {
            "Deployment" => ("apps", "v1"),
            _ => ("vouchsafe.dev", "v1alpha1"),
        };
        let plural = match kind {
            "Evidence" => "evidence".to_owned(),
            kind => format!("{}s", kind.to_lowercase()),
        };
        let of = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural);
        let client = self.cx.client();
        let objects: Api<DynamicObject> = match self.namespace {
            "" => Api::all_with(client, &of),
            namespace => Api::namespaced_with(client, namespace, &of),
        };
        serde_json::to_value(objects.get(name).await?).context("no JSON")
    }

    /// Awaits that the live object is judged like this.
    pub(super) async fn shows(&self, kind: &str, name: &str, expected: &Expected) -> Result<()> {
        let gitops = self.cx.gitops().await?;
        let judged = Mutex::new((Value::Null, String::new()));
        until(&format!("{kind} {name} to be shown as {expected:?}"), || async {
            let live = self.live(kind, name).await?;
            let mut last = judged.lock().await;
            // The same object is judged the same.
            if last.0 == live {
                return Ok(Look::NotYet(last.1.clone()));
            }
            let judged = gitops.judge(std::slice::from_ref(&live)).await?;
            Ok(match expected.compare(judged.first().context("no judgement")?) {
                Ok(()) => Look::Seen(()),
                Err(difference) => {
                    *last = (live, difference.clone());
                    Look::NotYet(difference)
                }
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
