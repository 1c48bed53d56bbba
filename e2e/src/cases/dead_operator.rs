//! The operator is dead: nothing uncleared runs, whatever is tried; what is cleared restarts, grows and moves; what expires is over.

use crate::{
    attempts::{self, KINDS, LABEL},
    await_::{Look, until, within},
    pods::{await_running, is_held},
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    batch::v1::Job,
    core::v1::{Event, Pod},
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, EvictParams, GroupVersionKind, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long the clearance lasts that expires meanwhile: long enough to be used first.
const SHORT: &str = "60s";
/// Agents that are restarted, scaled and moved, and what is done to each.
const AGENTS: usize = 5;
const STEPS: [Step; 10] = [
    Step::Move,
    Step::Grow,
    Step::Move,
    Step::Restart,
    Step::Grow,
    Step::Move,
    Step::Grow,
    Step::Restart,
    Step::Move,
    Step::Grow,
];
/// What a refused pod's controller is told: by our policy, or by Kubernetes because our gate is on a pod that names its node.
const REFUSALS: [&str; 2] = [
    "ValidatingAdmissionPolicy 'vouchsafe-",
    "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
];
/// Requests at the same time.
const WIDTH: usize = 8;
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Clone, Copy)]
enum Step {
    Restart,
    Grow,
    Move,
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["A01", "D41"],
            "with the operator dead: 200 attempts, none runs; 50 restarts, scale-ups and moves, all run; expired is over",
            dead_operator,
        )
        .alone()
        .patience(PATIENCE),
    ]
}

async fn dead_operator(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agents: Vec<AgentOf> = (0..AGENTS)
        .map(|number| AgentOf::new(&format!("agent-{number}")).with_prompt(&format!("Be number {number}.")))
        .collect();
    let victim = AgentOf::new("victim").with_replicas(2);
    let promotion = stage.run(&victim).await?;
    for agent in &agents {
        stage.run(agent).await?;
    }
    let mut spec = one_approval();
    if let Some(fields) = spec.as_object_mut() {
        fields.insert("clearance".to_owned(), json!({"validFor": SHORT}));
    }
    let short = Stage::set(&cx, spec).await?;
    let brief = AgentOf::new("brief");
    short.run(&brief).await?;

    let operator = cx.operator().await?;
    operator.kill()?;
    let result = async {
        move_one(&short, &brief, 1)
            .await
            .context("the clearance that will expire")?;
        let release = promotion.spec.release.to_string();
        attempts_fail(&stage, &victim, &release).await?;
        try_join_all(agents.iter().map(|agent| steps(&stage, agent))).await?;
        cx.tell(&format!(
            "operator dead: {} restarts, scale-ups and moves of cleared agents, all ran",
            AGENTS * STEPS.len()
        ));
        expires(&short, &brief).await
    }
    .await;
    operator.start().await?;
    result?;
    // Alive again, it renews what still meets its rules.
    within(PATIENCE, "the renewed agent to run", || async {
        await_running(&short.pods(), &brief.selector(), 2).await.map(Look::Seen)
    })
    .await
    .map(drop)
}

/// Two hundred ways, and none of them runs.
async fn attempts_fail(stage: &Stage, victim: &AgentOf, release: &str) -> Result<()> {
    let changes = attempts::changes();
    let spec = victim.pod_spec();
    let mut tried = Vec::new();
    for (at, change) in changes.iter().enumerate() {
        for (kind, (api_version, name, _)) in KINDS.iter().enumerate() {
            let number = at * KINDS.len() + kind;
            let spec = attempts::changed(&spec, change);
            let object = attempts::object(api_version, name, &format!("try-{number}"), number, &spec, release);
            tried.push(create(stage, number, object));
        }
    }
    let made = tried.len();
    let outcomes: Vec<(usize, bool)> = stream::iter(tried).buffer_unordered(WIDTH).try_collect().await?;
    let mut admitted: BTreeSet<usize> = outcomes
        .iter()
        .filter(|(_, admitted)| *admitted)
        .map(|(number, _)| *number)
        .collect();
    let refused = made - admitted.len();
    looked_at(stage, &admitted).await?;
    for (at, change) in changes.iter().enumerate() {
        let number = made + at;
        edit(stage, victim, number, attempts::changed(&spec, change)).await?;
        looked_at(stage, &BTreeSet::from([number]))
            .await
            .with_context(|| change.0)?;
        admitted.insert(number);
    }
    ensure!(refused + admitted.len() == 200, "{} attempts", refused + admitted.len());
    stage.nothing_ran(LABEL).await?;
    let old = stage.running(&victim.selector()).await?;
    ensure!(old.len() == victim.replicas, "the victim lost pods: {old:?}");
    stage.cx.tell(&format!(
        "operator dead: 200 attempts, {refused} refused at once, {} never ran",
        admitted.len()
    ));
    Ok(())
}

/// Whether the API server stored it. A refusal has to be one of our policies'.
async fn create(stage: &Stage, number: usize, object: Value) -> Result<(usize, bool)> {
    let (api_version, kind, plural) = KINDS.get(number % KINDS.len()).copied().context("no such kind")?;
    let gvk = match api_version.split_once('/') {
        Some((group, version)) => GroupVersionKind::gvk(group, version, kind),
        None => GroupVersionKind::gvk("", api_version, kind),
    };
    let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
    let api: Api<DynamicObject> = Api::namespaced_with(stage.editor.client.clone(), &stage.namespace, &resource);
    let object: DynamicObject = serde_json::from_value(object).context("the attempt is no object")?;
    match api.create(&PostParams::default(), &object).await {
        Ok(_) => Ok((number, true)),
        Err(kube::Error::Api(status)) if is_refusal(&status.message) => Ok((number, false)),
        Err(error) => Err(anyhow!(error).context(format!("{kind} {} failed for another reason", object.name_any()))),
    }
}

fn is_refusal(text: &str) -> bool {
    REFUSALS.iter().any(|refusal| text.contains(refusal))
}

/// Puts a changed template into the victim's own Deployment.
async fn edit(stage: &Stage, victim: &AgentOf, number: usize, spec: Value) -> Result<()> {
    let api = stage.editor.api::<Deployment>(&stage.namespace);
    let mut labels = attempts::labels(number, &victim.name);
    if let Some(labels) = labels.as_object_mut() {
        labels.remove("vouchsafe.dev/cleared");
    }
    for _ in 0..20 {
        let mut found = api.get(&victim.name).await?;
        let template = json!({"metadata": {"labels": labels}, "spec": spec});
        let template = serde_json::from_value(template).context("the attempt is no template")?;
        if let Some(of) = found.spec.as_mut() {
            of.template = template;
        }
        match api.replace(&victim.name, &PostParams::default(), &found).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error).context("the edit failed"),
        }
    }
    bail!("the edit met a conflict twenty times")
}

/// Awaits the proof that each attempt was judged: a held pod, a refused pod of its controller, or a Job that waits.
async fn looked_at(stage: &Stage, numbers: &BTreeSet<usize>) -> Result<()> {
    until("every attempt to be judged", || async {
        let judged = judged(stage).await?;
        let missing: Vec<&usize> = numbers.iter().filter(|number| !judged.contains(number)).collect();
        if missing.is_empty() {
            return Ok(Look::Seen(()));
        }
        let events = stage.api::<Event>().list(&ListParams::default()).await?.items;
        let about = |event: &&Event| {
            let name = event.involved_object.name.as_deref().unwrap_or_default();
            missing.iter().any(|number| name.starts_with(&format!("try-{number}")))
        };
        let words: Vec<_> = events
            .iter()
            .filter(about)
            .filter_map(|event| event.message.clone())
            .collect();
        Ok(Look::NotYet(format!("not {missing:?}; {words:?}")))
    })
    .await
}

async fn judged(stage: &Stage) -> Result<BTreeSet<usize>> {
    let labelled = ListParams::default().labels(LABEL);
    let number = |labels: &BTreeMap<String, String>| labels.get(LABEL).and_then(|text| text.parse::<usize>().ok());
    let pods = stage.pods().list(&labelled).await?;
    let jobs = stage.api::<Job>().list(&labelled).await?;
    let sets = stage.api::<ReplicaSet>().list(&labelled).await?;
    let events = stage
        .api::<Event>()
        .list(&ListParams::default().fields("reason=FailedCreate"))
        .await?;
    let by_name: BTreeMap<String, usize> = sets
        .iter()
        .filter_map(|set| Some((set.name_any(), number(set.labels())?)))
        .collect();
    let refused = events
        .iter()
        .filter(|event| event.message.as_ref().is_some_and(|text| is_refusal(text)));
    let refused = refused.filter_map(|event| {
        let name = event.involved_object.name.as_ref()?;
        by_name
            .get(name)
            .copied()
            .or_else(|| name.strip_prefix("try-")?.parse().ok())
    });
    let held = pods
        .iter()
        .filter(|pod| is_held(pod))
        .filter_map(|pod| number(pod.labels()));
    let suspended = jobs
        .iter()
        .filter(|job| job.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true)));
    Ok(held
        .chain(refused)
        .chain(suspended.filter_map(|job| number(job.labels())))
        .collect())
}

/// All that is done to one cleared agent.
async fn steps(stage: &Stage, agent: &AgentOf) -> Result<()> {
    let mut replicas = agent.replicas;
    for step in STEPS {
        match step {
            Step::Move => move_one(stage, agent, replicas).await?,
            Step::Grow => {
                replicas += 1;
                scale(stage, agent, replicas).await?;
                await_running(&stage.pods(), &agent.selector(), replicas).await?;
            }
            Step::Restart => {
                let old = stage.running(&agent.selector()).await?;
                stage
                    .editor
                    .api::<Deployment>(&stage.namespace)
                    .restart(&agent.name)
                    .await?;
                replaced(stage, agent, replicas, &old).await?;
            }
        }
    }
    Ok(())
}

async fn scale(stage: &Stage, agent: &AgentOf, replicas: usize) -> Result<()> {
    let api = stage.editor.api::<Deployment>(&stage.namespace);
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    api.patch_scale(&agent.name, &PatchParams::default(), &patch).await?;
    Ok(())
}

async fn move_one(stage: &Stage, agent: &AgentOf, replicas: usize) -> Result<()> {
    let running = stage.running(&agent.selector()).await?;
    let one = running.first().context("nothing runs that could be moved")?;
    stage
        .editor
        .api::<Pod>(&stage.namespace)
        .evict(one, &EvictParams::default())
        .await?;
    replaced(stage, agent, replicas, std::slice::from_ref(one)).await
}

/// Awaits so many running pods, none of them one of the old.
async fn replaced(stage: &Stage, agent: &AgentOf, replicas: usize, old: &[String]) -> Result<()> {
    until(&format!("{replicas} other pods of {}", agent.name), || async {
        let running = stage.running(&agent.selector()).await?;
        Ok(Look::when(running, |running| {
            running.len() == replicas && !running.iter().any(|name| old.contains(name))
        }))
    })
    .await
    .map(drop)
}

/// After its end a clearance lets no pod in; what runs stays.
async fn expires(stage: &Stage, agent: &AgentOf) -> Result<()> {
    let ledger = stage.ledger().await?.context("there is no ledger")?;
    let end = ledger.spec.profiles.values().map(|profile| profile.not_after).max();
    let end = end.context("the ledger grants nothing")?;
    until("the clearance to end", || async {
        Ok(Look::when(Timestamp::now(), |now| *now > end))
    })
    .await?;
    scale(stage, agent, agent.replicas + 1).await?;
    until("a pod to be refused because the clearance has ended", || async {
        let events = stage
            .api::<Event>()
            .list(&ListParams::default().fields("reason=FailedCreate"))
            .await?;
        let words: Vec<_> = events.iter().filter_map(|event| event.message.clone()).collect();
        Ok(Look::when(words, |words| {
            words.iter().any(|words| words.contains("ended at"))
        }))
    })
    .await?;
    let running = stage.running(&agent.selector()).await?;
    ensure!(running.len() == agent.replicas, "running after the end: {running:?}");
    Ok(())
}
