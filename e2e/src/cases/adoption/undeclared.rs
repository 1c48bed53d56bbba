//! What runs and nobody declared: workloads of all kinds, in one namespace of many.

use crate::{
    attempt::create,
    await_::{Look, within},
    cases::content::with,
    pods::{has_run, is_held},
    stage::{Stage, image},
};
use anyhow::Result;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::{
    ResourceExt,
    api::{EvictParams, ListParams},
};
use serde_json::{Value, json};
use std::time::Duration;

/// Fake nodes, each with a pod of every DaemonSet.
const NODES: usize = 4;
/// Requests under way at the same time.
const WIDTH: usize = 6;
/// For one step of it.
pub(super) const STEP: Duration = Duration::from_secs(90);

/// Kinds of workloads.
pub(super) const KINDS: [(&str, &str); 7] = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "CronJob"),
    ("batch/v1", "Job"),
    ("v1", "Pod"),
];

/// What one workload is.
pub(super) struct Undeclared {
    pub(super) number: usize,
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
}

impl Undeclared {
    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.kind.to_lowercase(), self.number)
    }

    /// Pods that it has on this cluster: the CronJob's time does not come, and the Job is suspended.
    pub(super) fn pods(&self) -> usize {
        match self.kind {
            "DaemonSet" => NODES,
            "CronJob" | "Job" => 0,
            _ => 1,
        }
    }

    pub(super) fn object(&self) -> Value {
        let (name, kind) = (self.name(), self.kind);
        let labels = json!({"app": name, "adopted": "true"});
        let once = matches!(kind, "CronJob" | "Job");
        let spec = json!({
            "restartPolicy": if once { "Never" } else { "Always" },
            "containers": [{
                "name": "agent", "image": image(&name),
                "env": [{"name": "MODEL", "value": "gpt-4o-2024-08-06"}, {"name": "CRM_URL", "value": "https://crm.example.com/v2"}],
                "volumeMounts": [{"name": "prompt", "mountPath": "/etc/agent"}],
            }],
            "volumes": [{"name": "prompt", "configMap": {"name": "prompt"}}],
        });
        let template = json!({"metadata": {"labels": labels}, "spec": spec});
        let spec = match kind {
            "Pod" => spec,
            "CronJob" => json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}),
            "Job" => json!({"suspend": true, "template": template}),
            "StatefulSet" => {
                json!({"serviceName": name, "selector": {"matchLabels": {"app": name}}, "template": template})
            }
            _ => json!({"selector": {"matchLabels": {"app": name}}, "template": template}),
        };
        let metadata = json!({"name": name, "labels": labels});
        json!({"apiVersion": self.api_version, "kind": kind, "metadata": metadata, "spec": spec})
    }
}

/// One namespace of many.
pub(super) struct Part {
    pub(super) stage: Stage,
    pub(super) workloads: Vec<Undeclared>,
}

impl Part {
    pub(super) fn pods(&self) -> usize {
        self.workloads.iter().map(Undeclared::pods).sum()
    }

    pub(super) async fn list(&self) -> Result<Vec<Pod>> {
        let list = ListParams::default().labels("adopted=true");
        Ok(self.stage.pods().list(&list).await?.items)
    }

    /// Creates everything, as whoever edits there.
    pub(super) async fn fill(&self) -> Result<()> {
        let prompt = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prompt"}, "data": {"system.md": "Help."}});
        self.create(&prompt).await?;
        let objects: Vec<_> = self.workloads.iter().map(Undeclared::object).collect();
        let all = stream::iter(objects).map(|object| async move { self.create(&object).await });
        all.buffer_unordered(WIDTH).try_collect().await
    }

    pub(super) async fn create(&self, object: &Value) -> Result<()> {
        let answer = create(&self.stage.editor, Some(&self.stage.namespace), object).await?;
        answer.taken("what nobody declared").map(drop)
    }

    /// Evicts everything that runs, as the drain of every node does, and makes the bare pods again, which nothing else does.
    pub(super) async fn drain(&self) -> Result<()> {
        let pods = self.stage.editor.api::<Pod>(&self.stage.namespace);
        let all = self.list().await?;
        let names: Vec<_> = all.iter().map(ResourceExt::name_any).collect();
        let evicted = stream::iter(names).map(|name| {
            let pods = &pods;
            async move { pods.evict(&name, &EvictParams::default()).await.map(drop) }
        });
        evicted.buffer_unordered(WIDTH).try_collect::<()>().await?;
        let gone: Vec<_> = all.iter().filter_map(ResourceExt::uid).collect();
        within(STEP, "the pods of before to be gone", || async {
            let left = self
                .list()
                .await?
                .iter()
                .filter(|pod| pod.uid().is_some_and(|uid| gone.contains(&uid)))
                .count();
            Ok(Look::when(left, |left| *left == 0))
        })
        .await?;
        // Under another name: the fake kubelet may still be taking away what had the first.
        for workload in self.workloads.iter().filter(|workload| workload.kind == "Pod") {
            let again = with(
                &workload.object(),
                "/metadata/name",
                json!(format!("{}-again", workload.name())),
            )?;
            self.create(&again).await?;
        }
        Ok(())
    }

    /// Workloads without all of their pods, and what was said of some of them.
    pub(super) async fn missing(&self, pods: &[Pod]) -> Result<Vec<String>> {
        let of = |name: &str| {
            pods.iter()
                .filter(|pod| pod.labels().get("app").is_some_and(|app| app == name) && has_run(pod))
                .count()
        };
        let missing = self
            .workloads
            .iter()
            .filter(|workload| of(&workload.name()) != workload.pods());
        let mut words: Vec<_> = missing.map(Undeclared::name).collect();
        let still = pods
            .iter()
            .filter(|pod| !has_run(pod) || pod.metadata.deletion_timestamp.is_some());
        words.extend(still.take(5).map(|pod| {
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
            format!(
                "{}: held {}, on {node:?}, going since {:?}",
                pod.name_any(),
                is_held(pod),
                pod.metadata.deletion_timestamp
            )
        }));
        let events = self.stage.api::<Event>().list(&ListParams::default()).await?.items;
        let failed = events
            .into_iter()
            .filter(|event| event.reason.as_deref() == Some("FailedCreate"));
        words.extend(failed.filter_map(|event| event.message).take(3));
        Ok(words)
    }

    /// Awaits that everything runs, and nothing waits.
    pub(super) async fn running(&self) -> Result<()> {
        let expected = self.pods();
        let what = format!("{expected} pods in {} to run", self.stage.namespace);
        within(STEP, &what, || async {
            let pods = self.list().await?;
            let good = pods
                .iter()
                .filter(|pod| has_run(pod) && pod.metadata.deletion_timestamp.is_none())
                .count();
            let seen = (pods.len(), good, self.missing(&pods).await?);
            Ok(Look::when(seen, |(all, good, _)| (*all, *good) == (expected, expected)))
        })
        .await
        .map(drop)
    }
}
