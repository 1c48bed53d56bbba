//! The command line.

use crate::{
    cli::{
        adopt::AdoptArgs,
        approve::{ApproveArgs, RejectArgs},
        attest::AttestArgs,
        check::CheckArgs,
        diff::DiffArgs,
        digest::DigestArgs,
        inbox::InboxArgs,
        pin::PinArgs,
        probe::ProbeArgs,
        promote::PromoteArgs,
        status::StatusArgs,
        version::{CompletionsArgs, VersionArgs},
        waive::WaiveArgs,
        why::WhyArgs,
    },
    operator::OperatorArgs,
};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::{ffi::OsString, path::Path};

/// Promotion guardrails for AI agents: nothing enters a sensitive environment until it was vouched for.
#[derive(Debug, Parser)]
#[command(
    name = "vouchsafe",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show agents, their releases and what these wait for.
    Status(StatusArgs),
    /// Show what is missing, who may give it, and how.
    Why(WhyArgs),
    /// Show what you may approve and have not.
    Inbox(InboxArgs),
    /// Approve one release for one environment.
    Approve(ApproveArgs),
    /// Reject one release for one environment.
    Reject(RejectArgs),
    /// Give a tool's report as Evidence.
    Attest(AttestArgs),
    /// Ask that a release may do without checks for a while.
    Waive(WaiveArgs),
    /// Show what changed between two releases.
    Diff(DiffArgs),
    /// Decide offline whether agents in manifests may enter an environment.
    Check(CheckArgs),
    /// Print the digest of every agent in manifests.
    Digest(DigestArgs),
    /// Print or write the digests of images that are named by tag.
    Pin(PinArgs),
    /// Ask for a release before it is deployed.
    Promote(PromoteArgs),
    /// Write an Agent for workloads that are there already.
    Adopt(AdoptArgs),
    /// Run the operator.
    Operator(OperatorArgs),
    /// Try whether the gate holds: what `helm test` runs.
    #[command(hide = true)]
    Probe(ProbeArgs),
    /// Print the version.
    Version(VersionArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
}

/// Reads a command line. As kubectl's plugin the program calls itself `kubectl vouchsafe`. Usage errors and help end the program.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Command {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let name = if is_plugin(arguments.first()) {
        "kubectl vouchsafe"
    } else {
        "vouchsafe"
    };
    let matches = Line::command().bin_name(name).get_matches_from(arguments);
    match Line::from_arg_matches(&matches) {
        Ok(line) => line.command,
        Err(error) => error.exit(),
    }
}

/// The command line, for whoever describes it.
pub(crate) fn command() -> clap::Command {
    Line::command()
}

fn is_plugin(program: Option<&OsString>) -> bool {
    let stem = program.and_then(|program| Path::new(program).file_stem());
    stem.is_some_and(|stem| {
        stem.as_encoded_bytes().starts_with(b"kubectl-") || stem.as_encoded_bytes().starts_with(b"kubectl_")
    })
}
