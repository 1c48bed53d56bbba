//! `make image`: the image and its SBOM, into a registry or as files.

use super::{build_static, image, sbom};
use crate::{
    ports,
    program::Run,
    registry::{Kind, Registry},
    tools::{Progress, Tool, Tools},
    work::Work,
};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// What was made.
#[derive(Debug)]
pub struct Made {
    /// The image by digest, where it was pushed to a registry.
    pub pushed: Option<String>,
    /// The image as an OCI layout, where it was not.
    pub layout: Option<PathBuf>,
    /// The image's digest, `sha256:…`.
    pub digest: String,
    /// The SBOM.
    pub sbom: PathBuf,
}

/// Makes the image, pushes it to a registry (`host/repository:tag`) or writes it as files, and writes its SBOM beside them.
///
/// # Errors
/// When something does not build, or the registry refuses it.
pub async fn make(to: Option<&str>, progress: Progress) -> Result<Made> {
    let tools = Tools::prepare(&[Tool::Cluster, Tool::Crane], progress)?;
    let folder = crate::checkout().join("target/image");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(&folder),
    }
    .with_context(|| format!("cannot empty `{}`", folder.display()))?;
    let written = folder.join("vouchsafe.cdx.json");
    fs::write(&written, sbom().await?).context("cannot write the SBOM")?;
    progress("the static program", Duration::ZERO);
    let program = build_static()?;
    let parts = tempfile::tempdir().context("no folder for the image's parts")?;
    let (pushed, layout) = match to {
        Some(to) => (image(&program, to, parts.path(), &tools).await?, None),
        None => {
            let layout = folder.join("oci");
            let from = as_layout(&program, parts.path(), &layout, &tools).await?;
            (from, Some(layout))
        }
    };
    let digest = pushed.split_once('@').context("the image has no digest")?.1.to_owned();
    Ok(Made {
        pushed: to.map(|_| pushed),
        layout,
        digest,
        sbom: written,
    })
}

/// By way of a registry that lives for this alone.
async fn as_layout(program: &Path, parts: &Path, layout: &Path, tools: &Tools) -> Result<String> {
    let address = format!("127.0.0.1:{}", ports::free()?);
    let registry = Registry::start(Kind::Referrers, &address, tools, &Work::take("image")?).await?;
    let name = format!("{}/vouchsafe:{}", registry.address(), env!("CARGO_PKG_VERSION"));
    let pushed = image(program, &name, parts, tools).await?;
    let pull = Run::new(tools.path("crane")?).args(["pull", "--format=oci", &pushed]);
    pull.arg(layout)
        .must()
        .await
        .context("cannot write the image as files")?;
    Ok(pushed)
}
