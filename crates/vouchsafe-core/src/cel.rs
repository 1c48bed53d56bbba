//! Policies in CEL, evaluated within a budget.
//!
//! Takes an expression and what it is about, gives whether it holds, or why that cannot be told. The grammar is that of the crate `cel`;
//! evaluation is our own, so that every step is counted and inputs are read where they are. It must not panic, whatever the expression,
//! and knows no clock: how old evidence may be is not a policy's business.
//!
//! Left out of CEL: unsigned numbers, bytes, optionals, messages and types as values. Added: arithmetic between whole and decimal
//! numbers, `rate("probe")`, and on lists of numbers `sum`, `min` and `max`.

mod duration;
mod evaluate;
mod functions;
mod lower;
mod macros;
mod node;
mod operators;
mod scan;
mod scope;
#[cfg(test)]
mod tests;
mod value;

pub use self::scope::{Input, Parameters, Scalar, Scope};

use self::node::Node;

/// Bytes that an expression may have.
pub const MAX_SOURCE: usize = 4 * 1024;
/// How deep an expression may be nested.
pub const MAX_DEPTH: usize = 96;
/// Steps that an evaluation may take: nodes evaluated, elements and every eight bytes copied or compared.
pub const BUDGET: u64 = 500_000;
/// Characters of an error that name what the expression's author wrote.
const MAX_QUOTED: usize = 160;

/// Why a policy cannot be used, or did not come to an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The source is too long.
    #[error("the expression has {0} bytes, at most {MAX_SOURCE} are allowed")]
    TooLong(usize),
    /// It is nested too deeply.
    #[error("the expression is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// It is no CEL.
    #[error("the expression is not valid: {0}")]
    Syntax(String),
    /// It uses a name that nothing has.
    #[error("there is no variable `{0}`")]
    UnknownVariable(String),
    /// It calls a function that does not exist.
    #[error("there is no function `{0}` with {1} arguments")]
    UnknownFunction(String, usize),
    /// It uses a part of CEL that is left out.
    #[error("{0} are not supported")]
    Unsupported(&'static str),
    /// A regular expression is no literal, too large or not valid.
    #[error("the regular expression of `matches` has to be a valid literal: {0}")]
    Regex(String),
    /// It reads a field that is not there.
    #[error("there is no `{0}`")]
    NoSuchKey(String),
    /// It reads beyond the end of a list.
    #[error("index {0} is out of bounds")]
    OutOfBounds(i64),
    /// It applies something to values of the wrong type.
    #[error("`{0}` cannot be applied to {1}")]
    WrongType(&'static str, String),
    /// A number is out of bounds, or a division by zero.
    #[error("`{0}` gives no number")]
    NoNumber(&'static str),
    /// A text cannot be read as what it should be.
    #[error("`{0}` is no {1}")]
    NotReadable(String, &'static str),
    /// It takes too many steps.
    #[error("the expression takes more than {BUDGET} steps")]
    Budget,
    /// It says neither true nor false.
    #[error("the expression gives a {0}, not true or false")]
    NotBoolean(&'static str),
}

/// What a policy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// Evidence: `counters`, `findings`, `tool`, `startedAt`, `finishedAt`, `result`, `format`, `params` and `rate("…")`.
    Evidence,
    /// A surface: `surface` and `params`.
    Surface,
}

/// A policy ready to be evaluated.
#[derive(Debug)]
pub struct Program {
    root: Node,
    kind: PolicyKind,
}

impl Program {
    /// Compiles an expression.
    ///
    /// # Errors
    /// When it is too long or too deep, no CEL, or uses names or parts of CEL that do not exist here.
    pub fn compile(source: &str, kind: PolicyKind) -> Result<Self, PolicyError> {
        scan::check(source)?;
        let root = lower::parse(source, kind)?;
        Ok(Self { root, kind })
    }

    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// When a field that it reads is not there, types do not fit, the budget is used up, or it gives neither true nor false.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, PolicyError> {
        evaluate::holds(&self.root, scope)
    }
}

/// Whether an expression can be used as a policy, for who writes one.
///
/// # Errors
/// As [`Program::compile`].
pub fn validate_policy(source: &str, kind: PolicyKind) -> Result<(), PolicyError> {
    Program::compile(source, kind).map(drop)
}

/// What an author wrote, short enough for a sentence.
fn quoted(text: &str) -> String {
    let mut letters = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut kept: String = letters.by_ref().take(MAX_QUOTED).collect();
    if letters.next().is_some() {
        kept.push('…');
    }
    kept
}
