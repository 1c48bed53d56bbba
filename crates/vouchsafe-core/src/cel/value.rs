//! Values: read where they are, made only by the expression itself.

use crate::{
    cel::{
        PolicyError,
        scope::{Parameters, Scalar},
    },
    decision::{Finding, Scanner},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use std::{collections::BTreeMap, rc::Rc};

/// A value. Numbers of JSON are whole where they are written so.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(&'a str),
    Made(Rc<str>),
    Time(Timestamp),
    Duration(SignedDuration),
    List(List<'a>),
    Map(Map<'a>),
}

/// A list.
#[derive(Debug, Clone)]
pub(super) enum List<'a> {
    Json(&'a [Json]),
    Findings(&'a [Finding]),
    Made(Rc<Vec<Value<'a>>>),
}

/// A map; its keys are texts.
#[derive(Debug, Clone)]
pub(super) enum Map<'a> {
    Json(&'a serde_json::Map<String, Json>),
    Counters(&'a BTreeMap<String, i64>),
    Parameters(&'a Parameters),
    Finding(&'a Finding),
    Tool(&'a Scanner),
    Made(Rc<BTreeMap<Rc<str>, Value<'a>>>),
}

const FINDING: [&str; 6] = ["id", "severity", "title", "package", "fixedVersion", "suppressed"];
const TOOL: [&str; 3] = ["name", "version", "databaseTime"];

impl<'a> Value<'a> {
    pub(super) fn of(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::List(List::Json(items)),
            Json::Object(fields) => Self::Map(Map::Json(fields)),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Int(whole),
                (None, Some(double)) => Self::Double(double),
                (None, None) => Self::Null,
            },
        }
    }

    fn of_scalar(scalar: &'a Scalar) -> Self {
        match scalar {
            Scalar::Bool(value) => Self::Bool(*value),
            Scalar::Int(whole) => Self::Int(*whole),
            Scalar::Double(double) => Self::Double(*double),
            Scalar::Text(text) => Self::Text(text),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Made(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Double(_) => "double",
            Self::Text(_) | Self::Made(_) => "string",
            Self::Time(_) => "timestamp",
            Self::Duration(_) => "duration",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// A field of a map.
    pub(super) fn select(&self, key: &str) -> Result<Value<'a>, PolicyError> {
        let Self::Map(map) = self else {
            return Err(PolicyError::WrongType("a field's name", format!("a {}", self.kind())));
        };
        map.get(key).ok_or_else(|| PolicyError::NoSuchKey(super::quoted(key)))
    }
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(items) => items.len(),
            Self::Findings(items) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Json(items) => items.get(index).map(Value::of),
            Self::Findings(items) => items.get(index).map(|finding| Value::Map(Map::Finding(finding))),
            Self::Made(items) => items.get(index).cloned(),
        }
    }
}

impl<'a> Map<'a> {
    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        let optional = |text: &'a Option<String>| text.as_deref().map(Value::Text);
        match self {
            Self::Json(fields) => fields.get(key).map(Value::of),
            Self::Counters(counters) => counters.get(key).map(|count| Value::Int(*count)),
            Self::Parameters(parameters) => parameters.get(key).map(Value::of_scalar),
            Self::Made(fields) => fields.get(key).cloned(),
            Self::Finding(finding) => match key {
                "id" => Some(Value::Text(&finding.id)),
                "severity" => Some(Value::Text(&finding.severity)),
                "title" => Some(Value::Text(&finding.title)),
                "package" => optional(&finding.package),
                "fixedVersion" => optional(&finding.fixed_version),
                "suppressed" => Some(Value::Bool(finding.suppressed)),
                _ => None,
            },
            Self::Tool(tool) => match key {
                "name" => Some(Value::Text(&tool.name)),
                "version" => optional(&tool.version),
                "databaseTime" => tool.database_time.map(Value::Time),
                _ => None,
            },
        }
    }

    /// The keys, sorted.
    pub(super) fn keys(&self) -> Vec<Value<'a>> {
        let present = |names: &[&'static str]| {
            let there = names.iter().filter(|name| self.get(name).is_some());
            let mut names: Vec<_> = there.copied().collect();
            names.sort_unstable();
            names.into_iter().map(Value::Text).collect()
        };
        match self {
            Self::Json(fields) => {
                let mut keys: Vec<&'a str> = fields.keys().map(String::as_str).collect();
                keys.sort_unstable();
                keys.into_iter().map(Value::Text).collect()
            }
            Self::Counters(counters) => counters.keys().map(|key| Value::Text(key)).collect(),
            Self::Parameters(parameters) => parameters.keys().map(|key| Value::Text(key)).collect(),
            Self::Made(fields) => fields.keys().map(|key| Value::Made(Rc::clone(key))).collect(),
            Self::Finding(_) => present(&FINDING),
            Self::Tool(_) => present(&TOOL),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(fields) => fields.len(),
            Self::Counters(counters) => counters.len(),
            Self::Parameters(parameters) => parameters.len(),
            Self::Made(fields) => fields.len(),
            Self::Finding(_) | Self::Tool(_) => self.keys().len(),
        }
    }
}
