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
        status::{Enforced, EnvironmentStatus, InstalledPolicies, Probe},
    },
    lower,
    promotion::status::Verdict,
};
use vouchsafe_core::conditions::{Truth, Wanted, merge};

const MANAGER: &str = "vouchsafe-environments";
/// How often the gate is tried.
const PROBE: Duration = Duration::from_secs(30);

/// Looks at one environment.
pub(crate) async fn reconcile(environment: Arc<Environment>, context: Arc<Context>) -> Result<Action, Error> {
    let (probe, words) = probe::probe(&context).await?;
    context.health.probed(probe == Probe::Admitted);
    let previous = environment.status.clone().unwrap_or_default();
    let generation = environment.metadata.generation.unwrap_or_default();
    let observes = environment.spec.enforcement == Enforcement::Observe;
    let wanted = vec![
        ready(&problems(&environment, &context)),
        enforced(probe, &words, observes),
    ];
    let conditions = merge(&previous.conditions, wanted, generation, super::now());
    let status = EnvironmentStatus {
        observed_generation: generation,
        enforced: Some(Enforced {
            policies: InstalledPolicies::Unknown,
            probe,
            differing: Vec::new(),
        }),
        conditions: conditions.unwrap_or_else(|| previous.conditions.clone()),
        ..counts(&environment.name_any(), &previous.names, &context)
    };
    if status != previous {
        if probe == Probe::Admitted && !observes {
            context
                .recorder
                .about_ours(environment.as_ref(), "ProbeAdmitted", &words);
        }
        let api = Api::<Environment>::all(context.world.client.clone());
        write::status(&api, environment.as_ref(), MANAGER, &status).await?;
    }
    Ok(Action::requeue(PROBE))
}

/// What is wrong with how it is written.
fn problems(environment: &Environment, context: &Context) -> Vec<lower::Problem> {
    let (environments, checks) = (context.world.environments.state(), context.world.checks.state());
    let catalogue = lower::Catalogue::new(environments.iter().map(AsRef::as_ref), checks.iter().map(AsRef::as_ref));
    lower::policy(&environment.name_any(), &environment.spec, &catalogue).1
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
    EnvironmentStatus {
        governed_namespaces: number(namespaces.len()),
        names: names::remembered(previous, &namespaces, |namespace| world.is_there(namespace)),
        agents: number(
            namespaces
                .iter()
                .map(|namespace| world.agents_of(namespace).len())
                .sum(),
        ),
        cleared: promotions(&|verdict| verdict == Some(Verdict::Cleared)),
        waiting: promotions(&|verdict| matches!(verdict, None | Some(Verdict::Waiting | Verdict::AwaitingApproval))),
        would_hold: number(
            namespaces
                .iter()
                .map(|namespace| context.ledgers.would_hold(namespace))
                .sum(),
        ),
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

fn enforced(probe: Probe, words: &str, observes: bool) -> Wanted {
    let (status, reason) = match probe {
        _ if observes => (Truth::False, "ObserveOnly"),
        Probe::Held | Probe::Refused => (Truth::True, "Enforced"),
        Probe::Admitted => (Truth::False, "ProbeAdmitted"),
        Probe::Unknown => (Truth::Unknown, "ProbeFailed"),
    };
    Wanted {
        kind: "Enforced",
        status,
        reason,
        message: words.to_owned(),
    }
}
