//! What a namespace without our label means, where the chart's values decide it: refused, or put into an environment. And CI, which may open previews alone.

use crate::{
    attempt::{self, Answer},
    await_::{Look, until},
    chart,
    stage::{environment, one_approval},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Result, ensure};
use serde_json::{Value, json};

const LABEL: &str = "vouchsafe.dev/environment";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "a namespace without a label is refused or put into an environment, as the chart's values say; CI opens previews alone",
            decided,
        )
        .alone(),
    ]
}

fn namespace(name: &str, environment: Option<&str>) -> Value {
    let labels = environment.map_or_else(|| json!({}), |name| json!({LABEL: name}));
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

/// Somebody who creates and labels namespaces, and may assign these environments.
async fn creator(cx: &Context, assigns: &[&str]) -> Result<User> {
    let user = cx.user("creator").await?;
    let mut rules = vec![rule("", &["namespaces"], &[], &["create", "patch", "delete"])];
    if !assigns.is_empty() {
        rules.push(rule("vouchsafe.dev", &["environments"], assigns, &["assign"]));
    }
    cx.cluster().grants().allow_everywhere(rules, user.subject()).await?;
    Ok(user)
}

async fn create(user: &User, name: &str, environment: Option<&str>) -> Result<Answer> {
    attempt::create(user, None, &namespace(name, environment)).await
}

async fn label(user: &User, name: &str, environment: Option<&str>) -> Result<Answer> {
    let namespaces = attempt::api(user, None, "v1", "Namespace");
    let change = json!({"metadata": {"labels": {LABEL: environment}}});
    attempt::patch(&namespaces, name, None, &change).await
}

async fn decided(cx: Context) -> Result<()> {
    let own = cx.elsewhere().await?;
    // Where the API server serves no mutating policies it asks an operator for the default.
    own.operator().await?;
    let prod = environment(&own, "prod", one_approval()).await?;
    let preview = environment(&own, "preview", one_approval()).await?;
    let (anybody, ci) = (creator(&own, &[]).await?, creator(&own, &[&preview]).await?);
    create(&anybody, "before", None).await?.taken("a namespace before")?;
    required(&own, &anybody, &ci, [&prod, &preview]).await?;
    by_default(&own, &anybody, [&prod, &preview]).await
}

async fn required(own: &Context, anybody: &User, ci: &User, [prod, preview]: [&str; 2]) -> Result<()> {
    let values = ["--set", "replicas=0", "--set", "namespaces.requireEnvironment=true"];
    let exceptions = ["--set", "namespaces.exceptions={sandbox-*,legacy}"];
    chart::install_with(own.cluster(), &[values.as_slice(), &exceptions].concat()).await?;
    let words = "needs the label vouchsafe.dev/environment";
    until("the policy to be in force", || async {
        let answer = attempt::create(anybody, None, &namespace("early", None)).await?;
        if matches!(answer, Answer::Taken(_)) {
            attempt::delete(&attempt::api(anybody, None, "v1", "Namespace"), "early").await?;
        }
        Ok(Look::when(
            answer,
            |answer| matches!(answer, Answer::Refused(said) if said.contains(words)),
        ))
    })
    .await?;
    for name in ["sandbox-1", "legacy", "kube-addon"] {
        create(anybody, name, None).await?.taken(name)?;
    }
    create(anybody, "legacy-2", None)
        .await?
        .refused_with("not an exception", words)?;
    create(anybody, "team-a", Some(prod))
        .await?
        .refused_with("prod by anybody", "need the verb assign")?;
    create(ci, "pull-1", Some(prod))
        .await?
        .refused_with("prod by CI", "need the verb assign")?;
    create(ci, "pull-1", Some(preview)).await?.taken("a preview by CI")?;
    label(ci, "pull-1", Some(prod))
        .await?
        .refused_with("moved to prod", "need the verb assign")?;
    label(ci, "pull-1", None)
        .await?
        .refused_with("its label taken off", words)?;
    // What was there before is left alone, and its other labels can change.
    let namespaces = attempt::api(anybody, None, "v1", "Namespace");
    let change = json!({"metadata": {"labels": {"team": "a"}}});
    attempt::patch(&namespaces, "before", None, &change)
        .await?
        .taken("another label")?;
    for name in ["pull-1", "before"] {
        attempt::delete(&namespaces, name)
            .await?
            .taken(&format!("the end of {name}"))?;
    }
    Ok(())
}

async fn by_default(own: &Context, anybody: &User, [prod, preview]: [&str; 2]) -> Result<()> {
    let default = format!("namespaces.defaultEnvironment={preview}");
    chart::install_with(own.cluster(), &["--set", "replicas=0", "--set", &default]).await?;
    let number = std::sync::atomic::AtomicUsize::new(0);
    let labelled = until("a namespace that says nothing to be a preview", || async {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let answer = create(anybody, &format!("silent-{number}"), None).await?;
        Ok(match answer {
            Answer::Taken(stored) if environment_of(&stored) == Some(preview) => Look::Seen(stored),
            other => Look::NotYet(format!("{other:?}")),
        })
    })
    .await?;
    let name = labelled
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    label(anybody, name, Some(prod))
        .await?
        .refused_with("moved to prod", "need the verb assign")?;
    label(anybody, name, None)
        .await?
        .refused_with("its label taken off", "needs the label vouchsafe.dev/environment")?;
    create(anybody, "team-b", Some(prod))
        .await?
        .refused_with("prod by anybody", "need the verb assign")?;
    let system = create(anybody, "kube-more", None).await?.taken("the cluster's")?;
    ensure!(
        environment_of(&system).is_none(),
        "a namespace of the cluster is governed: {system}"
    );
    Ok(())
}

fn environment_of(namespace: &Value) -> Option<&str> {
    namespace
        .pointer("/metadata/labels/vouchsafe.dev~1environment")
        .and_then(Value::as_str)
}
