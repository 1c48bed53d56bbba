//! Functions and methods.

use super::{
    PolicyError, duration,
    evaluate::Meter,
    operators::{self, Operator},
    scope::Scope,
    value::{List, Value},
};
use regex::Regex;
use std::{cmp::Ordering, rc::Rc};

/// One function; a method's target is its first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    LowerAscii,
    Sum,
    Min,
    Max,
    ToInt,
    ToDouble,
    ToText,
    ToTime,
    ToDuration,
    Same,
    Rate,
}

/// Name, whether it is called on something, how many arguments it takes that target among them, and what it is.
const FUNCTIONS: [(&str, bool, usize, Function); 17] = [
    ("size", false, 1, Function::Size),
    ("size", true, 1, Function::Size),
    ("startsWith", true, 2, Function::StartsWith),
    ("endsWith", true, 2, Function::EndsWith),
    ("contains", true, 2, Function::Contains),
    ("lowerAscii", true, 1, Function::LowerAscii),
    ("sum", true, 1, Function::Sum),
    ("min", true, 1, Function::Min),
    ("max", true, 1, Function::Max),
    ("int", false, 1, Function::ToInt),
    ("double", false, 1, Function::ToDouble),
    ("string", false, 1, Function::ToText),
    ("timestamp", false, 1, Function::ToTime),
    ("duration", false, 1, Function::ToDuration),
    ("dyn", false, 1, Function::Same),
    ("rate", false, 1, Function::Rate),
    ("lowerAscii", false, 1, Function::LowerAscii),
];

impl Function {
    /// The function of that name; `arguments` counts the target.
    pub(super) fn find(name: &str, method: bool, arguments: usize) -> Option<Self> {
        let found = FUNCTIONS
            .iter()
            .find(|(known, on, count, _)| *known == name && *on == method && *count == arguments);
        found.map(|(.., function)| *function)
    }

    fn name(self) -> &'static str {
        FUNCTIONS
            .iter()
            .find(|(.., function)| *function == self)
            .map_or("", |(name, ..)| name)
    }

    pub(super) fn apply<'a>(
        self,
        first: Value<'a>,
        second: &Value<'a>,
        scope: &Scope<'a>,
        meter: &Meter,
    ) -> Result<Value<'a>, PolicyError> {
        meter.bytes(first.text().map_or(0, str::len))?;
        match self {
            Self::Size => size(&first),
            Self::StartsWith => self.on_texts(&first, second, |a, b| a.starts_with(b)),
            Self::EndsWith => self.on_texts(&first, second, |a, b| a.ends_with(b)),
            Self::Contains => self.on_texts(&first, second, |a, b| a.contains(b)),
            Self::LowerAscii => match first.text() {
                Some(text) => Ok(Value::Made(Rc::from(text.to_ascii_lowercase()))),
                None => Err(self.refuses(&first)),
            },
            Self::Sum | Self::Min | Self::Max => match &first {
                Value::List(list) => self.over(list, meter),
                other => Err(self.refuses(other)),
            },
            Self::ToInt => self.to_int(&first),
            Self::ToDouble => self.to_double(&first),
            Self::ToText => self.to_text(first),
            Self::ToTime => self.to_time(&first),
            Self::ToDuration => self.to_duration(&first),
            Self::Same => Ok(first),
            Self::Rate => self.rate(&first, scope),
        }
    }

    fn refuses(self, value: &Value<'_>) -> PolicyError {
        PolicyError::WrongType(self.name(), format!("a {}", value.kind()))
    }

    fn on_texts<'a>(
        self,
        a: &Value<'a>,
        b: &Value<'a>,
        by: impl Fn(&str, &str) -> bool,
    ) -> Result<Value<'a>, PolicyError> {
        match (a.text(), b.text()) {
            (Some(text), Some(part)) => Ok(Value::Bool(by(text, part))),
            (None, _) => Err(self.refuses(a)),
            (_, None) => Err(self.refuses(b)),
        }
    }

    /// The sum of a list, nought when it is empty; or its least or greatest element, which an empty one does not have.
    fn over<'a>(self, list: &List<'a>, meter: &Meter) -> Result<Value<'a>, PolicyError> {
        let mut elements = (0..list.len()).filter_map(|index| list.get(index));
        let Some(first) = elements.next() else {
            return if self == Self::Sum {
                Ok(Value::Int(0))
            } else {
                Err(PolicyError::NoNumber(self.name()))
            };
        };
        operators::compare(&first, &first, Operator::Less, meter)?;
        elements.try_fold(first, |best, element| {
            meter.step()?;
            if self == Self::Sum {
                return Operator::Add.apply(&best, &element, meter);
            }
            let order = operators::compare(&element, &best, Operator::Less, meter)?;
            let better = if self == Self::Min {
                Ordering::Less
            } else {
                Ordering::Greater
            };
            Ok(if order == better { element } else { best })
        })
    }

    fn unreadable(text: &str, what: &'static str) -> PolicyError {
        PolicyError::NotReadable(super::quoted(text), what)
    }

    fn to_int<'a>(self, value: &Value<'a>) -> Result<Value<'a>, PolicyError> {
        match (value, value.text()) {
            (Value::Int(whole), _) => Ok(Value::Int(*whole)),
            (Value::Double(double), _) => operators::truncated(*double)
                .map(Value::Int)
                .ok_or(PolicyError::NoNumber("int")),
            (_, Some(text)) => text
                .parse()
                .map(Value::Int)
                .map_err(|_| Self::unreadable(text, "whole number")),
            _ => Err(self.refuses(value)),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "that is what `double` asks for")]
    fn to_double<'a>(self, value: &Value<'a>) -> Result<Value<'a>, PolicyError> {
        match (value, value.text()) {
            (Value::Double(double), _) => Ok(Value::Double(*double)),
            (Value::Int(whole), _) => Ok(Value::Double(*whole as f64)),
            (_, Some(text)) => {
                let read = text.parse::<f64>().ok().filter(|double| double.is_finite());
                read.map(Value::Double)
                    .ok_or_else(|| Self::unreadable(text, "decimal number"))
            }
            _ => Err(self.refuses(value)),
        }
    }

    fn to_text(self, value: Value<'_>) -> Result<Value<'_>, PolicyError> {
        let made = match &value {
            Value::Text(_) | Value::Made(_) => return Ok(value),
            Value::Bool(truth) => truth.to_string(),
            Value::Int(whole) => whole.to_string(),
            Value::Double(double) => double.to_string(),
            Value::Time(time) => time.to_string(),
            other => return Err(self.refuses(other)),
        };
        Ok(Value::Made(Rc::from(made)))
    }

    fn to_time<'a>(self, value: &Value<'a>) -> Result<Value<'a>, PolicyError> {
        match (value, value.text()) {
            (Value::Time(time), _) => Ok(Value::Time(*time)),
            (_, Some(text)) => text
                .parse()
                .map(Value::Time)
                .map_err(|_| Self::unreadable(text, "timestamp")),
            _ => Err(self.refuses(value)),
        }
    }

    fn to_duration<'a>(self, value: &Value<'a>) -> Result<Value<'a>, PolicyError> {
        match (value, value.text()) {
            (Value::Duration(duration), _) => Ok(Value::Duration(*duration)),
            (_, Some(text)) => duration::read(text)
                .map(Value::Duration)
                .ok_or_else(|| Self::unreadable(text, "duration")),
            _ => Err(self.refuses(value)),
        }
    }

    /// `<probe>.passed` of `<probe>.total`.
    #[expect(clippy::cast_precision_loss, reason = "a rate is a decimal number")]
    fn rate<'a>(self, probe: &Value<'a>, scope: &Scope<'a>) -> Result<Value<'a>, PolicyError> {
        let Some(probe) = probe.text() else {
            return Err(self.refuses(probe));
        };
        let counter = |what: &str| {
            let name = format!("{probe}.{what}");
            let counter = scope.counters().and_then(|counters| counters.get(&name).copied());
            counter.ok_or_else(|| PolicyError::NoSuchKey(super::quoted(&format!("counters[\"{name}\"]"))))
        };
        let (passed, total) = (counter("passed")?, counter("total")?);
        if total <= 0 || passed < 0 || passed > total {
            return Err(PolicyError::NoNumber("rate"));
        }
        Ok(Value::Double(passed as f64 / total as f64))
    }
}

fn size<'a>(value: &Value<'a>) -> Result<Value<'a>, PolicyError> {
    let size = match (value, value.text()) {
        (Value::List(list), _) => list.len(),
        (Value::Map(map), _) => map.len(),
        (_, Some(text)) => text.chars().count(),
        _ => return Err(Function::Size.refuses(value)),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

pub(super) fn negate<'a>(value: &Value<'a>) -> Result<Value<'a>, PolicyError> {
    match value {
        Value::Int(whole) => whole.checked_neg().map(Value::Int).ok_or(PolicyError::NoNumber("-")),
        Value::Double(double) => Ok(Value::Double(-double)),
        Value::Duration(duration) => duration
            .checked_neg()
            .map(Value::Duration)
            .ok_or(PolicyError::NoNumber("-")),
        other => Err(PolicyError::WrongType("-", format!("a {}", other.kind()))),
    }
}

/// A regular expression on a text: each byte is worth a step, since matching takes several.
pub(super) fn matches<'a>(text: &Value<'a>, regex: &Regex, meter: &Meter) -> Result<Value<'a>, PolicyError> {
    let Some(text) = text.text() else {
        return Err(PolicyError::WrongType("matches", format!("a {}", text.kind())));
    };
    meter.steps(text.len())?;
    Ok(Value::Bool(regex.is_match(text)))
}
