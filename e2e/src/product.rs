//! The product as it is shipped: one static program, the image around it, and the list of what it is made of.

mod make;
mod sbom;

pub use self::{
    make::{Made, make},
    sbom::sbom,
};

use crate::{images::Image, process::last_lines, tools::Tools, tools::cache_root};
use anyhow::{Context, Result, bail};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What it is built for: with the C library in it, so that the image needs nothing else.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Nobody, as container images have it.
const USER: &str = "65532:65532";

/// Builds the static program, and says where it is. What it is made of is kept with the built tools.
///
/// # Errors
/// When cargo is missing, or the build fails (with its last lines).
pub fn build_static() -> Result<PathBuf> {
    let target = cache_root()?.join("static");
    std::fs::create_dir_all(&target).with_context(|| format!("cannot make `{}`", target.display()))?;
    let log = target.join("build.log");
    let output = File::create(&log).with_context(|| format!("cannot write `{}`", log.display()))?;
    let status = Command::new("cargo")
        .current_dir(crate::checkout())
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            "vouchsafe",
            "--bin",
            "vouchsafe",
            "--target",
            TARGET,
        ])
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", flags()?)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the static program does not build ({status}):\n{}", last_lines(&log));
    }
    Ok(target.join(TARGET).join("release").join("vouchsafe"))
}

/// Linked with the C library; and without the name of this machine's folder of crates, so that another machine builds the same. Cargo names our
/// own files from the checkout on.
fn flags() -> Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let cargo = home.context("neither CARGO_HOME nor HOME is set")?;
    Ok(format!(
        "-C target-feature=+crt-static --remap-path-prefix={}=/cargo",
        cargo.display()
    ))
}

/// Makes the operator's image in a registry under a tag; `repository@sha256:…`. `folder` is made for it.
///
/// # Errors
/// When a file is missing, or the registry refuses it.
pub async fn image(program: &Path, to: &str, folder: &Path, tools: &Tools) -> Result<String> {
    let licence = crate::checkout().join("LICENSE");
    let image = Image {
        files: &[
            (program, "/vouchsafe"),
            (&licence, "/licenses/LICENSE"),
            (
                Path::new("/etc/ssl/certs/ca-certificates.crt"),
                "/etc/ssl/certs/ca-certificates.crt",
            ),
        ],
        entrypoint: &["/vouchsafe"],
        user: USER,
        labels: &[
            ("org.opencontainers.image.title", "vouchsafe"),
            ("org.opencontainers.image.version", env!("CARGO_PKG_VERSION")),
            ("org.opencontainers.image.licenses", "Apache-2.0"),
            (
                "org.opencontainers.image.source",
                "https://github.com/vouchsafe/vouchsafe",
            ),
        ],
    };
    image
        .push(to, folder, tools)
        .await
        .context("cannot make the operator's image")
}
