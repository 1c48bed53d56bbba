//! A small agent as its team would write it.

use super::image;
use crate::registry::digest;
use serde_json::{Value, json};

/// A small agent: a prompt in a ConfigMap that is named by its content, and a Deployment.
#[derive(Debug, Clone)]
pub struct AgentOf {
    /// Its name, and that of its Deployment.
    pub name: String,
    /// The words of its system prompt.
    pub prompt: String,
    /// Its image.
    pub image: String,
    /// How many pods.
    pub replicas: usize,
}

impl AgentOf {
    /// An agent of this name, with one pod.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            prompt: "Refund politely.".to_owned(),
            image: image("agent"),
            replicas: 1,
        }
    }

    /// The same with another prompt: another release.
    #[must_use]
    pub fn with_prompt(&self, prompt: &str) -> Self {
        Self {
            prompt: prompt.to_owned(),
            ..self.clone()
        }
    }

    /// The same with so many pods.
    #[must_use]
    pub fn with_replicas(&self, replicas: usize) -> Self {
        Self {
            replicas,
            ..self.clone()
        }
    }

    /// The label by which its pods are found.
    #[must_use]
    pub fn selector(&self) -> String {
        format!("app={}", self.name)
    }

    /// The name of the ConfigMap, which follows its content.
    #[must_use]
    pub fn config_name(&self) -> String {
        let digest = digest(self.prompt.as_bytes());
        let hex = digest.trim_start_matches("sha256:");
        format!("{}-prompt-{}", self.name, hex.get(..10).unwrap_or(hex))
    }

    /// The ConfigMap, the Deployment and the Agent: last, so that however slow the machine is, what it names is there when it comes.
    #[must_use]
    pub fn objects(&self) -> Vec<Value> {
        vec![
            self.config_map(),
            self.deployment(),
            self.agent("Deployment", "apps/v1"),
        ]
    }

    /// The ConfigMap.
    #[must_use]
    pub fn config_map(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
            "metadata": {"name": self.config_name()}, "data": {"system.md": self.prompt},
        })
    }

    /// The Agent, whose one workload is of this kind.
    #[must_use]
    pub fn agent(&self, kind: &str, api_version: &str) -> Value {
        json!({
            "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Agent", "metadata": {"name": self.name},
            "spec": {
                "owner": {"team": "support"},
                "workloads": [{"role": "server", "apiVersion": api_version, "kind": kind, "name": self.name}],
                "prompts": [{"name": "system", "in": {"role": "server", "container": "agent", "path": "/etc/agent/system.md"}}],
            },
        })
    }

    /// The Deployment.
    #[must_use]
    pub fn deployment(&self) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": self.name},
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": {"app": self.name}},
                "template": self.template(),
            },
        })
    }

    /// The pod template.
    #[must_use]
    pub fn template(&self) -> Value {
        json!({"metadata": {"labels": {"app": self.name}}, "spec": self.pod_spec()})
    }

    /// The pod's spec.
    #[must_use]
    pub fn pod_spec(&self) -> Value {
        json!({
            "containers": [{
                "name": "agent", "image": self.image,
                "volumeMounts": [{"name": "prompt", "mountPath": "/etc/agent"}],
            }],
            "volumes": [{"name": "prompt", "configMap": {"name": self.config_name()}}],
        })
    }
}
