//! The Kubernetes versions that a control plane is built of.
//!
//! Takes a word; gives the patch version that is pinned, the file that pins it, and how the API server is started. Everything else of the suite
//! is of one version: only what serves and controls differs.

use anyhow::{Error, bail};
use std::{fmt, str::FromStr};

/// A version that is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kubernetes {
    /// As users name it: the minor version, and what is special.
    pub word: &'static str,
    /// As the API server says it is.
    pub version: &'static str,
}

impl Kubernetes {
    /// The one of `cluster/go.mod`, which everything runs on unless another is asked for.
    pub const PINNED: Self = Self {
        word: "1.36",
        version: "v1.36.3",
    };

    /// The newest one.
    pub const NEWEST: Self = Self {
        word: "1.37",
        version: "v1.37.2",
    };

    /// The oldest one. Its API server serves no mutating policies: a webhook holds.
    pub const OLDEST: Self = Self {
        word: "1.34",
        version: "v1.34.4",
    };

    /// What turns the beta of the mutating policies on, where they are one.
    pub(crate) const BETA_ON: &'static [&'static str] = &[
        "--feature-gates=MutatingAdmissionPolicy=true",
        "--runtime-config=admissionregistration.k8s.io/v1beta1=true",
    ];

    /// All, oldest first.
    pub const ALL: [Self; 5] = [
        Self::OLDEST,
        // As it comes, so that a webhook holds.
        Self {
            word: "1.35-plain",
            version: "v1.35.4",
        },
        // With the beta of the mutating policies turned on.
        Self {
            word: "1.35",
            version: "v1.35.4",
        },
        Self::PINNED,
        Self::NEWEST,
    ];

    /// Whether its API server serves mutating policies in some version.
    #[must_use]
    pub fn serves_mutations(self) -> bool {
        !["1.34", "1.35-plain"].contains(&self.word)
    }

    /// Whether its API server serves mutating policies as `v1`.
    #[must_use]
    pub fn has_stable_mutations(self) -> bool {
        self.serves_mutations() && self.word != "1.35"
    }

    /// What its API server has to be told.
    pub(crate) fn api_server_flags(self) -> &'static [&'static str] {
        if self.word == "1.35" { Self::BETA_ON } else { &[] }
    }

    /// The file in `cluster` that pins it, if it is not `go.mod`.
    pub(super) fn definition(self) -> Option<String> {
        let minor = self.word.trim_end_matches("-plain");
        (self != Self::PINNED).then(|| format!("kubernetes/{minor}.mod"))
    }
}

impl Default for Kubernetes {
    fn default() -> Self {
        Self::PINNED
    }
}

impl fmt::Display for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)
    }
}

impl FromStr for Kubernetes {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match Self::ALL.into_iter().find(|known| known.word == word) {
            Some(found) => Ok(found),
            None => bail!("`{word}` is none of {}", Self::ALL.map(|known| known.word).join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kubernetes;
    use std::path::Path;

    #[test]
    fn every_version_is_the_one_that_its_file_pins() {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster");
        for known in Kubernetes::ALL {
            let name = known.definition().unwrap_or_else(|| "go.mod".to_owned());
            let text = std::fs::read_to_string(module.join(&name)).unwrap();
            let pinned = format!("k8s.io/kubernetes {}\n", known.version);
            assert!(text.contains(&pinned), "`{name}` does not pin {pinned}");
            // Nothing of another version is linked in: the staging repositories go with it.
            let staging = known.version.replacen("v1.", "v0.", 1);
            let replaced: Vec<_> = text.lines().filter(|line| line.contains(" => k8s.io/")).collect();
            assert!(replaced.len() > 20, "`{name}`: {replaced:?}");
            for line in replaced {
                assert!(line.ends_with(&staging), "`{name}`: {line}");
            }
        }
    }

    #[test]
    fn one_that_is_not_pinned_is_refused_with_those_that_are() {
        assert_eq!("1.36".parse::<Kubernetes>().unwrap(), Kubernetes::PINNED);
        let error = "1.20".parse::<Kubernetes>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`1.20` is none of 1.34, 1.35-plain, 1.35, 1.36, 1.37"
        );
    }
}
