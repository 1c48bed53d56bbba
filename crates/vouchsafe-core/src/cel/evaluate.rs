//! Evaluation: one step a node, until the budget is used up.

use super::{
    BUDGET, PolicyError, functions, macros,
    node::Node,
    scope::Scope,
    value::{List, Map, Value},
};
use std::{cell::Cell, collections::BTreeMap, rc::Rc};

/// Counts steps.
#[derive(Debug)]
pub(super) struct Meter(Cell<u64>);

impl Meter {
    pub(super) fn step(&self) -> Result<(), PolicyError> {
        self.take(1)
    }

    pub(super) fn steps(&self, count: usize) -> Result<(), PolicyError> {
        self.take(u64::try_from(count).unwrap_or(u64::MAX))
    }

    /// Bytes that are copied or compared.
    pub(super) fn bytes(&self, count: usize) -> Result<(), PolicyError> {
        self.steps(count / 8)
    }

    fn take(&self, count: u64) -> Result<(), PolicyError> {
        let left = self.0.get().checked_sub(count);
        self.0.set(left.unwrap_or_default());
        left.map(drop).ok_or(PolicyError::Budget)
    }
}

/// An evaluation under way.
pub(super) struct Evaluation<'a> {
    pub(super) scope: &'a Scope<'a>,
    pub(super) meter: Meter,
    /// Variables of macros, outermost first.
    pub(super) locals: Vec<Value<'a>>,
}

pub(super) fn holds(root: &Node, scope: &Scope<'_>) -> Result<bool, PolicyError> {
    let mut evaluation = Evaluation {
        scope,
        meter: Meter(Cell::new(BUDGET)),
        locals: Vec::new(),
    };
    evaluation.truth(root)
}

impl<'a> Evaluation<'a> {
    /// A node that has to be true or false.
    pub(super) fn truth(&mut self, node: &'a Node) -> Result<bool, PolicyError> {
        match self.value(node)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(PolicyError::NotBoolean(other.kind())),
        }
    }

    pub(super) fn value(&mut self, node: &'a Node) -> Result<Value<'a>, PolicyError> {
        self.meter.step()?;
        match node {
            Node::Null => Ok(Value::Null),
            Node::Bool(value) => Ok(Value::Bool(*value)),
            Node::Int(whole) => Ok(Value::Int(*whole)),
            Node::Double(double) => Ok(Value::Double(*double)),
            Node::Text(text) => Ok(Value::Text(text)),
            Node::Variable(variable) => Ok(self.scope.get(*variable)),
            Node::Local(local) => Ok(self.locals.get(*local).cloned().unwrap_or(Value::Null)),
            Node::Select(of, key) => self.value(of)?.select(key),
            Node::Has(of, key) => self.has(of, key),
            Node::Not(of) => self.truth(of).map(|truth| Value::Bool(!truth)),
            Node::And(a, b) => self.both(a, b, false),
            Node::Or(a, b) => self.both(a, b, true),
            Node::Choice(parts) => {
                let [condition, yes, no] = parts.as_ref();
                if self.truth(condition)? {
                    self.value(yes)
                } else {
                    self.value(no)
                }
            }
            Node::Operator(operator, sides) => {
                let [a, b] = sides.as_ref();
                let (a, b) = (self.value(a)?, self.value(b)?);
                operator.apply(&a, &b, &self.meter)
            }
            Node::Negate(of) => functions::negate(&self.value(of)?),
            Node::Index(of, at) => self.index(of, at),
            Node::List(items) => self.list(items),
            Node::Map(fields) => self.map(fields),
            Node::Call(function, arguments) => self.call(*function, arguments),
            Node::Matches(of, regex) => {
                let text = self.value(of)?;
                functions::matches(&text, regex, &self.meter)
            }
            Node::Macro(one) => macros::evaluate(self, one),
        }
    }

    fn call(&mut self, function: functions::Function, arguments: &'a [Node]) -> Result<Value<'a>, PolicyError> {
        let first = arguments
            .first()
            .map(|node| self.value(node))
            .transpose()?
            .unwrap_or(Value::Null);
        let second = arguments
            .get(1)
            .map(|node| self.value(node))
            .transpose()?
            .unwrap_or(Value::Null);
        function.apply(first, &second, self.scope, &self.meter)
    }

    /// `&&` and `||`: a side that decides does so whatever the other one is, an error included.
    fn both(&mut self, a: &'a Node, b: &'a Node, deciding: bool) -> Result<Value<'a>, PolicyError> {
        let first = match self.truth(a) {
            Ok(truth) if truth == deciding => return Ok(Value::Bool(deciding)),
            Err(PolicyError::Budget) => return Err(PolicyError::Budget),
            first => first,
        };
        if self.truth(b)? == deciding {
            Ok(Value::Bool(deciding))
        } else {
            first.map(Value::Bool)
        }
    }

    fn has(&mut self, of: &'a Node, key: &str) -> Result<Value<'a>, PolicyError> {
        match self.value(of)?.select(key) {
            Ok(_) => Ok(Value::Bool(true)),
            Err(PolicyError::NoSuchKey(_)) => Ok(Value::Bool(false)),
            Err(error) => Err(error),
        }
    }

    fn index(&mut self, of: &'a Node, at: &'a Node) -> Result<Value<'a>, PolicyError> {
        let (of, at) = (self.value(of)?, self.value(at)?);
        match (&of, &at) {
            (Value::List(list), Value::Int(index)) => {
                let found = usize::try_from(*index).ok().and_then(|index| list.get(index));
                found.ok_or(PolicyError::OutOfBounds(*index))
            }
            (Value::Map(_), key) if key.text().is_some() => of.select(key.text().unwrap_or_default()),
            _ => Err(PolicyError::WrongType("[]", format!("{} and {}", of.kind(), at.kind()))),
        }
    }

    fn list(&mut self, items: &'a [Node]) -> Result<Value<'a>, PolicyError> {
        let items: Result<Vec<_>, _> = items.iter().map(|item| self.value(item)).collect();
        Ok(Value::List(List::Made(Rc::new(items?))))
    }

    fn map(&mut self, fields: &'a [(Node, Node)]) -> Result<Value<'a>, PolicyError> {
        let mut made = BTreeMap::new();
        for (key, value) in fields {
            let key = self.value(key)?;
            let Some(name) = key.text() else {
                return Err(PolicyError::WrongType("a key", format!("a {}", key.kind())));
            };
            if made.insert(Rc::from(name), self.value(value)?).is_some() {
                return Err(PolicyError::WrongType(
                    "{}",
                    format!("the key `{}` twice", super::quoted(name)),
                ));
            }
        }
        Ok(Value::Map(Map::Made(Rc::new(made))))
    }
}
