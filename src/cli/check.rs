//! `check`: the decision of the gate, offline: from manifests, policies and reports, in any pipeline.
//!
//! Takes files; gives the same decision as the operator's, for what is known here. Nothing is read from a network unless a check asks for
//! signatures. Approvals, and what became of the release in other environments, are the cluster's to know.

mod facts;
mod policies;
mod print;
mod sarif;

use super::{
    Ended, Failure,
    agents::{self, Known},
    manifests::Manifests,
    registries::RegistryArgs,
    screen::Screen,
};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use vouchsafe_core::decision::{self, Decision, Outcome, Policy, Release, Verdict};

/// Decide offline whether agents in manifests may enter an environment.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  vouchsafe check -f deploy/ --environment prod --policy policies/ --evidence reports/\n\n\
    Exit code 0: nothing that a machine can give is missing. 1: refused, or machine evidence is missing.\n\
    2: usage, or input that cannot be read. Environments that come before, and approvals, count with\n\
    --require cleared only."
)]
pub(crate) struct CheckArgs {
    /// Manifests: a file, a folder, or - for standard input.
    #[arg(short, long = "filename", value_name = "PLACE", required = true)]
    filename: Vec<String>,
    /// The environment.
    #[arg(short, long, value_name = "NAME")]
    environment: String,
    /// Environments and Checks: a file or a folder; those among the manifests count too.
    #[arg(long, value_name = "PLACE")]
    policy: Vec<String>,
    /// Reports of tools, and Evidence: a file or a folder.
    #[arg(long, value_name = "PLACE")]
    evidence: Vec<String>,
    /// The namespace that the manifests are for.
    #[arg(short, long)]
    namespace: Option<String>,
    /// Only this agent.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// What is required for exit code 0: machine or cleared.
    #[arg(long, value_enum, default_value_t, hide_possible_values = true, value_name = "WHAT")]
    require: Require,
    /// How to print it: table, json or sarif.
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    output: Format,
    #[command(flatten)]
    registries: RegistryArgs,
}

/// What is required for a good end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Require {
    /// Nothing that a machine can give is missing.
    #[default]
    Machine,
    /// Everything is there.
    Cleared,
}

/// How to print.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Table,
    /// For machines.
    Json,
    /// For code scanning.
    Sarif,
}

/// One agent and what was decided of it.
#[derive(Debug)]
struct Judged {
    known: Known,
    decision: Decision,
}

impl Judged {
    /// Checks that a machine could still make pass.
    fn missing(&self) -> impl Iterator<Item = &decision::CheckOutcome> {
        self.decision
            .checks
            .iter()
            .filter(|check| !matches!(check.outcome, Outcome::Pass | Outcome::Waived))
    }

    fn is_good(&self, require: Require) -> bool {
        match require {
            Require::Cleared => self.decision.verdict == Verdict::Cleared,
            Require::Machine => {
                let refused = matches!(self.decision.verdict, Verdict::Refused | Verdict::Revoked);
                !refused && self.missing().next().is_none()
            }
        }
    }
}

/// Everything that is printed.
#[derive(Debug)]
struct Report {
    environment: String,
    policy: Policy,
    /// Faults of the policy objects, in words.
    faults: Vec<String>,
    /// What was passed over, in words.
    notes: Vec<String>,
    judged: Vec<Judged>,
    require: Require,
}

impl Report {
    fn is_good(&self) -> bool {
        self.judged.iter().all(|one| one.is_good(self.require))
    }
}

/// Decides.
pub(crate) fn run(args: &CheckArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let manifests = Manifests::read(&args.filename)?;
    let report = judge(args, &manifests)?;
    match args.output {
        Format::Table => print::table(&report, screen),
        Format::Json => screen.json(&print::json(&report)),
        Format::Sarif => screen.json(&sarif::log(&report, &manifests)),
    }
    Ok(if report.is_good() { Ended::Well } else { Ended::Badly })
}

fn judge(args: &CheckArgs, manifests: &Manifests) -> Result<Report, Failure> {
    let (policy, faults) = policies::read(&args.policy, manifests, &args.environment)?;
    let found = agents::find(manifests, args.namespace.as_deref(), args.agent.as_deref())?;
    let known: Vec<_> = found.into_iter().map(|agent| agents::know(agent, manifests)).collect();
    let given = facts::Given::read(&args.evidence, &policy, &known)?;
    let signatures = facts::signatures(&policy, &known, &args.registries)?;
    let now = Timestamp::now();
    let one = |known: Known| {
        let facts = given.facts(&policy, &known, &signatures);
        let release = Release {
            agent: &known.agent.name,
            surface: &known.resolved.surface,
        };
        let decision = decision::decide(&policy, &release, &facts, now);
        Judged { known, decision }
    };
    Ok(Report {
        environment: args.environment.clone(),
        judged: known.into_iter().map(one).collect(),
        faults,
        notes: given.notes(),
        require: args.require,
        policy,
    })
}
