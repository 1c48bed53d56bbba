//! `diff`: two releases, component by component.

mod sides;

pub(crate) use self::sides::{Side, cleared, side, texts};

use super::{
    Advice, Ended, Failure, changes,
    cluster::ClusterArgs,
    screen::{Screen, Style},
};
use clap::Args;
use vouchsafe_api::lower::ReleaseError;

/// Show what changed between two releases.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  kubectl vouchsafe diff refund-triage-1113d45bda90c58608cda20c932b44f1 -n support-prod\n\n\
    One Promotion is compared with what is cleared for its agent, two with each other; so are one -f and two. \
    With a Promotion and -f, the texts that are in the cluster no more or not yet are taken from the manifests, where their digest is the same."
)]
pub(crate) struct DiffArgs {
    /// Promotions: one, or an older and a newer one.
    #[arg(value_name = "PROMOTION", num_args = 0..=2)]
    promotions: Vec<String>,
    /// Manifests instead: a file, a folder, or - for standard input; once, or an older and a newer one.
    #[arg(short, long = "filename", value_name = "PLACE")]
    filename: Vec<String>,
    /// The agent, when manifests hold several.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Why two releases cannot be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiffError {
    /// Nothing to compare, or too much.
    #[error("{}", words(*.0))]
    Count(usize),
    /// A Promotion is not what it says.
    #[error("Promotion `{name}` is not what it says")]
    Release {
        /// Its name.
        name: String,
        /// Why.
        source: ReleaseError,
    },
    /// Manifests with several agents.
    #[error("`{place}` holds {count} agents")]
    Several {
        /// The manifests.
        place: String,
        /// How many.
        count: usize,
    },
}

fn words(count: usize) -> String {
    match count {
        0 => "there is nothing to compare".to_owned(),
        count => format!("{count} things cannot be compared"),
    }
}

impl Advice for DiffError {
    fn fix(&self) -> String {
        match self {
            Self::Count(_) => {
                "name one Promotion, with texts from -f if need be, or two; or give one -f or two".to_owned()
            }
            Self::Release { .. } => "do not trust it; ask whoever created it, and reject it".to_owned(),
            Self::Several { .. } => "name one of them with --agent".to_owned(),
        }
    }
}

/// Compares.
pub(crate) fn run(args: &DiffArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let agent = args.agent.as_deref();
    let namespace = args.cluster.namespace.as_deref();
    let (before, after) = match (args.promotions.as_slice(), args.filename.as_slice()) {
        ([], [older, newer]) => (
            Some(sides::of_manifests(older, agent, namespace)?),
            sides::of_manifests(newer, agent, namespace)?,
        ),
        ([], [newer]) => super::wait(sides::manifests_and_cleared(newer, agent, &args.cluster))??,
        ([newer], []) => super::wait(sides::promotion_and_cleared(newer, &args.cluster))??,
        ([newer], places) => {
            let (before, mut after) = super::wait(sides::promotion_and_cleared(newer, &args.cluster))??;
            after.texts.join(&sides::texts_of(places)?);
            (before, after)
        }
        ([older, newer], []) => super::wait(sides::two_promotions(older, newer, &args.cluster))??,
        (promotions, files) => return Err(DiffError::Count(promotions.len() + files.len()).into()),
    };
    print(before.as_ref(), &after, screen);
    Ok(Ended::Well)
}

fn print(before: Option<&Side>, after: &Side, screen: &mut Screen) {
    let nothing = Side::default();
    let before = before.unwrap_or(&nothing);
    for (mark, side) in [("-", before), ("+", after)] {
        let title = if side.title.is_empty() {
            "(nothing was cleared before)"
        } else {
            &side.title
        };
        screen.pieces(&[(Style::Dim, &format!("{mark} ")), (Style::Bold, title)]);
    }
    let mut texts = before.texts.clone();
    texts.join(&after.texts);
    changes::print(&before.surface, &after.surface, &texts, screen);
}
