//! What policies in CEL see of a surface.
//!
//! Only what is hashed gets here: never a summary. A list whose components' values are not all known (over [`super::MAX_VALUE`], or left
//! out of a claim) is left out as a whole, so that a policy which reads it errs instead of overlooking something.

use super::{Component, Facet, Resolution, Surface};
use serde_json::{Map, Value, json};

/// Facets as lists, under the names that policies use; and whether a component is nothing without its value.
const LISTS: [(Facet, &str, bool); 11] = [
    (Facet::Image, "images", false),
    (Facet::Container, "containers", true),
    (Facet::Pod, "pods", true),
    (Facet::Config, "config", false),
    (Facet::Prompt, "prompts", false),
    (Facet::Model, "models", true),
    (Facet::ToolServer, "toolServers", true),
    (Facet::Tool, "tools", true),
    (Facet::Delegate, "delegates", true),
    (Facet::Data, "data", true),
    (Facet::Binding, "bindings", true),
];

impl Surface {
    /// The surface as policies see it: `{agent, images, containers, pods, config, prompts, models, toolServers, tools, delegates, data,
    /// bindings, unresolved, omitted}`.
    ///
    /// Every element has `name`, `digest` and `resolution`, and the fields of its value beside them (those of the value never win).
    /// `unresolved` and `omitted` list names as `Facet/name`; a list with an omitted element is not there at all.
    #[must_use]
    pub fn expression_input(&self) -> Value {
        let mut input = Map::new();
        let mut omitted = Vec::new();
        let agent = self.of(Facet::Agent).next();
        if let Some(value) = agent.and_then(|agent| agent.value.clone()) {
            input.insert("agent".to_owned(), value);
        }
        for (facet, name, needs_value) in LISTS {
            let declared = agent.and_then(|agent| agent.value.as_ref()?.get(name));
            let lacking = |component: &&Component| needs_value && lacks_value(component, declared);
            let missing: Vec<_> = self.of(facet).filter(lacking).map(label).collect();
            if missing.is_empty() {
                input.insert(
                    name.to_owned(),
                    self.of(facet).map(|component| element(component, declared)).collect(),
                );
            }
            omitted.extend(missing);
        }
        input.insert("unresolved".to_owned(), self.unresolved().map(label).collect());
        input.insert("omitted".to_owned(), json!(omitted));
        Value::Object(input)
    }
}

/// A model that is pinned by digest has no value: what is known of it is in the Agent's.
fn lacks_value(component: &Component, declared: Option<&Value>) -> bool {
    let known = component.value.is_some() || declared.is_some_and(|by_name| by_name.get(&component.name).is_some());
    !known && component.resolution != Resolution::Unresolved
}

fn label(component: &Component) -> String {
    format!("{}/{}", component.facet, component.name)
}

/// A component as an object. `declared` is what the Agent component says of this facet by name (how a model is pinned, where a prompt is).
fn element(component: &Component, declared: Option<&Value>) -> Value {
    let mut element = Map::new();
    for fields in [
        declared.and_then(|by_name| by_name.get(&component.name)),
        component.value.as_ref(),
    ] {
        element.extend(fields.and_then(Value::as_object).cloned().unwrap_or_default());
    }
    element.insert("name".to_owned(), json!(component.name));
    element.insert("digest".to_owned(), json!(component.digest));
    element.insert("resolution".to_owned(), json!(component.resolution));
    Value::Object(element)
}
