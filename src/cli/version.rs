//! `version` and `completions`: what this program is.

use super::{Ended, Failure, digest::Output, screen::Screen};
use crate::args;
use clap::Args;
use clap_complete::Shell;
use serde_json::json;
use vouchsafe_api::{GROUP, VERSION};

/// Print the version.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vouchsafe version -o json")]
pub(crate) struct VersionArgs {
    /// How to print it: text or json.
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    output: Output,
}

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  source <(vouchsafe completions bash)")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// The version of the rules by which digests are made.
const RULES: &str = "v1";

/// Prints the version, that of the API and that of the digest's rules.
#[expect(clippy::unnecessary_wraps, reason = "every verb may fail")]
pub(crate) fn version(args: &VersionArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    match args.output {
        Output::Json => {
            screen.json(&json!({"version": version, "api": format!("{GROUP}/{VERSION}"), "digestRules": RULES}));
        }
        Output::Text => screen.line(&format!(
            "vouchsafe {version} (API {GROUP}/{VERSION}, digest rules {RULES})"
        )),
    }
    Ok(Ended::Well)
}

/// Prints the script.
#[expect(clippy::unnecessary_wraps, reason = "every verb may fail")]
pub(crate) fn completions(args: &CompletionsArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "vouchsafe", &mut script);
    screen.document(&String::from_utf8_lossy(&script));
    Ok(Ended::Well)
}
