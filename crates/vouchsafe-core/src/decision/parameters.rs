//! Values of a check's parameters, read from their text.

use super::{Parameter, ParameterType};
use crate::cel::{Parameters, Scalar};
use std::collections::BTreeMap;

/// All declared parameters with their values, or what is wrong in words.
pub(super) fn read(declared: &[Parameter], set: &BTreeMap<String, String>) -> Result<Parameters, String> {
    if let Some(unknown) = set.keys().find(|name| !declared.iter().any(|one| one.name == **name)) {
        return Err(format!("the check has no parameter `{unknown}`"));
    }
    let value = |parameter: &Parameter| {
        let name = &parameter.name;
        let text = set
            .get(name)
            .or(parameter.default.as_ref())
            .ok_or_else(|| format!("parameter `{name}` is not set and has no default"))?;
        let scalar = scalar(parameter.kind, text);
        let scalar = scalar.ok_or_else(|| format!("parameter `{name}` is no {}: `{text}`", word(parameter.kind)))?;
        Ok((name.clone(), scalar))
    };
    declared.iter().map(value).collect()
}

fn word(kind: ParameterType) -> &'static str {
    match kind {
        ParameterType::Number => "decimal number",
        ParameterType::String => "string",
        ParameterType::Boolean => "`true` or `false`",
    }
}

fn scalar(kind: ParameterType, text: &str) -> Option<Scalar> {
    match kind {
        ParameterType::String => Some(Scalar::Text(text.to_owned())),
        ParameterType::Boolean => text.parse().ok().map(Scalar::Bool),
        ParameterType::Number => number(text.trim()),
    }
}

/// Whole numbers stay exact. Only digits, a sign, a point and an exponent: no `inf`, no `nan`.
fn number(text: &str) -> Option<Scalar> {
    if let Ok(whole) = text.parse() {
        return Some(Scalar::Int(whole));
    }
    let plain = text
        .chars()
        .all(|letter| letter.is_ascii_digit() || "+-.eE".contains(letter));
    let number: f64 = text.parse().ok().filter(|_| plain)?;
    number.is_finite().then_some(Scalar::Double(number))
}
