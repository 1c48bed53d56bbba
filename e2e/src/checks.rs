//! What a change must pass besides the tests: format, lints, documentation, and the licences, sources and bans of dependencies.
//!
//! Runs cargo in view; `cargo deny` is installed into the cache at a pinned version. Advisories need a database from the network:
//! where that cannot be had they are skipped, and said to be.

use crate::{counts::Counts, installed::installed};
use anyhow::{Context, Result};
use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::process::Command;

/// The release of cargo-deny that `deny.toml` is written for.
const DENY_VERSION: &str = "0.20.2";
/// For fetching the advisories; a machine without network must not wait long.
const FETCH: Duration = Duration::from_secs(60);

/// Runs them all, also after one has failed.
///
/// # Errors
/// When a program cannot be started at all.
pub async fn run(checkout: &Path) -> Result<Counts> {
    let mut counts = Counts::default();
    let strict_docs = [("RUSTDOCFLAGS", "-D warnings")];
    for (name, args, env) in [
        ("format", &["fmt", "--all", "--check"][..], &[][..]),
        (
            "lints",
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--quiet",
                "--",
                "-D",
                "warnings",
            ],
            &[],
        ),
        (
            "documentation",
            &["doc", "--workspace", "--no-deps", "--quiet"],
            &strict_docs,
        ),
    ] {
        let mut command = cargo(checkout, args);
        command.envs(env.iter().copied());
        counts += check(name, command).await?;
    }
    let deny = installed("cargo-deny", DENY_VERSION).await?;
    let offline = ["check", "bans", "licenses", "sources"];
    counts += check(
        "licences, sources and bans of dependencies",
        deny_with(&deny, checkout, &offline),
    )
    .await?;
    counts += advisories(&deny, checkout).await?;
    Ok(counts)
}

async fn check(name: &str, mut command: Command) -> Result<Counts> {
    let begun = Instant::now();
    let status = command
        .status()
        .await
        .with_context(|| format!("cannot start the check of {name}"))?;
    let (word, counts) = if status.success() {
        ("pass", Counts::PASSED)
    } else {
        ("FAIL", Counts::FAILED)
    };
    eprintln!("{word}  {name} ({:.1} s)", begun.elapsed().as_secs_f64());
    Ok(counts)
}

async fn advisories(deny: &Path, checkout: &Path) -> Result<Counts> {
    let mut fetch = deny_with(deny, checkout, &["fetch", "db"]);
    fetch.stdout(Stdio::null()).stderr(Stdio::null());
    let fetched = tokio::time::timeout(FETCH, fetch.status()).await;
    if !matches!(fetched, Ok(Ok(status)) if status.success()) {
        eprintln!("skip  advisories: their database cannot be fetched from here");
        return Ok(Counts::SKIPPED);
    }
    let args = ["check", "--disable-fetch", "advisories"];
    check("advisories", deny_with(deny, checkout, &args)).await
}

fn deny_with(deny: &Path, checkout: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(deny);
    command
        .current_dir(checkout)
        .args(["--workspace", "--log-level", "error"])
        .args(args);
    command.kill_on_drop(true);
    command
}

fn cargo(checkout: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(checkout).args(args).kill_on_drop(true);
    command
}
