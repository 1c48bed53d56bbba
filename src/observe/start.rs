//! Starting every watch, and waiting until each has listed what is there.

use super::{
    Kept, World,
    change::{Change, Queues, route},
    identities::Identities,
    is_held, is_static,
    watch::{Seen, Watches},
    workloads::{KINDS, Workloads, kind_of, resource},
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::DynamicObject,
    runtime::reflector::{Store, store::WriterDropped},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::{sync::mpsc, task::JoinSet};
use vouchsafe_api::{Agent, Approval, Check, Clearance, Environment, Evidence, Promotion, Waiver};

/// Starts the watches in `tasks`; gives the world when every store has what was there, and routes what changes into the queues from then on.
///
/// # Errors
/// When a watch ends before it has listed, which happens at shutdown only.
pub(crate) async fn start(
    client: &Client,
    queues: Queues,
    tasks: &mut JoinSet<()>,
) -> Result<Arc<World>, WriterDropped> {
    let (changes, received) = mpsc::unbounded_channel();
    let world = Arc::new(watch(client, &changes, tasks));
    ready(&world).await?;
    let routed = Arc::clone(&world);
    tasks.spawn(async move { route(&routed, received, &queues).await });
    Ok(world)
}

fn watch(client: &Client, changes: &mpsc::UnboundedSender<Change>, tasks: &mut JoinSet<()>) -> World {
    let mut watches = Watches { tasks };
    let all = || client.clone();
    let send = || {
        let changes = changes.clone();
        move |change| drop(changes.send(change))
    };
    let (agents, environments, checks, promotions, evidence) = (send(), send(), send(), send(), send());
    let (approvals, waivers, clearances, namespaces, config_maps) = (send(), send(), send(), send(), send());
    World {
        agents: watches.specified(Api::all(all()), move |agent: &Agent, _| {
            agents(Change::Agent {
                namespace: of(agent),
                name: agent.name_any(),
            });
        }),
        environments: watches.specified(Api::all(all()), move |environment: &Environment, _| {
            environments(Change::Environment(environment.name_any()));
        }),
        checks: watches.specified(Api::all(all()), move |check: &Check, _| {
            checks(Change::Check(check.name_any()));
        }),
        promotions: watches.guarded(Api::all(all()), move |promotion: &Promotion, _| {
            promotions(of_promotion(promotion));
        }),
        evidence: watches.guarded(Api::all(all()), move |evidence_object: &Evidence, _| {
            evidence(Change::Evidence {
                subject: evidence_object.spec.subject.digest.to_string(),
            });
        }),
        approvals: watches.guarded(Api::all(all()), move |approval: &Approval, _| {
            approvals(Change::Word {
                promotion: approval.spec.promotion.clone(),
            });
        }),
        waivers: watches.guarded(Api::all(all()), move |waiver: &Waiver, _| {
            waivers(Change::Word {
                promotion: waiver.spec.promotion.clone(),
            });
        }),
        clearances: watches.guarded(Api::all(all()), move |clearance: &Clearance, _| {
            clearances(Change::Clearance {
                namespace: of(clearance),
            });
        }),
        namespaces: watches.metadata::<Namespace>(Api::all(all()), move |namespace, _| {
            namespaces(Change::Namespace(namespace.name_any()));
        }),
        config_maps: watches.metadata::<ConfigMap>(Api::all(all()), move |config_map, _| {
            config_maps(Change::Config {
                namespace: config_map.namespace().unwrap_or_default(),
                name: config_map.name_any(),
            });
        }),
        workloads: workloads(client, changes, &mut watches),
        identities: Identities::watch(client, changes, watches.tasks),
        client: client.clone(),
        kept: Kept::default(),
        changes: changes.clone(),
        states: Mutex::new(HashMap::new()),
    }
}

fn of(object: &impl Resource) -> String {
    object.meta().namespace.clone().unwrap_or_default()
}

fn of_promotion(promotion: &Promotion) -> Change {
    Change::Promotion {
        namespace: of(promotion),
        name: promotion.name_any(),
        agent: promotion.spec.agent.clone(),
        release: promotion.spec.release.to_string(),
    }
}

fn workloads(client: &Client, changes: &mpsc::UnboundedSender<Change>, watches: &mut Watches<'_>) -> Workloads {
    let mut workloads = Workloads::default();
    for (api_version, kind) in KINDS {
        let resource = resource(api_version, kind);
        let changes = changes.clone();
        let wake = move |object: &DynamicObject, _: Seen| {
            let change = if kind_of(object) == "Pod" && is_owned(object) {
                Change::Pod {
                    namespace: object.namespace().unwrap_or_default(),
                    labels: object.labels().clone(),
                }
            } else if kind_of(object) == "ReplicaSet" && is_owned(object) {
                return;
            } else {
                Change::Workload(Box::new(object.clone()))
            };
            let _ = changes.send(change);
        };
        let api = Api::all_with(client.clone(), &resource);
        workloads.stores.insert(kind, watches.raw(api, resource, matters, wake));
    }
    workloads
}

/// What is kept in memory: not the pods and ReplicaSets that something owns, unless they are held or cannot be.
fn matters(object: &DynamicObject) -> bool {
    match kind_of(object) {
        "Pod" => !is_owned(object) || is_held(object) || is_static(object),
        "ReplicaSet" => !is_owned(object),
        _ => true,
    }
}

fn is_owned(object: &DynamicObject) -> bool {
    object
        .owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true))
}

async fn ready(world: &World) -> Result<(), WriterDropped> {
    world.agents.wait_until_ready().await?;
    world.environments.wait_until_ready().await?;
    world.checks.wait_until_ready().await?;
    world.promotions.wait_until_ready().await?;
    world.evidence.wait_until_ready().await?;
    world.approvals.wait_until_ready().await?;
    world.waivers.wait_until_ready().await?;
    world.clearances.wait_until_ready().await?;
    world.namespaces.wait_until_ready().await?;
    world.config_maps.wait_until_ready().await?;
    for store in world.workloads.stores.values() {
        Store::wait_until_ready(store).await?;
    }
    world.identities.ready().await;
    Ok(())
}
