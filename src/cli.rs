//! What people and pipelines type: one module a verb.
//!
//! Takes parsed arguments; reads manifests, and the cluster as the user who runs it, with that user's rights alone. Decides nothing by
//! itself: what an agent is and whether it may enter is core's business.

pub(crate) mod adopt;
pub(crate) mod agents;
pub(crate) mod approve;
pub(crate) mod attest;
pub(crate) mod changes;
pub(crate) mod check;
pub(crate) mod cluster;
pub(crate) mod diff;
pub(crate) mod digest;
mod failure;
pub(crate) mod held;
pub(crate) mod inbox;
pub(crate) mod manifests;
pub(crate) mod pin;
pub(crate) mod probe;
pub(crate) mod problems;
pub(crate) mod promote;
pub(crate) mod registries;
pub(crate) mod roles;
pub(crate) mod schema;
pub(crate) mod screen;
pub(crate) mod status;
pub(crate) mod table;
pub(crate) mod verdict;
pub(crate) mod version;
pub(crate) mod waive;
pub(crate) mod why;

pub(crate) use self::failure::{Advice, Failure};

use self::{failure::RuntimeError, screen::Screen};
use crate::{args::Command, operator};
use std::process::ExitCode;

/// How a verb ended, when it could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With the good answer: exit code 0.
    Well,
    /// With the bad answer: exit code 1.
    Badly,
}

/// Runs one verb.
pub(crate) fn run(command: &Command) -> ExitCode {
    let mut screen = Screen::of_stdout();
    let ended = verb(command, &mut screen);
    let written = screen.flush().map_err(Failure::from);
    match ended.and_then(|ended| written.map(|()| ended)) {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::Badly) => ExitCode::FAILURE,
        Err(failure) => {
            failure.tell();
            ExitCode::from(failure.code())
        }
    }
}

fn verb(command: &Command, screen: &mut Screen) -> Result<Ended, Failure> {
    match command {
        Command::Approve(args) => approve::approve(args, screen),
        Command::Reject(args) => approve::reject(args, screen),
        Command::Attest(args) => attest::run(args, screen),
        Command::Waive(args) => waive::run(args, screen),
        Command::Status(args) => status::run(args, screen),
        Command::Why(args) => why::run(args, screen),
        Command::Inbox(args) => inbox::run(args, screen),
        Command::Adopt(args) => adopt::run(args, screen),
        Command::Operator(args) => Ok(operator::start(args).map(|()| Ended::Well)?),
        Command::Probe(args) => probe::run(args, screen),
        Command::Version(args) => version::version(args, screen),
        Command::Completions(args) => version::completions(args, screen),
        Command::Check(args) => check::run(args, screen),
        Command::Diff(args) => diff::run(args, screen),
        Command::Digest(args) => digest::run(args, screen),
        Command::Pin(args) => pin::run(args, screen),
        Command::Promote(args) => promote::run(args, screen),
    }
}

/// Waits for what a verb asks of others.
fn wait<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RuntimeError::from)?;
    Ok(runtime.block_on(work))
}
