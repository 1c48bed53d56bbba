//! What is there: every object that matters, kept up to date by watches, and what agents were found to be.
//!
//! Takes a client, gives a [`World`] to look into and the queues that its changes fill. It writes nothing to the cluster.

pub(crate) mod change;
pub(crate) mod content;
pub(crate) mod identities;
pub(crate) mod policies;
pub(crate) mod signatures;
mod start;
mod watch;
pub(crate) mod workloads;

pub(crate) use self::start::start;

use self::{
    content::Kept,
    identities::Identities,
    workloads::{Found, Workloads},
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Client, ResourceExt,
    api::DynamicObject,
    core::PartialObjectMeta,
    runtime::reflector::{ObjectRef, Store},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{sync::mpsc::UnboundedSender, time::Instant};
use vouchsafe_api::{Agent, Approval, Check, Clearance, Environment, Evidence, Promotion, Waiver};
use vouchsafe_core::{
    digest::ReleaseDigest,
    surface::{Declaration, Resolved, WorkloadReference},
};

/// The label by which a namespace joins an environment.
pub(crate) const ENVIRONMENT: &str = "vouchsafe.dev/environment";
/// The label that tells the policies how the environment enforces; only the operator sets it.
pub(crate) const ENFORCEMENT: &str = "vouchsafe.dev/enforcement";
/// The label that says whose namespace it is.
pub(crate) const TENANT: &str = "vouchsafe.dev/tenant";
/// The label on what was held.
pub(crate) const HELD: &str = "vouchsafe.dev/held";
/// The scheduling gate.
pub(crate) const GATE: &str = "vouchsafe.dev/clearance";

/// Everything that was observed.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) agents: Store<Agent>,
    pub(crate) environments: Store<Environment>,
    pub(crate) checks: Store<Check>,
    pub(crate) promotions: Store<Promotion>,
    pub(crate) evidence: Store<Evidence>,
    pub(crate) approvals: Store<Approval>,
    pub(crate) waivers: Store<Waiver>,
    pub(crate) clearances: Store<Clearance>,
    pub(crate) namespaces: Store<PartialObjectMeta<Namespace>>,
    pub(crate) config_maps: Store<PartialObjectMeta<ConfigMap>>,
    pub(crate) workloads: Workloads,
    pub(crate) identities: Arc<Identities>,
    pub(crate) kept: Kept,
    pub(crate) changes: UnboundedSender<change::Change>,
    states: Mutex<HashMap<(String, String), Arc<AgentState>>>,
}

/// What an agent was found to be, when it was last looked at.
#[derive(Debug, Clone)]
pub(crate) struct AgentState {
    /// Of the object, so that a namesake that came later is another one.
    pub(crate) uid: String,
    /// What it declares.
    pub(crate) declaration: Declaration,
    /// Its workloads.
    pub(crate) workloads: Vec<Found>,
    /// What it is.
    pub(crate) resolved: Resolved,
    /// The digest of that.
    pub(crate) release: ReleaseDigest,
    /// Since when it is this release, as far as this process saw.
    pub(crate) since: Instant,
    /// Whether every workload is available with pods of this release; none when nobody has looked yet.
    pub(crate) healthy: Option<bool>,
}

impl World {
    /// The environment that a namespace belongs to; empty when none.
    pub(crate) fn environment_of(&self, namespace: &str) -> String {
        self.label_of(namespace, ENVIRONMENT)
    }

    /// Whose a namespace is; empty without tenants.
    pub(crate) fn tenant_of(&self, namespace: &str) -> String {
        self.label_of(namespace, TENANT)
    }

    pub(crate) fn label_of(&self, namespace: &str, label: &str) -> String {
        let found = self.namespaces.get(&ObjectRef::new(namespace));
        found
            .and_then(|found| found.labels().get(label).cloned())
            .unwrap_or_default()
    }

    /// Whether a namespace is being deleted, so that nothing can be created in it.
    pub(crate) fn is_ending(&self, namespace: &str) -> bool {
        let found = self.namespaces.get(&ObjectRef::new(namespace));
        found.is_some_and(|found| found.metadata.deletion_timestamp.is_some())
    }

    /// The uid of a namespace; empty when there is none.
    pub(crate) fn uid_of(&self, namespace: &str) -> String {
        let found = self.namespaces.get(&ObjectRef::new(namespace));
        found.and_then(|found| found.uid()).unwrap_or_default()
    }

    /// Whether there is a namespace of this name.
    pub(crate) fn is_there(&self, namespace: &str) -> bool {
        self.namespaces.get(&ObjectRef::new(namespace)).is_some()
    }

    /// Names of the namespaces that belong to an environment.
    pub(crate) fn governed(&self) -> Vec<String> {
        let governed = self
            .namespaces
            .state_filter(|namespace| namespace.labels().contains_key(ENVIRONMENT));
        governed.iter().map(|namespace| namespace.name_any()).collect()
    }

    pub(crate) fn environment(&self, name: &str) -> Option<Arc<Environment>> {
        self.environments.get(&ObjectRef::new(name))
    }

    /// The agents of a namespace, by name.
    pub(crate) fn agents_of(&self, namespace: &str) -> Vec<Arc<Agent>> {
        let mut agents = self
            .agents
            .state_filter(|agent| agent.namespace().as_deref() == Some(namespace));
        agents.sort_by_key(|agent| agent.name_any());
        agents
    }

    /// The promotions of a namespace, by name.
    pub(crate) fn promotions_of(&self, namespace: &str) -> Vec<Arc<Promotion>> {
        let of = |promotion: &Promotion| promotion.namespace().as_deref() == Some(namespace);
        let mut promotions = self.promotions.state_filter(of);
        promotions.sort_by_key(|promotion| promotion.name_any());
        promotions
    }

    /// What an Agent's workloads are, as core reads them.
    pub(crate) fn references(&self, agent: &Agent) -> Vec<WorkloadReference> {
        vouchsafe_api::lower::agent(&agent.spec).workloads
    }

    /// What an agent was found to be.
    pub(crate) fn state(&self, namespace: &str, agent: &str) -> Option<Arc<AgentState>> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(&(namespace.to_owned(), agent.to_owned())).cloned()
    }

    /// The agents of a namespace that were looked at and are still there, by name.
    pub(crate) fn states_of(&self, namespace: &str) -> BTreeMap<String, Arc<AgentState>> {
        let there = self.agents_of(namespace);
        let state = |agent: &Arc<Agent>| Some((agent.name_any(), self.state(namespace, &agent.name_any())?));
        there.iter().filter_map(state).collect()
    }

    pub(crate) fn remember(&self, namespace: &str, agent: &str, state: Arc<AgentState>) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.insert((namespace.to_owned(), agent.to_owned()), state);
    }

    pub(crate) fn forget(&self, namespace: &str, agent: &str) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.remove(&(namespace.to_owned(), agent.to_owned()));
    }

    /// Agents whose content includes a ConfigMap (or its absence).
    pub(crate) fn agents_made_of(&self, namespace: &str, config_map: &str) -> Vec<String> {
        let made_of = |state: &AgentState| state.resolved.configuration.iter().any(|part| part.name == config_map);
        let states = self.states_of(namespace);
        let unseen = self.agents_of(namespace).into_iter().map(|agent| agent.name_any());
        unseen
            .filter(|name| states.get(name).is_none_or(|state| made_of(state)))
            .collect()
    }

    /// The resourceVersion that the watch saw of a ConfigMap.
    pub(crate) fn config_version(&self, namespace: &str, name: &str) -> Option<String> {
        let found = self.config_maps.get(&ObjectRef::new(name).within(namespace))?;
        found.metadata.resource_version.clone()
    }

    /// Pods of a namespace that wait behind our gate.
    pub(crate) fn held_pods(&self, namespace: &str) -> Vec<Arc<DynamicObject>> {
        self.pods(namespace, is_held)
    }

    /// Pods of a namespace that nothing can hold.
    pub(crate) fn static_pods(&self, namespace: &str) -> Vec<Arc<DynamicObject>> {
        self.pods(namespace, is_static)
    }

    /// The oldest first.
    fn pods(&self, namespace: &str, which: fn(&DynamicObject) -> bool) -> Vec<Arc<DynamicObject>> {
        let Some(pods) = self.workloads.stores.get("Pod") else {
            return Vec::new();
        };
        let mut found = pods.state_filter(|pod| pod.namespace().as_deref() == Some(namespace) && which(pod));
        found.sort_by_key(|pod| (pod.creation_timestamp().map(|time| time.0), pod.name_any()));
        found
    }
}

/// Whether a pod only shows what a kubelet runs from a file on its node: no admission can hold or refuse that.
pub(crate) fn is_static(pod: &DynamicObject) -> bool {
    pod.annotations().contains_key("kubernetes.io/config.mirror")
}

/// Whether a pod waits behind our gate.
pub(crate) fn is_held(pod: &DynamicObject) -> bool {
    let gates = pod
        .data
        .pointer("/spec/schedulingGates")
        .and_then(serde_json::Value::as_array);
    gates
        .into_iter()
        .flatten()
        .any(|gate| gate.get("name").and_then(serde_json::Value::as_str) == Some(GATE))
}
