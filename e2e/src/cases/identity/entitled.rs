//! Who may change what was cleared, and what is nobody's business.

use super::{
    RBAC,
    equipped::{Equipped, account, administrator, binding, equipped, role, service, token_secret},
    on_record, refused,
};
use crate::{
    attempt::{api, create, delete, patch},
    await_::{Look, until},
    pods::is_held,
    stage::{AgentOf, Stage, one_approval},
    suite::Context,
    users::{User, rule},
};
use anyhow::{Context as _, Result, ensure};
use kube::api::ListParams;
use serde_json::{Value, json};

pub(super) async fn others(cx: Context) -> Result<()> {
    let equipped = equipped(&cx).await?;
    entitled(&cx, &equipped).await?;
    another_account(&equipped).await?;
    kubelets(&cx, &equipped).await?;
    elsewhere(&cx).await
}

fn as_refund(namespace: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": "refund", "namespace": namespace})
}

/// Whoever holds the verb changes everything; and what they made of it is what may be brought back from then on.
async fn entitled(cx: &Context, Equipped { stage, admin }: &Equipped) -> Result<()> {
    let namespace = stage.namespace.as_str();
    let chief = administrator(cx, namespace).await?;
    let verb = rule("vouchsafe.dev", &["environments"], &[&stage.environment], &["entitle"]);
    cx.cluster()
        .grants()
        .allow(namespace, vec![verb], chief.subject())
        .await?;
    let more = binding("more", "ClusterRole", "view", &[as_refund(namespace)]);
    create(&chief, Some(namespace), &more).await?.taken("a binding")?;
    let roles = api(&chief, Some(namespace), RBAC, "Role");
    let rules = role("refund", &["get", "list"]);
    let change = json!({"rules": rules.get("rules")});
    patch(&roles, "refund", None, &change).await?.taken("other rules")?;
    chief
        .kubectl(["create", "token", "refund", "-n", namespace])
        .must()
        .await?;
    let secret = token_secret("token", "refund");
    create(&chief, Some(namespace), &secret)
        .await?
        .taken("a token Secret")?;
    let accounts = api(&chief, Some(namespace), "v1", "ServiceAccount");
    let change = json!({"metadata": {"annotations": {"cloud.example/role": "writer"}}});
    patch(&accounts, "refund", None, &change)
        .await?
        .taken("an annotation")?;
    let services = api(&chief, Some(namespace), "v1", "Service");
    let change = json!({"spec": {"selector": {"app": "better"}}});
    patch(&services, "tools", None, &change)
        .await?
        .taken("another selector")?;
    on_record(stage, "what was changed", |identity| {
        let account = identity.accounts.get("refund");
        let said = |account: &vouchsafe_api::clearance::Account| {
            account.roles.iter().any(|role| role == "ClusterRole/view")
                && account
                    .annotations
                    .get("cloud.example/role")
                    .is_some_and(|value| value == "writer")
        };
        let leads = identity
            .services
            .get("tools")
            .and_then(|service| service.leads.as_ref());
        let rules = identity.roles.get("refund").and_then(|role| role.rules.as_ref());
        account.is_some_and(said)
            && leads.and_then(|leads| leads.pointer("/selector/app")) == Some(&json!("better"))
            && rules.is_some_and(|rules| json!(rules).pointer("/0/verbs") == Some(&json!(["get", "list"])))
    })
    .await?;
    let services = api(admin, Some(namespace), "v1", "Service");
    delete(&services, "tools").await?.taken("its deletion")?;
    let was = create(admin, Some(namespace), &service("tools", "tools")).await?;
    refused(was, "what it was before", "leads elsewhere than it did")?;
    create(admin, Some(namespace), &service("tools", "better"))
        .await?
        .taken("what it was made")
        .map(drop)
}

/// Another name needs nobody's word, and the pod that names it goes through the gate.
async fn another_account(Equipped { stage, admin }: &Equipped) -> Result<()> {
    let namespace = stage.namespace.as_str();
    let other = account("refund-2", &json!({"cloud.example/role": "writer"}));
    create(admin, Some(namespace), &other).await?.taken("another account")?;
    let subject = json!({"kind": "ServiceAccount", "name": "refund-2", "namespace": namespace});
    let more = binding("refund-2", "ClusterRole", "view", &[subject]);
    create(admin, Some(namespace), &more).await?.taken("its binding")?;
    let deployments = api(admin, Some(namespace), "apps/v1", "Deployment");
    let change = json!({"spec": {"template": {"spec": {"serviceAccountName": "refund-2"}}}});
    patch(&deployments, "refund", None, &change)
        .await?
        .taken("a pod of it")?;
    until("the pod with the other account to be held", || async {
        let pods = stage.pods().list(&ListParams::default().labels("app=refund")).await?;
        let of = |pod: &&k8s_openapi::api::core::v1::Pod| {
            let spec = pod.spec.as_ref();
            spec.and_then(|spec| spec.service_account_name.as_deref()) == Some("refund-2")
        };
        let found: Vec<_> = pods.items.iter().filter(of).map(is_held).collect();
        Ok(Look::when(found, |found| {
            !found.is_empty() && found.iter().all(|held| *held)
        }))
    })
    .await
    .map(drop)
}

/// Kubelets get tokens for the pods of any account; who is only called like one does not.
async fn kubelets(cx: &Context, Equipped { stage, .. }: &Equipped) -> Result<()> {
    let namespace = stage.namespace.as_str();
    let ask = ["create", "token", "refund", "-n", namespace];
    for (name, groups, free) in [
        ("system:node:n1", &["system:nodes"][..], true),
        ("system:node:n2", &[], false),
        ("somebody", &["system:nodes"], false),
    ] {
        let node: User = cx.cluster().user(name, groups).await?;
        let tokens = rule("", &["serviceaccounts/token"], &[], &["create"]);
        cx.cluster()
            .grants()
            .allow(namespace, vec![tokens], node.subject())
            .await?;
        let ran = node.kubectl(ask).ran().await?;
        if free {
            ensure!(ran.must()?.starts_with("ey"), "no token for {name}");
        } else {
            ran.must_fail_with("a token of the service account refund")
                .context(name)?;
        }
    }
    Ok(())
}

/// Where nothing is governed, and where nothing is refused.
async fn elsewhere(cx: &Context) -> Result<()> {
    let mut spec = one_approval();
    let fields = spec.as_object_mut().context("no spec")?;
    fields.insert("enforcement".to_owned(), json!("Observe"));
    let observed = Stage::set(cx, spec).await?;
    let agent = AgentOf::new("refund");
    observed.run(&agent).await?;
    on_record(&observed, "the default account", |identity| {
        identity.accounts.contains_key("default")
    })
    .await?;
    for namespace in [observed.namespace.clone(), cx.namespace("free").await?] {
        let admin = administrator(cx, &namespace).await?;
        let subject = json!({"kind": "ServiceAccount", "name": "default", "namespace": namespace});
        let more = binding("more", "ClusterRole", "edit", &[subject]);
        create(&admin, Some(&namespace), &more).await?.taken("a binding")?;
        let accounts = api(&admin, Some(&namespace), "v1", "ServiceAccount");
        let change = json!({"metadata": {"annotations": {"cloud.example/role": "writer"}}});
        patch(&accounts, "default", None, &change)
            .await?
            .taken("an annotation")?;
        admin
            .kubectl(["create", "token", "default", "-n", &namespace])
            .must()
            .await?;
    }
    Ok(())
}
