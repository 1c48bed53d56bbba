//! `why`: everything that is missing, who may give it, and the command that does.
//!
//! Takes a Promotion, an Agent or a pod; reads what the operator decided and what is known beside it. Decides nothing.

mod deadline;
mod needs;
mod target;

use super::{
    Ended, Failure,
    cluster::{Cluster, ClusterArgs, Select},
    digest::field,
    problems,
    screen::{Screen, Style},
    verdict,
};
use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use target::Target;
use vouchsafe_api::{Agent, Promotion, promotion::status::PromotionStatus};

/// Conditions that say the verdict once more.
const SAID: &[&str] = &["Ready", "Cleared"];
/// Events that are told.
const EVENTS: usize = 5;

/// Show what is missing, who may give it, and how.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  kubectl vouchsafe why pod/refund-triage-7d9c5b-x2x4z -n support-prod")]
pub(crate) struct WhyArgs {
    /// A Promotion, an Agent, a pod or a workload, as NAME or KIND/NAME.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Prints it.
pub(crate) fn run(args: &WhyArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    super::wait(told(args, screen))?
}

async fn told(args: &WhyArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let cluster = Cluster::open(&args.cluster).await?;
    let Target { agent, promotion, pod } = target::find(&args.name, &cluster).await?;
    let now = Timestamp::now();
    if let Some(pod) = &pod {
        target::print_pod(pod, now, screen);
    }
    if let Some(agent) = &agent {
        print_agent(agent, promotion.is_none(), screen);
    }
    if let Some(promotion) = &promotion {
        print_promotion(promotion, now, screen);
        needs::print(promotion, &cluster, screen).await?;
    }
    deadline::print(agent.as_ref(), &cluster, now, screen).await?;
    let names = [
        promotion.as_ref().and_then(|of| of.metadata.name.as_deref()),
        pod.as_ref().and_then(|of| of.metadata.name.as_deref()),
    ];
    events(names.into_iter().flatten(), &cluster, now, screen).await;
    Ok(Ended::Well)
}

fn print_agent(agent: &Agent, alone: bool, screen: &mut Screen) {
    let name = agent.metadata.name.as_deref().unwrap_or_default();
    screen.pieces(&[(Style::Plain, "Agent "), (Style::Bold, name)]);
    let Some(status) = &agent.status else {
        return field(screen, "status", "the operator has not looked at it yet");
    };
    if let Some(environment) = &status.environment {
        field(screen, "environment", environment);
        if alone && status.problems.is_empty() {
            field(
                screen,
                "release",
                "nobody has asked for it yet: the operator does some quiet seconds after the last change; look again then",
            );
        }
    } else if alone {
        field(
            screen,
            "environment",
            "none: its namespace has no label `vouchsafe.dev/environment`, so that nothing is asked of it",
        );
    }
    status
        .problems
        .iter()
        .for_each(|problem| problems::print_stored(problem, screen));
}

fn print_promotion(promotion: &Promotion, now: Timestamp, screen: &mut Screen) {
    let spec = &promotion.spec;
    let verdict = verdict::of(promotion);
    screen.pieces(&[
        (Style::Plain, "Promotion "),
        (Style::Bold, promotion.metadata.name.as_deref().unwrap_or_default()),
        (Style::Plain, ": "),
        (verdict::style(verdict), verdict::word(verdict)),
    ]);
    field(screen, "agent", &format!("{} into {}", spec.agent, spec.environment));
    field(screen, "release", &spec.release.to_string());
    let asked = spec
        .requested_by
        .as_ref()
        .map_or("the operator", |stamp| stamp.username.as_str());
    let age = promotion
        .metadata
        .creation_timestamp
        .as_ref()
        .map_or(String::new(), |time| verdict::ago(time.0, now));
    field(screen, "asked by", &format!("{asked}, {age} ago"));
    if let Some(status) = &promotion.status {
        print_times(status, now, screen);
        for condition in status
            .conditions
            .iter()
            .filter(|condition| !SAID.contains(&condition.kind.as_str()))
        {
            screen.styled(
                Style::Wait,
                &format!("  ! {} ({}): {}", condition.kind, condition.reason, condition.message),
            );
        }
    }
}

fn print_times(status: &PromotionStatus, now: Timestamp, screen: &mut Screen) {
    let ago = |time: Timestamp| format!("{} ({} ago)", verdict::at(time), verdict::ago(time, now));
    let ahead = |time: Timestamp| match time > now {
        true => format!("{} (in {})", verdict::at(time), verdict::until(time, now)),
        false => format!("{} (past)", verdict::at(time)),
    };
    if !status.author.is_empty() {
        field(screen, "author", &status.author.join(", "));
    }
    let times = [
        ("cleared", status.cleared_at.map(ago)),
        ("until", status.not_after.map(ahead)),
        (
            "healthy",
            status.healthy_since.map(|time| format!("since {}", ago(time))),
        ),
        (
            "failing",
            status.failing_since.map(|time| format!("since {}", ago(time))),
        ),
        ("revoked", status.revoked_at.map(ago)),
        (
            "looked at",
            status.next_review_at.map(|time| format!("again {}", ahead(time))),
        ),
    ];
    for (name, words) in times {
        if let Some(words) = words {
            field(screen, name, &words);
        }
    }
    if status.grandfathered {
        field(
            screen,
            "grandfathered",
            "it ran when enforcement began, and may run on for a while",
        );
    }
    if status.break_glass_unreviewed {
        screen.styled(
            Style::Bad,
            "  ! break-glass lets it in, and nobody else has reviewed that yet",
        );
    }
}

/// The last events about these objects. They only add to what was said, so that who may not read them misses nothing else.
async fn events(names: impl Iterator<Item = &str>, cluster: &Cluster, now: Timestamp, screen: &mut Screen) {
    for name in names {
        let found = cluster
            .list::<Event>(false, &Select::field("involvedObject.name", name))
            .await;
        let mut found: Vec<_> = found.unwrap_or_default().into_iter().filter(is_ours).collect();
        found.sort_by_key(last);
        for event in found.iter().rev().take(EVENTS).rev() {
            let age = last(event).map_or(String::new(), |time| format!("{} ago ", verdict::ago(time, now)));
            let (reason, message) = (
                event.reason.as_deref().unwrap_or_default(),
                event.message.as_deref().unwrap_or_default(),
            );
            screen.styled(Style::Dim, &format!("  {age}{reason}: {message}"));
        }
    }
}

fn is_ours(event: &Event) -> bool {
    let source = event.source.as_ref().and_then(|source| source.component.as_deref());
    [event.reporting_component.as_deref(), source]
        .into_iter()
        .flatten()
        .any(|name| name.contains("vouchsafe"))
}

fn last(event: &Event) -> Option<Timestamp> {
    let series = event
        .series
        .as_ref()
        .and_then(|series| series.last_observed_time.as_ref())
        .map(|time| time.0);
    let single = event.event_time.as_ref().map(|time| time.0);
    series.or(event.last_timestamp.as_ref().map(|time| time.0)).or(single)
}
