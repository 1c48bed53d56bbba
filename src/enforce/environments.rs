//! What is said of an Environment: whether it can be used, whether the API server enforces it, and how many are cleared, wait, or would
//! be held.

mod names;

use super::{Context, Error, ledger::probe, write};
use kube::{Api, ResourceExt, runtime::controller::Action};
use std::{sync::Arc, time::Duration};
use vouchsafe_api::{
    Environment,
    environment::{
        Enforcement,
        status::{Enforced, EnvironmentStatus, NamespaceStatus, Probe},
    },
    lower,
    promotion::status::Verdict,
};
use vouchsafe_core::conditions::{Truth, Wanted, merge};

const MANAGER: &str = "vouchsafe-environments";
/// Namespaces that the status tells of.
const MAX_NAMESPACES: usize = 1024;
/// How often the gate is tried.
const PROBE: Duration = Duration::from_secs(30);
/// The same while policies differ: what the API server does with those that are left shows a moment later.
const PROBE_AGAIN: Duration = Duration::from_secs(5);
/// The same while the numbers of its namespaces change.
const COUNT_AGAIN: Duration = Duration::from_secs(3);

/// Looks at one environment.
pub(crate) async fn reconcile(environment: Arc<Environment>, context: Arc<Context>) -> Result<Action, Error> {
    let installed = context.installed.known().await;
    let (probe, words) = match probe::probe(&context).await {
        // A policy that was broken may be why it cannot be tried.
        Err(error) if !installed.differing().is_empty() => (Probe::Unknown, error.to_string()),
        probed => probed?,
    };
    context.health.probed(probe == Probe::Admitted);
    let previous = environment.status.clone().unwrap_or_default();
    let generation = environment.metadata.generation.unwrap_or_default();
    let observes = environment.spec.enforcement == Enforcement::Observe;
    let wanted = vec![
        ready(&problems(&environment, &context)),
        enforced(probe, &words, installed.words().as_deref(), observes),
    ];
    let conditions = merge(&previous.conditions, wanted, generation, super::now());
    let status = EnvironmentStatus {
        observed_generation: generation,
        enforced: Some(Enforced {
            policies: installed.state(),
            probe,
            differing: installed.differing(),
        }),
        conditions: conditions.unwrap_or_else(|| previous.conditions.clone()),
        ..counts(&environment.name_any(), &previous.names, &context)
    };
    let changing = status.namespaces != previous.namespaces;
    if status != previous {
        let api = Api::<Environment>::all(context.world.client.clone());
        write::status(&api, environment.as_ref(), MANAGER, &status).await?;
        let tell = |reason, words: &str| context.recorder.about_ours(environment.as_ref(), reason, words);
        if probe == Probe::Admitted && !observes {
            tell("ProbeAdmitted", &words);
        }
        if let Some(words) = installed.words().filter(|_| differs_anew(&previous, &status)) {
            tell("PoliciesDiffer", &words);
        }
    }
    // What was put back is not in force at once.
    let again = if installed.differing().is_empty() && probe == Probe::Held {
        PROBE
    } else {
        PROBE_AGAIN
    };
    Ok(Action::requeue(if changing { again.min(COUNT_AGAIN) } else { again }))
}

/// Whether something differs that did not.
fn differs_anew(previous: &EnvironmentStatus, next: &EnvironmentStatus) -> bool {
    let names = |status: &EnvironmentStatus| {
        status
            .enforced
            .clone()
            .map(|enforced| enforced.differing)
            .unwrap_or_default()
    };
    let known = names(previous);
    names(next).iter().any(|name| !known.contains(name))
}

/// What is wrong with how it is written.
fn problems(environment: &Environment, context: &Context) -> Vec<lower::Problem> {
    let (environments, checks) = (context.world.environments.state(), context.world.checks.state());
    let catalogue = lower::Catalogue::new(environments.iter().map(AsRef::as_ref), checks.iter().map(AsRef::as_ref));
    lower::policy(&environment.name_any(), &environment.spec, &catalogue).1
}

/// What is in one namespace.
fn found(namespace: &str, context: &Context) -> NamespaceStatus {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let survey = context.ledgers.surveys.of(namespace);
    NamespaceStatus {
        name: namespace.to_owned(),
        agents: number(context.world.agents_of(namespace).len()),
        undeclared: number(survey.undeclared),
        would_hold: number(survey.would_hold),
        static_pods: number(survey.static_pods),
    }
}

/// How many are there.
fn counts(name: &str, previous: &[String], context: &Context) -> EnvironmentStatus {
    let world = &context.world;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let promotions = |which: &dyn Fn(Option<Verdict>) -> bool| {
        let of = world.promotions.state_filter(|promotion| {
            promotion.spec.environment == name && which(promotion.status.as_ref().and_then(|status| status.verdict))
        });
        number(of.len())
    };
    let mut namespaces = world.governed();
    namespaces.retain(|namespace| world.environment_of(namespace) == name);
    namespaces.sort();
    let found: Vec<_> = namespaces.iter().map(|namespace| found(namespace, context)).collect();
    EnvironmentStatus {
        governed_namespaces: number(namespaces.len()),
        names: names::remembered(previous, &namespaces, |namespace| world.is_there(namespace)),
        agents: found.iter().map(|found| found.agents).sum(),
        cleared: promotions(&|verdict| verdict == Some(Verdict::Cleared)),
        waiting: promotions(&|verdict| matches!(verdict, None | Some(Verdict::Waiting | Verdict::AwaitingApproval))),
        would_hold: found.iter().map(|found| found.would_hold).sum(),
        namespaces: found.into_iter().take(MAX_NAMESPACES).collect(),
        ..EnvironmentStatus::default()
    }
}

fn ready(problems: &[lower::Problem]) -> Wanted {
    Wanted {
        kind: "Ready",
        status: Truth::from(problems.is_empty()),
        reason: problems.first().map_or("Accepted", |problem| problem.reason.as_str()),
        message: problems
            .first()
            .map_or_else(|| "it can be used as it is written".to_owned(), ToString::to_string),
    }
}

/// What is worst is said: that nothing is enforced, then that it is not what was shipped.
fn enforced(probe: Probe, words: &str, differing: Option<&str>, observes: bool) -> Wanted {
    let (status, reason, words) = match (probe, differing) {
        _ if observes => (Truth::False, "ObserveOnly", words),
        (Probe::Admitted, _) => (Truth::False, "ProbeAdmitted", words),
        (_, Some(differing)) => (Truth::False, "PoliciesDiffer", differing),
        (Probe::Held | Probe::Refused, None) => (Truth::True, "Enforced", words),
        (Probe::Unknown, None) => (Truth::Unknown, "ProbeFailed", words),
    };
    Wanted {
        kind: "Enforced",
        status,
        reason,
        message: words.to_owned(),
    }
}
