//! What changed in the cluster, and which queues that wakes.
//!
//! Takes changes from the watches, gives keys to the controllers' queues. It only looks into stores.

use super::{World, workloads};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    ResourceExt,
    core::PartialObjectMeta,
    runtime::{controller::ReconcileRequest, reflector::ObjectRef},
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use vouchsafe_api::{Agent, Check, Environment, Promotion};

/// Something that changed.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// An Agent.
    Agent { namespace: String, name: String },
    /// A workload.
    Workload(Box<kube::api::DynamicObject>),
    /// A pod of a workload.
    Pod {
        namespace: String,
        labels: BTreeMap<String, String>,
    },
    /// A ConfigMap.
    Config { namespace: String, name: String },
    /// What is beside the agents of a namespace.
    Identity { namespace: String },
    /// A namespace.
    Namespace(String),
    /// An Environment.
    Environment(String),
    /// A Check.
    Check(String),
    /// A Promotion.
    Promotion {
        namespace: String,
        name: String,
        agent: String,
        release: String,
    },
    /// Evidence about a subject.
    Evidence { subject: String },
    /// What is known of a Promotion: an Approval, a Waiver, or that the ledger cannot hold it.
    Word { promotion: String },
    /// How much there is in a namespace of an Environment.
    Counted { environment: String },
    /// A ledger.
    Clearance { namespace: String },
    /// What registries said of an image.
    Signature { digest: String },
    /// The admission policies are not what they were.
    Policies,
    /// What an agent is was worked out anew.
    Resolved { namespace: String, agent: String },
}

/// Where the controllers take their work from.
#[derive(Clone)]
pub(crate) struct Queues {
    pub(crate) agents: UnboundedSender<ReconcileRequest<Agent>>,
    pub(crate) promotions: UnboundedSender<ReconcileRequest<Promotion>>,
    pub(crate) ledgers: UnboundedSender<ReconcileRequest<PartialObjectMeta<Namespace>>>,
    pub(crate) environments: UnboundedSender<ReconcileRequest<Environment>>,
    pub(crate) checks: UnboundedSender<ReconcileRequest<Check>>,
}

impl Queues {
    fn agent(&self, namespace: &str, name: &str) {
        // A closed queue means that the operator is shutting down.
        let _ = self.agents.send(ObjectRef::new(name).within(namespace).into());
    }

    fn promotion(&self, promotion: &Promotion) {
        let _ = self.promotions.send(ObjectRef::from_obj(promotion).into());
    }

    fn ledger(&self, namespace: &str) {
        let _ = self.ledgers.send(ObjectRef::new(namespace).into());
    }

    fn environment(&self, name: &str) {
        let _ = self.environments.send(ObjectRef::new(name).into());
    }
}

impl Queues {
    /// Wakes everything: for whoever begins to lead.
    pub(crate) fn all(&self, world: &World) {
        for agent in world.agents.state() {
            let _ = self.agents.send(ObjectRef::from_obj(agent.as_ref()).into());
        }
        for promotion in world.promotions.state() {
            self.promotion(&promotion);
        }
        for namespace in world.namespaces.state() {
            self.ledger(&namespace.name_any());
        }
        for environment in world.environments.state() {
            self.environment(&environment.name_any());
        }
        for check in world.checks.state() {
            let _ = self.checks.send(ObjectRef::from_obj(check.as_ref()).into());
        }
    }
}

/// Hands every change on until the watches end.
pub(crate) async fn route(world: &World, mut changes: UnboundedReceiver<Change>, queues: &Queues) {
    while let Some(change) = changes.recv().await {
        wake(world, queues, change);
    }
}

fn wake(world: &World, queues: &Queues, change: Change) {
    match change {
        Change::Agent { namespace, name } => {
            queues.agent(&namespace, &name);
            queues.ledger(&namespace);
            promotions(world, queues, |promotion| is_of(promotion, &namespace, &name));
        }
        Change::Workload(object) => workload(world, queues, &object),
        Change::Pod { namespace, labels } => {
            queues.ledger(&namespace);
            for (agent, state) in world.states_of(&namespace) {
                if state
                    .workloads
                    .iter()
                    .any(|found| workloads::makes(&found.object, &labels))
                {
                    queues.agent(&namespace, &agent);
                }
            }
        }
        Change::Config { namespace, name } => config(world, queues, &namespace, &name),
        Change::Identity { namespace } => {
            if !world.environment_of(&namespace).is_empty() {
                queues.ledger(&namespace);
            }
        }
        Change::Namespace(name) => namespace(world, queues, &name),
        Change::Environment(name) => environment(world, queues, &name),
        Change::Check(name) => check(world, queues, &name),
        Change::Promotion {
            namespace,
            name,
            agent,
            release,
        } => {
            let _ = queues.promotions.send(ObjectRef::new(&name).within(&namespace).into());
            queues.ledger(&namespace);
            queues.agent(&namespace, &agent);
            queues.environment(&world.environment_of(&namespace));
            promotions(world, queues, |other| {
                other.spec.release.to_string() == release && other.namespace().as_deref() != Some(&namespace)
            });
        }
        Change::Evidence { subject } => promotions(world, queues, |promotion| concerns(promotion, &subject)),
        Change::Word { promotion } => promotions(world, queues, |other| other.name_any() == promotion),
        Change::Counted { environment } => queues.environment(&environment),
        Change::Clearance { namespace } => queues.ledger(&namespace),
        Change::Signature { digest } => promotions(world, queues, |promotion| concerns(promotion, &digest)),
        Change::Policies => {
            for environment in world.environments.state() {
                queues.environment(&environment.name_any());
            }
        }
        Change::Resolved { namespace, agent } => {
            queues.ledger(&namespace);
            promotions(world, queues, |promotion| is_of(promotion, &namespace, &agent));
        }
    }
}

fn is_of(promotion: &Promotion, namespace: &str, agent: &str) -> bool {
    promotion.namespace().as_deref() == Some(namespace) && promotion.spec.agent == agent
}

fn concerns(promotion: &Promotion, digest: &str) -> bool {
    let release = promotion.spec.release.to_string();
    let components = &promotion.spec.surface.components;
    release.ends_with(digest)
        || components
            .iter()
            .any(|component| component.digest.to_string() == digest)
}

fn promotions(world: &World, queues: &Queues, which: impl Fn(&Promotion) -> bool) {
    for promotion in world.promotions.state_filter(which) {
        queues.promotion(&promotion);
    }
}

fn workload(world: &World, queues: &Queues, object: &kube::api::DynamicObject) {
    let namespace = object.namespace().unwrap_or_default();
    queues.ledger(&namespace);
    for agent in world.agents_of(&namespace) {
        let references = world.references(&agent);
        if references.iter().any(|reference| workloads::means(reference, object)) {
            queues.agent(&namespace, &agent.name_any());
        }
    }
}

fn config(world: &World, queues: &Queues, namespace: &str, name: &str) {
    let concerned = world.agents_made_of(namespace, name);
    if !concerned.is_empty() {
        queues.ledger(namespace);
    }
    for agent in concerned {
        queues.agent(namespace, &agent);
    }
}

fn namespace(world: &World, queues: &Queues, name: &str) {
    queues.ledger(name);
    queues.environment(&world.environment_of(name));
    // Where it was until now.
    for environment in world.environments.state_filter(|environment| knows(environment, name)) {
        queues.environment(&environment.name_any());
    }
    for agent in world.agents_of(name) {
        queues.agent(name, &agent.name_any());
    }
    promotions(world, queues, |promotion| {
        promotion.namespace().as_deref() == Some(name)
    });
}

fn knows(environment: &Environment, namespace: &str) -> bool {
    let names = environment.status.iter().flat_map(|status| &status.names);
    names.into_iter().any(|name| name == namespace)
}

/// A check concerns the environments that require it.
fn check(world: &World, queues: &Queues, name: &str) {
    let _ = queues.checks.send(ObjectRef::new(name).into());
    for requiring in world.environments.state() {
        if requiring
            .spec
            .requires
            .iter()
            .any(|requirement| requirement.check == name)
        {
            environment(world, queues, &requiring.name_any());
        }
    }
}

/// An environment concerns its namespaces, and those of the environments that come after it.
fn environment(world: &World, queues: &Queues, name: &str) {
    queues.environment(name);
    let mut concerned = BTreeSet::from([name.to_owned()]);
    for other in world.environments.state() {
        if other.spec.after.iter().any(|before| before.environment == name) {
            queues.environment(&other.name_any());
            concerned.insert(other.name_any());
        }
    }
    for name in world.governed() {
        if concerned.contains(&world.environment_of(&name)) {
            namespace(world, queues, &name);
        }
    }
}
