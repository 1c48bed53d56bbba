//! Attempts: what somebody asks of the API server, and what it answers.
//!
//! Takes any object as JSON, with fields that no type of ours knows; gives what would be stored, or the refusal in the API server's words.

use crate::{cluster::Cluster, pods::GATE, users::User};
use anyhow::{Context, Result, bail, ensure};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use serde_json::Value;

/// What came of an attempt.
#[derive(Debug)]
pub enum Answer {
    /// It was refused, in these words.
    Refused(String),
    /// It was taken; this is what is, or with a dry run would be, stored.
    Taken(Value),
}

impl Answer {
    /// Fails unless it was refused for this reason.
    ///
    /// # Errors
    /// When it was taken, or refused for another reason.
    pub fn refused_with(self, what: &str, reason: &str) -> Result<()> {
        match self {
            Self::Refused(words) if words.contains(reason) => Ok(()),
            Self::Refused(words) => bail!("{what}: refused, but not with `{reason}`: {words}"),
            Self::Taken(object) => bail!("{what}: taken, and should be refused with `{reason}`: {object}"),
        }
    }

    /// What was taken.
    ///
    /// # Errors
    /// When it was refused.
    pub fn taken(self, what: &str) -> Result<Value> {
        match self {
            Self::Refused(words) => bail!("{what}: refused, and should be taken: {words}"),
            Self::Taken(object) => Ok(object),
        }
    }

    /// Fails unless it is a pod that waits at our gate.
    ///
    /// # Errors
    /// When it was refused, or is free to run.
    pub fn held(self, what: &str) -> Result<()> {
        let pod = self.taken(what)?;
        ensure!(is_gated(&pod), "{what}: free to run, and should be held: {pod}");
        Ok(())
    }

    /// The pod, which is free to run.
    ///
    /// # Errors
    /// When it was refused or held.
    pub fn free(self, what: &str) -> Result<Value> {
        let pod = self.taken(what)?;
        ensure!(!is_gated(&pod), "{what}: held, and should be free to run: {pod}");
        Ok(pod)
    }
}

/// Whether a pod has our gate.
#[must_use]
pub fn is_gated(pod: &Value) -> bool {
    let gates = pod.pointer("/spec/schedulingGates").and_then(Value::as_array);
    let ours = |gate: &Value| gate.get("name").and_then(Value::as_str) == Some(GATE);
    gates.is_some_and(|gates| gates.iter().any(ours))
}

/// Somebody's API of a kind, in a namespace or outside of all.
#[must_use]
pub fn api(user: &User, namespace: Option<&str>, api_version: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let gvk = GroupVersionKind::gvk(group, version, kind);
    let resource = match kind {
        "Evidence" => ApiResource::from_gvk_with_plural(&gvk, "evidence"),
        _ => ApiResource::from_gvk(&gvk),
    };
    match namespace {
        Some(namespace) => Api::namespaced_with(user.client.clone(), namespace, &resource),
        None => Api::all_with(user.client.clone(), &resource),
    }
}

/// The administrator's API of a kind of policies, bindings or webhooks, in the version that this cluster serves.
#[must_use]
pub fn policies(cluster: &Cluster, kind: &str) -> Api<DynamicObject> {
    let is_stable = !kind.starts_with("MutatingAdmission") || cluster.tools().kubernetes().has_stable_mutations();
    let version = if is_stable {
        "admissionregistration.k8s.io/v1"
    } else {
        "admissionregistration.k8s.io/v1beta1"
    };
    api(cluster.admin(), None, version, kind)
}

/// The kinds of policies, bindings and webhooks of ours that this cluster has.
#[must_use]
pub fn installed_kinds(cluster: &Cluster) -> Vec<&'static str> {
    let (judge, mutate, webhook) = (
        ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
        ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"],
        ["MutatingWebhookConfiguration"],
    );
    let is_webhook = !cluster.tools().kubernetes().serves_mutations();
    let holds: &[&str] = if is_webhook { &webhook } else { &mutate };
    judge.iter().chain(holds).copied().collect()
}

/// Creates an object for real.
///
/// # Errors
/// When the API server gives no answer, or the object is none.
pub async fn create(user: &User, namespace: Option<&str>, object: &Value) -> Result<Answer> {
    post(user, namespace, object, PostParams::default()).await
}

/// Asks what would come of creating an object.
///
/// # Errors
/// When the API server gives no answer, or the object is none.
pub async fn try_create(user: &User, namespace: &str, object: &Value) -> Result<Answer> {
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    post(user, Some(namespace), object, dry_run).await
}

async fn post(user: &User, namespace: Option<&str>, object: &Value, params: PostParams) -> Result<Answer> {
    let word = |field: &str| object.get(field).and_then(Value::as_str).context("no kind");
    let api = api(user, namespace, word("apiVersion")?, word("kind")?);
    let object: DynamicObject = serde_json::from_value(object.clone()).context("this is no object")?;
    answered(api.create(&params, &object).await)
}

/// Changes an object, or a subresource of it, by a strategic merge patch where its kind knows that, else by a merge patch.
///
/// # Errors
/// When the API server gives no answer.
pub async fn patch(api: &Api<DynamicObject>, name: &str, subresource: Option<&str>, change: &Value) -> Result<Answer> {
    let (params, group) = (
        PatchParams::default(),
        api.resource_url().starts_with("/apis/vouchsafe.dev/"),
    );
    let change = if group {
        Patch::Merge(change)
    } else {
        Patch::Strategic(change)
    };
    let answer = match subresource {
        Some(subresource) => api.patch_subresource(subresource, name, &params, &change).await,
        None => api.patch(name, &params, &change).await,
    };
    answered(answer)
}

/// Changes an object by a merge patch, which replaces lists as a whole.
///
/// # Errors
/// When the API server gives no answer.
pub async fn merge(api: &Api<DynamicObject>, name: &str, change: &Value) -> Result<Answer> {
    answered(api.patch(name, &PatchParams::default(), &Patch::Merge(change)).await)
}

/// Deletes an object.
///
/// # Errors
/// When the API server gives no answer.
pub async fn delete(api: &Api<DynamicObject>, name: &str) -> Result<Answer> {
    let answer = api.delete(name, &kube::api::DeleteParams::default()).await;
    answered(answer.map(|_| DynamicObject::new(name, &ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&()))))
}

fn answered(answer: kube::Result<DynamicObject>) -> Result<Answer> {
    match answer {
        Ok(object) => Ok(Answer::Taken(
            serde_json::to_value(object).context("the answer is no JSON")?,
        )),
        Err(kube::Error::Api(status)) if (400..500).contains(&status.code) => {
            Ok(Answer::Refused(status.message.clone()))
        }
        Err(error) => Err(error).context("the API server gave no answer"),
    }
}
