//! What ran when enforcement began may run on until a date: its pods as they are, the templates of its workloads, and the ConfigMaps that
//! these name, which are not edited in place from then on. Secrets are not kept: credentials have to be rotated.
//!
//! An edit that changes nothing of what a pod does makes a pod that is known all the same; everything else is as new as what never ran.

use super::{pods, release, token, view::View};
use crate::{
    enforce::{Context, Error, ledger::pods::Judge, now},
    observe::{is_held, is_static, workloads},
};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};
use vouchsafe_core::{
    clearance::{
        Images, OwnerKind, Profile, config_maps, differences, ran_before, template_matches, template_ran_before,
    },
    surface::{ConfigKind, ConfigReference, pod_template},
};

/// ConfigMaps that the cluster itself writes into every namespace, and has to go on writing.
const OF_THE_CLUSTER: &[&str] = &["kube-root-ca.crt", "openshift-service-ca.crt"];

/// Takes in every pod and every workload of the namespace, as the ledger's first entries. What is cleared anyway is taken in as that.
pub(super) async fn take_in(context: &Context, view: &mut View) -> Result<(), Error> {
    for pod in pods::all(context, &view.namespace).await? {
        if pod.metadata.deletion_timestamp.is_some() || is_held(&pod) || is_static(&pod) {
            continue;
        }
        let judge = Judge {
            context,
            namespace: &view.namespace,
            states: &view.states,
            exempt: &view.exempt,
            fresh: true,
        };
        let judged = judge.judge(&pod).await?.ok();
        let cleared = judged.and_then(|judged| Some((view.cleared_until(&judged)?, judged)));
        match (cleared, view.grandfather_until) {
            (Some((_, judged)), _) => view.admit(judged),
            (None, Some(until)) => {
                let chain = super::owners::of(context, &view.namespace, &pod).await?;
                let maker = chain
                    .first()
                    .map_or(OwnerKind::Plain, |maker| OwnerKind::of(&workloads::json(maker)));
                if let Ok(profile) =
                    Profile::of_pod(&workloads::json(&pod), &token::injected(), maker, Images::AsTheyAre)
                {
                    let configuration = configuration(context, &view.namespace, &profile.spec);
                    view.grandfather(Some(profile), None, configuration, until);
                }
            }
            (None, None) => {}
        }
        tokio::task::yield_now().await;
    }
    if let Some(until) = view.grandfather_until {
        templates(context, view, until).await?;
    }
    Ok(())
}

/// Whether a held pod is what ran when enforcement began, but for what means nothing; then it may run on, too. A CronJob has no pod at most
/// times: then the template tells.
pub(super) fn knows(context: &Context, view: &mut View, maker: Option<&DynamicObject>, pod: &DynamicObject) -> bool {
    let (Some(until), Some(current)) = (view.grandfather_until, &view.current) else {
        return false;
    };
    let (raw, token) = (workloads::json(pod), token::injected());
    let maker = maker.map(workloads::json);
    let owner = maker.as_ref().map_or(OwnerKind::Plain, OwnerKind::of);
    let Ok(profile) = Profile::of_pod(&raw, &token, owner, Images::AsTheyAre) else {
        return false;
    };
    let explained = |maker: &&Value| differences(maker, &raw, &token, &view.exempt).is_empty();
    let template = maker
        .as_ref()
        .filter(explained)
        .and_then(|maker| pod_template(maker)?.get("spec"));
    if !ran_before(current, &profile, template, now()) {
        return false;
    }
    let configuration = configuration(context, &view.namespace, &profile.spec);
    view.grandfather(Some(profile), None, configuration, until);
    true
}

/// Workloads in the form that was looked at last, by uid: a form is looked at until the ledger needs nothing of it.
#[derive(Default)]
pub(crate) struct LookedAt(Mutex<HashMap<String, Option<i64>>>);

impl LookedAt {
    fn knows(&self, object: &DynamicObject) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = object.uid().unwrap_or_default();
        known.get(&uid) == Some(&object.metadata.generation) && object.metadata.generation.is_some()
    }

    fn remember(&self, object: &DynamicObject) {
        const MAX: usize = 65_536;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX {
            known.clear();
        }
        known.insert(object.uid().unwrap_or_default(), object.metadata.generation);
    }
}

/// Takes in the templates of workloads that were edited in what means nothing, so that the next edit finds them known.
pub(super) fn edited(context: &Context, view: &mut View) {
    let (Some(until), Some(current)) = (view.grandfather_until, &view.current) else {
        return;
    };
    let mut found = Vec::new();
    for object in context.world.workloads.of_namespace(&view.namespace) {
        if workloads::kind_of(&object) == "Pod" || context.ledgers.looked_at.knows(&object) {
            continue;
        }
        let raw = workloads::json(&object);
        let Some(spec) = pod_template(&raw).and_then(|template| template.get("spec")) else {
            continue;
        };
        if template_matches(current, spec, now()).is_none() && template_ran_before(current, spec, now()) {
            found.push(spec.clone());
        } else {
            context.ledgers.looked_at.remember(&object);
        }
    }
    for spec in found {
        let configuration = configuration(context, &view.namespace, &spec);
        view.grandfather(None, Some(spec), configuration, until);
    }
}

/// What a spec is made of, as it is there now.
fn configuration(context: &Context, namespace: &str, spec: &Value) -> Vec<ConfigReference> {
    let reference = |name: String| {
        let present = context.world.config_version(namespace, &name).is_some();
        ConfigReference {
            kind: ConfigKind::ConfigMap,
            name,
            role: String::new(),
            optional: !present,
            present,
            immutable: false,
        }
    };
    let named = config_maps(spec).into_iter();
    named
        .filter(|name| !OF_THE_CLUSTER.contains(&name.as_str()))
        .map(reference)
        .collect()
}

/// Templates of what runs or rests: not of workloads whose pods wait, which never were let in, nor of pods that are no template.
async fn templates(context: &Context, view: &mut View, until: jiff::Timestamp) -> Result<(), Error> {
    let mut waiting = BTreeSet::new();
    for pod in context.world.held_pods(&view.namespace) {
        let chain = super::owners::of(context, &view.namespace, &pod).await?;
        waiting.extend(chain.iter().filter_map(|owner| owner.uid()));
    }
    for object in context.world.workloads.of_namespace(&view.namespace) {
        let waits = release::is_held(&object) || object.uid().is_some_and(|uid| waiting.contains(&uid));
        if workloads::kind_of(&object) == "Pod" {
            continue;
        }
        let raw = workloads::json(&object);
        let spec = pod_template(&raw).and_then(|template| template.get("spec"));
        if let Some(spec) = spec.filter(|_| !waits) {
            let configuration = configuration(context, &view.namespace, spec);
            view.grandfather(None, Some(spec.clone()), configuration, until);
        }
    }
    Ok(())
}
