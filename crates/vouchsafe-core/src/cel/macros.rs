//! `all`, `exists`, `exists_one`, `filter` and `map`, over the elements of a list or the keys of a map.

use super::{
    PolicyError,
    evaluate::Evaluation,
    node::{Macro, MacroKind, Node},
    value::{List, Value},
};
use std::rc::Rc;

pub(super) fn evaluate<'a>(evaluation: &mut Evaluation<'a>, one: &'a Macro) -> Result<Value<'a>, PolicyError> {
    let elements = match evaluation.value(&one.range)? {
        Value::List(list) => list,
        Value::Map(map) => {
            evaluation.meter.steps(map.len())?;
            List::Made(Rc::new(map.keys()))
        }
        other => return Err(PolicyError::WrongType("a macro", format!("a {}", other.kind()))),
    };
    evaluation.locals.truncate(one.local);
    evaluation.locals.push(Value::Null);
    let result = match one.kind {
        MacroKind::All => decided(evaluation, one, &elements, false),
        MacroKind::Exists => decided(evaluation, one, &elements, true),
        MacroKind::ExistsOne => kept(evaluation, one, &elements).map(|kept| Value::Bool(kept.len() == 1)),
        MacroKind::Filter | MacroKind::Map => {
            kept(evaluation, one, &elements).map(|kept| Value::List(List::Made(Rc::new(kept))))
        }
    };
    evaluation.locals.truncate(one.local);
    result
}

fn enter<'a>(evaluation: &mut Evaluation<'a>, one: &Macro, element: Value<'a>) -> Result<(), PolicyError> {
    evaluation.meter.step()?;
    evaluation.locals.truncate(one.local);
    evaluation.locals.push(element);
    Ok(())
}

fn condition<'a>(evaluation: &mut Evaluation<'a>, node: Option<&'a Node>) -> Result<bool, PolicyError> {
    node.map_or(Ok(true), |node| evaluation.truth(node))
}

/// `all` and `exists`: an element that decides does so, whatever errors others give.
fn decided<'a>(
    evaluation: &mut Evaluation<'a>,
    one: &'a Macro,
    elements: &List<'a>,
    deciding: bool,
) -> Result<Value<'a>, PolicyError> {
    let mut otherwise = Ok(Value::Bool(!deciding));
    for index in 0..elements.len() {
        enter(evaluation, one, elements.get(index).unwrap_or(Value::Null))?;
        match condition(evaluation, one.condition.as_ref()) {
            Ok(truth) if truth == deciding => return Ok(Value::Bool(deciding)),
            Ok(_) => {}
            Err(PolicyError::Budget) => return Err(PolicyError::Budget),
            Err(error) => otherwise = otherwise.and(Err(error)),
        }
    }
    otherwise
}

/// The elements whose condition holds, or what is made of them.
fn kept<'a>(
    evaluation: &mut Evaluation<'a>,
    one: &'a Macro,
    elements: &List<'a>,
) -> Result<Vec<Value<'a>>, PolicyError> {
    let mut kept = Vec::new();
    for index in 0..elements.len() {
        let element = elements.get(index).unwrap_or(Value::Null);
        enter(evaluation, one, element.clone())?;
        if condition(evaluation, one.condition.as_ref())? {
            kept.push(match &one.body {
                Some(body) => evaluation.value(body)?,
                None => element,
            });
        }
    }
    Ok(kept)
}
