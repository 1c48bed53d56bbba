//! What an expression can see.

use super::{
    node::Variable,
    value::{List, Map, Value},
};
use crate::{
    decision::{EvidenceFact, EvidenceResult},
    surface::Surface,
};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Values of a check's parameters, by name.
pub type Parameters = BTreeMap<String, Scalar>;

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A decimal number, finite.
    Double(f64),
    /// A text.
    Text(String),
}

/// A surface as expressions see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Input(Json);

impl Input {
    /// Of a surface: [`Surface::expression_input`], kept to be read often.
    #[must_use]
    pub fn of_surface(surface: &Surface) -> Self {
        Self(surface.expression_input())
    }
}

/// What an expression is evaluated over.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    about: About<'a>,
    parameters: &'a Parameters,
}

#[derive(Debug, Clone, Copy)]
enum About<'a> {
    Surface(&'a Json),
    Evidence(&'a EvidenceFact),
}

impl<'a> Scope<'a> {
    /// A surface and parameters.
    #[must_use]
    pub fn surface(input: &'a Input, parameters: &'a Parameters) -> Self {
        Self {
            about: About::Surface(&input.0),
            parameters,
        }
    }

    /// Evidence and parameters.
    #[must_use]
    pub fn evidence(evidence: &'a EvidenceFact, parameters: &'a Parameters) -> Self {
        Self {
            about: About::Evidence(evidence),
            parameters,
        }
    }

    /// The counters, when it is about evidence.
    pub(super) fn counters(&self) -> Option<&'a BTreeMap<String, i64>> {
        match self.about {
            About::Evidence(evidence) => Some(&evidence.counters),
            About::Surface(_) => None,
        }
    }

    /// A variable; null for one of the other kind, which compiling has refused.
    pub(super) fn get(&self, variable: Variable) -> Value<'a> {
        let parameters = self.parameters;
        match (variable, self.about) {
            (Variable::Params, _) => Value::Map(Map::Parameters(parameters)),
            (Variable::Surface, About::Surface(input)) => Value::of(input),
            (Variable::Counters, About::Evidence(one)) => Value::Map(Map::Counters(&one.counters)),
            (Variable::Findings, About::Evidence(one)) => Value::List(List::Findings(&one.findings)),
            (Variable::Tool, About::Evidence(one)) => Value::Map(Map::Tool(&one.tool)),
            (Variable::StartedAt, About::Evidence(one)) => Value::Time(one.started_at),
            (Variable::FinishedAt, About::Evidence(one)) => one.finished_at.map_or(Value::Null, Value::Time),
            (Variable::Format, About::Evidence(one)) => Value::Text(&one.format),
            (Variable::Result, About::Evidence(one)) => Value::Text(match one.result {
                EvidenceResult::Pass => "Pass",
                EvidenceResult::Fail => "Fail",
                EvidenceResult::Inconclusive => "Inconclusive",
            }),
            (_, About::Surface(_) | About::Evidence(_)) => Value::Null,
        }
    }
}
