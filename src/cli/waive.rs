//! `waive`: asks that one release may do without named checks for a while; somebody else has to approve it.

use super::{
    Advice, Ended, Failure,
    cluster::{Cluster, ClusterArgs},
    screen::Screen,
    verdict,
};
use clap::Args;
use jiff::Timestamp;
use kube::api::ObjectMeta;
use vouchsafe_api::{Promotion, Waiver, period::Period, waiver::WaiverSpec};
use vouchsafe_core::digest::ReleaseDigest;

/// The longest break-glass, in seconds.
const GLASS: i64 = 4 * 3600;

/// Ask that a release may do without checks for a while.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  kubectl vouchsafe waive refund-triage-1113d45bda90c58608cda20c932b44f1 --check red-team --for 24h --reason …"
)]
pub(crate) struct WaiveArgs {
    /// The Promotion.
    #[arg(value_name = "PROMOTION")]
    promotion: String,
    /// A check to waive; may be given several times.
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "break_glass",
        conflicts_with = "break_glass"
    )]
    check: Vec<String>,
    /// Waive everything, on your word alone, for at most four hours. It is recorded loudly and reviewed afterwards.
    #[arg(long)]
    break_glass: bool,
    /// Why, in at least ten letters.
    #[arg(long)]
    reason: String,
    /// Where more is written about it.
    #[arg(long, value_name = "URL")]
    ticket: Option<String>,
    /// Until when, as 2027-01-31T00:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with = "length")]
    until: Option<Timestamp>,
    /// For how long, as 24h; with --break-glass 4h when left out.
    #[arg(long = "for", value_name = "TIME", id = "length")]
    length: Option<Period>,
    /// The release that you looked at; refused when the Promotion asks for another.
    #[arg(long, value_name = "DIGEST")]
    release: Option<ReleaseDigest>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Why nothing can be waived.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WaiveError {
    /// It has no end.
    #[error("a waiver has an end")]
    NoEnd,
    /// Its end is not a time that there is.
    #[error("the end is past, or too far away")]
    End,
    /// Break-glass for too long.
    #[error("break-glass lasts at most four hours")]
    Glass,
    /// The reason is too short.
    #[error("`{0}` is not much of a reason")]
    Reason(String),
    /// Another release than the one that was looked at.
    #[error("the Promotion asks for {actual}, and you looked at {expected}")]
    Changed {
        /// What was looked at.
        expected: ReleaseDigest,
        /// What it is.
        actual: ReleaseDigest,
    },
    /// The environment does not ask for that check.
    #[error("`{check}` is not asked for there; asked for are: {asked}")]
    Check {
        /// What was named.
        check: String,
        /// What there is.
        asked: String,
    },
}

impl Advice for WaiveError {
    fn fix(&self) -> String {
        let words = match self {
            Self::NoEnd => "say `--for 24h`, or `--until` a time",
            Self::End => "name a time that is to come",
            Self::Glass => "say `--for 4h` or less; afterwards a waiver that somebody approves",
            Self::Reason(_) => "write at least ten letters: somebody else has to judge it",
            Self::Changed { .. } => "look again: `kubectl vouchsafe diff` shows what changed",
            Self::Check { .. } => "name one of them",
        };
        words.to_owned()
    }
}

/// Asks.
pub(crate) fn run(args: &WaiveArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let now = Timestamp::now();
    let end = end(args, now)?;
    if args.reason.chars().count() < 10 {
        return Err(WaiveError::Reason(args.reason.clone()).into());
    }
    super::wait(ask(args, end, now, screen))?
}

fn end(args: &WaiveArgs, now: Timestamp) -> Result<Timestamp, WaiveError> {
    let glass = args.break_glass.then_some(GLASS);
    let length = args.length.as_ref().map(|length| length.duration().as_secs()).or(glass);
    let end = match (args.until, length) {
        (Some(until), _) => until,
        (None, Some(seconds)) => {
            Timestamp::from_second(now.as_second().saturating_add(seconds)).map_err(|_| WaiveError::End)?
        }
        (None, None) => return Err(WaiveError::NoEnd),
    };
    if end <= now {
        return Err(WaiveError::End);
    }
    if args.break_glass && end.as_second() - now.as_second() > GLASS {
        return Err(WaiveError::Glass);
    }
    Ok(end)
}

async fn ask(args: &WaiveArgs, end: Timestamp, now: Timestamp, screen: &mut Screen) -> Result<Ended, Failure> {
    let cluster = Cluster::open(&args.cluster).await?;
    let promotion: Promotion = cluster.get(&args.promotion).await?;
    let actual = promotion.spec.release;
    if let Some(expected) = args.release.filter(|expected| *expected != actual) {
        return Err(WaiveError::Changed { expected, actual }.into());
    }
    known_checks(args, &promotion)?;
    let created = cluster.create(&waiver(args, end, &promotion), false).await?;
    let name = created.metadata.name.unwrap_or_default();
    let what = if args.break_glass {
        "everything".to_owned()
    } else {
        args.check.join(", ")
    };
    screen.line(&format!(
        "Waiver {name}: {what}, until {} (for {})",
        verdict::at(end),
        verdict::until(end, now)
    ));
    let next = if args.break_glass {
        "It counts at once. Somebody else has to review it:"
    } else {
        "It counts once somebody else approves it:"
    };
    screen.line(next);
    screen.line(&format!(
        "  kubectl vouchsafe approve {} --waiver {name} --role ROLE --reason … -n {}",
        args.promotion, cluster.namespace
    ));
    Ok(Ended::Well)
}

/// A check that the environment does not ask for would waive nothing, by a slip.
fn known_checks(args: &WaiveArgs, promotion: &Promotion) -> Result<(), WaiveError> {
    let asked: Vec<_> = promotion
        .status
        .iter()
        .flat_map(|status| &status.checks)
        .map(|check| check.check.as_str())
        .collect();
    let unknown = args.check.iter().find(|check| !asked.contains(&check.as_str()));
    match unknown {
        Some(check) if !asked.is_empty() => Err(WaiveError::Check {
            check: check.clone(),
            asked: asked.join(", "),
        }),
        _ => Ok(()),
    }
}

fn waiver(args: &WaiveArgs, not_after: Timestamp, promotion: &Promotion) -> Waiver {
    Waiver {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", args.promotion)),
            ..ObjectMeta::default()
        },
        spec: WaiverSpec {
            promotion: args.promotion.clone(),
            release: promotion.spec.release,
            environment: promotion.spec.environment.clone(),
            checks: args.check.clone(),
            break_glass: args.break_glass,
            reason: args.reason.clone(),
            ticket: args.ticket.clone(),
            not_after,
            by: None,
        },
    }
}
