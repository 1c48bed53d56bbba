//! An operator that is refused what it would put on record.

use super::{
    RBAC,
    equipped::{account, administrator, binding},
    on_record, refused,
};
use crate::{
    attempt::{api, create, patch},
    stage::{AgentOf, Stage, one_approval},
    suite::Context,
};
use anyhow::Result;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::{Api, api::PostParams};
use serde_json::json;

const ROLE: &str = "vouchsafe-operator";
/// What it may not see.
const HIDDEN: [&str; 4] = ["serviceaccounts", "services", "roles", "rolebindings"];

pub(super) async fn blind(cx: Context) -> Result<()> {
    let own = cx.elsewhere().await?;
    let stage = Stage::set(&own, one_approval()).await?;
    let operator = own.operator().await?;
    let roles: Api<ClusterRole> = Api::all(own.client());
    let mut role = roles.get(ROLE).await?;
    let rules = role.rules.clone();
    if let Some(rules) = role.rules.as_mut() {
        let hidden = |resource: &String| HIDDEN.contains(&resource.as_str());
        rules.retain(|rule| !rule.resources.iter().flatten().any(hidden));
    }
    let mut role = roles.replace(ROLE, &PostParams::default(), &role).await?;
    operator.kill()?;
    let blind = own.another_operator("operator").await?;
    blind.start().await?;

    let namespace = stage.namespace.as_str();
    let subject = json!({"kind": "ServiceAccount", "name": "default", "namespace": namespace});
    let before = binding("before", "ClusterRole", "view", std::slice::from_ref(&subject));
    create(own.admin(), Some(namespace), &before)
        .await?
        .taken("a binding")?;
    stage.run(&AgentOf::new("refund")).await?;
    on_record(&stage, "the name of the account", |identity| {
        let account = identity.accounts.get("default");
        account.is_some_and(|account| account.roles.is_empty())
    })
    .await?;
    let admin = administrator(&own, namespace).await?;
    let more = binding("more", "ClusterRole", "view", &[subject]);
    let reason = "would give ClusterRole/view to the service account default";
    refused(
        create(&admin, Some(namespace), &more).await?,
        "nothing is on record",
        reason,
    )?;
    let bindings = api(&admin, Some(namespace), RBAC, "RoleBinding");
    let label = json!({"metadata": {"labels": {"free": "yes"}}});
    patch(&bindings, "before", None, &label).await?.taken("a label")?;
    let free = account("another", &json!({}));
    create(&admin, Some(namespace), &free).await?.taken("another account")?;

    role.rules = rules;
    roles.replace(ROLE, &PostParams::default(), &role).await?;
    on_record(&stage, "what it can see", |identity| {
        let account = identity.accounts.get("default");
        account.is_some_and(|account| account.roles == ["ClusterRole/view"])
    })
    .await?;
    create(&admin, Some(namespace), &more)
        .await?
        .taken("what is on record")
        .map(drop)
}
