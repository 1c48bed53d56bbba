//! The refund agent: a declaration, a Deployment of four images, and ConfigMaps.

use serde_json::Value;
use vouchsafe_core::surface::{ConfigObject, Declaration, Objects, Workload};

/// An agent, as it is read from the cluster.
pub(crate) struct Agent {
    /// What it declares.
    pub(crate) declaration: Declaration,
    /// Its one workload.
    pub(crate) workloads: Vec<Workload>,
    /// Its configuration.
    pub(crate) objects: Objects,
}

/// The agent, with a system prompt and another file of these sizes in bytes.
pub(crate) fn agent(prompt: usize, style: usize) -> Agent {
    let yaml = |text: &str| serde_saphyr::from_str::<Value>(text).expect("it is YAML");
    let declaration = yaml(include_str!("../../src/surface/tests/agent.yaml"));
    let mut objects = Objects::default();
    let mut config = |name: &str, data: Vec<(&str, String)>| {
        let data = data.into_iter().map(|(key, text)| (key.to_owned(), text.into_bytes()));
        let object = ConfigObject {
            data: data.collect(),
            immutable: true,
        };
        objects.config_maps.insert(name.to_owned(), object);
    };
    let prompts = vec![("system.md", words(prompt)), ("style.md", words(style))];
    config("prompts-abc12", prompts);
    config("limits", vec![("MAX_REFUND", "50".to_owned())]);
    Agent {
        declaration: serde_json::from_value(declaration).expect("it is a declaration"),
        workloads: vec![Workload {
            role: "server".to_owned(),
            object: yaml(include_str!("../../src/surface/tests/deployment.yaml")),
        }],
        objects,
    }
}

/// So many bytes of prose, in lines.
fn words(bytes: usize) -> String {
    let line = "Refund politely, say \u{201e}danke\u{201c}, and never above 50 EUR without asking a person first.\n";
    let mut text = line.repeat(bytes / line.len() + 1);
    text.truncate((0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0));
    text
}
