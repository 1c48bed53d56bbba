//! Where built programs are kept, and under which key.

use super::Source;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// The files that decide what is built from the module `cluster`.
pub(super) const CLUSTER: [&str; 5] = ["go.mod", "go.sum", "main.go", "node/main.go", "agent/main.go"];
/// The same of the module `gitops`.
pub(super) const GITOPS: [&str; 5] = ["go.mod", "go.sum", "main.go", "act.go", "engines.go"];

/// The same of the module `metrics`.
pub(super) const METRICS: [&str; 3] = ["go.mod", "go.sum", "main.go"];

/// The folder for everything that may be deleted at any time: `$VOUCHSAFE_CACHE`, else `~/.cache/vouchsafe`.
///
/// # Errors
/// When neither is known.
pub fn cache_root() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("VOUCHSAFE_CACHE")
        .or_else(|| set("HOME").map(|home| home.join(".cache").join("vouchsafe")))
        .context("neither VOUCHSAFE_CACHE nor HOME says where built programs can be kept")
}

/// The first 16 hex digits of a digest over the module's files, the version that is linked in, and the machine's kind.
pub(super) fn key(source: &Source) -> Result<String> {
    let mut hash = Sha256::new();
    for name in &source.files {
        let path = source.module.join(name);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        hash.update(format!("{name} {}\n", bytes.len()));
        hash.update(bytes);
    }
    hash.update(format!(
        "{} {} {}",
        source.version,
        std::env::consts::OS,
        std::env::consts::ARCH
    ));
    let hex: String = hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(hex)
}

#[cfg(test)]
mod tests {
    use super::{super::Kubernetes, CLUSTER, Source, key};
    use std::path::Path;

    fn source(module: &Path) -> Source {
        Source {
            module: module.to_owned(),
            definition: None,
            version: Kubernetes::PINNED.version,
            files: CLUSTER.map(str::to_owned).to_vec(),
        }
    }

    #[test]
    fn every_source_is_in_the_key() {
        let module = tempfile::tempdir().unwrap();
        for folder in ["node", "agent"] {
            std::fs::create_dir(module.path().join(folder)).unwrap();
        }
        for name in CLUSTER {
            std::fs::write(module.path().join(name), "one").unwrap();
        }
        let source = source(module.path());
        let mut seen = vec![key(&source).unwrap()];
        assert_eq!(key(&source).unwrap(), seen[0], "the same bytes are the same key");
        for name in CLUSTER {
            std::fs::write(module.path().join(name), "two").unwrap();
            let next = key(&source).unwrap();
            assert!(!seen.contains(&next), "a changed `{name}` must be another key");
            seen.push(next);
        }
        let other = Source {
            version: "v1.0.0",
            ..source
        };
        assert!(!seen.contains(&key(&other).unwrap()), "another version is another key");
    }

    #[test]
    fn a_missing_source_is_named() {
        let module = tempfile::tempdir().unwrap();
        let error = key(&source(module.path())).unwrap_err();
        assert!(error.to_string().contains("go.mod"), "{error}");
    }
}
