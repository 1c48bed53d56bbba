//! Objects of our own kinds, judged by the schema of their definition: what the API server would prune in silence is an error here.
//!
//! Takes raw objects, gives typed ones or every fault with its field. Rules in CEL are the API server's to judge.

mod fault;

use super::{
    Advice,
    manifests::{Manifest, word},
};
use fault::faults;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use vouchsafe_api::{GROUP, VERSION, crds};

/// Faults of one object that are told.
const TOLD: usize = 8;

/// Why an object of ours cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    /// There is no such kind or version.
    #[error("{object} is of no kind that there is: `{api_version}`")]
    Unknown {
        /// The object, and where it is.
        object: String,
        /// What it says of itself.
        api_version: String,
    },
    /// It does not fit its schema.
    #[error("{object}: {}", told(faults))]
    Invalid {
        /// The object, and where it is.
        object: String,
        /// What is wrong.
        faults: Vec<Fault>,
    },
}

impl Advice for SchemaError {
    fn fix(&self) -> String {
        match self {
            Self::Unknown { .. } => format!("kinds of ours are of `{GROUP}/{VERSION}`; see `kubectl api-resources`"),
            Self::Invalid { .. } => "correct these fields; `kubectl explain` says what there is".to_owned(),
        }
    }
}

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The field, as `spec.tools[0].name`.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.field, self.message)
    }
}

fn told(faults: &[Fault]) -> String {
    let mut words: Vec<_> = faults.iter().take(TOLD).map(Fault::to_string).collect();
    if faults.len() > TOLD {
        words.push(format!("and {} more", faults.len() - TOLD));
    }
    words.join("; ")
}

/// The object, typed, when it is what the API server would store without losing anything.
pub(crate) fn typed<T: DeserializeOwned>(manifest: &Manifest) -> Result<T, SchemaError> {
    let object = format!("{} ({})", manifest.title(), manifest.origin);
    let api_version = word(&manifest.object, "apiVersion");
    let known = schema(manifest.kind()).filter(|_| api_version == format!("{GROUP}/{VERSION}"));
    let Some(schema) = known else {
        let api_version = format!("{} of {api_version}", manifest.kind());
        return Err(SchemaError::Unknown { object, api_version });
    };
    let faults = faults(&schema, &manifest.object);
    if !faults.is_empty() {
        return Err(SchemaError::Invalid { object, faults });
    }
    serde_json::from_value(manifest.object.clone()).map_err(|error| SchemaError::Invalid {
        object,
        faults: vec![Fault {
            field: "spec".to_owned(),
            message: format!("cannot be read: {error}"),
        }],
    })
}

/// The schema of a kind, from its definition.
fn schema(kind: &str) -> Option<Value> {
    let all = crds::all().ok()?;
    let definition = all.into_iter().find(|definition| definition.spec.names.kind == kind)?;
    let version = definition
        .spec
        .versions
        .into_iter()
        .find(|version| version.name == VERSION)?;
    serde_json::to_value(version.schema?.open_api_v3_schema?).ok()
}
