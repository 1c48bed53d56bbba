//! The API server is killed and comes back: nothing leaks in meanwhile, nothing else is touched, and the gate is in order again: cases
//! that come after this one find it as it was.

use crate::{
    await_::{GENEROUS, Look, until},
    pods::{GATE, await_running},
    stage::{AgentOf, Stage, image, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, anyhow, ensure};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        batch::v1::Job,
        core::v1::{ConfigMap, Pod},
    },
};
use kube::{
    Api, Resource,
    api::{Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt::Debug,
    time::{Duration, Instant},
};

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["A01", "A04"],
            "the API server restarted: no leak, other namespaces untouched, governed ones in order again",
            restarted,
        )
        .alone(),
    ]
}

async fn restarted(cx: Context) -> Result<()> {
    cx.must_be_ours()?;
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund").with_replicas(2);
    stage.run(&agent).await?;
    let free = cx.namespace("free").await?;
    let others: Api<Pod> = cx.editor(&free).await?.api(&free);
    let tries = Tries::new(&stage, &agent, others)?;
    until("the new namespace to have its service account", || async {
        Ok(Look::when(
            create(&tries.others, &tries.uncleared).await?,
            |answer| matches!(answer, Answer::Stored(pod) if !is_held(pod)),
        ))
    })
    .await?;
    let before = tries.closed().await?;
    ensure!(
        before.is_empty(),
        "before the restart the gate is not in order: {before:?}"
    );
    cx.cluster().restart_api_server().await?;
    cx.tell(&tries.reopened().await?);
    let delete = ["delete", "pods", "-n", &stage.namespace, "-l", &agent.selector()];
    stage.editor.kubectl(delete).must().await?;
    await_running(&stage.pods(), &agent.selector(), 2).await?;
    let next = AgentOf::new("next").with_prompt("Be next.");
    until("the operator to clear another agent", || async {
        stage.run(&next).await.map(Look::Seen)
    })
    .await
    .map(drop)
}

/// What is tried, again and again: one request for each policy that reads the ledger, for each of them comes back by itself.
struct Tries {
    pods: Api<Pod>,
    config_maps: Api<ConfigMap>,
    jobs: Api<Job>,
    deployments: Api<Deployment>,
    others: Api<Pod>,
    cleared: Pod,
    uncleared: Pod,
    config_map: ConfigMap,
    job: Job,
    deployment: String,
    change: Value,
}

impl Tries {
    fn new(stage: &Stage, agent: &AgentOf, others: Api<Pod>) -> Result<Self> {
        let (editor, namespace) = (&stage.editor, &stage.namespace);
        let containers = json!([{"name": "agent", "image": image("another")}]);
        let (spec, once) = (
            json!({"containers": containers}),
            json!({"containers": containers, "restartPolicy": "Never"}),
        );
        let recreated = json!({"strategy": {"type": "Recreate", "rollingUpdate": null}, "template": {"spec": spec}});
        Ok(Self {
            pods: editor.api(namespace),
            config_maps: editor.api(namespace),
            jobs: editor.api(namespace),
            deployments: editor.api(namespace),
            others,
            cleared: object(json!({"metadata": named("cleared"), "spec": agent.pod_spec()}))?,
            uncleared: object(json!({"metadata": named("uncleared"), "spec": spec}))?,
            config_map: object(json!({"metadata": named("notes"), "data": {"note": "nobody runs with it"}}))?,
            job: object(json!({"metadata": named("once"), "spec": {"template": {"spec": once}}}))?,
            deployment: agent.name.clone(),
            change: json!({"spec": recreated}),
        })
    }

    /// Tries each once, and gives those that the gate does not answer as it should. A leak, or a closed namespace elsewhere, is an error.
    async fn closed(&self) -> Result<Vec<&'static str>> {
        let uncleared = create(&self.pods, &self.uncleared).await?;
        let leak = matches!(&uncleared, Answer::Stored(pod) if !is_held(pod));
        ensure!(!leak, "an uncleared pod was let in");
        let elsewhere = create(&self.others, &self.uncleared).await?;
        let open = matches!(&elsewhere, Answer::Stored(pod) if !is_held(pod));
        ensure!(open, "another namespace is closed: {elsewhere:?}");
        let cleared = create(&self.pods, &self.cleared).await?;
        let held = matches!(&cleared, Answer::Stored(pod) if is_held(pod));
        ensure!(!held, "the cleared pod was held");
        let job = create(&self.jobs, &self.job).await?;
        let ran = matches!(&job, Answer::Stored(job) if !is_suspended(job));
        ensure!(!ran, "an uncleared Job was not suspended");
        let config_map = create(&self.config_maps, &self.config_map).await?;
        let order = [
            (
                "pods",
                matches!((uncleared, cleared), (Answer::Stored(_), Answer::Stored(_))),
            ),
            ("Jobs", matches!(job, Answer::Stored(_))),
            ("ConfigMaps", matches!(config_map, Answer::Stored(_))),
            ("workloads", self.loss_is_refused().await?),
        ];
        Ok(order
            .into_iter()
            .filter(|(_, in_order)| !in_order)
            .map(|(what, _)| what)
            .collect())
    }

    /// Whether a change by which a cleared pod would be lost is refused for that reason.
    async fn loss_is_refused(&self) -> Result<bool> {
        let dry = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        let change = Patch::Strategic(&self.change);
        let answer = answer(self.deployments.patch(&self.deployment, &dry, &change).await)?;
        Ok(matches!(answer, Answer::Refused(words) if words.contains("would lose a running pod")))
    }

    /// Tries until the gate is in order, and says how long each took.
    async fn reopened(&self) -> Result<String> {
        let ready = Instant::now();
        let mut last_closed = BTreeMap::new();
        loop {
            let closed = self.closed().await?;
            if closed.is_empty() {
                break;
            }
            let elapsed = ready.elapsed();
            ensure!(
                elapsed < GENEROUS,
                "still closed after {} s: {closed:?}",
                GENEROUS.as_secs()
            );
            last_closed.extend(closed.into_iter().map(|what| (what, elapsed)));
            tokio::time::sleep(PAUSE).await;
        }
        let each: Vec<_> = last_closed
            .iter()
            .map(|(what, elapsed)| format!("{what} {:.1} s", elapsed.as_secs_f64()))
            .collect();
        Ok(format!(
            "API server restarted: governed namespaces in order again {:.1} s after it was ready (last closed: {}), no leak",
            ready.elapsed().as_secs_f64(),
            each.join(", ")
        ))
    }
}

fn named(name: &str) -> Value {
    json!({"name": name, "labels": {"app": name}})
}

fn object<K: DeserializeOwned>(object: Value) -> Result<K> {
    serde_json::from_value(object).context("there is no such object")
}

fn is_held(pod: &Pod) -> bool {
    let mut gates = pod.spec.iter().flat_map(|spec| spec.scheduling_gates.iter().flatten());
    gates.any(|gate| gate.name == GATE)
}

fn is_suspended(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true)
}

#[derive(Debug)]
enum Answer<K> {
    Stored(Box<K>),
    Refused(String),
}

/// What the API server would do with an object; nothing is stored.
async fn create<K>(api: &Api<K>, object: &K) -> Result<Answer<K>>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + Serialize + DeserializeOwned,
{
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    answer(api.create(&dry, object).await)
}

fn answer<K>(result: kube::Result<K>) -> Result<Answer<K>> {
    match result {
        Ok(stored) => Ok(Answer::Stored(Box::new(stored))),
        Err(kube::Error::Api(status)) if status.code < 500 || status.message.contains("vouchsafe") => {
            Ok(Answer::Refused(status.message.clone()))
        }
        Err(error) => Err(anyhow!(error)).context("the API server did not answer"),
    }
}
