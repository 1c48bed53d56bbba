//! `examples/refund-triage` with what is of this run in it: an image that is in a registry, a key that signed it, reports of now.
//!
//! The example names an image that nobody has, a public key whose private half is gone, and times of the past; a copy has the real ones.

use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The repository of the image that the example names.
const REPOSITORY: &str = "registry.example.com/support/refund-triage";
/// Its digest.
const DIGEST: &str = "sha256:a9e1f2c07c2d4b6e8f1035d7c9b2a4e6f8d0b1c3e5a7092b4d6f8e0a1c3b5d7f";
/// The day of the reports.
const BEGUN: &str = "2026-01-05T08:00:00Z";
/// When the longer one of them ended.
const ENDED: &str = "2026-01-05T08:00:41Z";
/// What the key's text begins and ends with.
const KEY: [&str; 2] = ["-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"];

/// What is of this run.
#[derive(Debug, Clone)]
pub struct Real {
    /// The image, as `repository@sha256:…`.
    pub image: String,
    /// The public key of whoever signed it, in PEM; the example's own when none is given.
    pub key: Option<String>,
    /// When the reports were made.
    pub now: jiff::Timestamp,
}

/// A copy of the example.
#[derive(Debug, Clone)]
pub struct Example {
    folder: PathBuf,
}

impl Example {
    /// The example as it is in the checkout.
    #[must_use]
    pub fn as_it_is() -> Self {
        Self {
            folder: crate::checkout().join("examples/refund-triage"),
        }
    }

    /// A copy in a folder that is made for it, with what is real.
    ///
    /// # Errors
    /// When a file cannot be read or written, or the image has no digest.
    pub fn copy(to: &Path, real: &Real) -> Result<Self> {
        let (repository, digest) = real
            .image
            .split_once('@')
            .with_context(|| format!("`{}` has no digest", real.image))?;
        let now = real.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let replaced = |text: &str| {
            let text = text.replace(REPOSITORY, repository).replace(DIGEST, digest);
            let text = text.replace(BEGUN, &now).replace(ENDED, &now);
            real.key.as_deref().map_or(text.clone(), |key| with_key(&text, key))
        };
        copy(&Self::as_it_is().folder, to, &replaced)?;
        Ok(Self {
            folder: to.to_path_buf(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file of it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(&self, path: &str) -> Result<String> {
        let path = self.folder.join(path);
        fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
    }

    /// Every object of a YAML file of it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn objects(&self, path: &str) -> Result<Vec<Value>> {
        let text = self.text(path)?;
        let all: Vec<Value> = serde_saphyr::from_multiple(&text).with_context(|| format!("`{path}` is not YAML"))?;
        Ok(all.into_iter().filter(Value::is_object).collect())
    }
}

/// The text with another public key in the place of its own, indented likewise.
fn with_key(text: &str, key: &str) -> String {
    let [begin, end] = KEY;
    let mut lines: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim() == begin {
            inside = true;
            let indent: String = line.chars().take_while(|letter| letter.is_whitespace()).collect();
            lines.extend(key.trim().lines().map(|line| format!("{indent}{}", line.trim())));
        }
        if !inside {
            lines.push(line.to_owned());
        }
        inside &= line.trim() != end;
    }
    lines.push(String::new());
    lines.join("\n")
}

fn copy(from: &Path, to: &Path, replaced: &dyn Fn(&str) -> String) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make `{}`", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list `{}`", from.display()))? {
        let path = entry
            .with_context(|| format!("cannot list `{}`", from.display()))?
            .path();
        let Some(name) = path.file_name() else { continue };
        let place = to.join(name);
        if path.is_dir() {
            copy(&path, &place, replaced)?;
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        fs::write(&place, replaced(&text)).with_context(|| format!("cannot write `{}`", place.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_what_is_real_and_nothing_else_changes() {
        let folder = tempfile::tempdir().unwrap();
        let key = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
        let digest = format!("sha256:{}", "1".repeat(64));
        let real = Real {
            image: format!("127.0.0.1:5000/agent@{digest}"),
            key: Some(key.to_owned()),
            now: "2030-02-03T04:05:06.7Z".parse().unwrap(),
        };
        let copied = Example::copy(&folder.path().join("example"), &real).unwrap();
        let original = Example::as_it_is();
        assert!(
            copied
                .text("agent/deployment.yaml")
                .unwrap()
                .contains(&format!("image: {}\n", real.image))
        );
        let checks = copied.objects("policies/checks.yaml").unwrap();
        let signed = checks
            .iter()
            .find(|check| check["metadata"]["name"] == "image-signed")
            .unwrap();
        assert_eq!(signed["spec"]["signature"]["authorities"][0]["key"], key);
        assert_eq!(checks.len(), original.objects("policies/checks.yaml").unwrap().len());
        let report: Value = serde_json::from_str(&copied.text("reports/trivy.json").unwrap()).unwrap();
        assert_eq!(report["CreatedAt"], "2030-02-03T04:05:06Z");
        assert_eq!(report["Metadata"]["RepoDigests"][0], real.image);
        for same in [
            "agent/config.yaml",
            "policies/rbac.yaml",
            "chart/templates/_helpers.tpl",
            "tools.json",
        ] {
            assert_eq!(copied.text(same).unwrap(), original.text(same).unwrap(), "{same}");
        }
    }
}
