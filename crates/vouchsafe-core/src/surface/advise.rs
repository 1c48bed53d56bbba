//! What can be said of manifests before anything runs: configuration that would get in the way of a rollout, and undeclared models.

use super::{
    Declaration, Problem, ProblemReason, Workload,
    reading::{list, text},
    template,
};
use serde_json::Value;

/// Families of variables that say which model answers, or where.
const MODEL_PREFIXES: &[&str] = &[
    "ANTHROPIC_",
    "AZURE_OPENAI_",
    "BEDROCK_",
    "COHERE_",
    "GEMINI_",
    "LLM_",
    "MISTRAL_",
    "MODEL_",
    "OLLAMA_",
    "OPENAI_",
    "VERTEX_",
    "VLLM_",
];

const HASHED: &str = "name it by its content (kustomize: `configMapGenerator`; Helm: `name: …-{{ $data | toJson | sha256sum | trunc 10 }}`), \
    set `immutable: true`, and take the `checksum/…` annotation out";
const KEPT: &str = "annotate it with `helm.sh/resource-policy: keep` (Helm), `argocd.argoproj.io/sync-options: PruneLast=true` (Argo CD) \
    or `kustomize.toolkit.fluxcd.io/prune: disabled` (Flux)";

/// Advice on manifests: `ConfigEditedInPlace`, `ConfigNotKept` and `UndeclaredModel`, none of them blocking. Lists among the manifests are
/// looked into.
#[must_use]
pub fn advise(declaration: &Declaration, workloads: &[Workload], manifests: &[Value]) -> Vec<Problem> {
    let manifests: Vec<_> = manifests.iter().flat_map(flattened).collect();
    let mut problems = Vec::new();
    for workload in workloads {
        let Some(found) = template::pod_template(&workload.object) else {
            continue;
        };
        let prefix: String = template::path_of(text(&workload.object, "kind"))
            .iter()
            .map(|field| format!("{field}."))
            .collect();
        let name = workload
            .object
            .get("metadata")
            .map_or("", |metadata| text(metadata, "name"));
        let at = At {
            object: format!("{}/{name}", text(&workload.object, "kind")),
            prefix,
            template: found,
        };
        for (name, field) in at.config_maps() {
            let manifest = manifests.iter().find(|manifest| is_config_map(manifest, name)).copied();
            problems.extend(at.edited_in_place(name, &field, manifest));
            problems.extend(manifest.and_then(|manifest| not_kept(name, manifest)));
        }
        problems.extend(at.undeclared_models(declaration));
    }
    problems.sort();
    problems.dedup();
    problems
}

fn flattened(manifest: &Value) -> Vec<&Value> {
    if manifest.get("kind").and_then(Value::as_str) == Some("List") {
        list(manifest, "items").map(|(_, item)| item).collect()
    } else {
        vec![manifest]
    }
}

/// A pod template and where it is.
struct At<'a> {
    object: String,
    prefix: String,
    template: &'a Value,
}

impl<'a> At<'a> {
    fn spec(&self) -> &'a Value {
        self.template.get("spec").unwrap_or(&Value::Null)
    }

    /// The containers with their fields.
    fn containers(&self) -> Vec<(String, &'a Value)> {
        let of = |key| {
            list(self.spec(), key)
                .map(move |(index, container)| (format!("{}spec.{key}[{index}]", self.prefix), container))
        };
        of("initContainers").chain(of("containers")).collect()
    }

    /// Every ConfigMap that is content, with the field that refers to it.
    fn config_maps(&self) -> Vec<(&'a str, String)> {
        let mut found = Vec::new();
        for (index, volume) in list(self.spec(), "volumes") {
            let at = format!("{}spec.volumes[{index}]", self.prefix);
            found.push((volume.get("configMap"), format!("{at}.configMap")));
            for (source, projected) in list(volume.get("projected").unwrap_or(&Value::Null), "sources") {
                found.push((
                    projected.get("configMap"),
                    format!("{at}.projected.sources[{source}].configMap"),
                ));
            }
        }
        for (at, container) in self.containers() {
            for (index, source) in list(container, "envFrom") {
                found.push((
                    source.get("configMapRef"),
                    format!("{at}.envFrom[{index}].configMapRef"),
                ));
            }
            for (index, variable) in list(container, "env") {
                let reference = variable.get("valueFrom").and_then(|from| from.get("configMapKeyRef"));
                found.push((reference, format!("{at}.env[{index}].valueFrom.configMapKeyRef")));
            }
        }
        let named = found
            .into_iter()
            .filter_map(|(reference, field)| Some((text(reference?, "name"), field)));
        named.filter(|(name, _)| !name.is_empty()).collect()
    }

    fn edited_in_place(&self, name: &str, field: &str, manifest: Option<&Value>) -> Option<Problem> {
        if hash_named(name) {
            return None;
        }
        let checksum = annotations(self.template)
            .find(|(key, _)| key.starts_with("checksum/"))
            .map(|(key, _)| key);
        let immutable = manifest.map(|manifest| manifest.get("immutable").and_then(Value::as_bool).unwrap_or_default());
        let why = match (checksum, immutable) {
            (Some(key), _) => {
                format!("its name stays while `{key}` follows its content, so that an upgrade edits it in place")
            }
            (None, Some(false)) => {
                "it is neither immutable nor named by its content, so that an upgrade edits it in place".to_owned()
            }
            (None, Some(true) | None) => return None,
        };
        let (object, field) = (self.object.clone(), field.to_owned());
        let message =
            format!("ConfigMap `{name}` is part of the release: {why}, and that is refused while pods run by it");
        Some(Problem {
            reason: ProblemReason::ConfigEditedInPlace,
            object,
            field,
            message,
            fix: HASHED.to_owned(),
            blocking: false,
        })
    }

    fn undeclared_models(&self, declaration: &Declaration) -> Vec<Problem> {
        let places = declaration
            .models
            .iter()
            .filter_map(|model| model.place.as_ref()?.env.as_deref());
        let declared: Vec<_> = places
            .chain(declaration.bindings.iter().filter_map(|binding| binding.env.as_deref()))
            .collect();
        let mut problems = Vec::new();
        for (at, container) in self.containers() {
            for (index, variable) in list(container, "env") {
                let name = text(variable, "name");
                let credential = variable
                    .get("valueFrom")
                    .is_some_and(|from| from.get("secretKeyRef").is_some());
                if credential || declared.contains(&name) || !names_a_model(name) {
                    continue;
                }
                problems.push(Problem {
                    reason: ProblemReason::UndeclaredModel,
                    object: self.object.clone(),
                    field: format!("{at}.env[{index}]"),
                    message: format!(
                        "`{name}` looks like a model or its endpoint, and is declared neither as model nor as binding"
                    ),
                    fix: format!("add it to the Agent's `models` (`in: {{env: {name}}}`) or `bindings`"),
                    blocking: false,
                });
            }
        }
        problems
    }
}

fn not_kept(name: &str, manifest: &Value) -> Option<Problem> {
    let kept = annotations(manifest).any(|(key, value)| match key {
        "helm.sh/resource-policy" => value == "keep",
        "argocd.argoproj.io/sync-options" => value
            .split(',')
            .any(|option| matches!(option.trim(), "PruneLast=true" | "Prune=false")),
        "kustomize.toolkit.fluxcd.io/prune" => value.eq_ignore_ascii_case("disabled"),
        _ => false,
    });
    (!kept).then(|| Problem {
        reason: ProblemReason::ConfigNotKept,
        object: format!("ConfigMap/{name}"),
        field: "metadata.annotations".to_owned(),
        message: "it would be pruned while pods of the release before still need it".to_owned(),
        fix: KEPT.to_owned(),
        blocking: false,
    })
}

fn annotations(object: &Value) -> impl Iterator<Item = (&str, &str)> {
    let annotations = object
        .get("metadata")
        .and_then(|metadata| metadata.get("annotations")?.as_object());
    annotations
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

fn is_config_map(manifest: &Value, name: &str) -> bool {
    text(manifest, "kind") == "ConfigMap"
        && manifest
            .get("metadata")
            .is_some_and(|metadata| text(metadata, "name") == name)
}

/// Whether a name ends in a hash of the content: kustomize's ten letters, or at least eight hexadecimal digits or the like.
fn hash_named(name: &str) -> bool {
    let last = name.rsplit(['-', '.']).next().unwrap_or_default();
    let kustomize = last.len() == 10 && last.bytes().all(|letter| b"bcdfghkmt2456789".contains(&letter));
    let hexadecimal = last.len() >= 8 && last.bytes().all(|letter| matches!(letter, b'0'..=b'9' | b'a'..=b'f'));
    last.len() < name.len() && (kustomize || hexadecimal)
}

/// Whether a variable of this name usually says which model answers, or where.
#[must_use]
pub fn names_a_model(variable: &str) -> bool {
    let name = variable.to_ascii_uppercase();
    let secret = ["KEY", "TOKEN", "SECRET", "PASSWORD"]
        .iter()
        .any(|word| name.ends_with(word));
    let named = name == "MODEL" || name.ends_with("_MODEL") || name.contains("_MODEL_");
    !secret && (named || MODEL_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}
