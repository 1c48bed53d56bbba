//! Kubernetes objects from files: raw JSON values, each with where it came from.
//!
//! Takes places that the user names; gives every object in them, or an error that says which file and why. Knows nothing of agents.

mod files;
mod json;
mod parse;

pub(crate) use self::{
    files::{File, read_file},
    parse::documents,
};

use super::Advice;
use serde_json::Value;
use std::{collections::BTreeMap, fmt, io};

/// Objects that are read at most.
const MAX_OBJECTS: usize = 50_000;

/// Why manifests cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    /// A file cannot be read.
    #[error("`{file}` cannot be read")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A file is too large.
    #[error("`{0}` is larger than 32 MiB")]
    TooLarge(String),
    /// Too many files.
    #[error("`{0}` holds more than 10000 manifests")]
    TooMany(String),
    /// Folders too deep.
    #[error("`{0}` is more than 32 folders deep")]
    TooDeep(String),
    /// Neither YAML nor JSON, or beyond the bounds.
    #[error("`{file}` cannot be read: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// Why.
        message: String,
    },
    /// Not an object.
    #[error("{0} is no Kubernetes object: it has no `kind` or no `apiVersion`")]
    NotAnObject(Origin),
    /// More objects than are read.
    #[error("more than {MAX_OBJECTS} objects")]
    TooManyObjects,
    /// An object twice, with different content.
    #[error("{object} is in {first} and, with other content, in {second}")]
    Twice {
        /// The object.
        object: String,
        /// Where it is.
        first: Origin,
        /// Where it is again.
        second: Origin,
    },
    /// No object at all.
    #[error("there are no Kubernetes objects in `{0}`")]
    Nothing(String),
}

impl Advice for ManifestError {
    fn fix(&self) -> String {
        let words = match self {
            Self::Read { .. } => "name a file, a folder, or `-` for standard input",
            Self::TooLarge(_) | Self::TooMany(_) | Self::TooDeep(_) | Self::TooManyObjects => {
                "name fewer or smaller files"
            }
            Self::Syntax { .. } => "correct the file; a Helm chart has to be rendered first (`helm template … | …`)",
            Self::NotAnObject(_) => "give rendered manifests: `helm template …` or `kustomize build …`",
            Self::Twice { .. } => "give the manifests of one environment at a time",
            Self::Nothing(_) => "give rendered manifests: `helm template …` or `kustomize build …`",
        };
        words.to_owned()
    }
}

/// Where an object came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file.
    pub(crate) file: String,
    /// The document in it, from 1.
    pub(crate) document: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "document {} of {}", self.document, self.file)
    }
}

/// One object.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    /// As it was written.
    pub(crate) object: Value,
    /// Where.
    pub(crate) origin: Origin,
}

impl Manifest {
    /// Its kind.
    pub(crate) fn kind(&self) -> &str {
        word(&self.object, "kind")
    }

    /// Its API group; empty for the core group.
    pub(crate) fn group(&self) -> &str {
        word(&self.object, "apiVersion")
            .rsplit_once('/')
            .map_or("", |(group, _)| group)
    }

    /// Its name; empty when the API server is to make one.
    pub(crate) fn name(&self) -> &str {
        self.object
            .get("metadata")
            .map_or("", |metadata| word(metadata, "name"))
    }

    /// Its namespace, when it says one.
    pub(crate) fn namespace(&self) -> Option<&str> {
        let namespace = self
            .object
            .get("metadata")
            .map_or("", |metadata| word(metadata, "namespace"));
        (!namespace.is_empty()).then_some(namespace)
    }

    /// As it is told to people.
    pub(crate) fn title(&self) -> String {
        format!("{}/{}", self.kind(), self.name())
    }

    /// Whether it is of this group and kind.
    pub(crate) fn is(&self, group: &str, kind: &str) -> bool {
        self.kind() == kind && self.group() == group
    }
}

/// A string field, or the empty string.
pub(crate) fn word<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The files of places that the user names.
pub(crate) fn files(places: &[String]) -> Result<Vec<File>, ManifestError> {
    let mut all = Vec::new();
    for place in places {
        all.extend(files::read(place)?);
    }
    Ok(all)
}

/// Everything that was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manifests {
    /// The objects, in the order in which they were read; each of them once.
    pub(crate) objects: Vec<Manifest>,
    /// Files of folders that hold something else, as the values of a chart.
    pub(crate) passed_over: Vec<Origin>,
}

impl Manifests {
    /// Reads files, folders, or `-`.
    pub(crate) fn read(places: &[String]) -> Result<Self, ManifestError> {
        let manifests = Self::of_files(&files(places)?)?;
        if manifests.objects.is_empty() && !places.is_empty() {
            return Err(ManifestError::Nothing(places.join(" ")));
        }
        manifests.once()
    }

    /// The objects of files that were read, as they come.
    pub(crate) fn of_files(files: &[File]) -> Result<Self, ManifestError> {
        let mut manifests = Self::default();
        for file in files {
            manifests.add(&file.name, &file.bytes, file.found)?;
        }
        Ok(manifests)
    }

    /// The objects among documents, as they come.
    pub(crate) fn of_documents(documents: Vec<Value>) -> Self {
        let mut manifests = Self::default();
        let origin = Origin {
            file: String::new(),
            document: 0,
        };
        for document in documents.into_iter().filter(is_object) {
            manifests.take(document, &origin);
        }
        manifests
    }

    /// Objects of a text. What is no object is an error, or passed over.
    fn add(&mut self, file: &str, bytes: &[u8], pass_over: bool) -> Result<(), ManifestError> {
        let documents = documents(bytes).map_err(|message| {
            let file = file.to_owned();
            ManifestError::Syntax { file, message }
        })?;
        for (index, document) in documents.into_iter().enumerate() {
            let (file, document_number) = (file.to_owned(), index + 1);
            let origin = Origin {
                file,
                document: document_number,
            };
            if is_object(&document) {
                self.take(document, &origin);
            } else if pass_over {
                self.passed_over.push(origin);
            } else {
                return Err(ManifestError::NotAnObject(origin));
            }
            if self.objects.len() > MAX_OBJECTS {
                return Err(ManifestError::TooManyObjects);
            }
        }
        Ok(())
    }

    fn take(&mut self, object: Value, origin: &Origin) {
        match list_items(object) {
            Ok(items) => {
                for item in items.into_iter().filter(is_object) {
                    self.take(item, origin);
                }
            }
            Err(object) => self.objects.push(Manifest {
                object,
                origin: origin.clone(),
            }),
        }
    }

    /// Each object once; the same one with other content is an error.
    fn once(mut self) -> Result<Self, ManifestError> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut kept: Vec<Manifest> = Vec::new();
        for manifest in self.objects {
            let namespace = manifest.namespace().unwrap_or_default();
            let key = format!(
                "{}\n{}\n{namespace}\n{}",
                manifest.group(),
                manifest.kind(),
                manifest.name()
            );
            let before = seen.get(&key).and_then(|index| kept.get(*index));
            match before {
                Some(before) if !manifest.name().is_empty() => {
                    if before.object != manifest.object {
                        return Err(ManifestError::Twice {
                            object: manifest.title(),
                            first: before.origin.clone(),
                            second: manifest.origin,
                        });
                    }
                }
                _ => {
                    seen.insert(key, kept.len());
                    kept.push(manifest);
                }
            }
        }
        self.objects = kept;
        Ok(self)
    }

    /// The objects of a group and kind.
    pub(crate) fn of<'m>(&'m self, group: &'m str, kind: &'m str) -> impl Iterator<Item = &'m Manifest> {
        self.objects.iter().filter(move |manifest| manifest.is(group, kind))
    }

    /// The namespace of objects that say none: the one that is asked for, else the only one that others say.
    pub(crate) fn namespace(&self, asked: Option<&str>) -> Option<String> {
        let mut said: Vec<_> = self.objects.iter().filter_map(Manifest::namespace).collect();
        said.sort_unstable();
        said.dedup();
        let only = said.first().copied().filter(|_| said.len() == 1);
        asked.or(only).map(str::to_owned)
    }
}

fn is_object(document: &Value) -> bool {
    !word(document, "kind").is_empty() && !word(document, "apiVersion").is_empty()
}

/// The items of a list, each with its kind; or the object, when it is no list.
fn list_items(mut object: Value) -> Result<Vec<Value>, Value> {
    let Some(kind) = word(&object, "kind").strip_suffix("List").map(str::to_owned) else {
        return Err(object);
    };
    let version = word(&object, "apiVersion").to_owned();
    let items = match object.get_mut("items") {
        Some(Value::Array(items)) => std::mem::take(items),
        _ => return Err(object),
    };
    let complete = |mut item: Value| {
        if let (Some(fields), false) = (item.as_object_mut(), kind.is_empty()) {
            fields.entry("kind").or_insert_with(|| kind.clone().into());
            fields.entry("apiVersion").or_insert_with(|| version.clone().into());
        }
        item
    };
    Ok(items.into_iter().map(complete).collect())
}
