//! To which environment a namespace belongs is not for those who may write namespaces to say; and what is not governed is left alone.

use crate::{
    attempt::{Answer, api, create, delete, patch},
    await_::{Look, until},
    stage::{environment, one_approval},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::Result;
use serde_json::{Value, json};
use vouchsafe_api::Environment;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &["D36", "D69", "A02", "A05"],
        "labels of namespaces move by whoever may assign, namespaces go freely, and their names come back with their label",
        labels,
    )]
}

/// Somebody who may write namespaces, and assign these environments.
async fn writer(cx: &Context, environments: &[&str]) -> Result<User> {
    let user = cx.user("writer").await?;
    let mut rights = vec![rule(
        "",
        &["namespaces", "namespaces/status", "namespaces/finalize"],
        &[],
        &["*"],
    )];
    if !environments.is_empty() {
        rights.push(rule("vouchsafe.dev", &["environments"], environments, &["assign"]));
    }
    cx.cluster().grants().allow_everywhere(rights, user.subject()).await?;
    Ok(user)
}

fn labelled(labels: &Value) -> Value {
    json!({"metadata": {"labels": labels}})
}

async fn change(user: &User, name: &str, part: Option<&str>, labels: &Value) -> Result<Answer> {
    patch(&api(user, None, "v1", "Namespace"), name, part, &labelled(labels)).await
}

#[expect(clippy::too_many_lines, reason = "a table of attempts")]
async fn labels(cx: Context) -> Result<()> {
    cx.operator().await?;
    let prod = environment(&cx, "prod", one_approval()).await?;
    let dev = environment(&cx, "dev", one_approval()).await?;
    let (nobody, half, assigner) = (
        writer(&cx, &[]).await?,
        writer(&cx, &[&prod]).await?,
        writer(&cx, &[&prod, &dev]).await?,
    );
    let governed = cx.governed_namespace("governed", &prod).await?;
    let free = cx.namespace("free").await?;
    let (gone, moved) = (
        json!({"vouchsafe.dev/environment": null}),
        json!({"vouchsafe.dev/environment": dev}),
    );
    let observe = json!({"vouchsafe.dev/enforcement": "Observe"});
    for (what, who, name, part, labels, reason) in [
        ("off", &nobody, &governed, None, &gone, "need the verb assign"),
        (
            "off, through the status",
            &nobody,
            &governed,
            Some("status"),
            &gone,
            "need the verb assign",
        ),
        ("elsewhere", &nobody, &governed, None, &moved, "need the verb assign"),
        (
            "elsewhere by half a right",
            &half,
            &governed,
            None,
            &moved,
            "need the verb assign",
        ),
        ("onto a free one", &nobody, &free, None, &moved, "need the verb assign"),
        (
            "tenant",
            &nobody,
            &governed,
            None,
            &json!({"vouchsafe.dev/tenant": "other"}),
            "need the verb assign",
        ),
        (
            "observe",
            &nobody,
            &governed,
            None,
            &observe,
            "can only be Hold or Deny",
        ),
        (
            "observe by who assigns",
            &assigner,
            &governed,
            None,
            &observe,
            "can only be Hold or Deny",
        ),
        (
            "observe by an administrator",
            cx.admin(),
            &governed,
            None,
            &observe,
            "can only be Hold or Deny",
        ),
    ] {
        change(who, name, part, labels).await?.refused_with(what, reason)?;
    }
    for system in ["kube-system", crate::chart::NAMESPACE] {
        let answer = change(cx.admin(), system, None, &moved).await?;
        answer.refused_with(
            system,
            "belongs to no environment: the cluster, or the gate itself, runs there",
        )?;
    }
    what_is_free(&cx, &nobody, &assigner, &governed, &prod).await
}

/// Labels of others, a move by whoever may, and deletion.
async fn what_is_free(cx: &Context, nobody: &User, assigner: &User, governed: &str, prod: &str) -> Result<()> {
    change(nobody, governed, None, &json!({"other": "yes"}))
        .await?
        .taken("another label")?;
    change(assigner, governed, None, &json!({"vouchsafe.dev/environment": null}))
        .await?
        .taken("off by who may")?;
    let named = |name: String| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"vouchsafe.dev/environment": prod}}});
    let answer = create(nobody, None, &named(cx.name("born"))).await?;
    answer.refused_with("born governed", "need the verb assign")?;
    change(assigner, governed, None, &json!({"vouchsafe.dev/environment": prod}))
        .await?
        .taken("back")?;
    gone(cx, nobody, governed).await?;
    comes_back(cx, nobody, assigner, governed, prod).await
}

/// Deletes a namespace as somebody who may not assign, once the environment knows it, and awaits that it is gone.
async fn gone(cx: &Context, who: &User, name: &str) -> Result<()> {
    until("an environment to know the namespace", || async {
        let all = kube::Api::<Environment>::all(cx.client())
            .list(&kube::api::ListParams::default())
            .await?;
        let names = all
            .iter()
            .filter_map(|one| one.status.as_ref())
            .flat_map(|status| &status.names);
        Ok(Look::when(names.into_iter().any(|known| known == name), |known| *known))
    })
    .await?;
    delete(&api(who, None, "v1", "Namespace"), name)
        .await?
        .taken("deletion")?;
    until("the governed namespace to go", || async {
        let found = api(cx.admin(), None, "v1", "Namespace").get_opt(name).await?;
        Ok(Look::when(found.is_none(), |gone| *gone))
    })
    .await
    .map(drop)
}

/// The name of a governed namespace that was deleted comes back governed, or by whoever may assign.
async fn comes_back(cx: &Context, nobody: &User, assigner: &User, name: &str, prod: &str) -> Result<()> {
    let bare = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let labelled = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"vouchsafe.dev/environment": prod}}});
    let other =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"other": "yes"}}});
    let refusal = format!("the namespace {name} belonged to environment {prod} when it was deleted");
    for (what, object) in [("without labels", &bare), ("with another", &other)] {
        create(nobody, None, object).await?.refused_with(what, &refusal)?;
    }
    create(cx.admin(), None, &labelled).await?.taken("with its label")?;
    gone(cx, nobody, name).await?;
    create(assigner, None, &bare)
        .await?
        .taken("without it, by who may assign")?;
    until("the environment to forget the name", || async {
        let found = kube::Api::<Environment>::all(cx.client()).get(prod).await?;
        let knows = found
            .status
            .is_some_and(|status| status.names.iter().any(|known| known == name));
        Ok(Look::when(knows, |knows| !knows))
    })
    .await?;
    delete(&api(nobody, None, "v1", "Namespace"), name)
        .await?
        .taken("deletion of what is free")?;
    Ok(())
}
