//! `digest`: what agents are, from manifests alone.

use super::{
    Ended, Failure,
    agents::{self, CLAIM, Known},
    manifests::Manifests,
    problems,
    screen::{Screen, Style},
};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

/// Print the digest of every agent in manifests.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  helm template refund ./chart | vouchsafe digest -f -")]
pub(crate) struct DigestArgs {
    /// Manifests: a file, a folder, or - for standard input.
    #[arg(short, long = "filename", value_name = "PLACE", required = true)]
    pub(crate) filename: Vec<String>,
    /// The namespace that they are for.
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// Only this agent.
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// How to print it: text or json.
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub(crate) output: Output,
}

/// How to print.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// Prints the digests.
pub(crate) fn run(args: &DigestArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let manifests = Manifests::read(&args.filename)?;
    let found = agents::find(&manifests, args.namespace.as_deref(), args.agent.as_deref())?;
    let known: Vec<_> = found.into_iter().map(|agent| agents::know(agent, &manifests)).collect();
    match args.output {
        Output::Json => screen.json(&json!({"agents": known.iter().map(as_json).collect::<Vec<_>>()})),
        Output::Text => known.iter().for_each(|agent| print(agent, screen)),
    }
    Ok(Ended::Well)
}

fn as_json(known: &Known) -> Value {
    json!({
        "agent": known.agent.name,
        "namespace": known.agent.namespace,
        "release": known.release,
        "promotion": known.release.promotion_name(&known.agent.name),
        "annotations": {CLAIM: known.release},
        "workloads": known.workload_titles(),
        "bindingDigest": known.resolved.binding_digest,
        "bindings": known.resolved.bindings,
        "configuration": known.resolved.configuration,
        "components": known.resolved.surface.components(),
        "problems": known.problems,
    })
}

fn print(known: &Known, screen: &mut Screen) {
    let surface = &known.resolved.surface;
    heading(known, screen);
    let unresolved = match surface.unresolved().count() {
        0 => String::new(),
        some => format!(", {some} of them unresolved"),
    };
    field(screen, "release", &known.release.to_string());
    field(screen, "bindings", &known.resolved.binding_digest.to_string());
    field(
        screen,
        "components",
        &format!("{}{unresolved}", surface.components().len()),
    );
    field(screen, "workloads", &known.workload_titles().join(", "));
    field(screen, "annotation", &format!("{CLAIM}: {}", known.release));
    problems::print(&known.problems, screen);
}

/// The line that names an agent.
pub(crate) fn heading(known: &Known, screen: &mut Screen) {
    let place = known
        .agent
        .namespace
        .as_deref()
        .map_or(String::new(), |namespace| format!(" in {namespace}"));
    screen.pieces(&[
        (Style::Plain, "Agent "),
        (Style::Bold, &known.agent.name),
        (Style::Plain, &place),
    ]);
}

/// A line of a name and a value.
pub(crate) fn field(screen: &mut Screen, name: &str, value: &str) {
    screen.pieces(&[(Style::Dim, &format!("  {name:<12}")), (Style::Plain, value)]);
}
