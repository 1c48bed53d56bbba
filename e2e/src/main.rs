//! `e2e tools`: builds the programs of the test cluster.

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::{process::ExitCode, time::Duration};
use vouchsafe_e2e::tools::{Tool, Tools};

/// Runs Vouchsafe against a real API server.
#[derive(Parser)]
#[command(name = "e2e")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the programs that the test cluster is made of, and prints their folder
    Tools,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("e2e: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the folder is this command's result")]
fn run(args: &Args) -> Result<ExitCode> {
    match args.command {
        Command::Tools => {
            let tools = Tools::prepare(&Tool::ALL, building)?;
            println!("{}", tools.folder().display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn building(program: &str, elapsed: Duration) {
    eprintln!("building {program} ({} s)", elapsed.as_secs());
}
