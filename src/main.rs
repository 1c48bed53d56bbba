//! The one program: the operator, the gate's command line, and kubectl's plugin `kubectl vouchsafe`.

mod args;
mod cli;
mod enforce;
mod metrics;
mod observe;
mod operator;
mod record;
mod serve;
mod telemetry;
mod traces;
mod webhook;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    // One crypto provider for the whole program; a second call would fail, and there is none.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    cli::run(&args::parse(env::args_os()))
}
