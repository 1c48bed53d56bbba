//! `approve` and `reject`: one person's word on exactly the release that they were shown.
//!
//! Takes a Promotion, never an agent's name: an agent changes, a Promotion's name holds the digest of what it asks for.

mod show;

use super::{
    Advice, Ended, Failure,
    cluster::{Cluster, ClusterArgs},
    diff::side,
    roles::{any_of_ours, is_anybodys, is_ours},
    screen::{Screen, note},
};
use clap::{Args, ValueEnum};
use kube::api::ObjectMeta;
use std::io::{self, BufRead as _, IsTerminal as _};
use vouchsafe_api::{
    Agent, Approval, Promotion,
    approval::{ApprovalSpec, Scope, Vote},
};
use vouchsafe_core::digest::ReleaseDigest;

/// Approve one release for one environment.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  kubectl vouchsafe approve refund-triage-1113d45bda90c58608cda20c932b44f1 --role security --reason 'Read it'"
)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    vote: VoteArgs,
}

/// Reject one release for one environment.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  kubectl vouchsafe reject refund-triage-1113d45bda90c58608cda20c932b44f1 --role security --reason 'Why not'"
)]
pub(crate) struct RejectArgs {
    #[command(flatten)]
    vote: VoteArgs,
}

#[derive(Debug, Args)]
struct VoteArgs {
    /// The Promotion.
    #[arg(value_name = "PROMOTION")]
    promotion: String,
    /// In which role; the only one that is yours and missing when left out.
    #[arg(long)]
    role: Option<String>,
    /// Why, for the record.
    #[arg(long)]
    reason: String,
    /// Where it counts: in this namespace, or in the whole environment (of the same tenant).
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "namespace|environment"
    )]
    scope: ScopeArg,
    /// The word is about this Waiver, not about the release as a whole.
    #[arg(long, value_name = "NAME")]
    waiver: Option<String>,
    /// The release that you looked at; refused when the Promotion asks for another.
    #[arg(long, value_name = "DIGEST")]
    release: Option<ReleaseDigest>,
    /// Do not ask back.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Where a word counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum ScopeArg {
    /// In the Promotion's namespace.
    #[default]
    Namespace,
    /// In every namespace of the environment and tenant.
    Environment,
}

/// Why nobody's word was given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApproveError {
    /// An agent was named.
    #[error("`{name}` is an Agent, and an agent can change while you look; a word is given on a Promotion")]
    Agent {
        /// What was named.
        name: String,
        /// What may have been meant.
        promotion: Option<String>,
    },
    /// Another release than the one that was looked at.
    #[error("the Promotion asks for {actual}, and you looked at {expected}")]
    Changed {
        /// What was looked at.
        expected: ReleaseDigest,
        /// What it is.
        actual: ReleaseDigest,
    },
    /// Nobody can be asked back.
    #[error("there is no terminal to ask you back on")]
    NoTerminal(ReleaseDigest),
    /// The answer was not yes.
    #[error("you did not say yes, so that nothing was stored")]
    NotConfirmed,
    /// RBAC says no.
    #[error("you may not approve or reject as {role} in environment `{environment}` from namespace `{namespace}`")]
    NotYours {
        /// The role.
        role: String,
        /// The environment.
        environment: String,
        /// Where.
        namespace: String,
    },
    /// No role, or several.
    #[error("in which role is not said: {0}")]
    Role(String),
}

impl Advice for ApproveError {
    fn fix(&self) -> String {
        match self {
            Self::Agent {
                promotion: Some(promotion),
                ..
            } => format!("look at it with `kubectl vouchsafe diff {promotion}`, and name it"),
            Self::Agent { .. } => "see `kubectl vouchsafe status` for its Promotions".to_owned(),
            Self::Changed { .. } => "look again: `kubectl vouchsafe diff` shows what changed".to_owned(),
            Self::NoTerminal(release) => format!("say what you looked at, with `--release {release}`"),
            Self::NotConfirmed => "look again, and answer `yes`".to_owned(),
            Self::NotYours {
                role,
                environment,
                namespace,
            } => format!(
                "ask whoever administers namespace `{namespace}` for the verb `approve` on `environments/{role}` named `{environment}`"
            ),
            Self::Role(_) => "name it with --role".to_owned(),
        }
    }

    fn code(&self) -> u8 {
        match self {
            Self::Changed { .. } | Self::NotConfirmed | Self::NotYours { .. } => 1,
            Self::Agent { .. } | Self::NoTerminal(_) | Self::Role(_) => 2,
        }
    }
}

/// Approves.
pub(crate) fn approve(args: &ApproveArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    super::wait(give(&args.vote, Vote::Approve, screen))?
}

/// Rejects.
pub(crate) fn reject(args: &RejectArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    super::wait(give(&args.vote, Vote::Reject, screen))?
}

async fn give(args: &VoteArgs, vote: Vote, screen: &mut Screen) -> Result<Ended, Failure> {
    let cluster = Cluster::open(&args.cluster).await?;
    let promotion = promotion(&args.promotion, &cluster).await?;
    let release = promotion.spec.release;
    if let Some(expected) = args.release.filter(|expected| *expected != release) {
        return Err(ApproveError::Changed {
            expected,
            actual: release,
        }
        .into());
    }
    // What is claimed has to be what it is, before anybody vouches for it.
    side(&promotion, super::changes::Texts::default())?;
    let role = role(args, &promotion, &cluster).await?;
    if args.release.is_none() && !args.yes {
        show::print(&promotion, &cluster, screen).await?;
        screen.flush()?;
        confirm(vote, &role, &release)?;
    }
    let created = cluster
        .create(&approval(args, vote, role.clone(), &promotion), false)
        .await?;
    let name = created.metadata.name.unwrap_or_default();
    let did = if vote == Vote::Approve { "approved" } else { "rejected" };
    screen.line(&format!("{did} {} as {role} (Approval {name})", args.promotion));
    Ok(Ended::Well)
}

/// The Promotion; when it is an Agent that was named, that is said.
async fn promotion(name: &str, cluster: &Cluster) -> Result<Promotion, Failure> {
    if let Some(promotion) = cluster.find::<Promotion>(name).await? {
        return Ok(promotion);
    }
    // Whether it is an Agent only betters the message; who may not read Agents gets the plain one.
    if let Ok(Some(agent)) = cluster.find::<Agent>(name).await {
        let promotion = agent.status.and_then(|status| status.promotion);
        return Err(ApproveError::Agent {
            name: name.to_owned(),
            promotion,
        }
        .into());
    }
    Ok(cluster.get(name).await?)
}

/// The role that is named, or the only one that is missing and ours. That it is ours is asked before anybody reads on; the API server judges
/// it again.
async fn role(args: &VoteArgs, promotion: &Promotion, cluster: &Cluster) -> Result<String, Failure> {
    let (environment, namespace) = (&promotion.spec.environment, &cluster.namespace);
    if let Some(role) = &args.role {
        if is_ours(role, environment, namespace, cluster).await? {
            return Ok(role.clone());
        }
        return Err(ApproveError::NotYours {
            role: role.clone(),
            environment: environment.clone(),
            namespace: namespace.clone(),
        }
        .into());
    }
    let all = promotion.status.as_ref().map(|status| status.approvals.as_slice());
    let all = all.unwrap_or_default();
    let missing = all.iter().filter(|outcome| outcome.have < outcome.need);
    let (anybodys, named): (Vec<_>, Vec<_>) = missing.partition(|outcome| is_anybodys(&outcome.role));
    let mut ours = Vec::new();
    for outcome in named {
        if is_ours(&outcome.role, environment, namespace, cluster).await? {
            ours.push(outcome.role.clone());
        }
    }
    if ours.is_empty() && (args.waiver.is_some() || !anybodys.is_empty()) {
        ours.extend(any_of_ours(all, environment, namespace, cluster).await?);
    }
    match ours.as_slice() {
        [] => Err(ApproveError::Role("none that is missing is yours".to_owned()).into()),
        [only] => Ok(only.clone()),
        several => Err(ApproveError::Role(format!("several are missing and yours ({})", several.join(", "))).into()),
    }
}

fn confirm(vote: Vote, role: &str, release: &ReleaseDigest) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(ApproveError::NoTerminal(*release).into());
    }
    let verb = if vote == Vote::Approve { "Approve" } else { "Reject" };
    note(&format!("{verb} {release} as {role}? Write `yes`:"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        Ok(())
    } else {
        Err(ApproveError::NotConfirmed.into())
    }
}

fn approval(args: &VoteArgs, decision: Vote, role: String, promotion: &Promotion) -> Approval {
    Approval {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", args.promotion)),
            ..ObjectMeta::default()
        },
        spec: ApprovalSpec {
            promotion: args.promotion.clone(),
            release: promotion.spec.release,
            environment: promotion.spec.environment.clone(),
            role,
            scope: match args.scope {
                ScopeArg::Namespace => Scope::Namespace,
                ScopeArg::Environment => Scope::Environment,
            },
            decision,
            waiver: args.waiver.clone(),
            reason: Some(args.reason.clone()),
            by: None,
        },
    }
}
