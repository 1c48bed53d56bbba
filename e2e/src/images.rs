//! Images made of files, without a container engine: a layer by `tar`, the rest by crane. The same files give the same image.

use crate::{program::Run, tools::Tools};
use anyhow::{Context, Result};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// What is in an image, and how it begins.
#[derive(Debug)]
pub struct Image<'a> {
    /// Files: where they are, and where they are in the image.
    pub files: &'a [(&'a Path, &'a str)],
    /// What it runs.
    pub entrypoint: &'a [&'a str],
    /// Who it runs as, by numbers.
    pub user: &'a str,
    /// Labels, as the OCI names them.
    pub labels: &'a [(&'a str, &'a str)],
}

impl Image<'_> {
    /// Makes it in a registry under a tag; `repository@sha256:…`. `folder` is made for it.
    ///
    /// # Errors
    /// When a file is missing, or the registry refuses it.
    pub async fn push(&self, to: &str, folder: &Path, tools: &Tools) -> Result<String> {
        let layer = self.layer(folder).await?;
        let crane = tools.path("crane")?;
        let layer = layer.display().to_string();
        let append = ["append", "--oci-empty-base", "-f", &layer, "-t", to];
        Run::new(&crane)
            .args(append)
            .must()
            .await
            .context("cannot make the layer")?;
        let mut mutate = vec![
            "mutate".to_owned(),
            to.to_owned(),
            format!("--tag={to}"),
            "--set-platform=linux/amd64".to_owned(),
            format!("--user={}", self.user),
            format!("--entrypoint={}", self.entrypoint.join(",")),
        ];
        mutate.extend(
            self.labels
                .iter()
                .map(|(name, value)| format!("--label={name}={value}")),
        );
        let named = Run::new(&crane)
            .args(&mutate)
            .must()
            .await
            .context("cannot name the image's entry")?;
        Ok(named.trim().to_owned())
    }

    /// The files as an archive in which nothing but them is: no times, no owners, in order.
    async fn layer(&self, folder: &Path) -> Result<PathBuf> {
        let root = folder.join("root");
        for (from, to) in self.files {
            let to = root.join(to.trim_start_matches('/'));
            let parent = to.parent().context("a file without a folder")?;
            fs::create_dir_all(parent).with_context(|| format!("cannot make `{}`", parent.display()))?;
            fs::copy(from, &to).with_context(|| format!("cannot copy `{}`", from.display()))?;
            let executable = fs::metadata(from)?.permissions().mode() & 0o111 != 0;
            fs::set_permissions(&to, fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
        }
        let layer = folder.join("layer.tar");
        let (from, to) = (root.display().to_string(), layer.display().to_string());
        let tar = [
            "--create",
            "--format=gnu",
            "--sort=name",
            "--mtime=@0",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mode=go-w",
            "--file",
            &to,
            "--directory",
            &from,
            ".",
        ];
        Run::new("/bin/tar")
            .args(tar)
            .must()
            .await
            .context("cannot archive the image's files")?;
        Ok(layer)
    }
}
