//! Operators on two values.
//!
//! Numbers compare by value whether whole or decimal; arithmetic never wraps and never gives what is no number.

use super::{
    PolicyError,
    evaluate::Meter,
    value::{List, Map, Value},
};
use std::{cmp::Ordering, rc::Rc};

/// An operator that evaluates both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    pub(super) fn apply<'a>(self, a: &Value<'a>, b: &Value<'a>, meter: &Meter) -> Result<Value<'a>, PolicyError> {
        let ordered = |wanted: fn(Ordering) -> bool| compare(a, b, self, meter).map(|order| Value::Bool(wanted(order)));
        match self {
            Self::Equal => equal(a, b, meter).map(Value::Bool),
            Self::NotEqual => equal(a, b, meter).map(|equal| Value::Bool(!equal)),
            Self::Less => ordered(Ordering::is_lt),
            Self::LessOrEqual => ordered(Ordering::is_le),
            Self::Greater => ordered(Ordering::is_gt),
            Self::GreaterOrEqual => ordered(Ordering::is_ge),
            Self::In => within(a, b, meter).map(Value::Bool),
            Self::Add => add(a, b, meter),
            Self::Subtract => subtract(a, b),
            Self::Multiply | Self::Divide | Self::Remainder => arithmetic(self, a, b),
        }
    }

    fn refuses(self, a: &Value<'_>, b: &Value<'_>) -> PolicyError {
        PolicyError::WrongType(self.sign(), format!("{} and {}", a.kind(), b.kind()))
    }
}

/// Whether two values are equal; those of different types are not.
pub(super) fn equal(a: &Value<'_>, b: &Value<'_>, meter: &Meter) -> Result<bool, PolicyError> {
    meter.step()?;
    Ok(match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::List(a), Value::List(b)) => lists_equal(a, b, meter)?,
        (Value::Map(a), Value::Map(b)) => maps_equal(a, b, meter)?,
        _ => match (a.text(), b.text()) {
            (Some(a), Some(b)) => {
                meter.bytes(a.len().min(b.len()))?;
                a == b
            }
            _ => numbers(a, b) == Some(Ordering::Equal),
        },
    })
}

fn lists_equal(a: &List<'_>, b: &List<'_>, meter: &Meter) -> Result<bool, PolicyError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for index in 0..a.len() {
        if let (Some(a), Some(b)) = (a.get(index), b.get(index))
            && !equal(&a, &b, meter)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps_equal(a: &Map<'_>, b: &Map<'_>, meter: &Meter) -> Result<bool, PolicyError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    meter.steps(a.len())?;
    for key in a.keys() {
        let key = key.text().unwrap_or_default();
        match (a.get(key), b.get(key)) {
            (Some(a), Some(b)) if equal(&a, &b, meter)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// How two numbers compare, without losing the last digits of a whole one.
#[expect(
    clippy::cast_precision_loss,
    reason = "a whole number too large for a double is compared on the whole side below"
)]
fn numbers(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    let mixed = |whole: i64, double: f64| match (whole as f64).partial_cmp(&double)? {
        Ordering::Equal if double.abs() < 9.0e18 => Some(whole.cmp(&truncated(double)?)),
        order => Some(order),
    };
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Int(a), Value::Double(b)) => mixed(*a, *b),
        (Value::Double(a), Value::Int(b)) => mixed(*b, *a).map(Ordering::reverse),
        _ => None,
    }
}

/// The whole part of a double, when it is within 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "the bounds are checked")]
pub(super) fn truncated(double: f64) -> Option<i64> {
    (double > -9.223_372_036_854_775e18 && double < 9.223_372_036_854_775e18).then_some(double as i64)
}

pub(super) fn compare(a: &Value<'_>, b: &Value<'_>, by: Operator, meter: &Meter) -> Result<Ordering, PolicyError> {
    let order = match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        _ => match (a.text(), b.text()) {
            (Some(a), Some(b)) => {
                meter.bytes(a.len().min(b.len()))?;
                Some(a.cmp(b))
            }
            _ => numbers(a, b),
        },
    };
    order.ok_or_else(|| by.refuses(a, b))
}

fn within(a: &Value<'_>, b: &Value<'_>, meter: &Meter) -> Result<bool, PolicyError> {
    match (b, a.text()) {
        (Value::Map(map), Some(key)) => Ok(map.get(key).is_some()),
        (Value::List(list), _) => {
            for index in 0..list.len() {
                if let Some(item) = list.get(index)
                    && equal(a, &item, meter)?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(Operator::In.refuses(a, b)),
    }
}

fn add<'a>(a: &Value<'a>, b: &Value<'a>, meter: &Meter) -> Result<Value<'a>, PolicyError> {
    let sum = match (a, b) {
        (Value::Time(time), Value::Duration(by)) | (Value::Duration(by), Value::Time(time)) => {
            time.checked_add(*by).ok().map(Value::Time)
        }
        (Value::Duration(a), Value::Duration(b)) => a.checked_add(*b).map(Value::Duration),
        (Value::List(a), Value::List(b)) => {
            meter.steps(a.len().saturating_add(b.len()))?;
            let all = (0..a.len()).filter_map(|index| a.get(index));
            let all = all.chain((0..b.len()).filter_map(|index| b.get(index)));
            Some(Value::List(List::Made(Rc::new(all.collect()))))
        }
        _ => match (a.text(), b.text()) {
            (Some(a), Some(b)) => {
                meter.bytes(a.len().saturating_add(b.len()))?;
                Some(Value::Made(Rc::from(format!("{a}{b}"))))
            }
            _ => return arithmetic(Operator::Add, a, b),
        },
    };
    sum.ok_or(PolicyError::NoNumber("+"))
}

fn subtract<'a>(a: &Value<'a>, b: &Value<'a>) -> Result<Value<'a>, PolicyError> {
    let difference = match (a, b) {
        (Value::Time(a), Value::Time(b)) => Some(Value::Duration(a.duration_since(*b))),
        (Value::Time(time), Value::Duration(by)) => time.checked_sub(*by).ok().map(Value::Time),
        (Value::Duration(a), Value::Duration(b)) => a.checked_sub(*b).map(Value::Duration),
        _ => return arithmetic(Operator::Subtract, a, b),
    };
    difference.ok_or(PolicyError::NoNumber("-"))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "mixed arithmetic is in doubles, as its result is"
)]
fn arithmetic<'a>(by: Operator, a: &Value<'a>, b: &Value<'a>) -> Result<Value<'a>, PolicyError> {
    let result = match (a, b) {
        (Value::Int(a), Value::Int(b)) => whole(by, *a, *b).map(Value::Int),
        (Value::Double(a), Value::Double(b)) => decimal(by, *a, *b),
        (Value::Int(a), Value::Double(b)) => decimal(by, *a as f64, *b),
        (Value::Double(a), Value::Int(b)) => decimal(by, *a, *b as f64),
        _ => return Err(by.refuses(a, b)),
    };
    result.ok_or(PolicyError::NoNumber(by.sign()))
}

fn whole(by: Operator, a: i64, b: i64) -> Option<i64> {
    match by {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
        _ => None,
    }
}

fn decimal<'a>(by: Operator, a: f64, b: f64) -> Option<Value<'a>> {
    let result = match by {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        _ => return None,
    };
    result.is_finite().then_some(Value::Double(result))
}
