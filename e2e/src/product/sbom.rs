//! The software bill of materials: `CycloneDX`, by cargo-cyclonedx, of what the static program is linked from.

use super::TARGET;
use crate::{installed::installed, program::Run};
use anyhow::{Context, Result};
use std::{fs, path::Path};

/// The release whose output this expects.
const VERSION: &str = "0.5.9";
/// What it writes beside each `Cargo.toml` of the workspace: ours, and that of the tests.
const WRITTEN: [&str; 2] = ["vouchsafe_bin.cdx.json", "e2e/e2e_bin.cdx.json"];

/// Gives the list as JSON; the same for the same `Cargo.lock`, wherever the checkout is.
///
/// # Errors
/// When the program cannot be installed, or fails.
pub async fn sbom() -> Result<String> {
    let program = installed("cargo-cyclonedx", VERSION).await?;
    let checkout = crate::checkout();
    let args = [
        "cyclonedx",
        "--format=json",
        "--describe=binaries",
        "--no-build-deps",
        "--spec-version=1.5",
        "--target",
        TARGET,
        "-qq",
    ];
    let run = Run::new(&program).folder(checkout).args(args);
    run.env("SOURCE_DATE_EPOCH", "0").must().await?;
    let path = checkout.join(WRITTEN[0]);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    for name in WRITTEN {
        remove(&checkout.join(name))?;
    }
    Ok(text.replace(&format!("path+file://{}", checkout.display()), "path+file:///vouchsafe"))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}
