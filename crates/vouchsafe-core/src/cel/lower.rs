//! From the parser's tree to nodes: every name is known, or the expression is refused.

use super::{
    MAX_DEPTH, PolicyError, PolicyKind,
    functions::Function,
    node::{Macro, MacroKind, Node, Variable},
    operators::Operator,
};
use ::cel::{
    Env,
    common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, MapExpr, operators as signs},
};
use regex::RegexBuilder;

/// Bytes that a compiled regular expression may take.
const MAX_REGEX: usize = 64 * 1024;
/// Syntax errors that the parser tries to get over.
const RECOVERIES: u32 = 2;

pub(super) fn parse(source: &str, kind: PolicyKind) -> Result<Node, PolicyError> {
    let parser = Env::default()
        .with_optional_support(false)
        .parser()
        .error_recovery_limit(RECOVERIES);
    let tree = parser
        .parse(source)
        .map_err(|errors| PolicyError::Syntax(super::quoted(&first_line(&errors.to_string()))))?;
    let mut lowering = Lowering {
        kind,
        locals: Vec::new(),
        depth: 0,
    };
    lowering.node(&tree)
}

/// What is wrong, without the picture of the source below it.
fn first_line(errors: &str) -> String {
    let line = errors.lines().next().unwrap_or_default();
    line.trim_start_matches("ERROR: ")
        .trim_start_matches("<input>:")
        .to_owned()
}

struct Lowering<'e> {
    kind: PolicyKind,
    /// Names of macros' variables, outermost first.
    locals: Vec<&'e str>,
    depth: usize,
}

impl<'e> Lowering<'e> {
    fn node(&mut self, tree: &'e IdedExpr) -> Result<Node, PolicyError> {
        self.depth += 1;
        if self.depth > 2 * MAX_DEPTH {
            return Err(PolicyError::TooDeep);
        }
        let node = match &tree.expr {
            Expr::Literal(literal) => self::literal(literal),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => Ok(Node::Select(self.boxed(&select.operand)?, select.field.clone())),
            Expr::List(list) if list.optional_indices.is_empty() => Ok(Node::List(self.all(&list.elements)?)),
            Expr::Map(map) => self.map(map),
            Expr::Call(call) => self.call(call),
            Expr::List(_) => Err(PolicyError::Unsupported("optional elements")),
            Expr::Struct(_) => Err(PolicyError::Unsupported("messages")),
            Expr::Comprehension(_) | Expr::Unspecified => Err(PolicyError::Unsupported("such expressions")),
        };
        self.depth -= 1;
        node
    }

    fn boxed(&mut self, tree: &'e IdedExpr) -> Result<Box<Node>, PolicyError> {
        self.node(tree).map(Box::new)
    }

    fn all(&mut self, trees: &'e [IdedExpr]) -> Result<Vec<Node>, PolicyError> {
        trees.iter().map(|tree| self.node(tree)).collect()
    }

    /// The variable of that name: of the innermost macro, else what the policy is about.
    fn name(&self, name: &str) -> Result<Node, PolicyError> {
        if let Some(local) = self.locals.iter().rposition(|local| *local == name) {
            return Ok(Node::Local(local));
        }
        let variable = match (self.kind, name) {
            (_, "params") => Variable::Params,
            (PolicyKind::Surface, "surface") => Variable::Surface,
            (PolicyKind::Evidence, "counters") => Variable::Counters,
            (PolicyKind::Evidence, "findings") => Variable::Findings,
            (PolicyKind::Evidence, "tool") => Variable::Tool,
            (PolicyKind::Evidence, "startedAt") => Variable::StartedAt,
            (PolicyKind::Evidence, "finishedAt") => Variable::FinishedAt,
            (PolicyKind::Evidence, "result") => Variable::Result,
            (PolicyKind::Evidence, "format") => Variable::Format,
            _ => return Err(PolicyError::UnknownVariable(super::quoted(name))),
        };
        Ok(Node::Variable(variable))
    }

    fn map(&mut self, map: &'e MapExpr) -> Result<Node, PolicyError> {
        let mut fields = Vec::new();
        for entry in &map.entries {
            match &entry.expr {
                EntryExpr::MapEntry(entry) if !entry.optional => {
                    fields.push((self.node(&entry.key)?, self.node(&entry.value)?));
                }
                EntryExpr::MapEntry(_) => return Err(PolicyError::Unsupported("optional entries")),
                EntryExpr::StructField(_) => return Err(PolicyError::Unsupported("messages")),
            }
        }
        Ok(Node::Map(fields))
    }

    fn call(&mut self, call: &'e CallExpr) -> Result<Node, PolicyError> {
        let name = call.func_name.as_str();
        match (&call.target, call.args.as_slice()) {
            (None, [condition, yes, no]) if name == signs::CONDITIONAL => {
                let parts = [self.node(condition)?, self.node(yes)?, self.node(no)?];
                Ok(Node::Choice(Box::new(parts)))
            }
            (None, [one]) if name == signs::LOGICAL_NOT => Ok(Node::Not(self.boxed(one)?)),
            (None, [one]) if name == signs::NEGATE => Ok(Node::Negate(self.boxed(one)?)),
            (None, [one]) if name == "has" => self.has(one),
            (None, [a, b]) if !is_word(name) => self.operator(name, a, b),
            (Some(target), [pattern]) if name == "matches" => self.matches(target, pattern),
            (Some(target), [variable, rest @ ..]) if macro_kind(name, rest.len()).is_some() => self.macro_call(
                macro_kind(name, rest.len()).unwrap_or(MacroKind::All),
                target,
                variable,
                rest,
            ),
            (target, arguments) => self.function(name, target.as_deref(), arguments),
        }
    }

    fn function(
        &mut self,
        name: &str,
        target: Option<&'e IdedExpr>,
        arguments: &'e [IdedExpr],
    ) -> Result<Node, PolicyError> {
        let count = arguments.len() + usize::from(target.is_some());
        let found = Function::find(name, target.is_some(), count);
        let found = found.filter(|function| *function != Function::Rate || self.kind == PolicyKind::Evidence);
        let Some(function) = found else {
            return Err(PolicyError::UnknownFunction(super::quoted(name), arguments.len()));
        };
        let mut all: Vec<_> = target
            .map(|target| self.node(target))
            .transpose()?
            .into_iter()
            .collect();
        all.extend(self.all(arguments)?);
        Ok(Node::Call(function, all))
    }

    fn has(&mut self, of: &'e IdedExpr) -> Result<Node, PolicyError> {
        match &of.expr {
            Expr::Select(select) => Ok(Node::Has(self.boxed(&select.operand)?, select.field.clone())),
            _ => Err(PolicyError::Syntax("`has` takes a field, as `has(a.b)`".to_owned())),
        }
    }

    fn operator(&mut self, sign: &str, a: &'e IdedExpr, b: &'e IdedExpr) -> Result<Node, PolicyError> {
        let operator = match sign {
            signs::LOGICAL_AND => return Ok(Node::And(self.boxed(a)?, self.boxed(b)?)),
            signs::LOGICAL_OR => return Ok(Node::Or(self.boxed(a)?, self.boxed(b)?)),
            signs::INDEX => return Ok(Node::Index(self.boxed(a)?, self.boxed(b)?)),
            signs::EQUALS => Operator::Equal,
            signs::NOT_EQUALS => Operator::NotEqual,
            signs::LESS => Operator::Less,
            signs::LESS_EQUALS => Operator::LessOrEqual,
            signs::GREATER => Operator::Greater,
            signs::GREATER_EQUALS => Operator::GreaterOrEqual,
            signs::IN => Operator::In,
            signs::ADD => Operator::Add,
            signs::SUBSTRACT => Operator::Subtract,
            signs::MULTIPLY => Operator::Multiply,
            signs::DIVIDE => Operator::Divide,
            signs::MODULO => Operator::Remainder,
            _ => return Err(PolicyError::Unsupported("such operators")),
        };
        Ok(Node::Operator(operator, Box::new([self.node(a)?, self.node(b)?])))
    }

    /// Patterns are compiled once, so they have to be known now.
    fn matches(&mut self, of: &'e IdedExpr, pattern: &'e IdedExpr) -> Result<Node, PolicyError> {
        let Expr::Literal(LiteralValue::String(pattern)) = &pattern.expr else {
            return Err(PolicyError::Regex("it is computed".to_owned()));
        };
        let regex = RegexBuilder::new(pattern.inner())
            .size_limit(MAX_REGEX)
            .dfa_size_limit(MAX_REGEX)
            .build();
        let regex = regex.map_err(|error| PolicyError::Regex(super::quoted(&error.to_string())))?;
        Ok(Node::Matches(self.boxed(of)?, Box::new(regex)))
    }

    fn macro_call(
        &mut self,
        kind: MacroKind,
        range: &'e IdedExpr,
        variable: &'e IdedExpr,
        rest: &'e [IdedExpr],
    ) -> Result<Node, PolicyError> {
        let Expr::Ident(name) = &variable.expr else {
            return Err(PolicyError::Syntax(
                "a macro's first argument has to be a name".to_owned(),
            ));
        };
        if name.starts_with("__") {
            return Err(PolicyError::UnknownVariable(super::quoted(name)));
        }
        let range = self.node(range)?;
        let local = self.locals.len();
        self.locals.push(name);
        let inner = self.all(rest);
        self.locals.pop();
        let mut inner = inner?;
        let body = if kind == MacroKind::Map { inner.pop() } else { None };
        Ok(Node::Macro(Box::new(Macro {
            kind,
            range,
            local,
            condition: inner.pop(),
            body,
        })))
    }
}

fn literal(literal: &LiteralValue) -> Result<Node, PolicyError> {
    match literal {
        LiteralValue::Null => Ok(Node::Null),
        LiteralValue::Boolean(value) => Ok(Node::Bool(*value.inner())),
        LiteralValue::Int(value) => Ok(Node::Int(*value.inner())),
        LiteralValue::Double(value) => Ok(Node::Double(*value.inner())),
        LiteralValue::String(value) => Ok(Node::Text(value.inner().to_owned())),
        LiteralValue::UInt(_) => Err(PolicyError::Unsupported("unsigned numbers")),
        LiteralValue::Bytes(_) => Err(PolicyError::Unsupported("bytes")),
    }
}

/// The macro of that name with so many arguments after its variable.
fn macro_kind(name: &str, arguments: usize) -> Option<MacroKind> {
    match (name, arguments) {
        ("all", 1) => Some(MacroKind::All),
        ("exists", 1) => Some(MacroKind::Exists),
        ("exists_one" | "existsOne", 1) => Some(MacroKind::ExistsOne),
        ("filter", 1) => Some(MacroKind::Filter),
        ("map", 1 | 2) => Some(MacroKind::Map),
        _ => None,
    }
}

/// Whether a function's name is one that an author can write; operators have others.
fn is_word(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
}
