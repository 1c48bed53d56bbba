//! Why a verb could not do its work, and what to do next.

use super::{agents::AgentError, manifests::ManifestError, screen};
use std::error::Error as _;

/// Any of the verbs' errors.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Manifests cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Agents cannot be worked out.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

impl Failure {
    /// What to do about it.
    fn fix(&self) -> String {
        match self {
            Self::Manifest(error) => error.fix().to_owned(),
            Self::Agent(error) => error.fix(),
        }
    }

    /// The exit code: 2 for input that cannot be used.
    pub(crate) fn code(&self) -> u8 {
        2
    }

    /// Says it on standard error: what, why and what next.
    pub(crate) fn tell(&self) {
        let mut words = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            words.push_str(": ");
            words.push_str(&cause.to_string());
            source = cause.source();
        }
        screen::note(&format!("error: {words}"));
        screen::note(&format!("  fix: {}", self.fix()));
    }
}
