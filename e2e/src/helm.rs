//! The real helm, as somebody.

use crate::{program::Run, tools::Tools, users::User};
use anyhow::Result;
use std::path::PathBuf;

/// helm, found among the built programs.
#[derive(Debug, Clone)]
pub struct Helm {
    program: PathBuf,
}

impl Helm {
    /// Finds it.
    ///
    /// # Errors
    /// When it was not prepared.
    pub fn new(tools: &Tools) -> Result<Self> {
        Ok(Self {
            program: tools.path("helm")?,
        })
    }

    /// helm as this user.
    #[must_use]
    pub fn run<'a>(&self, user: &User, args: impl IntoIterator<Item = &'a str>) -> Run {
        user.run(&self.program).args(args)
    }
}
