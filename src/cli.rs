//! What people and pipelines type: one module a verb.
//!
//! Takes parsed arguments; reads manifests, and the cluster as the user who runs it, with that user's rights alone. Decides nothing by
//! itself: what an agent is and whether it may enter is core's business.

pub(crate) mod agents;
pub(crate) mod digest;
mod failure;
pub(crate) mod manifests;
pub(crate) mod problems;
pub(crate) mod schema;
pub(crate) mod screen;

pub(crate) use self::failure::Failure;

use self::screen::Screen;
use crate::args::Command;
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
    let written = screen.flush();
    match (ended, written) {
        (Err(failure), _) => {
            failure.tell();
            ExitCode::from(failure.code())
        }
        (Ok(_), Err(error)) => {
            screen::note(&format!("error: standard output cannot be written: {error}"));
            ExitCode::from(2)
        }
        (Ok(Ended::Well), Ok(())) => ExitCode::SUCCESS,
        (Ok(Ended::Badly), Ok(())) => ExitCode::FAILURE,
    }
}

fn verb(command: &Command, screen: &mut Screen) -> Result<Ended, Failure> {
    match command {
        Command::Digest(args) => digest::run(args, screen),
    }
}
