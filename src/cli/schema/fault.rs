//! A value against an OpenAPI schema, as CustomResourceDefinitions have it.

use super::Fault;
use regex::Regex;
use serde_json::{Map, Value};

/// Every fault of an object. Its metadata is the API server's business.
pub(super) fn faults(schema: &Value, object: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    judge(schema, object, &mut String::new(), &mut faults);
    faults
}

fn fault(at: &str, message: impl Into<String>, faults: &mut Vec<Fault>) {
    faults.push(Fault {
        field: if at.is_empty() {
            "(object)".to_owned()
        } else {
            at.to_owned()
        },
        message: message.into(),
    });
}

fn judge(schema: &Value, value: &Value, at: &mut String, faults: &mut Vec<Fault>) {
    let wanted = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    if !is_of(wanted, value) {
        return fault(at, format!("is {}, not {}", named(value), with_article(wanted)), faults);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        fault(at, format!("is `{shown}`, not one of {}", words.join(", ")), faults);
    }
    match value {
        Value::Object(fields) => object(schema, fields, at, faults),
        Value::Array(items) => array(schema, items, at, faults),
        Value::String(text) => string(schema, text, at, faults),
        Value::Number(number) => {
            let number = number.as_f64();
            range(schema, "minimum", "maximum", number, "", at, faults);
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn object(schema: &Value, fields: &Map<String, Value>, at: &mut String, faults: &mut Vec<Fault>) {
    let declared = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if fields.get(name).is_none_or(Value::is_null) {
            fault(at, format!("has no `{name}`"), faults);
        }
    }
    range(
        schema,
        "minProperties",
        "maxProperties",
        count(fields.len()),
        " entries",
        at,
        faults,
    );
    let open = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    let others = schema.get("additionalProperties");
    for (name, value) in fields {
        let top = at.is_empty() && ["apiVersion", "kind", "metadata", "status"].contains(&name.as_str());
        let length = at.len();
        if length > 0 {
            at.push('.');
        }
        at.push_str(name);
        match declared.and_then(|declared| declared.get(name)).or(others) {
            _ if top || value.is_null() => {}
            Some(schema) => judge(schema, value, at, faults),
            None if open => {}
            None => fault(at, format!("is not known{}", nearest(name, declared)), faults),
        }
        at.truncate(length);
    }
}

fn array(schema: &Value, items: &[Value], at: &mut String, faults: &mut Vec<Fault>) {
    range(schema, "minItems", "maxItems", count(items.len()), " items", at, faults);
    let keys: Vec<_> = schema
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    let of = schema.get("items").unwrap_or(&Value::Null);
    let mut seen = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let length = at.len();
        at.push_str(&format!("[{index}]"));
        judge(of, item, at, faults);
        let key: Vec<_> = keys.iter().filter_map(|key| item.get(key.as_str()?)).collect();
        if !key.is_empty() && seen.contains(&key) {
            let shown: Vec<_> = key.iter().map(|value| value.as_str().unwrap_or_default()).collect();
            fault(at, format!("is the second `{}`", shown.join(" ")), faults);
        }
        seen.push(key);
        at.truncate(length);
    }
}

fn string(schema: &Value, text: &str, at: &str, faults: &mut Vec<Fault>) {
    range(
        schema,
        "minLength",
        "maxLength",
        count(text.chars().count()),
        " characters",
        at,
        faults,
    );
    let pattern = schema.get("pattern").and_then(Value::as_str);
    if let Some(pattern) = pattern
        && Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text))
    {
        fault(
            at,
            format!("is `{}`, which does not match `{pattern}`", shortened(text)),
            faults,
        );
    }
    if schema.get("format").and_then(Value::as_str) == Some("date-time") && text.parse::<jiff::Timestamp>().is_err() {
        fault(
            at,
            format!("is `{}`, not a time such as 2027-01-31T00:00:00Z", shortened(text)),
            faults,
        );
    }
}

fn range(schema: &Value, least: &str, most: &str, actual: Option<f64>, of: &str, at: &str, faults: &mut Vec<Fault>) {
    let Some(actual) = actual else { return };
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let Some(least) = bound(least).filter(|least| actual < *least) {
        fault(at, format!("is {actual}{of}, at least {least} are needed"), faults);
    }
    if let Some(most) = bound(most).filter(|most| actual > *most) {
        fault(at, format!("is {actual}{of}, at most {most} are allowed"), faults);
    }
}

fn count(items: usize) -> Option<f64> {
    u32::try_from(items).ok().map(f64::from)
}

fn is_of(wanted: &str, value: &Value) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

fn named(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn with_article(wanted: &str) -> &'static str {
    match wanted {
        "object" => "a map",
        "array" => "a list",
        "string" => "text (put it in quotes)",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "a number",
    }
}

fn nearest(name: &str, declared: Option<&Map<String, Value>>) -> String {
    let names: Vec<_> = declared.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let close = similar::get_close_matches(name, &names, 1, 0.7);
    close
        .first()
        .map_or(String::new(), |name| format!("; is `{name}` meant?"))
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(spec: &Value, expected: &[&str]) {
        let schema = super::super::schema("Agent").unwrap();
        let object =
            json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Agent", "metadata": {"name": "a"}, "spec": spec});
        let found: Vec<_> = faults(&schema, &object).iter().map(Fault::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_fault_is_told_with_its_field() {
        let server = json!({"role": "server", "apiVersion": "apps/v1", "kind": "Deployment", "name": "a"});
        check(&json!({"owner": {"team": "a"}, "workloads": [server]}), &[]);
        check(
            &json!({"owner": {}, "workloads": []}),
            &[
                "`spec.owner` has no `team`",
                "`spec.workloads` is 0 items, at least 1 are needed",
            ],
        );
        check(
            &json!({"owner": {"team": "a"}, "workloads": [server], "promts": [], "autonomy": "Total", "purpose": 5}),
            &[
                "`spec.autonomy` is `Total`, not one of Supervised, Bounded, Autonomous",
                "`spec.promts` is not known; is `prompts` meant?",
                "`spec.purpose` is a number, not text (put it in quotes)",
            ],
        );
        check(
            &json!({"owner": {"team": "a"}, "workloads": [server, server, {"role": "No", "apiVersion": "v1", "kind": "Pod", "name": null}]}),
            &[
                "`spec.workloads[1]` is the second `server`",
                "`spec.workloads[2].role` is `No`, which does not match `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`",
            ],
        );
    }
}
