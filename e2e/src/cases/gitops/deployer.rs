//! Who deploys: a service account with the rights of the example, and nothing more; and how Argo CD and Flux apply in its name.

use crate::{
    gitops,
    program::Run,
    stage::Stage,
    suite::Context,
    users::{User, rule},
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
    rbac::v1::Subject,
};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use serde_json::{Value, json};

/// A way to apply what is in Git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Argo CD with `ServerSideApply=true`.
    ArgoServerSide,
    /// Argo CD as it does without: in three ways, by the annotation of what was applied last.
    ArgoClientSide,
    /// Flux.
    Flux,
}

impl Way {
    /// By which they say who owns a field.
    pub(super) const fn manager(self) -> &'static str {
        match self {
            Self::ArgoServerSide | Self::ArgoClientSide => "argocd-controller",
            Self::Flux => "kustomize-controller",
        }
    }

    /// What they write on everything that is theirs.
    const fn mark(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::ArgoServerSide | Self::ArgoClientSide => {
                ("annotations", "argocd.argoproj.io/tracking-id", "refunds:x")
            }
            Self::Flux => ("labels", "kustomize.toolkit.fluxcd.io/name", "refunds"),
        }
    }

    /// `kubectl apply` or `kubectl diff` as they do it.
    pub(super) fn kubectl(self, user: &User, verb: &str, namespace: &str, objects: &[Value]) -> Run {
        let manager = format!("--field-manager={}", self.manager());
        let mut args = vec![verb, "-n", namespace, "-f", "-", &manager];
        if self != Self::ArgoClientSide {
            args.extend(["--server-side", "--force-conflicts"]);
        }
        user.kubectl(args)
            .input(json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string())
    }

    /// Objects as they send them: with their mark.
    pub(super) fn marked(self, objects: &[Value]) -> Vec<Value> {
        let (field, key, value) = self.mark();
        let mut marked = objects.to_vec();
        for object in &mut marked {
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                let marks = metadata.entry(field).or_insert_with(|| json!({}));
                if let Some(marks) = marks.as_object_mut() {
                    marks.insert(key.to_owned(), json!(value));
                }
            }
        }
        marked
    }
}

/// A service account of a namespace, and how RBAC calls it.
pub(super) async fn account(cx: &Context, namespace: &str, name: &str) -> Result<(User, Subject)> {
    let accounts: Api<ServiceAccount> = Api::namespaced(cx.client(), namespace);
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    };
    let account = ServiceAccount {
        metadata,
        ..ServiceAccount::default()
    };
    accounts.create(&PostParams::default(), &account).await?;
    let request = TokenRequest {
        spec: TokenRequestSpec::default(),
        ..TokenRequest::default()
    };
    let token = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await?;
    let user = cx
        .cluster()
        .bearer(name, &token.status.context("no token")?.token)
        .await?;
    let subject = Subject {
        kind: "ServiceAccount".to_owned(),
        name: name.to_owned(),
        namespace: Some(namespace.to_owned()),
        api_group: None,
    };
    Ok((user, subject))
}

/// The example's documents of a file.
pub(super) fn documents(path: &str) -> Result<Vec<Value>> {
    let text =
        std::fs::read_to_string(crate::checkout().join(path)).with_context(|| format!("cannot read `{path}`"))?;
    parse(&text).with_context(|| format!("`{path}` is no YAML"))
}

/// The documents of a text.
pub(super) fn parse(text: &str) -> Result<Vec<Value>> {
    let of = |document| serde_saphyr::from_str(document).context("no YAML");
    text.split("\n---\n").map(of).collect()
}

/// Who deploys into the stage's namespace, with the rights that the example gives in production.
pub(super) async fn deployer(stage: &Stage, example: &str) -> Result<User> {
    let (user, subject) = account(&stage.cx, &stage.namespace, "deployer").await?;
    let grants = stage.cx.cluster().grants();
    let documents = documents(example)?;
    let is = |document: &&Value, kind: &str| document.get("kind").and_then(Value::as_str) == Some(kind);
    let here = documents.iter().filter(|document| is(document, "RoleBinding"));
    let mut roles: Vec<_> = here
        .filter(|binding| binding.pointer("/metadata/namespace") == Some(&json!("support-prod")))
        .filter_map(|binding| binding.pointer("/roleRef/name")?.as_str())
        .collect();
    roles.sort_unstable();
    ensure!(roles == ["edit", "support-promote"], "`{example}` binds {roles:?}");
    let given = documents.iter().find(|document| is(document, "ClusterRole"));
    let given = given.and_then(|role| role.get("rules")).context("no rules")?;
    let rules = json!([{"apiGroups": ["vouchsafe.dev"], "resources": ["environments"],
        "resourceNames": ["dev", "staging", "prod"], "verbs": ["promote"]}]);
    ensure!(given == &rules, "`{example}` gives {given}");
    grants.bind(&stage.namespace, "edit", subject.clone()).await?;
    let promote = rule("vouchsafe.dev", &["environments"], &[&stage.environment], &["promote"]);
    grants.allow(&stage.namespace, vec![promote], subject).await?;
    Ok(user)
}

/// Whether neither kubectl nor Argo CD sees a difference between Git and the cluster.
pub(super) async fn in_sync(way: Way, user: &User, cx: &Context, namespace: &str, objects: &[Value]) -> Result<()> {
    let found = way.kubectl(user, "diff", namespace, objects).ran().await?;
    ensure!(
        found.code == Some(0),
        "{way:?}: kubectl diff: {}{}",
        found.stdout,
        found.stderr
    );
    let live = all_live(user, namespace, objects).await?;
    let desired: Vec<_> = objects.iter().zip(&live).map(normal).collect();
    for found in cx.gitops().await?.diff(&desired, &live).await? {
        ensure!(
            !found.modified,
            "{way:?}: Argo CD would make {} of {}",
            found.predicted,
            found.live
        );
    }
    Ok(())
}

/// An object as the API server has it, with who owns which field.
pub(super) async fn live(user: &User, namespace: &str, object: &Value) -> Result<Value> {
    let mut found = all_live(user, namespace, std::slice::from_ref(object)).await?;
    found.pop().context("it is not there")
}

/// Objects as the API server has them, in the same order.
pub(super) async fn all_live(user: &User, namespace: &str, objects: &[Value]) -> Result<Vec<Value>> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let get = ["get", "-n", namespace, "-f", "-", "-o", "json", "--show-managed-fields"];
    let found = user.kubectl(get).input(list.to_string()).must().await?;
    let found: Value = serde_json::from_str(&found).context("no JSON")?;
    let items = found.get("items").and_then(Value::as_array).cloned();
    let items = items.unwrap_or_else(|| vec![found]);
    let same = |(object, live): (&Value, &Value)| {
        ["/kind", "/metadata/name"]
            .iter()
            .all(|at| object.pointer(at) == live.pointer(at))
    };
    ensure!(
        items.len() == objects.len() && objects.iter().zip(&items).all(same),
        "not these objects: {items:?}"
    );
    Ok(items)
}

/// Argo CD compares what it would send, which names the namespace.
fn normal((object, live): (&Value, &Value)) -> Value {
    let mut object = object.clone();
    let namespace = live.pointer("/metadata/namespace");
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    if let (Some(namespace), Some(metadata)) = (namespace, metadata) {
        metadata.insert("namespace".to_owned(), namespace.clone());
    }
    object
}

/// The file of the example with the rights for this way.
pub(super) const fn rights(way: Way) -> &'static str {
    match way {
        Way::ArgoServerSide | Way::ArgoClientSide => "examples/gitops/argocd/rbac.yaml",
        Way::Flux => "examples/gitops/flux/rbac.yaml",
    }
}

/// The shipped health checks of Argo CD.
pub(super) fn settings() -> Result<Value> {
    gitops::file("deploy/argocd/argocd-cm.yaml")
}
