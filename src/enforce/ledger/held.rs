//! The pods and Jobs that wait: which of them are cleared, and what is said of the others.

use super::{
    grandfather,
    pods::{self, EXEMPTED, Judge, Judged, NOT_DECLARED, Unaccounted},
    release, token,
    view::{View, stand_in},
};
use crate::{
    enforce::{Context, Error, now, write},
    observe::{AgentState, is_held, is_static, workloads},
    traces::Trail,
};
use jiff::{SignedDuration, Timestamp};
use kube::{ResourceExt, api::DynamicObject};
use std::sync::Arc;
use vouchsafe_core::{
    clearance::{Dropped, Images, OwnerKind, Profile, Subject, template_matches, template_ran_before},
    decision::Enforcement,
    surface::pod_template,
};

/// How long the profile of a pod of exempted containers is good; it is renewed by the next one that is held.
const EXEMPT_FOR: SignedDuration = SignedDuration::from_hours(24 * 90);

/// What may go.
#[derive(Default)]
pub(super) struct Released {
    pub(super) pods: Vec<Arc<DynamicObject>>,
    pub(super) jobs: Vec<Arc<DynamicObject>>,
    /// What the ledger could not take in.
    pub(super) dropped: Vec<Dropped>,
}

/// Judges everything that waits in a namespace; what is cleared is added to what the ledger grants.
pub(super) async fn judge(context: &Context, view: &mut View) -> Result<Released, Error> {
    if view.wanted.enforcement == Enforcement::Observe {
        return observe(context, view).await;
    }
    let mut released = Released::default();
    for pod in context.world.held_pods(&view.namespace) {
        if pod.metadata.deletion_timestamp.is_some() {
            continue;
        }
        if granted(view, &pod).is_some() || one(context, view, &pod, true).await? {
            released.pods.push(pod);
        }
        tokio::task::yield_now().await;
    }
    released.jobs = jobs(context, view);
    Ok(released)
}

/// As what the ledger grants a pod like this one already, so that only its siblings were judged.
fn granted<'a>(view: &'a View, pod: &DynamicObject) -> Option<&'a Subject> {
    let raw = workloads::json(pod);
    let token = token::injected();
    let mut all = view.wanted.profiles.iter();
    let found = all.find(|granted| granted.profile.matches(&raw, &token))?;
    Some(&found.subject)
}

/// Whether a pod may go. What is known of configuration tells most that may not; only what may is judged by bytes that are read `fresh`.
async fn one(context: &Context, view: &mut View, pod: &DynamicObject, fresh: bool) -> Result<bool, Error> {
    let maker = super::owners::of(context, &view.namespace, pod)
        .await?
        .into_iter()
        .next();
    let mut judged = judged(context, view, pod, false).await?;
    if fresh && judged.as_ref().is_ok_and(|judged| view.cleared_until(judged).is_some()) {
        judged = self::judged(context, view, pod, true).await?;
    }
    let (subject, why) = match judged {
        Ok(judged) if view.cleared_until(&judged).is_some() => {
            view.admit(judged);
            return Ok(true);
        }
        Ok(judged) => {
            let why = waiting(view, &judged);
            (Some(judged.subject), why)
        }
        Err(why) if why.reason == EXEMPTED => return Ok(exempted(view, pod)),
        Err(why) => (None, why),
    };
    if grandfather::knows(context, view, maker.as_deref(), pod) {
        return Ok(true);
    }
    tell(context, view, pod, subject.as_ref(), why);
    Ok(false)
}

async fn judged(
    context: &Context,
    view: &View,
    pod: &DynamicObject,
    fresh: bool,
) -> Result<Result<Judged, Unaccounted>, Error> {
    let judge = Judge {
        context,
        namespace: &view.namespace,
        states: &view.states,
        exempt: &view.exempt,
        fresh,
    };
    judge.judge(pod).await
}

/// A pod of exempted containers alone is its own release, of no agent.
fn exempted(view: &mut View, pod: &DynamicObject) -> bool {
    let token = token::injected();
    let Ok(profile) = Profile::of_pod(&workloads::json(pod), &token, OwnerKind::Plain, Images::Pinned) else {
        return false;
    };
    let subject = Subject {
        agent: String::new(),
        role: String::new(),
        release: stand_in(&profile.spec),
    };
    view.exempt_until(subject.release, now() + EXEMPT_FOR);
    view.admit(Judged {
        bindings: subject.release.digest(),
        subject,
        profile,
        configuration: Vec::new(),
    });
    true
}

fn waiting(view: &View, judged: &Judged) -> Unaccounted {
    let agent = &judged.subject.agent;
    let words = view.wanted.waiting.get(agent).cloned();
    let promotion = judged.subject.release.promotion_name(agent);
    Unaccounted {
        reason: "NotCleared",
        message: words.unwrap_or_else(|| {
            format!(
                "release {} is not cleared; run: kubectl vouchsafe why {promotion} -n {}",
                judged.subject.release.short(),
                view.namespace
            )
        }),
    }
}

/// Says it in the log, in an Event on the pod and in the ledger; each once.
fn tell(context: &Context, view: &mut View, pod: &DynamicObject, subject: Option<&Subject>, why: Unaccounted) {
    let Unaccounted { reason, message } = why;
    if reason == NOT_DECLARED && view.is_quiet_until(pod, context.settings.quiet) {
        return;
    }
    if reason != "NotCleared"
        && let Some(subject) = subject
    {
        view.explain(&subject.agent, message.clone());
    }
    let about = format!("{}/{}", view.namespace, pod.uid().unwrap_or_default());
    if !context.ledgers.is_new(&about, &format!("{reason}{message}")) {
        return;
    }
    // Where nothing is held it would be.
    let words = if view.wanted.enforcement == Enforcement::Observe {
        "would be held"
    } else {
        "held"
    };
    tracing::info!(
        event = "held",
        enforcement = ?view.wanted.enforcement,
        pod = write::name_of(pod),
        reason,
        message,
        "a pod waits, or would"
    );
    let note = format!("{words}: {message}");
    context.recorder.about(pod, false, reason, &note);
}

/// Jobs that we suspended and whose release is cleared now.
fn jobs(context: &Context, view: &View) -> Vec<Arc<DynamicObject>> {
    let all = context.world.workloads.of_namespace(&view.namespace);
    let cleared = |job: &Arc<DynamicObject>| release::is_held(job) && is_cleared_job(context, view, job, now());
    all.into_iter().filter(cleared).collect()
}

/// A Job's pods are judged one by one in any case; it may run when the agent that means it, or its CronJob, has a cleared release, or when its
/// template is one that the ledger knows.
fn is_cleared_job(context: &Context, view: &View, job: &DynamicObject, now: Timestamp) -> bool {
    let raw = workloads::json(job);
    let spec = pod_template(&raw).and_then(|template| template.get("spec"));
    let ledger = view.current.as_ref();
    let known = ledger.zip(spec).is_some_and(|(ledger, spec)| {
        template_matches(ledger, spec, now).is_some()
            || view.grandfather_until.is_some() && template_ran_before(ledger, spec, now)
    });
    let cleared = |agent: &str, state: &AgentState| {
        view.wanted.cleared.iter().any(|cleared| {
            cleared.agent == agent
                && cleared.release == state.release
                && cleared.not_after > now
                && !cleared.templates.is_empty()
        })
    };
    known || meaning(context, view, job).any(|(agent, state)| cleared(agent, state))
}

/// The agents that mean a Job, or the CronJob that made it.
fn meaning<'a>(
    context: &Context,
    view: &'a View,
    job: &DynamicObject,
) -> impl Iterator<Item = (&'a String, &'a AgentState)> {
    let owner = job
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true));
    let made_by = owner.and_then(|owner| context.world.workloads.get(&owner.kind, &view.namespace, &owner.name));
    let uids = [job.uid(), made_by.and_then(|owner| owner.uid())];
    let states = view.states.iter().map(|(agent, state)| (agent, state.as_ref()));
    states.filter(move |(_, state)| {
        let mut workloads = state.workloads.iter();
        workloads.any(|found| found.object.uid().is_some() && uids.contains(&found.object.uid()))
    })
}

/// Tells whose each of these is, as far as an agent means it: for traces alone, nothing is let go by it.
pub(super) fn owners(context: &Context, view: &View, released: &Released, trail: &Trail) {
    for pod in &released.pods {
        if let Some(Subject { agent, release, .. }) = granted(view, pod) {
            trail.owns(pod, agent, *release);
        }
    }
    for job in &released.jobs {
        if let Some((agent, state)) = meaning(context, view, job).next() {
            trail.owns(job, agent, state.release);
        }
    }
}

/// Where nothing is held: pods that would run get their profiles, so that enforcement can begin, and the others are counted.
async fn observe(context: &Context, view: &mut View) -> Result<Released, Error> {
    let mut would_hold = 0;
    let mut released = Released::default();
    for pod in pods::all(context, &view.namespace).await? {
        if pod.metadata.deletion_timestamp.is_some() || is_static(&pod) {
            continue;
        }
        if granted(view, &pod).is_none() && !one(context, view, &pod, false).await? {
            would_hold += 1;
        }
        // Hundreds of pods are judged from memory: whoever has to act in time, as whoever holds the lease, comes in between.
        tokio::task::yield_now().await;
        if is_held(&pod) {
            released.pods.push(Arc::new(pod));
        }
    }
    context.ledgers.surveys.would_hold(&view.namespace, would_hold);
    let jobs = context.world.workloads.of_namespace(&view.namespace);
    released.jobs = jobs.into_iter().filter(|job| release::is_held(job)).collect();
    Ok(released)
}
