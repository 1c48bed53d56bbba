//! The product's own life: an upgrade changes nothing for what runs and what waits, an uninstallation leaves nothing stuck and nothing closed, and a
//! new installation goes on where the old one ended.

use crate::{
    attempt::{self, Answer, is_gated},
    await_::{Look, until},
    chart::{self, NAME, NAMESPACE},
    operator::Operator,
    pods::{await_held, await_running},
    stage::{AgentOf, Stage, image, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::{
    api::{batch::v1::Job, core::v1::Namespace},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use vouchsafe_api::{
    Approval, Environment, Promotion, approval::Vote, environment::status::InstalledPolicies,
    promotion::status::Verdict,
};

/// A gate of somebody else, which the chart allows when it is told.
const GATE: &str = "kueue.x-k8s.io/admission";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["A06"],
            "upgraded, uninstalled, installed again and removed without a trace: nothing stuck, nothing closed, the ledger honoured",
            life,
        )
        .alone()
        .patience(Duration::from_secs(600)),
    ]
}

async fn life(cx: Context) -> Result<()> {
    let own = cx.elsewhere().await?;
    let stage = Stage::set(&own, one_approval()).await?;
    let there = There::new(&stage).await?;
    let operator = upgraded(&stage, &there).await.context("upgraded")?;
    // It runs on while its rights go: a pod that is ended has half a minute.
    uninstalled(&stage, &there).await.context("uninstalled")?;
    operator.kill()?;
    let operator = installed_again(&stage, &there).await.context("installed again")?;
    operator.stop().await?;
    without_a_trace(&stage).await.context("removed without a trace")
}

/// One agent that runs, and others that wait.
struct There {
    cleared: AgentOf,
    waiting: AgentOf,
    running: Vec<String>,
    held: String,
}

impl There {
    async fn new(stage: &Stage) -> Result<Self> {
        let cleared = AgentOf::new("refund").with_replicas(2);
        stage.run(&cleared).await?;
        let waiting = AgentOf::new("next").with_prompt("Be next.");
        stage.apply(&waiting.objects()).await?;
        stage.apply(&[pod("alone"), job("once")]).await?;
        await_held(&stage.pods(), "app=alone", 1).await?;
        let held = await_held(&stage.pods(), &waiting.selector(), 1).await?;
        stage.promotion(&waiting.name).await?;
        Ok(Self {
            running: sorted(stage.running(&cleared.selector()).await?),
            held: held.first().context("nothing is held")?.name_any(),
            cleared,
            waiting,
        })
    }

    /// What ran still runs, and what waited still waits, in the very same pods.
    async fn is_untouched(&self, stage: &Stage) -> Result<()> {
        let running = sorted(stage.running(&self.cleared.selector()).await?);
        ensure!(running == self.running, "{running:?} run instead of {:?}", self.running);
        let held = await_held(&stage.pods(), &self.waiting.selector(), 1).await?;
        ensure!(
            held.iter().all(|pod| pod.name_any() == self.held),
            "another pod is held"
        );
        let job = stage.api::<Job>().get("once").await?;
        let suspended = job.spec.and_then(|spec| spec.suspend);
        ensure!(suspended == Some(true), "the Job is not suspended");
        Ok(())
    }

    /// Lets pods of the cleared agent come back: all do.
    async fn comes_back(&self, stage: &Stage) -> Result<()> {
        delete_pods(stage, &self.cleared.selector()).await?;
        await_running(&stage.pods(), &self.cleared.selector(), 2)
            .await
            .map(drop)
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// Somebody's pod that nobody cleared.
fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": image(name)}]},
    })
}

fn job(name: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "main", "image": image(name)}], "restartPolicy": "Never"},
        }},
    })
}

async fn delete_pods(stage: &Stage, selector: &str) -> Result<()> {
    let delete = ["delete", "pods", "-n", &stage.namespace, "-l", selector];
    stage.editor.kubectl(delete).must().await.map(drop)
}

/// What the API server would do with a pod that nobody cleared.
async fn tried(stage: &Stage, gate: Option<&str>) -> Result<Answer> {
    let mut pod = pod("tried");
    if let (Some(gate), Some(spec)) = (gate, pod.get_mut("spec").and_then(Value::as_object_mut)) {
        spec.insert("schedulingGates".to_owned(), json!([{"name": gate}]));
    }
    attempt::try_create(&stage.editor, &stage.namespace, &pod).await
}

/// Changes a value with one agent running and others held; gives the operator that was told of it.
async fn upgraded(stage: &Stage, there: &There) -> Result<Operator> {
    let first = stage.cx.operator().await?;
    await_policies(stage, InstalledPolicies::Current, &[]).await?;
    let foreign = || tried(stage, Some(GATE));
    foreign().await?.refused_with("a foreign gate", "is not allowed here")?;
    let gates = format!("policies.allowedSchedulingGates={{{GATE}}}");
    chart::install_with(stage.cx.cluster(), &["--set", "replicas=0", "--set", &gates]).await?;
    until("the changed policy to be in force", || async {
        let answer = foreign().await?;
        let refused = matches!(&answer, Answer::Refused(words) if words.contains("is not allowed here"));
        ensure!(
            refused || matches!(&answer, Answer::Taken(pod) if is_gated(pod)),
            "{answer:?}"
        );
        Ok(Look::when(refused, |refused| !refused))
    })
    .await?;
    // An operator that was not told of the value says that the policy is not as it ships it; one that was says that all is well.
    let changed = ["ValidatingAdmissionPolicy/vouchsafe-pods"];
    await_policies(stage, InstalledPolicies::Changed, &changed).await?;
    first.stop().await?;
    let told = stage.cx.another_operator("operator-told").await?;
    let told = told.with("VOUCHSAFE_ALLOWED_SCHEDULING_GATES", GATE);
    told.start().await?;
    await_policies(stage, InstalledPolicies::Current, &[]).await?;
    there.is_untouched(stage).await?;
    there.comes_back(stage).await?;
    tried(stage, None).await?.held("an uncleared pod")?;
    Ok(told)
}

async fn await_policies(stage: &Stage, state: InstalledPolicies, differing: &[&str]) -> Result<()> {
    let api: Api<Environment> = Api::all(stage.cx.client());
    until(&format!("the policies to be {state:?}"), || async {
        let status = api.get(&stage.environment).await?.status.unwrap_or_default();
        Ok(Look::when(status.enforced, |enforced| {
            enforced
                .as_ref()
                .is_some_and(|enforced| enforced.policies == state && enforced.differing == differing)
        }))
    })
    .await
    .map(drop)
}

/// Names of our policies and bindings that are there.
async fn policies(cx: &Context) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for kind in attempt::installed_kinds(cx.cluster()) {
        let api = attempt::policies(cx.cluster(), kind);
        let names = api.list(&ListParams::default()).await?;
        found.extend(names.iter().map(|object| format!("{kind}/{}", object.name_any())));
    }
    Ok(found)
}

/// As the book says it.
async fn uninstall(cx: &Context) -> Result<()> {
    let args = ["uninstall", NAME, "-n", NAMESPACE, "--wait"];
    cx.helm()?.run(cx.admin(), args).must().await?;
    let left = policies(cx).await?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    let probe = Api::<Namespace>::all(cx.client()).get_opt("vouchsafe-probe").await?;
    ensure!(probe.is_none(), "the probe namespace is there");
    Ok(())
}

async fn uninstalled(stage: &Stage, there: &There) -> Result<()> {
    let begun = Instant::now();
    uninstall(&stage.cx).await?;
    let took = begun.elapsed();
    let open = || async {
        let answer = tried(stage, None).await?;
        Ok(Look::when(
            answer,
            |answer| matches!(answer, Answer::Taken(pod) if !is_gated(pod)),
        ))
    };
    until("the namespace to be open", open).await?;
    stage.cx.tell(&format!(
        "uninstalled in {:.1} s; pods were let in {:.1} s after it began",
        took.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    ));
    stage.editor.apply(&stage.namespace, &[pod("later")]).must().await?;
    await_running(&stage.pods(), "app=later", 1).await?;
    there.comes_back(stage).await?;
    finds_no_finalizers(stage).await?;
    // What waited goes on waiting, until somebody does what the book says.
    let held = await_held(&stage.pods(), &there.waiting.selector(), 1).await?;
    ensure!(
        held.iter().all(|pod| pod.name_any() == there.held),
        "another pod is held"
    );
    await_held(&stage.pods(), "app=alone", 1).await?;
    let ungate = r#"[{"op": "remove", "path": "/spec/schedulingGates"}]"#;
    let namespace = ["-n", &stage.namespace];
    for command in [
        ["patch", "pod", "alone", "--type=json", "-p", ungate].as_slice(),
        &["label", "pod", "alone", "vouchsafe.dev/held-"],
        &["delete", "pods", "-l", "vouchsafe.dev/held"],
        &["patch", "job", "once", "-p", r#"{"spec": {"suspend": false}}"#],
    ] {
        let command = command.iter().chain(&namespace).copied();
        stage.editor.kubectl(command).must().await?;
    }
    for selector in ["app=alone", &there.waiting.selector(), "app=once"] {
        await_running(&stage.pods(), selector, 1).await?;
    }
    Ok(())
}

/// Nothing of ours in the namespace has a finalizer, nor has what we held.
async fn finds_no_finalizers(stage: &Stage) -> Result<()> {
    let kinds = "agents,promotions,approvals,evidence,waivers,clearances.vouchsafe.dev,deployments,pods";
    let get = ["get", kinds, "-n", &stage.namespace, "-o", "json"];
    let found: Value = serde_json::from_str(&stage.cx.admin().kubectl(get).must().await?)?;
    let items = found.get("items").and_then(Value::as_array).context("no list")?;
    ensure!(items.len() > 6, "only {} objects are there", items.len());
    let finalizers = |object: &&Value| object.pointer("/metadata/finalizers").is_some();
    let stuck: Vec<_> = items.iter().filter(finalizers).map(chart::called).collect();
    ensure!(stuck.is_empty(), "{stuck:?} have finalizers");
    Ok(())
}

/// What was written before counts: without an operator the cleared comes back, and with one nobody is asked again.
async fn installed_again(stage: &Stage, there: &There) -> Result<Operator> {
    let before = Written::now(stage).await?;
    chart::install(stage.cx.cluster()).await?;
    until("the gate to be shut", || async {
        let answer = tried(stage, None).await?;
        Ok(Look::when(answer, |answer| match answer {
            Answer::Taken(pod) => is_gated(pod),
            // Where a webhook holds, nobody answers it yet.
            Answer::Refused(words) => !stage.holds_alone() && words.contains("not cleared for"),
        }))
    })
    .await?;
    there.comes_back(stage).await.context("without an operator")?;
    delete_pods(stage, &there.waiting.selector()).await?;
    stage.kept_out(&there.waiting.selector(), 1).await?;
    let operator = stage.cx.another_operator("operator-again").await?;
    operator.start().await?;
    await_policies(stage, InstalledPolicies::Current, &[]).await?;
    there.comes_back(stage).await?;
    let promotion = stage.promotion(&there.waiting.name).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    stage.verdict(&promotion.name_any(), Verdict::Cleared).await?;
    await_running(&stage.pods(), &there.waiting.selector(), 1).await?;
    let after = Written::now(stage).await?;
    ensure!(after.ledger == before.ledger, "the ledger is another one");
    ensure!(after.promotions == before.promotions, "there are other Promotions");
    ensure!(after.approvals == before.approvals + 1, "approvals were lost");
    Ok(operator)
}

/// What was written, by uid.
struct Written {
    ledger: Option<String>,
    promotions: Vec<Option<String>>,
    approvals: usize,
}

impl Written {
    async fn now(stage: &Stage) -> Result<Self> {
        let all = ListParams::default();
        let promotions = stage.api::<Promotion>().list(&all).await?;
        let mut promotions: Vec<_> = promotions.iter().map(ResourceExt::uid).collect();
        promotions.sort();
        let ledger = stage.ledger().await?.context("there is no ledger")?;
        Ok(Self {
            ledger: ledger.uid(),
            promotions,
            approvals: stage.api::<Approval>().list(&all).await?.items.len(),
        })
    }
}

/// The definitions go with everything that was written, in a namespace that still has its label, and nothing is in the way of anything.
async fn without_a_trace(stage: &Stage) -> Result<()> {
    let cx = &stage.cx;
    uninstall(cx).await?;
    let begun = Instant::now();
    let delete = ["delete", "crd", "-l", "app.kubernetes.io/name=vouchsafe"];
    cx.admin().kubectl(delete).must().await?;
    let definitions = Api::<CustomResourceDefinition>::all(cx.client())
        .list(&ListParams::default())
        .await?;
    let left: Vec<_> = definitions
        .iter()
        .map(ResourceExt::name_any)
        .filter(|name| name.ends_with("vouchsafe.dev"))
        .collect();
    ensure!(left.is_empty(), "left behind: {left:?}");
    cx.tell(&format!(
        "definitions and all objects deleted in {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    stage.editor.apply(&stage.namespace, &[pod("last")]).must().await?;
    await_running(&stage.pods(), "app=last", 1).await?;
    let gone = [stage.namespace.as_str(), NAMESPACE];
    let namespaces: Api<Namespace> = Api::all(cx.client());
    for name in gone {
        namespaces.delete(name, &DeleteParams::default()).await?;
    }
    until("the namespaces to be gone", || async {
        let mut left = Vec::new();
        for name in gone {
            left.extend(namespaces.get_opt(name).await?.map(|namespace| namespace.name_any()));
        }
        Ok(Look::when(left, Vec::is_empty))
    })
    .await
    .map(drop)
}
