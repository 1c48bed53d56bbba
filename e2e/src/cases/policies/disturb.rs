//! What is done to policies and bindings, and how they become again what they were.

use crate::{
    attempt::{installed_kinds, patch, policies},
    suite::Context,
};
use anyhow::{Context as _, Result, ensure};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, PostParams},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vouchsafe_api::environment::status::InstalledPolicies;

const POLICY: &str = "ValidatingAdmissionPolicy";
pub(super) const BINDING: &str = "ValidatingAdmissionPolicyBinding";
const MUTATION: &str = "MutatingAdmissionPolicy";
const MUTATION_BINDING: &str = "MutatingAdmissionPolicyBinding";
const WEBHOOK: &str = "MutatingWebhookConfiguration";
/// A binding of a policy of ours that is not ours.
const FOREIGN: &str = "somebodys";

/// What is done to one of them.
pub(super) enum Done {
    Deleted,
    Edited(&'static str, Value),
    Bound,
}

/// Whether what is installed says something else.
fn differs(now: &DynamicObject, before: &DynamicObject) -> bool {
    ["spec", "webhooks"]
        .iter()
        .any(|field| now.data.get(field) != before.data.get(field))
}

pub(super) struct Disturbance {
    pub(super) what: &'static str,
    pub(super) kind: &'static str,
    pub(super) name: &'static str,
    done: Done,
    pub(super) says: InstalledPolicies,
}

pub(super) fn disturbance(what: &'static str, kind: &'static str, name: &'static str, done: Done) -> Disturbance {
    let says = match done {
        Done::Deleted => InstalledPolicies::Missing,
        Done::Edited(..) | Done::Bound => InstalledPolicies::Changed,
    };
    Disturbance {
        what,
        kind,
        name,
        done,
        says,
    }
}

/// The kind of what holds, and that of which nothing holds when it is taken away.
pub(super) fn holding(cx: &Context) -> (&'static str, &'static str) {
    if cx.cluster().tools().kubernetes().serves_mutations() {
        (MUTATION, MUTATION_BINDING)
    } else {
        (WEBHOOK, WEBHOOK)
    }
}

pub(super) fn disturbances(cx: &Context) -> Vec<Disturbance> {
    let (mutation, _) = holding(cx);
    let edited = |at, to| Done::Edited(at, to);
    let never = json!([{"name": "never", "expression": "false"}]);
    let errs = json!([{"name": "errs", "expression": "object.spec.containers[99].image == ''"}]);
    vec![
        disturbance("a binding deleted", BINDING, "vouchsafe-pods", Done::Deleted),
        disturbance("a policy deleted", POLICY, "vouchsafe-ledger", Done::Deleted),
        disturbance("a mutation deleted", mutation, "vouchsafe-hold", Done::Deleted),
        disturbance(
            "an expression edited",
            POLICY,
            "vouchsafe-pods",
            edited("/validations/3/expression", json!("true")),
        ),
        disturbance(
            "a condition added",
            POLICY,
            "vouchsafe-grants",
            edited("/matchConditions", never.clone()),
        ),
        disturbance(
            "an exception added",
            POLICY,
            "vouchsafe-config",
            edited(
                "/matchConstraints/excludeResourceRules",
                json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}]),
            ),
        ),
        disturbance(
            "an action edited",
            BINDING,
            "vouchsafe-pod-updates",
            edited("/validationActions", json!(["Audit"])),
        ),
        disturbance(
            "a mutation that does nothing any more",
            mutation,
            "vouchsafe-hold",
            edited("/matchConditions", never),
        ),
        disturbance(
            "a mutation that fails",
            mutation,
            "vouchsafe-hold",
            edited("/matchConditions", errs),
        ),
        disturbance("another binding of a policy", BINDING, FOREIGN, Done::Bound),
    ]
}

/// What is installed, as it was before anything was done to it.
pub(super) struct Policies {
    apis: BTreeMap<&'static str, Api<DynamicObject>>,
    before: BTreeMap<(String, String), DynamicObject>,
}

impl Policies {
    pub(super) async fn as_installed(cx: &Context) -> Result<Self> {
        let (mut apis, mut before) = (BTreeMap::new(), BTreeMap::new());
        for kind in installed_kinds(cx.cluster()) {
            let api = policies(cx.cluster(), kind);
            for object in api.list(&ListParams::default()).await? {
                if object.name_any().starts_with("vouchsafe-") {
                    before.insert((kind.to_owned(), object.name_any()), object);
                }
            }
            apis.insert(kind, api);
        }
        ensure!(before.len() > 20, "only {} of them are installed", before.len());
        Ok(Self { apis, before })
    }

    fn all(&self, kind: &str) -> Result<&Api<DynamicObject>> {
        self.apis.get(kind).context("no kind of policies")
    }

    pub(super) async fn delete(&self, kind: &str, name: &str) -> Result<()> {
        let deleted = self.all(kind)?.delete(name, &DeleteParams::default()).await;
        deleted
            .map(drop)
            .with_context(|| format!("cannot delete {kind}/{name}"))
    }

    /// Replaces a part of it, or adds that.
    pub(super) async fn edit(&self, kind: &str, name: &str, at: &str, to: &Value) -> Result<()> {
        let api = self.all(kind)?;
        let mut object = api.get(name).await?;
        let (parent, field) = at.rsplit_once('/').context("no path")?;
        let parent = object.data.pointer_mut(parent).context("there is no such place")?;
        let fields = parent.as_object_mut().context("there are no fields")?;
        fields.insert(field.to_owned(), to.clone());
        let replaced = api.replace(name, &PostParams::default(), &object).await;
        replaced.map(drop).with_context(|| format!("cannot edit {kind}/{name}"))
    }

    /// Labels it, which means nothing.
    pub(super) async fn label(&self, kind: &str, name: &str) -> Result<()> {
        let api = self.all(kind)?;
        let change = json!({"metadata": {"labels": {"somebody": "was-here"}, "annotations": {"somebody": "was-here"}}});
        patch(api, name, None, &change).await?.taken("a label").map(drop)
    }

    pub(super) async fn bind(&self) -> Result<()> {
        let binding = json!({
            "metadata": {"name": FOREIGN}, "spec": {"policyName": "vouchsafe-access", "validationActions": ["Audit"],
                "paramRef": {"name": "nobodys", "parameterNotFoundAction": "Allow"}},
        });
        let api = self.all(BINDING)?;
        api.create(&PostParams::default(), &serde_json::from_value(binding)?)
            .await?;
        Ok(())
    }

    pub(super) async fn disturb(&self, disturbance: &Disturbance) -> Result<()> {
        let Disturbance { kind, name, .. } = disturbance;
        match &disturbance.done {
            Done::Deleted => self.delete(kind, name).await,
            Done::Edited(at, to) => {
                let place = if *kind == WEBHOOK { "/webhooks/0" } else { "/spec" };
                self.edit(kind, name, &format!("{place}{at}"), to).await
            }
            Done::Bound => self.bind().await,
        }
    }

    /// Makes everything what it was.
    pub(super) async fn restore(&self) -> Result<()> {
        let bindings = self.all(BINDING)?;
        if bindings.get_opt(FOREIGN).await?.is_some() {
            self.delete(BINDING, FOREIGN).await?;
        }
        for ((kind, name), before) in &self.before {
            let api = self.all(kind)?;
            match api.get_opt(name).await? {
                None => {
                    let mut object = before.clone();
                    object.metadata.resource_version = None;
                    object.metadata.uid = None;
                    object.metadata.managed_fields = None;
                    api.create(&PostParams::default(), &object).await?;
                }
                Some(mut now) if differs(&now, before) || now.labels() != before.labels() => {
                    now.data.clone_from(&before.data);
                    now.metadata.labels.clone_from(&before.metadata.labels);
                    now.metadata.annotations.clone_from(&before.metadata.annotations);
                    api.replace(name, &PostParams::default(), &now).await?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
