//! Agents to releases, and releases to promotions.
//!
//! Takes an Agent, works out what it really is, remembers that for the other controllers, and asks for a Promotion when a release that
//! nobody asked for has been there quietly for a while. It writes Promotions and the Agent's status.

use super::{Context, Error, health, write};
use crate::observe::{
    AgentState, ENFORCEMENT,
    change::Change,
    content,
    workloads::{Found, KINDS},
};
use kube::{Api, ResourceExt, api::ObjectMeta, runtime::controller::Action};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use vouchsafe_api::{
    Agent, Promotion, agent::status::AgentStatus, environment::Enforcement, lift, promotion::PromotionSpec,
};
use vouchsafe_core::{
    conditions::{Truth, Wanted, merge},
    digest::ReleaseDigest,
    surface::{Declaration, Problem, ProblemReason, Resolved, resolve},
};

const MANAGER: &str = "vouchsafe-agents";
/// How often everything is looked at again, though nothing was seen to change.
const RESYNC: Duration = Duration::from_secs(600);
/// Problems that a status names at most.
const MAX_PROBLEMS: usize = 32;
/// Unresolved components that a status names at most.
const MAX_UNRESOLVED: usize = 64;

/// Looks at one agent.
pub(crate) async fn reconcile(agent: Arc<Agent>, context: Arc<Context>) -> Result<Action, Error> {
    let (namespace, name) = (agent.namespace().unwrap_or_default(), agent.name_any());
    if agent.metadata.deletion_timestamp.is_some() {
        context.world.forget(&namespace, &name);
        return Ok(Action::await_change());
    }
    let state = observe(&agent, &context, &namespace).await?;
    let environment = context.world.environment_of(&namespace);
    let wait = if environment.is_empty() || context.world.is_ending(&namespace) {
        None
    } else {
        ask(&agent, &state, &environment, &context).await?
    };
    write_status(&agent, &state, &environment, &context).await?;
    Ok(Action::requeue(wait.unwrap_or(RESYNC)))
}

/// Works out what the agent is, and tells the others when that is new.
async fn observe(agent: &Agent, context: &Context, namespace: &str) -> Result<Arc<AgentState>, Error> {
    let (world, name) = (&context.world, agent.name_any());
    let declaration = vouchsafe_api::lower::agent(&agent.spec);
    let found = world.workloads.meant(namespace, &declaration.workloads);
    let workloads: Vec<_> = found.iter().map(Found::workload).collect();
    let version = |config_map: &str| world.config_version(namespace, config_map);
    let resolving = |at_hand: &content::AtHand| resolve(&declaration, &workloads, at_hand);
    let mut resolved = content::with_content(&world.client, &world.kept, namespace, &version, resolving).await;
    resolved.problems.extend(unwatched(&declaration));
    resolved.problems.extend(contested(agent, &found, context, namespace));
    resolved.problems.sort();
    let release = resolved.surface.digest();
    let before = world.state(namespace, &name);
    let before = before.filter(|before| Some(&before.uid) == agent.metadata.uid.as_ref());
    let same = before.as_ref().filter(|before| before.release == release);
    let mut state = AgentState {
        uid: agent.uid().unwrap_or_default(),
        declaration,
        workloads: found,
        resolved,
        release,
        since: same.map_or_else(Instant::now, |before| before.since),
        healthy: same.and_then(|before| before.healthy),
    };
    state.healthy = Some(health::is_healthy(context, namespace, &name, &state).await?);
    let changed = before.is_none_or(|before| differs(&before, &state));
    let state = Arc::new(state);
    world.remember(namespace, &name, Arc::clone(&state));
    if changed {
        let _ = world.changes.send(Change::Resolved {
            namespace: namespace.to_owned(),
            agent: name,
        });
    }
    Ok(state)
}

fn differs(before: &AgentState, after: &AgentState) -> bool {
    before.release != after.release || before.healthy != after.healthy || before.resolved != after.resolved
}

/// Kinds that are not watched: their pods cannot be followed to them.
fn unwatched(declaration: &Declaration) -> Vec<Problem> {
    let known = |kind: &str| KINDS.iter().any(|(_, known)| *known == kind);
    let unknown = declaration
        .workloads
        .iter()
        .enumerate()
        .filter(|(_, workload)| !known(&workload.kind));
    let problem = |(index, workload): (usize, &vouchsafe_core::surface::WorkloadReference)| Problem {
        reason: ProblemReason::WorkloadNotFound,
        object: "Agent".to_owned(),
        field: format!("spec.workloads[{index}].kind"),
        message: format!("workloads of kind `{}` are not followed", workload.kind),
        fix: "name the Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob or Pod that runs it".to_owned(),
        blocking: true,
    };
    unknown.map(problem).collect()
}

/// Workloads that an older agent means, too: they are its.
fn contested(agent: &Agent, found: &[Found], context: &Context, namespace: &str) -> Vec<Problem> {
    let age = |agent: &Agent| (agent.creation_timestamp().map(|time| time.0), agent.name_any());
    let mut problems = Vec::new();
    for other in context.world.agents_of(namespace) {
        if age(&other) >= age(agent) {
            continue;
        }
        let references = context.world.references(&other);
        for workload in found {
            let meant = references
                .iter()
                .any(|reference| crate::observe::workloads::means(reference, &workload.object));
            if meant {
                let kind = crate::observe::workloads::kind_of(&workload.object);
                problems.push(Problem {
                    reason: ProblemReason::WorkloadClaimedTwice,
                    object: format!("{kind}/{}", workload.object.name_any()),
                    field: "Agent.spec.workloads".to_owned(),
                    message: format!("the older Agent `{}` names this workload, too", other.name_any()),
                    fix: "let one Agent name it".to_owned(),
                    blocking: true,
                });
            }
        }
    }
    problems
}

/// Makes the Promotion of the present release, once it has been quiet; gives how long to wait for that.
async fn ask(
    agent: &Agent,
    state: &AgentState,
    environment: &str,
    context: &Context,
) -> Result<Option<Duration>, Error> {
    let (namespace, name) = (agent.namespace().unwrap_or_default(), agent.name_any());
    let promotion = state.release.promotion_name(&name);
    if context
        .world
        .promotions_of(&namespace)
        .iter()
        .any(|other| other.name_any() == promotion)
    {
        return Ok(None);
    }
    let quiet = context.settings.quiet.saturating_sub(state.since.elapsed());
    if !quiet.is_zero() {
        return Ok(Some(quiet));
    }
    let object = Promotion {
        metadata: ObjectMeta {
            name: Some(promotion),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        spec: spec(&name, state.release, environment, &state.resolved),
        status: None,
    };
    write::create(
        &Api::<Promotion>::namespaced(context.world.client.clone(), &namespace),
        &object,
    )
    .await?;
    Ok(None)
}

fn spec(agent: &str, release: ReleaseDigest, environment: &str, resolved: &Resolved) -> PromotionSpec {
    PromotionSpec {
        agent: agent.to_owned(),
        release,
        environment: environment.to_owned(),
        surface: lift::surface(&resolved.surface),
        requested_by: None,
    }
}

async fn write_status(agent: &Agent, state: &AgentState, environment: &str, context: &Context) -> Result<(), Error> {
    let namespace = agent.namespace().unwrap_or_default();
    let name = state.release.promotion_name(&agent.name_any());
    let promotion = context
        .world
        .promotions_of(&namespace)
        .into_iter()
        .find(|promotion| promotion.name_any() == name);
    let previous = agent.status.clone().unwrap_or_default();
    let generation = agent.metadata.generation.unwrap_or_default();
    let unresolved = state.resolved.surface.unresolved();
    let unresolved = unresolved
        .map(|component| format!("{} {}", component.facet, component.name))
        .take(MAX_UNRESOLVED);
    let mut problems = state.resolved.problems.clone();
    problems.sort_by_key(|problem| !problem.blocking);
    let conditions = merge(&previous.conditions, vec![ready(&problems)], generation, super::now());
    let status = AgentStatus {
        observed_generation: generation,
        release: Some(state.release),
        environment: (!environment.is_empty()).then(|| environment.to_owned()),
        enforcement: enforcement(&context.world.label_of(&namespace, ENFORCEMENT)),
        verdict: promotion
            .as_ref()
            .and_then(|promotion| promotion.status.as_ref()?.verdict),
        promotion: promotion.map(|promotion| promotion.name_any()),
        unresolved: unresolved.collect(),
        problems: problems.iter().take(MAX_PROBLEMS).map(lift::problem).collect(),
        conditions: conditions.unwrap_or_else(|| previous.conditions.clone()),
    };
    if status == previous {
        return Ok(());
    }
    let api = Api::<Agent>::namespaced(context.world.client.clone(), &namespace);
    write::status(&api, agent, MANAGER, &status).await
}

/// What the label of a governed namespace says, which the operator writes when it writes the first ledger there.
fn enforcement(label: &str) -> Option<Enforcement> {
    [Enforcement::Observe, Enforcement::Hold, Enforcement::Deny]
        .into_iter()
        .find(|word| word.as_str() == label)
}

/// Whether the declaration was resolved. What only its team can put right is no reason to wait.
fn ready(problems: &[Problem]) -> Wanted {
    match problems.iter().find(|problem| problem.blocking) {
        None => Wanted {
            kind: "Ready",
            status: Truth::True,
            reason: "Resolved",
            message: "every part of the agent was found".to_owned(),
        },
        Some(problem) => Wanted {
            kind: "Ready",
            status: Truth::False,
            reason: problem.reason.as_str(),
            message: format!(
                "{} {}: {}; {}",
                problem.object, problem.field, problem.message, problem.fix
            ),
        },
    }
}
