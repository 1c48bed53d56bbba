//! The API server is killed and comes back: nothing leaks in meanwhile, nothing else is touched, and the gate is open again for what is cleared.

use crate::{
    await_::{GENEROUS, Look, until},
    pods::{GATE, await_running},
    stage::{AgentOf, Stage, image, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, anyhow, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::PostParams};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["A01", "A04"],
            "the API server restarted: no leak, other namespaces untouched, governed ones admit again",
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
    let tries = Tries {
        governed: stage.editor.api(&stage.namespace),
        others: cx.editor(&free).await?.api(&free),
        cleared: pod("cleared", &agent.pod_spec())?,
        uncleared: pod(
            "uncleared",
            &json!({"containers": [{"name": "agent", "image": image("another")}]}),
        )?,
    };
    until("the new namespace to have its service account", || async {
        Ok(Look::when(admits(&tries.others, &tries.uncleared).await?, |answer| {
            *answer == Answer::Free
        }))
    })
    .await?;
    ensure!(
        tries.are_answered().await?,
        "before the restart the gate is not in order"
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

/// What is tried, again and again.
struct Tries {
    governed: Api<Pod>,
    others: Api<Pod>,
    cleared: Pod,
    uncleared: Pod,
}

impl Tries {
    /// Tries each once: whether the cleared goes through and the other is held. A leak, or a closed namespace elsewhere, is an error.
    async fn are_answered(&self) -> Result<bool> {
        let leak = admits(&self.governed, &self.uncleared).await?;
        ensure!(leak != Answer::Free, "an uncleared pod was let in");
        let elsewhere = admits(&self.others, &self.uncleared).await?;
        ensure!(elsewhere == Answer::Free, "another namespace is closed: {elsewhere:?}");
        let cleared = admits(&self.governed, &self.cleared).await?;
        ensure!(cleared != Answer::Held, "the cleared pod was held");
        Ok(cleared == Answer::Free && leak == Answer::Held)
    }

    /// Tries until the gate is in order, and says how long that took.
    async fn reopened(&self) -> Result<String> {
        let ready = Instant::now();
        let mut refused = 0_u32;
        while !self.are_answered().await? {
            refused += 1;
            ensure!(
                ready.elapsed() < GENEROUS,
                "still closed after {} s",
                GENEROUS.as_secs()
            );
            tokio::time::sleep(PAUSE).await;
        }
        Ok(format!(
            "API server restarted: governed namespaces admitted again {:.1} s after it was ready ({refused} rounds refused), no leak",
            ready.elapsed().as_secs_f64()
        ))
    }
}

fn pod(name: &str, spec: &Value) -> Result<Pod> {
    let pod = json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": spec});
    serde_json::from_value(pod).context("no pod")
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Free,
    Held,
    Refused(String),
}

/// What the API server would do with a pod; nothing is stored.
async fn admits(api: &Api<Pod>, pod: &Pod) -> Result<Answer> {
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match api.create(&dry, pod).await {
        Ok(stored) => {
            let gates = stored.spec.and_then(|spec| spec.scheduling_gates).unwrap_or_default();
            Ok(if gates.iter().any(|gate| gate.name == GATE) {
                Answer::Held
            } else {
                Answer::Free
            })
        }
        Err(kube::Error::Api(status)) if status.code < 500 || status.message.contains("vouchsafe") => {
            Ok(Answer::Refused(status.message.clone()))
        }
        Err(error) => Err(anyhow!(error)).context("the API server did not answer"),
    }
}
