//! What a cleared agent may do, and where the names lead that it was cleared with, stay what they were.

mod again;
mod blind;
mod entitled;
mod equipped;
mod largest;

use self::equipped::{Equipped, account, binding, equipped, role, service, token_secret};
use crate::{
    attempt::{Answer, api, create, delete, patch},
    await_::{Look, until},
    stage::Stage,
    suite::{Case, Context},
    users::User,
};
use anyhow::{Context as _, Result, ensure};
use kube::api::ListParams;
use serde_json::{Value, json};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["D68"],
            "a namespace admin changes nothing of what a cleared agent may do, and not where a name leads",
            unchanged,
        ),
        Case::new(
            &["D68", "A04", "A07"],
            "who may entitle changes it; other accounts, other namespaces and the tokens of kubelets are free",
            entitled::others,
        ),
        Case::new(
            &["D68", "A01", "A03"],
            "helm rolls back, removes and installs again an agent with an account and a Role of its own, the operator being dead",
            again::dead,
        )
        .alone(),
        Case::new(
            &["D68"],
            "an operator that may not see accounts, Roles and Services serves, and puts them on record when it may",
            blind::blind,
        )
        .alone()
        .patience(std::time::Duration::from_secs(300)),
        Case::new(
            &["D68"],
            "the largest bindings, Roles and Services stay within what the API server computes",
            largest::largest,
        )
        .patience(std::time::Duration::from_secs(400)),
    ]
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";
/// What each refusal says besides what it is about: what to do next.
const NEXT: &str = "kubectl auth can-i entitle environments.vouchsafe.dev/";

async fn unchanged(cx: Context) -> Result<()> {
    let Equipped { stage, admin } = equipped(&cx).await?;
    let before = state(&stage).await?;
    bindings(&stage, &admin).await?;
    roles(&stage, &admin).await?;
    tokens(&stage, &admin).await?;
    accounts(&stage, &admin).await?;
    services(&stage, &admin).await?;
    let after = state(&stage).await?;
    ensure!(before == after, "something changed: {before} became {after}");
    ensure!(!stage.running("app=refund").await?.is_empty(), "the agent does not run");
    Ok(())
}

/// Refused, for this reason, with what to do next.
fn refused(answer: Answer, what: &str, reason: &str) -> Result<()> {
    if let Answer::Refused(words) = &answer {
        ensure!(words.contains("vouchsafe-identity"), "{what}: {words}");
        ensure!(words.contains(NEXT), "{what} does not say what to do next: {words}");
    }
    answer.refused_with(what, reason)
}

async fn bindings(stage: &Stage, admin: &User) -> Result<()> {
    let namespace = stage.namespace.as_str();
    let reason = "would give ClusterRole/view to the service account refund";
    let group = |name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name});
    let user = format!("system:serviceaccount:{namespace}:refund");
    for (what, subject) in [
        (
            "the account",
            json!({"kind": "ServiceAccount", "name": "refund", "namespace": namespace}),
        ),
        (
            "the account, of this namespace",
            json!({"kind": "ServiceAccount", "name": "refund"}),
        ),
        (
            "the account as a user",
            json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}),
        ),
        (
            "the accounts of the namespace",
            group(&format!("system:serviceaccounts:{namespace}")),
        ),
        ("all accounts", group("system:serviceaccounts")),
        ("everybody", group("system:authenticated")),
    ] {
        let more = binding("more", "ClusterRole", "view", &[subject]);
        refused(create(admin, Some(namespace), &more).await?, what, reason)?;
    }
    let known = json!({"kind": "ServiceAccount", "name": "helper", "namespace": namespace});
    let other = binding("helpers", "ClusterRole", "view", std::slice::from_ref(&known));
    create(admin, Some(namespace), &other)
        .await?
        .taken("another account's binding")?;
    let both = json!({"subjects": [known, {"kind": "ServiceAccount", "name": "refund", "namespace": namespace}]});
    let all = api(admin, Some(namespace), RBAC, "RoleBinding");
    refused(patch(&all, "helpers", None, &both).await?, "a subject more", reason)?;
    let label = json!({"metadata": {"labels": {"free": "yes"}}});
    patch(&all, "refund", None, &label).await?.taken("a label")?;
    // What is bound already gives nothing more under another name; and what was taken away comes back.
    let same = binding(
        "same",
        "Role",
        "refund",
        &[json!({"kind": "ServiceAccount", "name": "refund"})],
    );
    create(admin, Some(namespace), &same)
        .await?
        .taken("the same once more")?;
    for name in ["helpers", "same", "refund"] {
        delete(&all, name).await?.taken("its deletion")?;
    }
    let back = equipped::own_binding(namespace);
    create(admin, Some(namespace), &back)
        .await?
        .taken("the binding, again")
        .map(drop)
}

async fn roles(stage: &Stage, admin: &User) -> Result<()> {
    let namespace = stage.namespace.as_str();
    let reason = "Role refund is bound to a service account as which a cleared release runs";
    let all = api(admin, Some(namespace), RBAC, "Role");
    for verbs in [&["get", "delete"][..], &["list"], &[]] {
        let rules = role("refund", verbs);
        let change = json!({"rules": rules.get("rules")});
        refused(patch(&all, "refund", None, &change).await?, "other rules", reason)?;
    }
    delete(&all, "refund").await?.taken("its deletion")?;
    let other = role("refund", &["get", "list", "delete"]);
    refused(
        create(admin, Some(namespace), &other).await?,
        "a Role made anew",
        reason,
    )?;
    let absent = role("later", &["delete"]);
    let reason =
        "Role later is bound to a service account as which a cleared release runs, and its rules are not on record";
    refused(
        create(admin, Some(namespace), &absent).await?,
        "a Role that was absent",
        reason,
    )?;
    create(admin, Some(namespace), &role("refund", &["get"]))
        .await?
        .taken("the Role, again")?;
    create(admin, Some(namespace), &role("free", &["delete"]))
        .await?
        .taken("another Role")?;
    delete(&all, "free").await?.taken("its deletion").map(drop)
}

async fn tokens(stage: &Stage, admin: &User) -> Result<()> {
    let namespace = stage.namespace.as_str();
    let reason = "a token of the service account refund";
    let ask = ["create", "token", "refund", "-n", namespace];
    let said = admin.kubectl(ask).ran().await?.must_fail_with(reason)?;
    ensure!(said.contains(NEXT), "{said}");
    admin
        .kubectl(["create", "token", "helper", "-n", namespace])
        .must()
        .await?;
    let secret = token_secret("token", "refund");
    refused(create(admin, Some(namespace), &secret).await?, "a Secret", reason)?;
    let other = token_secret("token", "helper");
    create(admin, Some(namespace), &other)
        .await?
        .taken("another's Secret")?;
    let secrets = api(admin, Some(namespace), "v1", "Secret");
    let change = json!({"metadata": {"annotations": {"kubernetes.io/service-account.name": "refund"}}});
    refused(
        patch(&secrets, "token", None, &change).await?,
        "a Secret made another's",
        reason,
    )?;
    delete(&secrets, "token").await?.taken("its deletion").map(drop)
}

async fn accounts(stage: &Stage, admin: &User) -> Result<()> {
    let namespace = stage.namespace.as_str();
    let reason = "ServiceAccount refund has other annotations than a cleared release runs with";
    let all = api(admin, Some(namespace), "v1", "ServiceAccount");
    for (key, value) in [
        ("eks.amazonaws.com/role-arn", json!("arn:aws:iam::1:role/admin")),
        (
            "iam.gke.io/gcp-service-account",
            json!("admin@x.iam.gserviceaccount.com"),
        ),
        ("cloud.example/role", json!("writer")),
    ] {
        let change = json!({"metadata": {"annotations": {key: value}}});
        let answer = patch(&all, "refund", None, &change).await?;
        refused(
            answer,
            key,
            &format!("{reason}, and they can give it another identity elsewhere: {key}"),
        )?;
    }
    let marks = json!({"metadata": {"labels": {"free": "yes"}, "annotations": {
        "argocd.argoproj.io/tracking-id": "x", "kustomize.toolkit.fluxcd.io/prune": "disabled", "meta.helm.sh/release-name": "x",
    }}});
    patch(&all, "refund", None, &marks).await?.taken("marks of tools")?;
    delete(&all, "refund").await?.taken("its deletion")?;
    let other = account("refund", &json!({"cloud.example/role": "writer"}));
    refused(
        create(admin, Some(namespace), &other).await?,
        "an account made anew",
        reason,
    )?;
    // As a platform does that adds its annotations later.
    let bare = account("refund", &json!({}));
    create(admin, Some(namespace), &bare)
        .await?
        .taken("the account, again")?;
    let change = json!({"metadata": {"annotations": {"cloud.example/role": "reader"}}});
    patch(&all, "refund", None, &change).await?.taken("what it had")?;
    let free = account("another", &json!({"cloud.example/role": "writer"}));
    create(admin, Some(namespace), &free)
        .await?
        .taken("another account")
        .map(drop)
}

async fn services(stage: &Stage, admin: &User) -> Result<()> {
    let namespace = stage.namespace.as_str();
    let reason = "is named by a cleared release, and this leads elsewhere than it did";
    let all = api(admin, Some(namespace), "v1", "Service");
    let external = json!({"spec": {"type": "ExternalName", "externalName": "evil.example.com", "clusterIP": null, "clusterIPs": null}});
    let ports = json!([{"port": 8080, "protocol": "TCP", "targetPort": 9999}]);
    for (what, change) in [
        ("ExternalName", external),
        ("another selector", json!({"spec": {"selector": {"app": "other"}}})),
        ("no selector", json!({"spec": {"selector": null}})),
        ("another port", json!({"spec": {"ports": ports}})),
    ] {
        refused(patch(&all, "tools", None, &change).await?, what, reason)?;
    }
    let more = json!({"metadata": {"labels": {"free": "yes"}}, "spec": {"sessionAffinity": "ClientIP"}});
    patch(&all, "tools", None, &more).await?.taken("a label and affinity")?;
    delete(&all, "tools").await?.taken("its deletion")?;
    refused(
        create(admin, Some(namespace), &service("tools", "other")).await?,
        "made anew",
        reason,
    )?;
    create(admin, Some(namespace), &service("tools", "tools"))
        .await?
        .taken("the Service, again")?;
    // Names that led nowhere: a binding's host without a URL, and an agent that it hands work to.
    for name in ["ledger", "writer"] {
        let elsewhere = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"type": "ExternalName", "externalName": "evil.example.com"},
        });
        let reason = format!("Service {name} is named by a cleared release, and led nowhere");
        refused(create(admin, Some(namespace), &elsewhere).await?, name, &reason)?;
        create(admin, Some(namespace), &service(name, name))
            .await?
            .taken("a Service of this namespace")?;
        delete(&all, name).await?.taken("its deletion")?;
    }
    let free = service("free", "other");
    create(admin, Some(namespace), &free).await?.taken("another Service")?;
    delete(&all, "free").await?.taken("its deletion").map(drop)
}

/// Everything that counts, as it is stored.
async fn state(stage: &Stage) -> Result<Value> {
    let mut state = Vec::new();
    for (version, kind, what) in [
        (RBAC, "RoleBinding", "/subjects"),
        (RBAC, "Role", "/rules"),
        ("v1", "Service", "/spec/selector"),
        ("v1", "Service", "/spec/externalName"),
    ] {
        let listed = api(stage.cx.admin(), Some(&stage.namespace), version, kind)
            .list(&ListParams::default())
            .await?;
        for object in listed.items {
            let raw = serde_json::to_value(&object).context("an object is no JSON")?;
            state.push(json!([kind, raw.pointer("/metadata/name"), raw.pointer(what)]));
        }
    }
    let accounts = api(stage.cx.admin(), Some(&stage.namespace), "v1", "ServiceAccount");
    let refund = serde_json::to_value(accounts.get("refund").await?).context("an account is no JSON")?;
    state.push(json!([refund.pointer("/metadata/annotations/cloud.example~1role")]));
    Ok(Value::Array(state))
}

/// Awaits that the ledger has something on record.
async fn on_record(stage: &Stage, what: &str, is: impl Fn(&vouchsafe_api::clearance::Identity) -> bool) -> Result<()> {
    until(&format!("{what} to be on record"), || async {
        let identity = stage.ledger().await?.map(|ledger| ledger.spec.identity);
        Ok(Look::when(identity.unwrap_or_default(), |identity| is(identity)))
    })
    .await
    .map(drop)
}
