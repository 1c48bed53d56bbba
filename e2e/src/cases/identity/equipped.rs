//! An agent with a service account, a Role, a token server and names of its own, that runs; and an ordinary administrator of its namespace.

use super::{RBAC, on_record};
use crate::{
    cases::content::with,
    pods::await_running,
    stage::{AgentOf, Stage, one_approval},
    suite::Context,
    users::User,
};
use anyhow::Result;
use kube::ResourceExt;
use serde_json::{Value, json};
use vouchsafe_api::{approval::Vote, promotion::status::Verdict};

/// A stage on which it runs.
pub(super) struct Equipped {
    pub(super) stage: Stage,
    /// Somebody with the ClusterRole `admin` in the namespace, and nothing of ours.
    pub(super) admin: User,
}

pub(super) fn account(name: &str, annotations: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "annotations": annotations}})
}

pub(super) fn role(name: &str, verbs: &[&str]) -> Value {
    let rules = match verbs {
        [] => json!([]),
        verbs => json!([{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]),
    };
    json!({"apiVersion": RBAC, "kind": "Role", "metadata": {"name": name}, "rules": rules})
}

pub(super) fn binding(name: &str, kind: &str, role: &str, subjects: &[Value]) -> Value {
    json!({
        "apiVersion": RBAC, "kind": "RoleBinding", "metadata": {"name": name}, "subjects": subjects,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
    })
}

pub(super) fn own_binding(namespace: &str) -> Value {
    let subject = json!({"kind": "ServiceAccount", "name": "refund", "namespace": namespace});
    binding("refund", "Role", "refund", &[subject])
}

pub(super) fn service(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"port": 8080, "targetPort": 8080}]},
    })
}

pub(super) fn token_secret(name: &str, account: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": account}},
    })
}

/// The agent and all that is its own, as a chart would bring it.
pub(super) fn objects(namespace: &str) -> Result<Vec<Value>> {
    let agent = AgentOf::new("refund");
    let env = json!([
        {"name": "TOOLS_URL", "value": format!("http://tools.{namespace}.svc:8080/mcp")},
        {"name": "LEDGER_HOST", "value": "ledger:5432"},
    ]);
    let deployment = with(&agent.deployment(), "/spec/template/spec/containers/0/env", env)?;
    let deployment = with(&deployment, "/spec/template/spec/serviceAccountName", json!("refund"))?;
    let declared = agent.agent("Deployment", "apps/v1");
    let bindings = json!([{"name": "ledger", "env": "LEDGER_HOST", "pattern": "[a-z]+:5432"}]);
    let declared = with(&declared, "/spec/bindings", bindings)?;
    let declared = with(&declared, "/spec/delegates", json!([{"agent": "writer"}]))?;
    let kept = with(
        &agent.config_map(),
        "/metadata/annotations",
        json!({"helm.sh/resource-policy": "keep"}),
    )?;
    Ok(vec![
        account("refund", &json!({"cloud.example/role": "reader"})),
        role("refund", &["get"]),
        own_binding(namespace),
        service("tools", "tools"),
        kept,
        deployment,
        declared,
    ])
}

/// Somebody with the ClusterRole `admin`.
pub(super) async fn administrator(cx: &Context, namespace: &str) -> Result<User> {
    let admin = cx.user("admin").await?;
    cx.cluster().grants().bind(namespace, "admin", admin.subject()).await?;
    Ok(admin)
}

/// Has what was applied cleared, and awaits that it runs and that its identity is on record.
pub(super) async fn cleared(stage: &Stage) -> Result<()> {
    let promotion = stage.promotion("refund").await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    stage.verdict(&promotion.name_any(), Verdict::Cleared).await?;
    await_running(&stage.pods(), "app=refund", 1).await?;
    on_record(stage, "the agent", |identity| {
        let account = identity.accounts.get("refund");
        account.is_some_and(|account| {
            account.roles.iter().any(|role| role == "Role/refund") && account.annotations.len() == 1
        }) && ["ledger", "tools", "writer"]
            .iter()
            .all(|name| identity.services.contains_key(*name))
            && identity.roles.get("refund").is_some_and(|role| role.rules.is_some())
    })
    .await
}

/// The agent, cleared and running.
pub(super) async fn equipped(cx: &Context) -> Result<Equipped> {
    let stage = Stage::set(cx, one_approval()).await?;
    let admin = administrator(cx, &stage.namespace).await?;
    let helper = account("helper", &json!({}));
    admin.apply(&stage.namespace, &[helper]).must().await?;
    // To bind a Role that is not there takes somebody who may bind anything.
    let subject = json!({"kind": "ServiceAccount", "name": "refund", "namespace": stage.namespace});
    let later = binding("later", "Role", "later", &[subject]);
    cx.admin().apply(&stage.namespace, &[later]).must().await?;
    admin
        .apply(&stage.namespace, &objects(&stage.namespace)?)
        .must()
        .await?;
    cleared(&stage).await?;
    Ok(Equipped { stage, admin })
}
