//! `x-kubernetes-validations`, in the CEL that the product has anyway.

use super::Fault;
use cel::{Context, Program, Value as Cel};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Words that CEL keeps for itself; Kubernetes writes them with underscores around.
const RESERVED: [&str; 2] = ["in", "namespace"];

/// Every rule of a value and of what is in it.
pub(crate) fn ask(value: &Value, old: Option<&Value>, schema: &Value, path: &str, faults: &mut Vec<Fault>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let expression = rule["rule"].as_str().unwrap();
        let transition = expression.contains("oldSelf");
        let asked = !transition || old.is_some();
        if asked && !holds(expression, value, old, schema) {
            let message = rule["message"].as_str().unwrap().to_owned();
            faults.push(Fault {
                field: place(path, rule),
                reason: "Invalid",
                message,
            });
        }
    }
    match value {
        Value::Object(object) => {
            for (name, child) in object {
                let of = schema["properties"]
                    .get(name)
                    .or_else(|| schema.get("additionalProperties"));
                let under = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                if let Some(of) = of {
                    ask(child, old.and_then(|old| old.get(name)), of, &under, faults);
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                ask(item, None, &schema["items"], &format!("{path}[{at}]"), faults);
            }
        }
        _ => {}
    }
}

/// Where a rule says that the fault is.
fn place(path: &str, rule: &Value) -> String {
    match (path, rule["fieldPath"].as_str()) {
        ("", None) => "object".to_owned(),
        (path, below) => format!("{path}{}", below.unwrap_or_default())
            .trim_start_matches('.')
            .to_owned(),
    }
}

fn holds(expression: &str, value: &Value, old: Option<&Value>, schema: &Value) -> bool {
    let program = Program::compile(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let mut context = Context::default();
    context.add_variable("self", seen(value, schema)).unwrap();
    if let Some(old) = old {
        context.add_variable("oldSelf", seen(old, schema)).unwrap();
    }
    context.add_function("substring", substring).unwrap();
    match program.execute(&context) {
        Ok(Cel::Bool(holds)) => holds,
        other => panic!("{expression} over {value} gives {other:?}"),
    }
}

fn substring(cel::extractors::This(text): cel::extractors::This<Arc<String>>, from: i64, to: i64) -> Arc<String> {
    let (from, to) = (usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
    Arc::new(text.chars().skip(from).take(to - from).collect())
}

/// As rules see it: reserved words escaped, and times so that they can be compared.
fn seen(value: &Value, schema: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let fields = object.iter().map(|(name, child)| {
                let of = schema["properties"]
                    .get(name)
                    .or_else(|| schema.get("additionalProperties"));
                let name = if RESERVED.contains(&name.as_str()) {
                    format!("__{name}__")
                } else {
                    name.clone()
                };
                (name, seen(child, of.unwrap_or(&Value::Null)))
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(|item| seen(item, &schema["items"])).collect(),
        Value::String(text) if schema["format"] == "date-time" => {
            let time: jiff::Timestamp = text.parse().unwrap();
            Value::String(format!("{time:.9}"))
        }
        other => other.clone(),
    }
}
