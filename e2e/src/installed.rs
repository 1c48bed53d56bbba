//! Programs that cargo installs, each once, at a pinned version, into the cache.

use crate::tools::cache_root;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use tokio::process::Command;

/// The program of this name, built if it is not there yet.
///
/// # Errors
/// When cargo is missing, or it does not build.
pub async fn installed(name: &str, version: &str) -> Result<PathBuf> {
    let root = cache_root()?.join(format!("{name}-{version}"));
    let program = root.join("bin").join(name);
    if !program.is_file() {
        eprintln!("installing {name} {version}, which takes some minutes once");
        let args = ["install", "--locked", "--quiet", name, "--version", version, "--root"];
        let status = Command::new("cargo")
            .args(args)
            .arg(&root)
            .kill_on_drop(true)
            .status()
            .await
            .context("cannot start cargo")?;
        if !status.success() {
            bail!("cannot install {name} {version} ({status})");
        }
    }
    Ok(program)
}
