//! Why a verb could not do its work, and what to do next.

use super::screen;
use std::{error::Error, io};

/// An error of a verb that says what to do about it.
pub(crate) trait Advice: Error {
    /// What to do next, in the imperative.
    fn fix(&self) -> String;

    /// The exit code: 2 for what was given and cannot be used, 1 when somebody or something else says no.
    fn code(&self) -> u8 {
        2
    }
}

/// Any of the verbs' errors.
#[derive(Debug)]
pub(crate) struct Failure(Box<dyn Advice>);

impl<E: Advice + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        self.0.code()
    }

    /// Says it on standard error: what, why and what next.
    pub(crate) fn tell(&self) {
        let mut words = self.0.to_string();
        let mut source = self.0.source();
        while let Some(cause) = source {
            words.push_str(": ");
            words.push_str(&cause.to_string());
            source = cause.source();
        }
        screen::note(&format!("error: {words}"));
        screen::note(&format!("  fix: {}", self.0.fix()));
    }
}

/// The program cannot wait for anything.
#[derive(Debug, thiserror::Error)]
#[error("the machine does not let the program wait for answers")]
pub(crate) struct RuntimeError(#[from] io::Error);

impl Advice for RuntimeError {
    fn fix(&self) -> String {
        "see whether the machine has file descriptors left".to_owned()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(Box::new(OutputError(error)))
    }
}

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written")]
pub(crate) struct OutputError(#[source] io::Error);

impl Advice for OutputError {
    fn fix(&self) -> String {
        "see where it leads, and whether there is room left".to_owned()
    }
}
