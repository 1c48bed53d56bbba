//! What workloads give away of an agent: models, prompts, endpoints and mounted secrets.

use crate::cli::manifests::word;
use serde_json::Value;
use std::collections::BTreeMap;
use vouchsafe_core::surface::{
    Binding, Declaration, Objects, ProblemReason, Prompt, Workload, names_a_model, pod_template, resolve,
};

/// Words in a file's name that tell of a prompt.
const PROMPTS: &[&str] = &["prompt", "system", "instruction", "persona"];
/// Endings of files that are often prompts.
const TEXTS: &[&str] = &[".md", ".txt", ".prompt", ".j2", ".jinja", ".tmpl"];

/// A place in a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) role: String,
    pub(super) container: String,
    /// A path or an environment variable.
    pub(super) at: String,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Guess {
    pub(super) name: String,
    /// Where, when that is to be written.
    pub(super) namespace: Option<String>,
    /// Who answers for it, when that is known.
    pub(super) team: Option<String>,
    /// Role, API version, kind and name.
    pub(super) workloads: Vec<[String; 4]>,
    pub(super) models: Vec<(String, Place)>,
    pub(super) prompts: Vec<(String, Place)>,
    /// Name, variable and value, each variable once.
    pub(super) endpoints: BTreeMap<String, (String, String)>,
    /// Name and path.
    pub(super) secrets: BTreeMap<String, String>,
    /// Images that are tags.
    pub(super) tagged: Vec<String>,
}

impl Guess {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    /// Adds what one workload gives away.
    pub(super) fn add(&mut self, role: &str, object: &Value, configuration: &Objects) {
        let name = object.get("metadata").map_or("", |metadata| word(metadata, "name"));
        self.workloads
            .push([role, word(object, "apiVersion"), word(object, "kind"), name].map(str::to_owned));
        let Some(spec) = pod_template(object).and_then(|template| template.get("spec")) else {
            return;
        };
        for container in list(spec, "containers") {
            let image = word(container, "image");
            if !image.contains('@') {
                self.tagged.push(image.to_owned());
            }
            let here = |at: &str| Place {
                role: role.to_owned(),
                container: word(container, "name").to_owned(),
                at: at.to_owned(),
            };
            for variable in list(container, "env") {
                self.variable(word(variable, "name"), word(variable, "value"), &here);
            }
            for mount in list(container, "volumeMounts") {
                self.mount(spec, mount, configuration, &here);
            }
        }
    }

    /// Takes out what is not free to differ (a proxy, a value that a command uses, a Secret over code): such a value stays as it is.
    pub(super) fn keep_what_is_free(&mut self, objects: &[Value], configuration: &Objects) {
        let workload = |(object, [role, ..]): (&Value, &[String; 4])| Workload {
            role: role.clone(),
            object: object.clone(),
        };
        let workloads: Vec<_> = objects.iter().zip(&self.workloads).map(workload).collect();
        let declared = Declaration {
            prompts: self.prompts.iter().map(prompt).collect(),
            ..Declaration::default()
        };
        let free = |binding: Binding| {
            let declaration = Declaration {
                bindings: vec![binding],
                ..declared.clone()
            };
            let found = resolve(&declaration, &workloads, configuration).problems;
            let of_binding = |reason| {
                matches!(
                    reason,
                    ProblemReason::BindingNotFree | ProblemReason::BindingOutOfPattern
                )
            };
            !found.iter().any(|problem| of_binding(problem.reason))
        };
        self.endpoints.retain(|name, (variable, value)| {
            free(Binding {
                name: name.clone(),
                env: Some(variable.clone()),
                pattern: Some(pattern(value)),
                ..Binding::default()
            })
        });
        self.secrets.retain(|name, path| {
            free(Binding {
                name: name.clone(),
                secret_mount: Some(path.clone()),
                ..Binding::default()
            })
        });
    }

    fn variable(&mut self, name: &str, value: &str, here: &dyn Fn(&str) -> Place) {
        if plain(name).is_empty() {
            return;
        }
        let endpoint = value.starts_with("http://") || value.starts_with("https://");
        if endpoint {
            let found = (name.to_owned(), value.to_owned());
            self.endpoints.insert(plain(name), found);
        } else if names_a_model(name) && !value.is_empty() {
            self.models.push((plain(name), here(name)));
        }
    }

    fn mount(&mut self, spec: &Value, mount: &Value, configuration: &Objects, here: &dyn Fn(&str) -> Place) {
        let path = word(mount, "mountPath");
        let Some(volume) = list(spec, "volumes").find(|volume| word(volume, "name") == word(mount, "name")) else {
            return;
        };
        if volume.get("secret").is_some() {
            self.secrets.insert(plain(word(mount, "name")), path.to_owned());
        }
        let Some(source) = volume.get("configMap") else { return };
        let one = word(mount, "subPath");
        for (key, file) in files(source, configuration) {
            let path = match one {
                "" => format!("{}/{file}", path.trim_end_matches('/')),
                one if one == file => path.to_owned(),
                _ => continue,
            };
            if is_prompt(&key) || is_prompt(&file) {
                let stem = file
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .split('.')
                    .next()
                    .unwrap_or_default();
                self.prompts.push((plain(stem), here(&path)));
            }
        }
    }
}

fn prompt((name, place): &(String, Place)) -> Prompt {
    Prompt {
        name: name.clone(),
        place: vouchsafe_core::surface::Place {
            role: place.role.clone(),
            container: Some(place.container.clone()),
            path: Some(place.at.clone()),
            env: None,
        },
    }
}

/// The pattern of exactly this value.
pub(super) fn pattern(value: &str) -> String {
    regex::escape(value).replace("\\-", "-")
}

/// The ConfigMaps whose files are mounted.
pub(super) fn config_maps(object: &Value) -> Vec<String> {
    let spec = pod_template(object)
        .and_then(|template| template.get("spec"))
        .unwrap_or(&Value::Null);
    let sources = list(spec, "volumes").filter_map(|volume| volume.get("configMap"));
    sources
        .map(|source| word(source, "name").to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// Keys and the files that they become.
fn files(source: &Value, configuration: &Objects) -> Vec<(String, String)> {
    let items: Vec<_> = list(source, "items")
        .map(|item| (word(item, "key").to_owned(), word(item, "path").to_owned()))
        .collect();
    if !items.is_empty() {
        return items;
    }
    let object = configuration.config_maps.get(word(source, "name"));
    object
        .into_iter()
        .flat_map(|object| object.data.keys())
        .map(|key| (key.clone(), key.clone()))
        .collect()
}

fn is_prompt(file: &str) -> bool {
    let file = file.to_ascii_lowercase();
    PROMPTS.iter().any(|word| file.contains(word)) || TEXTS.iter().any(|ending| file.ends_with(ending))
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// A name as Agents have them: lower case, digits and dashes.
fn plain(name: &str) -> String {
    let letters = name.chars().map(|letter| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    letters.collect::<String>().trim_matches('-').to_owned()
}
