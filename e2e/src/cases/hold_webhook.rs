//! Where the API server serves no mutating policies: what the operator's webhook does, what is left when it cannot be asked, who may change it,
//! and how its certificates come back.

mod asked;
mod served;

use crate::{
    attempt::{self, Answer, policies},
    await_::{Look, until},
    chart::NAMESPACE,
    pods::await_running,
    stage::{AgentOf, Stage, image, one_approval},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Context as _, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use vouchsafe_api::{Environment, approval::Vote, environment::status::Probe};

const KIND: &str = "MutatingWebhookConfiguration";
const SECRET: &str = "vouchsafe-webhook";
const OURS: &str = "vouchsafe-hold";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["A01"],
            "with nobody to ask by the webhook the cleared restart, the uncleared and what grants are refused, and both are told why",
            nobody_answers,
        )
        .alone(),
        Case::new(
            &["D43"],
            "the webhook is changed by the chart alone, and by the operator in nothing but whom to trust",
            who_changes,
        )
        .alone(),
        Case::new(&[], "the webhook's certificates come back whatever is done to them", come_back).alone(),
        Case::new(
            &[],
            "the webhook answers what is no review within bounds, and tells whoever asks nothing but a gate",
            asked::anything,
        ),
        Case::new(
            &[],
            "a cluster that serves mutating policies from now on goes on asking the webhook, and the next upgrade takes it away",
            served::from_now_on,
        )
        .alone(),
    ]
    .into_iter()
    .map(Case::of_webhook)
    .collect()
}

/// A pod that nobody cleared.
fn uncleared() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "uncleared"},
        "spec": {"containers": [{"name": "main", "image": image("uncleared")}]}})
}

async fn tried(stage: &Stage) -> Result<Answer> {
    attempt::try_create(&stage.editor, &stage.namespace, &uncleared()).await
}

async fn await_held(stage: &Stage) -> Result<Duration> {
    let begun = Instant::now();
    until("an uncleared pod to be held", || async {
        let answer = tried(stage).await?;
        Ok(Look::when(
            answer,
            |answer| matches!(answer, Answer::Taken(pod) if attempt::is_gated(pod)),
        ))
    })
    .await?;
    Ok(begun.elapsed())
}

async fn await_probe(stage: &Stage, probe: Probe) -> Result<()> {
    let environments: Api<Environment> = Api::all(stage.cx.client());
    until(&format!("the probe to be {probe:?}"), || async {
        let status = environments.get(&stage.environment).await?.status.unwrap_or_default();
        Ok(Look::when(status.enforced, |enforced| {
            enforced.as_ref().is_some_and(|enforced| enforced.probe == probe)
        }))
    })
    .await
    .map(drop)
}

async fn nobody_answers(cx: Context) -> Result<()> {
    let operator = cx.operator().await?;
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.run(&agent).await?;
    let waiting = AgentOf::new("next").with_prompt("Be next.");
    stage.apply(&waiting.objects()).await?;
    let promotion = stage.promotion(&waiting.name).await?;
    operator.kill()?;
    let shown = alone(&stage, &agent, &promotion).await;
    operator.start().await?;
    shown?;
    await_held(&stage).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    await_running(&stage.pods(), &waiting.selector(), waiting.replicas).await?;
    Ok(())
}

/// While no operator runs.
async fn alone(stage: &Stage, agent: &AgentOf, promotion: &vouchsafe_api::Promotion) -> Result<()> {
    let begun = Instant::now();
    tried(stage)
        .await?
        .refused_with("an uncleared pod", "ValidatingAdmissionPolicy 'vouchsafe-pods'")?;
    stage.cx.tell(&format!(
        "webhook with nobody to answer: an uncleared pod was refused after {} ms",
        begun.elapsed().as_millis()
    ));
    let vote = serde_json::to_value(stage.approval(promotion, "security", Vote::Approve))?;
    // Whoever writes the stamp by hand, and the right one, is not believed either: nobody is asked, so nothing is taken.
    let by = json!({"username": stage.security.name, "uid": "", "groups": ["system:authenticated"]});
    let mut stamped = vote.clone();
    if let Some(spec) = stamped.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("by".to_owned(), by);
    }
    for vote in [&vote, &stamped] {
        let answer = attempt::create(&stage.security, Some(&stage.namespace), vote).await;
        let error = answer.err().context("an approval was taken that nobody stamped")?;
        let words = format!("{error:#}");
        ensure!(
            words.contains("failed calling webhook \"stamp.vouchsafe.dev\""),
            "{words}"
        );
    }
    let deployment = format!("deployment/{}", agent.name);
    let before = stage.running(&agent.selector()).await?;
    let restart = ["delete", "pods", "-n", &stage.namespace, "-l", &agent.selector()];
    stage.editor.kubectl(restart).must().await?;
    let after = await_running(&stage.pods(), &agent.selector(), agent.replicas).await?;
    let again = |pod: &k8s_openapi::api::core::v1::Pod| pod.metadata.name.iter().all(|name| !before.contains(name));
    ensure!(after.iter().all(again), "the pods of {deployment} are those of before");
    let scale = ["scale", &deployment, "--replicas=3", "-n", &stage.namespace];
    stage.editor.kubectl(scale).must().await?;
    await_running(&stage.pods(), &agent.selector(), 3).await.map(drop)
}

/// Somebody with every right on webhooks, and none on policies.
async fn webhook_admin(cx: &Context) -> Result<User> {
    let user = cx.user("webhooks").await?;
    let group = "admissionregistration.k8s.io";
    let rules = vec![rule(
        group,
        &["mutatingwebhookconfigurations"],
        &[],
        &["get", "list", "create", "update", "patch", "delete"],
    )];
    cx.cluster().grants().allow_everywhere(rules, user.subject()).await?;
    Ok(user)
}

async fn who_changes(cx: Context) -> Result<()> {
    let operator = cx.operator().await?;
    let stage = Stage::set(&cx, one_approval()).await?;
    await_probe(&stage, Probe::Held).await?;
    let before = policies(cx.cluster(), KIND).get(OURS).await?;
    let other = webhook_admin(&cx).await?;
    let refused = "are changed by whoever may update validatingadmissionpolicies";
    let (ours, theirs) = (api(operator.account()), api(&other));
    let changes: [(&str, Value); 4] = [
        ("/0/matchConditions", json!([{"name": "never", "expression": "false"}])),
        ("/2/clientConfig/url", json!("https://192.0.2.1/stamp")),
        ("/0/failurePolicy", json!("Fail")),
        ("/1/rules", json!([])),
    ];
    for (at, to) in &changes {
        let change = changed(&before.data, at, to)?;
        patched(&theirs, &change).await?.refused_with("by somebody", refused)?;
        let by_us = patched(&ours, &change).await?;
        by_us.refused_with("by the operator", "changes nothing of its webhooks but")?;
    }
    // With an owner that is not there it would be taken away.
    let owner = json!([{"apiVersion": "v1", "kind": "Namespace", "name": "nowhere", "uid": "00000000-0000-0000-0000-000000000000"}]);
    for metadata in [json!({"ownerReferences": owner}), json!({"labels": {"mine": "yes"}})] {
        let by_us = patched(&ours, &json!({"metadata": metadata})).await?;
        by_us.refused_with("by the operator", "changes nothing of its webhooks but")?;
    }
    for api in [&ours, &theirs] {
        let answer = patched(api, &json!({"webhooks": null})).await?;
        ensure!(
            matches!(answer, Answer::Refused(_)),
            "the webhooks are gone: {answer:?}"
        );
    }
    attempt::delete(&theirs, OURS)
        .await?
        .refused_with("deleted by somebody", refused)?;
    // Webhooks of others are none of our business.
    let foreign = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": KIND, "metadata": {"name": cx.name("theirs")}, "webhooks": []});
    attempt::create(&other, None, &foreign)
        .await?
        .taken("a webhook of their own")?;
    let name = foreign.pointer("/metadata/name").and_then(Value::as_str);
    let name = name.context("it has no name")?;
    attempt::delete(&theirs, name).await?.taken("the end of it")?;
    // Whom to trust is the operator's to say, and it says it again.
    let nobody = changed(
        &before.data,
        "/0/clientConfig/caBundle",
        &json!(STANDARD.encode(cx.cluster().server()?.1)),
    )?;
    let by_somebody = patched(&theirs, &nobody).await?;
    by_somebody.refused_with("whom to trust", refused)?;
    let admin = policies(cx.cluster(), KIND);
    patched(&admin, &nobody)
        .await?
        .taken("whom to trust, by an administrator")?;
    await_held(&stage).await?;
    let after = admin.get(OURS).await?;
    ensure!(after.data == before.data, "it is another one: {:?}", after.data);
    Ok(())
}

fn api(user: &User) -> Api<DynamicObject> {
    attempt::api(user, None, "admissionregistration.k8s.io/v1", KIND)
}

/// All webhooks, one thing of which is another.
fn changed(data: &Value, at: &str, to: &Value) -> Result<Value> {
    let mut webhooks = data.get("webhooks").context("no webhooks")?.clone();
    *webhooks
        .pointer_mut(at)
        .with_context(|| format!("there is nothing at {at}"))? = to.clone();
    Ok(json!({"webhooks": webhooks}))
}

/// By a merge patch: the operator may `patch`, and not `update`.
async fn patched(api: &Api<DynamicObject>, change: &Value) -> Result<Answer> {
    attempt::merge(api, OURS, change).await
}

async fn come_back(cx: Context) -> Result<()> {
    let operator = cx.operator().await?;
    let stage = Stage::set(&cx, one_approval()).await?;
    await_held(&stage).await?;
    let secrets: Api<Secret> = Api::namespaced(cx.client(), NAMESPACE);
    let keys = |secret: &Secret| {
        secret
            .data
            .iter()
            .flat_map(|data| data.keys())
            .cloned()
            .collect::<Vec<_>>()
    };
    let mut slowest = Duration::ZERO;
    for (what, data) in [
        ("nothing is left", json!(null)),
        ("the key is another", json!({"tls.key": "bm8ga2V5"})),
        (
            "the authority is no certificate",
            json!({"ca.crt": "bm8gY2VydGlmaWNhdGU="}),
        ),
    ] {
        let change = Patch::Merge(json!({"data": data}));
        let broken = secrets.patch(SECRET, &PatchParams::default(), &change).await?;
        let begun = Instant::now();
        until(&format!("certificates after {what}"), || async {
            let found = secrets.get(SECRET).await?;
            let whole = keys(&found) == ["ca.crt", "ca.key", "tls.crt", "tls.key"];
            Ok(Look::when(found, |found| whole && found.data != broken.data))
        })
        .await?;
        await_held(&stage).await.with_context(|| what.to_owned())?;
        slowest = slowest.max(begun.elapsed());
    }
    cx.tell(&format!(
        "webhook's certificates: pods were held again {:.1} s after they were taken away or broken, at most",
        slowest.as_secs_f64()
    ));
    let before = secrets.get(SECRET).await?;
    operator.restart().await?;
    ensure!(
        secrets.get(SECRET).await?.data == before.data,
        "a restart made other certificates"
    );
    await_held(&stage).await.map(drop)
}
