//! What is compared: a release from manifests, from a Promotion, or the one that is cleared.

use super::DiffError;
use crate::cli::{
    Failure, agents,
    changes::Texts,
    cluster::{Cluster, ClusterArgs, ClusterError, Select},
    manifests::Manifests,
    promote::of_config_map,
    verdict,
};
use k8s_openapi::api::core::v1::ConfigMap;
use std::cmp::Reverse;
use vouchsafe_api::{Promotion, lower, promotion::status::Verdict};
use vouchsafe_core::surface::Surface;

/// One release.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// What it is called.
    pub(crate) title: String,
    /// What it is.
    pub(crate) surface: Surface,
    /// Configuration that is there.
    pub(crate) texts: Texts,
}

/// The agent of some manifests.
pub(super) fn of_manifests(place: &str, agent: Option<&str>, namespace: Option<&str>) -> Result<Side, Failure> {
    Ok(named(place, agent, namespace)?.1)
}

/// The texts of some manifests. A text is shown for a component only when its digest is the component's, so that nobody has to be trusted.
pub(super) fn texts_of(places: &[String]) -> Result<Texts, Failure> {
    let mut texts = Texts::default();
    for object in agents::config_maps(&Manifests::read(places)?)? {
        texts.add(&object);
    }
    Ok(texts)
}

fn named(place: &str, agent: Option<&str>, namespace: Option<&str>) -> Result<(String, Side), Failure> {
    let manifests = Manifests::read(&[place.to_owned()])?;
    let mut found = agents::find(&manifests, namespace, agent)?;
    let count = found.len();
    let (Some(described), true) = (found.pop(), count == 1) else {
        let place = place.to_owned();
        return Err(DiffError::Several { place, count }.into());
    };
    let known = agents::know(described, &manifests);
    let mut texts = Texts::default();
    known
        .agent
        .objects
        .config_maps
        .values()
        .for_each(|object| texts.add(object));
    let side = Side {
        title: format!("{} {} ({place})", known.agent.name, known.release),
        surface: known.resolved.surface,
        texts,
    };
    Ok((known.agent.name, side))
}

/// Manifests, and what is cleared for their agent in the namespace.
pub(super) async fn manifests_and_cleared(
    place: &str,
    agent: Option<&str>,
    args: &ClusterArgs,
) -> Result<(Option<Side>, Side), Failure> {
    let cluster = Cluster::open(args).await?;
    let (agent, side) = named(place, agent, Some(&cluster.namespace))?;
    let before = cleared(&agent, None, &cluster).await?;
    Ok((before, side))
}

/// A Promotion, and what is cleared for its agent beside it.
pub(super) async fn promotion_and_cleared(name: &str, args: &ClusterArgs) -> Result<(Option<Side>, Side), Failure> {
    let cluster = Cluster::open(args).await?;
    let promotion: Promotion = cluster.get(name).await?;
    let before = cleared(&promotion.spec.agent, Some(name), &cluster).await?;
    Ok((before, side(&promotion, texts(&cluster).await?)?))
}

/// Two Promotions of the namespace.
pub(super) async fn two_promotions(
    older: &str,
    newer: &str,
    args: &ClusterArgs,
) -> Result<(Option<Side>, Side), Failure> {
    let cluster = Cluster::open(args).await?;
    let (older, newer): (Promotion, Promotion) = (cluster.get(older).await?, cluster.get(newer).await?);
    let texts = texts(&cluster).await?;
    Ok((Some(side(&older, texts.clone())?), side(&newer, texts)?))
}

/// The release of an agent that was cleared last and still is, another than `beside`.
pub(crate) async fn cleared(agent: &str, beside: Option<&str>, cluster: &Cluster) -> Result<Option<Side>, Failure> {
    let mut all: Vec<Promotion> = cluster.list(false, &Select::field("spec.agent", agent)).await?;
    all.retain(|promotion| {
        verdict::of(promotion) == Some(Verdict::Cleared) && promotion.metadata.name.as_deref() != beside
    });
    all.sort_by_key(|promotion| Reverse(promotion.status.as_ref().and_then(|status| status.cleared_at)));
    match all.first() {
        Some(promotion) => Ok(Some(side(promotion, texts(cluster).await?)?)),
        None => Ok(None),
    }
}

/// A Promotion's surface, which has to be the one of its digest.
pub(crate) fn side(promotion: &Promotion, texts: Texts) -> Result<Side, DiffError> {
    let name = promotion.metadata.name.clone().unwrap_or_default();
    let surface = lower::promotion(&promotion.spec).map_err(|source| DiffError::Release {
        name: name.clone(),
        source,
    })?;
    let title = format!(
        "{} {} ({})",
        promotion.spec.agent,
        promotion.spec.release,
        verdict::word(verdict::of(promotion))
    );
    Ok(Side { title, surface, texts })
}

/// The ConfigMaps of the namespace; none when we may not read them, for they are only to be shown.
pub(crate) async fn texts(cluster: &Cluster) -> Result<Texts, ClusterError> {
    let mut texts = Texts::default();
    match cluster.list::<ConfigMap>(false, &Select::default()).await {
        Ok(all) => all.into_iter().for_each(|found| texts.add(&of_config_map(found))),
        Err(ClusterError::Forbidden { .. } | ClusterError::TooMany(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(texts)
}
