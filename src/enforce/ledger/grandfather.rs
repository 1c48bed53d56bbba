//! What ran when enforcement began may run on until a date: its pods as they are, and the templates of its workloads.

use super::{pods, release, token, view::View};
use crate::{
    enforce::{Context, Error, ledger::pods::Judge},
    observe::{is_held, workloads},
};
use kube::ResourceExt;
use std::collections::BTreeSet;
use vouchsafe_core::{
    clearance::{Images, OwnerKind, Profile},
    surface::pod_template,
};

/// Takes in every pod and every workload of the namespace, as the ledger's first entries. What is cleared anyway is taken in as that.
pub(super) async fn take_in(context: &Context, view: &mut View) -> Result<(), Error> {
    for pod in pods::all(context, &view.namespace).await? {
        if pod.metadata.deletion_timestamp.is_some() || is_held(&pod) {
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
                    view.grandfather(Some(profile), None, until);
                }
            }
            (None, None) => {}
        }
    }
    if let Some(until) = view.grandfather_until {
        templates(context, view, until).await?;
    }
    Ok(())
}

/// Templates of what runs or rests: not of workloads whose pods wait, which never were let in.
async fn templates(context: &Context, view: &mut View, until: jiff::Timestamp) -> Result<(), Error> {
    let mut waiting = BTreeSet::new();
    for pod in context.world.held_pods(&view.namespace) {
        let chain = super::owners::of(context, &view.namespace, &pod).await?;
        waiting.extend(chain.iter().filter_map(|owner| owner.uid()));
    }
    for object in context.world.workloads.of_namespace(&view.namespace) {
        let waits =
            release::is_held(&object) || is_held(&object) || object.uid().is_some_and(|uid| waiting.contains(&uid));
        let raw = workloads::json(&object);
        let spec = pod_template(&raw).and_then(|template| template.get("spec"));
        if let Some(spec) = spec.filter(|_| !waits) {
            view.grandfather(None, Some(spec.clone()), until);
        }
    }
    Ok(())
}
