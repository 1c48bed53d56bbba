//! Who reaches into a pod that runs: where the environment asks for it, only who may debug there.

use crate::{
    await_::{Look, until},
    program::Run,
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &["D13", "D72"],
        "exec, attach, port-forward and the proxies to pods and Services need the verb debug where the environment says so",
        reach,
    )]
}

/// What we say.
const REFUSAL: &str = "needs the verb debug on environments.vouchsafe.dev";

async fn reach(cx: Context) -> Result<()> {
    let mut spec = one_approval();
    let fields = spec.as_object_mut().context("no spec")?;
    fields.insert("connect".to_owned(), json!({"requireDebug": true}));
    let closed = Stage::set(&cx, spec).await?;
    let open = Stage::set(&cx, one_approval()).await?;
    for stage in [&closed, &open] {
        let agent = AgentOf::new("refund");
        stage.run(&agent).await?;
        stage.apply(&[service(&agent)]).await?;
    }
    let debugger = cx.editor(&closed.namespace).await?;
    let rules = vec![rule(
        "vouchsafe.dev",
        &["environments"],
        &[&closed.environment],
        &["debug"],
    )];
    cx.cluster()
        .grants()
        .allow(&closed.namespace, rules, debugger.subject())
        .await?;
    for (what, words) in ways(&closed).await? {
        let ran = asked(&closed.editor, &words).ran().await?;
        ran.must_fail_with(REFUSAL).context(what)?;
        // There is no kubelet behind these nodes: who may gets as far as that.
        until(&format!("{what} by who may debug"), || async {
            let ran = asked(&debugger, &words).ran().await?;
            Ok(Look::when(ran, |ran| reaches_the_node(&ran.stderr)))
        })
        .await?;
    }
    for (what, words) in ways(&open).await? {
        let ran = asked(&open.editor, &words).ran().await?;
        ensure!(
            reaches_the_node(&ran.stderr),
            "{what} where nothing is asked for: {ran:?}"
        );
    }
    Ok(())
}

/// Whether the API server passed it on: the answer is not its own refusal.
fn reaches_the_node(error: &str) -> bool {
    !error.is_empty() && !error.contains("is forbidden:")
}

fn service(agent: &AgentOf) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": agent.name},
        "spec": {"selector": {"app": agent.name}, "ports": [{"port": 80, "targetPort": 8080}]},
    })
}

/// Every way in, as kubectl's words.
async fn ways(stage: &Stage) -> Result<Vec<(&'static str, Vec<String>)>> {
    let running = stage.running("app=refund").await?;
    let pod = running.first().context("nothing runs")?;
    let namespace = &stage.namespace;
    let raw = |path: String| vec!["get".to_owned(), "--raw".to_owned(), path];
    let words = |line: String| line.split(' ').map(str::to_owned).collect();
    Ok(vec![
        ("exec", words(format!("exec -n {namespace} {pod} -- sh"))),
        ("attach", words(format!("attach -n {namespace} {pod}"))),
        (
            "port-forward",
            words(format!("port-forward -n {namespace} {pod} :8080")),
        ),
        (
            "a pod's proxy",
            raw(format!("/api/v1/namespaces/{namespace}/pods/{pod}:8080/proxy/")),
        ),
        (
            "a Service's proxy",
            raw(format!("/api/v1/namespaces/{namespace}/services/refund:80/proxy/")),
        ),
    ])
}

fn asked(user: &User, words: &[String]) -> Run {
    user.kubectl(words.iter().map(String::as_str))
}
