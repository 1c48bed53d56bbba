//! A ledger with as much of identities as it takes, and requests as large as anybody's.

use super::{
    RBAC,
    equipped::{account, administrator, binding},
    on_record, refused,
};
use crate::{
    attempt::{api, create, patch},
    cases::{
        content::with,
        switch::{enforced, observing, patch as environment},
    },
    pods::await_running,
    stage::{Stage, image},
    suite::Context,
    workloads,
};
use anyhow::{Result, ensure};
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;
use vouchsafe_core::clearance::{MAX_IDENTITY, MAX_PER_IMAGE, MAX_PROFILES};

/// Subjects of one binding.
const PEOPLE: usize = 5000;
/// Programs that apply side by side.
const AT_ONCE: usize = 4;
/// Bindings to every service account.
const BINDINGS: usize = 16;

pub(super) async fn largest(cx: Context) -> Result<()> {
    let far = Timestamp::now() + SignedDuration::from_hours(1);
    let stage = Stage::set(&cx, observing(Some(far))).await?;
    let names: Vec<String> = (0..MAX_PROFILES)
        .map(|number| format!("account-{number}-{}", "a".repeat(100)))
        .collect();
    crowd(&stage, &names).await?;
    environment(&stage, json!({"enforcement": "Hold"})).await?;
    enforced(&stage, "Hold").await?;
    on_record(&stage, "every account", |identity| {
        identity.accounts.len() == MAX_PROFILES
    })
    .await?;
    let identity = stage.ledger().await?.map(|ledger| ledger.spec.identity);
    let size = serde_json::to_vec(&identity)?.len();
    ensure!(
        size > MAX_IDENTITY / 2 && size <= MAX_IDENTITY,
        "{size} bytes are on record"
    );

    let admin = administrator(&cx, &stage.namespace).await?;
    let namespace = stage.namespace.as_str();
    let people: Vec<Value> = (0..PEOPLE)
        .map(|number| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": format!("person-{number}@example.com")}))
        .collect();
    let many = binding("many", "ClusterRole", "view", &people);
    create(&admin, Some(namespace), &many).await?.taken("people")?;
    let all = api(&admin, Some(namespace), RBAC, "RoleBinding");
    let last = names.last().cloned().unwrap_or_default();
    let group = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": format!("system:serviceaccounts:{namespace}")});
    for (what, subject, account) in [
        (
            "an account among people",
            json!({"kind": "ServiceAccount", "name": last}),
            last.as_str(),
        ),
        ("every account among people", group, "account-"),
    ] {
        let subjects: Vec<&Value> = people.iter().chain([&subject]).collect();
        let answer = patch(&all, "many", None, &json!({"subjects": subjects})).await?;
        let reason = format!("would give ClusterRole/view to the service account {account}");
        refused(answer, what, &reason)?;
    }
    cx.tell(&format!(
        "identities of {MAX_PROFILES} accounts: {size} bytes on record; a binding of {PEOPLE} people is judged"
    ));
    Ok(())
}

/// A pod of each service account, and bindings that reach them all.
async fn crowd(stage: &Stage, names: &[String]) -> Result<()> {
    let namespace = stage.namespace.as_str();
    let group = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": format!("system:serviceaccounts:{namespace}")});
    let mut objects = Vec::new();
    for number in 0..BINDINGS {
        let name = format!("all-{number}");
        objects.push(binding(&name, "ClusterRole", &name, std::slice::from_ref(&group)));
    }
    for (number, name) in names.iter().enumerate() {
        objects.push(account(name, &json!({"cloud.example/role": "r".repeat(200)})));
        let pod = workloads::pod(
            &format!("pod-{number}"),
            &image(&format!("crowd-{}", number / MAX_PER_IMAGE)),
        );
        let pod = with(&pod, "/metadata/labels/crowd", json!("yes"))?;
        objects.push(with(&pod, "/spec/serviceAccountName", json!(name))?);
    }
    let some = objects.len().div_ceil(AT_ONCE);
    let applied = objects.chunks(some).map(|some| {
        let apply = stage.cx.admin().apply(namespace, some);
        apply.patience(Duration::from_secs(200)).must()
    });
    try_join_all(applied).await?;
    await_running(&stage.pods(), "crowd=yes", names.len()).await.map(drop)
}
