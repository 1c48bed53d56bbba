//! Every value: written down with a comment, in the schema, in the book with its default, used by a template, and tried by the suite.

use super::{root, text, yaml};
use regex::Regex;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

const VALUES: &str = "charts/vouchsafe/values.yaml";
const SCHEMA: &str = "charts/vouchsafe/values.schema.json";
const PAGE: &str = "docs/book/chart.md";
const TRIED: &str = "e2e/chart/values.yaml";

fn schema() -> Value {
    serde_json::from_str(&text(SCHEMA)).unwrap()
}

/// Whether it is an object of ours, with properties that are values.
fn is_ours(schema: &Value) -> bool {
    schema["additionalProperties"] == false && schema["properties"].is_object()
}

/// Values below an object of ours, by path.
fn in_schema(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].as_object().unwrap() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        if is_ours(property) {
            in_schema(property, &path, found);
        } else if path != "global" {
            found.insert(path);
        }
    }
}

/// Values with their defaults, by path.
fn defaults(values: &Value, schema: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
    for (name, value) in values.as_object().unwrap() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let property = &schema["properties"][name];
        if is_ours(property) {
            defaults(value, property, &path, found);
        } else {
            found.insert(path, value.clone());
        }
    }
}

fn all() -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    defaults(&yaml(VALUES), &schema(), "", &mut found);
    assert!(found.len() > 25, "{found:?}");
    found
}

#[test]
fn the_schema_has_them_all_and_no_others() {
    let mut known = BTreeSet::new();
    in_schema(&schema(), "", &mut known);
    assert_eq!(all().into_keys().collect::<BTreeSet<_>>(), known);
}

/// Every object of ours is closed, everything is described, and every text, number and list that is ours is bounded or an enumeration.
#[test]
fn the_schema_is_strict() {
    fn strict(schema: &Value, path: &str) -> usize {
        let has = |key: &str| schema.get(key).is_some();
        match schema["type"].as_str() {
            Some("string") => assert!(has("maxLength") || has("enum"), "{path} is a text without a bound"),
            Some("integer") => assert!(has("minimum") && has("maximum"), "{path} is a number without a bound"),
            Some("object") if has("properties") => assert_eq!(schema["additionalProperties"], false, "{path} is open"),
            Some("array") => assert!(has("items"), "{path} is a list of anything"),
            _ => {}
        }
        let properties = schema["properties"].as_object().into_iter().flatten();
        let inside = properties.map(|(name, property)| {
            assert!(property["description"].is_string(), "{path}.{name} is not described");
            strict(property, &format!("{path}.{name}"))
        });
        1 + inside.sum::<usize>()
            + schema
                .get("items")
                .map_or(0, |items| strict(items, &format!("{path}[]")))
    }
    assert!(strict(&schema(), "") > 40);
}

/// A comment right above, where somebody looks who changes it.
#[test]
fn each_has_a_comment() {
    let key = Regex::new(r"^( *)([A-Za-z]+):(.*)$").unwrap();
    let (mut path, mut explained, mut seen) = (Vec::<(usize, String)>::new(), false, BTreeSet::new());
    let all = all();
    for line in text(VALUES).lines() {
        let Some(found) = key.captures(line) else {
            explained = line.trim_start().starts_with("# ");
            continue;
        };
        let indent = found[1].len();
        path.retain(|(outer, _)| *outer < indent);
        path.push((indent, found[2].to_owned()));
        let name = path.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(".");
        if all.contains_key(&name) {
            assert!(explained, "{name} has no comment above it");
            seen.insert(name);
        }
        explained = false;
    }
    assert_eq!(seen, all.into_keys().collect());
}

/// The book has a row for each, with its default.
#[test]
fn each_is_in_the_book() {
    let row = Regex::new(r"(?m)^\| `([A-Za-z.]+)` \| `(.*?)` \| .{10}").unwrap();
    let page = text(PAGE);
    let rows: BTreeMap<_, Value> = row
        .captures_iter(&page)
        .map(|row| (row[1].to_owned(), serde_saphyr::from_str(&row[2]).unwrap()))
        .collect();
    assert_eq!(rows, all());
}

/// By its whole path, so that whoever looks for it finds it.
#[test]
fn each_is_used_by_a_template() {
    let folder = root().join("charts/vouchsafe/templates");
    let templates: String = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let used = Regex::new(r"\.Values\.([A-Za-z.]+[A-Za-z])").unwrap();
    let used: BTreeSet<_> = used
        .captures_iter(&templates)
        .map(|found| found[1].to_owned())
        .collect();
    assert_eq!(used, all().into_keys().collect());
}

/// The suite renders each with something else than its default.
#[test]
fn each_is_tried() {
    let all = all();
    let mut tried = BTreeSet::new();
    for line in yaml(TRIED).as_array().unwrap() {
        let name = line["value"].as_str().unwrap();
        assert_ne!(Some(&line["to"]), all.get(name), "{name} is tried with its default");
        tried.insert(name.to_owned());
    }
    assert_eq!(tried, all.into_keys().collect());
}
