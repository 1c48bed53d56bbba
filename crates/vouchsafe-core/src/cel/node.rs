//! Expressions as they are evaluated: names resolved, functions known, regular expressions compiled.

use super::{functions::Function, operators::Operator};
use regex::Regex;

/// One node.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Variable(Variable),
    /// A variable of a macro, by its place in the scope.
    Local(usize),
    /// `a.b`
    Select(Box<Node>, String),
    /// `has(a.b)`
    Has(Box<Node>, String),
    /// `a[b]`
    Index(Box<Node>, Box<Node>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    /// `a ? b : c`
    Choice(Box<[Node; 3]>),
    Operator(Operator, Box<[Node; 2]>),
    Negate(Box<Node>),
    List(Vec<Node>),
    /// Keys are texts.
    Map(Vec<(Node, Node)>),
    Call(Function, Vec<Node>),
    /// `a.matches("…")`
    Matches(Box<Node>, Box<Regex>),
    Macro(Box<Macro>),
}

/// What an expression is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    Surface,
    Params,
    Counters,
    Findings,
    Tool,
    StartedAt,
    FinishedAt,
    Result,
    Format,
}

/// One of the macros over lists and maps.
#[derive(Debug)]
pub(super) struct Macro {
    pub(super) kind: MacroKind,
    pub(super) range: Node,
    /// The place of its variable.
    pub(super) local: usize,
    /// The condition; for `map` with two arguments there is none.
    pub(super) condition: Option<Node>,
    /// What `map` makes of an element.
    pub(super) body: Option<Node>,
}

/// Which macro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MacroKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}
