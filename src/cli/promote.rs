//! `promote`: asks for a release before it is deployed, so that nothing is ever held.
//!
//! Takes rendered manifests; creates one Promotion an agent, as the user who runs it. What the manifests refer to and do not hold is
//! looked up in the namespace.

mod lookup;
mod wait;

pub(crate) use self::lookup::of_config_map;

use super::{
    Advice, Ended, Failure,
    agents::{self, CLAIM, Described, Known},
    cluster::{Cluster, ClusterArgs, ClusterError},
    digest::field,
    manifests::Manifests,
    problems,
    screen::{Screen, Style},
    verdict,
};
use clap::Args;
use kube::api::ObjectMeta;
use vouchsafe_api::{Promotion, lift, period::Period, promotion::PromotionSpec};

/// Ask for a release before it is deployed.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  helm template refund ./chart -f prod.yaml | kubectl vouchsafe promote -f - -n support-prod"
)]
pub(crate) struct PromoteArgs {
    /// Rendered manifests: a file, a folder, or - for standard input.
    #[arg(short, long = "filename", value_name = "PLACE", required = true)]
    filename: Vec<String>,
    /// Only this agent.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The environment; the one of the namespace's label when left out.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Have everything judged by the API server, and store nothing.
    #[arg(long)]
    dry_run: bool,
    /// Wait until it is cleared, or cannot be any more.
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// How long to wait, as 10m.
    #[arg(long, value_name = "TIME", default_value = "10m", requires = "wait")]
    timeout: Period,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Why a release cannot be asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PromoteError {
    /// The manifests are for another namespace.
    #[error("Agent `{agent}` is for namespace `{theirs}`, and you ask for `{ours}`")]
    Namespace {
        /// The agent.
        agent: String,
        /// What the manifests say.
        theirs: String,
        /// What was asked for.
        ours: String,
    },
    /// The namespace belongs to another environment.
    #[error("namespace `{namespace}` belongs to environment `{actual}`, not to `{asked}`")]
    Environment {
        /// The namespace.
        namespace: String,
        /// What its label says.
        actual: String,
        /// What was asked for.
        asked: String,
    },
    /// The namespace's label cannot be read.
    #[error("the environment of namespace `{namespace}` cannot be read")]
    Unknown {
        /// The namespace.
        namespace: String,
        /// Why.
        source: ClusterError,
    },
    /// It could not be cleared anywhere.
    #[error("Agent `{0}` in this form cannot be cleared anywhere")]
    Blocked(String),
}

impl Advice for PromoteError {
    fn fix(&self) -> String {
        match self {
            Self::Namespace { theirs, .. } => {
                format!("ask with `-n {theirs}`, or render the manifests for the namespace that you mean")
            }
            Self::Environment { actual, .. } => format!("leave --environment out, or write `{actual}`"),
            Self::Unknown { .. } => "name the environment with --environment".to_owned(),
            Self::Blocked(_) => "put right what is marked ✗, and ask again".to_owned(),
        }
    }
}

/// Asks.
pub(crate) fn run(args: &PromoteArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let manifests = Manifests::read(&args.filename)?;
    super::wait(asked(args, &manifests, screen))?
}

async fn asked(args: &PromoteArgs, manifests: &Manifests, screen: &mut Screen) -> Result<Ended, Failure> {
    let cluster = Cluster::open(&args.cluster).await?;
    let agents = agents::find(manifests, Some(&cluster.namespace), args.agent.as_deref())?;
    let environment = environment(args.environment.as_deref(), &cluster).await?;
    let mut promotions = Vec::new();
    for agent in agents {
        same_namespace(&agent, &cluster)?;
        let known = lookup::know(agent, manifests, &cluster).await?;
        promotions.push(ask(&known, &environment, &cluster, args.dry_run, screen).await?);
    }
    if !args.wait {
        return Ok(Ended::Well);
    }
    screen.flush()?;
    let mut ended = Ended::Well;
    for name in promotions {
        if wait::until_settled(&name, &cluster, args.timeout.duration().unsigned_abs(), screen).await? == Ended::Badly {
            ended = Ended::Badly;
        }
    }
    Ok(ended)
}

/// The environment of the namespace, which has to be the one that is asked for.
async fn environment(asked: Option<&str>, cluster: &Cluster) -> Result<String, Failure> {
    let namespace = cluster.namespace.clone();
    match (cluster.environment().await, asked) {
        (Ok(actual), Some(asked)) if actual != asked => Err(PromoteError::Environment {
            namespace,
            actual,
            asked: asked.to_owned(),
        }
        .into()),
        (Ok(actual), _) => Ok(actual),
        (Err(ClusterError::Forbidden { .. }), Some(asked)) => Ok(asked.to_owned()),
        (Err(source @ ClusterError::Forbidden { .. }), None) => Err(PromoteError::Unknown { namespace, source }.into()),
        (Err(error), _) => Err(error.into()),
    }
}

fn same_namespace(agent: &Described, cluster: &Cluster) -> Result<(), PromoteError> {
    match &agent.namespace {
        Some(theirs) if *theirs != cluster.namespace => Err(PromoteError::Namespace {
            agent: agent.name.clone(),
            theirs: theirs.clone(),
            ours: cluster.namespace.clone(),
        }),
        _ => Ok(()),
    }
}

/// Creates one Promotion, or says what became of the one that is there. Gives its name.
async fn ask(
    known: &Known,
    environment: &str,
    cluster: &Cluster,
    dry_run: bool,
    screen: &mut Screen,
) -> Result<String, Failure> {
    if known.blocking().next().is_some() {
        problems::print(&known.problems, screen);
        return Err(PromoteError::Blocked(known.agent.name.clone()).into());
    }
    let promotion = promotion(known, environment);
    let name = promotion.metadata.name.clone().unwrap_or_default();
    match cluster.create(&promotion, dry_run).await {
        Ok(_) => {
            let how = if dry_run { "would be created" } else { "created" };
            told(known, &name, how, environment, screen);
        }
        Err(ClusterError::Exists { .. }) => {
            let there: Promotion = cluster.get(&name).await?;
            let verdict = verdict::of(&there);
            told(
                known,
                &name,
                &format!("is there already: {}", verdict::word(verdict)),
                environment,
                screen,
            );
        }
        Err(error) => return Err(error.into()),
    }
    let place = &cluster.namespace;
    field(screen, "next", &format!("kubectl vouchsafe why {name} -n {place}"));
    problems::print(&known.problems, screen);
    Ok(name)
}

fn promotion(known: &Known, environment: &str) -> Promotion {
    Promotion {
        metadata: ObjectMeta {
            name: Some(known.release.promotion_name(&known.agent.name)),
            ..ObjectMeta::default()
        },
        spec: PromotionSpec {
            agent: known.agent.name.clone(),
            release: known.release,
            environment: environment.to_owned(),
            surface: lift::surface(&known.resolved.surface),
            requested_by: None,
        },
        status: None,
    }
}

fn told(known: &Known, name: &str, how: &str, environment: &str, screen: &mut Screen) {
    screen.pieces(&[
        (Style::Plain, "Promotion "),
        (Style::Bold, name),
        (Style::Plain, &format!(" into {environment} {how}")),
    ]);
    field(screen, "release", &known.release.to_string());
    field(screen, "annotation", &format!("{CLAIM}: {}", known.release));
    field(
        screen,
        "",
        &format!("on the pod templates of {}", known.workload_titles().join(", ")),
    );
}
