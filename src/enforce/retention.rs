//! Forgetting: what nobody needs any more is deleted, so that a namespace stays small.
//!
//! Keeps every cleared Promotion, the one of what is deployed, and ten more an agent; of evidence the newest of a subject, check and
//! producer, and the newest conclusive one; approvals and waivers as long as their Promotion. It runs now and then.

use super::{Context, write};
use crate::observe::World;
use kube::{Api, Resource, ResourceExt};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::Arc,
    time::Duration,
};
use vouchsafe_api::{Evidence, Promotion, promotion::status::Verdict};

/// How often.
const PAUSE: Duration = Duration::from_secs(300);
/// Promotions an agent that are kept besides.
const KEEP: usize = 10;
/// How old an object has to be, so that nothing is deleted that somebody is just making.
const AGE_SECONDS: i64 = 600;

/// Runs until shutdown.
pub(crate) async fn run(context: Arc<Context>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let world = &context.world;
        delete(world, promotions(world)).await;
        delete(world, evidence(&world.evidence.state())).await;
        delete(
            world,
            words(world, world.approvals.state(), |approval| &approval.spec.promotion),
        )
        .await;
        delete(
            world,
            words(world, world.waivers.state(), |waiver| &waiver.spec.promotion),
        )
        .await;
    }
}

async fn delete<K>(world: &World, objects: Vec<Arc<K>>)
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Serialize
        + Debug,
{
    for object in objects {
        let api = Api::<K>::namespaced(world.client.clone(), &object.namespace().unwrap_or_default());
        if let Err(error) = write::delete(&api, object.as_ref()).await {
            tracing::warn!(event = "retention", %error, "an old object was not deleted");
        }
    }
}

fn is_old(object: &impl Resource) -> bool {
    let made = object.meta().creation_timestamp.as_ref();
    made.is_some_and(|made| super::now().duration_since(made.0).as_secs() > AGE_SECONDS)
}

/// Promotions that are neither cleared nor deployed, all but the newest ten an agent.
fn promotions(world: &World) -> Vec<Arc<Promotion>> {
    let mut by_agent: BTreeMap<(String, String), Vec<Arc<Promotion>>> = BTreeMap::new();
    for promotion in world.promotions.state() {
        let namespace = promotion.namespace().unwrap_or_default();
        let state = world.state(&namespace, &promotion.spec.agent);
        let deployed = state.is_some_and(|state| state.release == promotion.spec.release);
        let cleared = promotion.status.as_ref().and_then(|status| status.verdict) == Some(Verdict::Cleared);
        if !deployed && !cleared && is_old(promotion.as_ref()) {
            by_agent
                .entry((namespace, promotion.spec.agent.clone()))
                .or_default()
                .push(promotion);
        }
    }
    let oldest = |mut promotions: Vec<Arc<Promotion>>| {
        promotions.sort_by_key(|promotion| {
            std::cmp::Reverse((promotion.creation_timestamp().map(|made| made.0), promotion.name_any()))
        });
        promotions.into_iter().skip(KEEP)
    };
    by_agent.into_values().flat_map(oldest).collect()
}

/// Evidence that newer evidence of the same subject, check and producer replaces.
fn evidence(all: &[Arc<Evidence>]) -> Vec<Arc<Evidence>> {
    let mut by_namespace: BTreeMap<_, Vec<Arc<Evidence>>> = BTreeMap::new();
    for evidence in all {
        by_namespace
            .entry(evidence.namespace())
            .or_default()
            .push(Arc::clone(evidence));
    }
    let mut replaced = Vec::new();
    for group in by_namespace.into_values() {
        let kept: BTreeSet<_> = super::evidence::newest(&group)
            .into_iter()
            .map(ResourceExt::name_any)
            .collect();
        let old = group
            .iter()
            .filter(|evidence| !kept.contains(&evidence.name_any()) && is_old(evidence.as_ref()));
        replaced.extend(old.map(Arc::clone));
    }
    replaced
}

/// Words on Promotions that are not there any more.
fn words<K: Resource<DynamicType = ()>>(world: &World, all: Vec<Arc<K>>, of: impl Fn(&K) -> &String) -> Vec<Arc<K>> {
    let there: BTreeSet<_> = world
        .promotions
        .state()
        .iter()
        .map(|promotion| promotion.name_any())
        .collect();
    all.into_iter()
        .filter(|word| !there.contains(of(word)) && is_old(word.as_ref()))
        .collect()
}
