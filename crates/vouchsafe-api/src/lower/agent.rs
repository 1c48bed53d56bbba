//! An Agent's spec as core's declaration. Every struct is taken apart without `..`, so that no field is forgotten.

use crate::agent::{
    AgentSpec,
    declaration::{
        Binding, DataUse, Delegate, Encryption, LabelExpression, LabelSelector, Model, Owner, Place, Prompt, Source,
        Tool, ToolServer, WorkloadReference,
    },
};
use serde_json::{Map, Value, json};
use vouchsafe_core::surface;

/// What an Agent's team declares. Total: there is nothing in it that core could not take.
#[must_use]
pub fn agent(spec: &AgentSpec) -> surface::Declaration {
    let AgentSpec {
        owner,
        purpose,
        autonomy,
        source,
        workloads,
        prompts,
        models,
        tool_servers,
        tools,
        delegates,
        data,
        bindings,
    } = spec;
    surface::Declaration {
        owner: self::owner(owner),
        purpose: purpose.clone(),
        autonomy: autonomy.map(Into::into),
        source: source.as_ref().map(self::source),
        workloads: workloads.iter().map(workload).collect(),
        prompts: prompts.iter().map(prompt).collect(),
        models: models.iter().map(model).collect(),
        tool_servers: tool_servers.iter().map(tool_server).collect(),
        tools: tools.iter().map(tool).collect(),
        delegates: delegates.iter().map(delegate).collect(),
        data: data.iter().map(data_use).collect(),
        bindings: bindings.iter().map(binding).collect(),
    }
}

fn owner(Owner { team, contact }: &Owner) -> surface::Owner {
    surface::Owner {
        team: team.clone(),
        contact: contact.clone(),
    }
}

fn source(Source { repository, revision }: &Source) -> surface::Source {
    surface::Source {
        repository: repository.clone(),
        revision: revision.clone(),
    }
}

fn workload(reference: &WorkloadReference) -> surface::WorkloadReference {
    let WorkloadReference {
        role,
        api_version,
        kind,
        name,
        selector,
    } = reference;
    surface::WorkloadReference {
        role: role.clone(),
        api_version: api_version.clone(),
        kind: kind.clone(),
        name: name.clone(),
        selector: selector.as_ref().map(self::selector),
    }
}

/// As Kubernetes writes it, without empty parts.
fn selector(
    LabelSelector {
        match_labels,
        match_expressions,
    }: &LabelSelector,
) -> Value {
    let mut selector = Map::new();
    if !match_labels.is_empty() {
        selector.insert("matchLabels".to_owned(), json!(match_labels));
    }
    if !match_expressions.is_empty() {
        let expressions: Vec<Value> = match_expressions.iter().map(expression).collect();
        selector.insert("matchExpressions".to_owned(), Value::Array(expressions));
    }
    Value::Object(selector)
}

fn expression(LabelExpression { key, operator, values }: &LabelExpression) -> Value {
    let mut expression = Map::new();
    expression.insert("key".to_owned(), json!(key));
    expression.insert("operator".to_owned(), json!(operator.as_str()));
    if !values.is_empty() {
        expression.insert("values".to_owned(), json!(values));
    }
    Value::Object(expression)
}

fn place(
    Place {
        role,
        container,
        path,
        env,
    }: &Place,
) -> surface::Place {
    surface::Place {
        role: role.clone(),
        container: container.clone(),
        path: path.clone(),
        env: env.clone(),
    }
}

fn prompt(Prompt { name, place }: &Prompt) -> surface::Prompt {
    surface::Prompt {
        name: name.clone(),
        place: self::place(place),
    }
}

fn model(
    Model {
        name,
        provider,
        pin,
        place,
        artifact,
    }: &Model,
) -> surface::Model {
    surface::Model {
        name: name.clone(),
        provider: provider.clone(),
        pin: (*pin).into(),
        place: place.as_ref().map(self::place),
        artifact: artifact.clone(),
    }
}

fn tool_server(
    ToolServer {
        name,
        binding,
        transport,
    }: &ToolServer,
) -> surface::ToolServer {
    surface::ToolServer {
        name: name.clone(),
        binding: binding.clone(),
        transport: transport.clone(),
    }
}

fn tool(
    Tool {
        name,
        server,
        effect,
        requires_approval,
        definition_digest,
    }: &Tool,
) -> surface::Tool {
    surface::Tool {
        name: name.clone(),
        server: server.clone(),
        effect: (*effect).into(),
        requires_approval: *requires_approval,
        definition_digest: definition_digest.clone(),
    }
}

fn delegate(Delegate { agent }: &Delegate) -> surface::Delegate {
    surface::Delegate { agent: agent.clone() }
}

fn data_use(data: &DataUse) -> surface::DataUse {
    let DataUse {
        name,
        classification,
        access,
        purpose,
        through,
        encryption,
    } = data;
    surface::DataUse {
        name: name.clone(),
        classification: classification.clone(),
        access: access.iter().copied().map(Into::into).collect(),
        purpose: purpose.clone(),
        through: through.clone(),
        encryption: encryption.map(self::encryption),
    }
}

fn encryption(Encryption { at_rest, in_transit }: Encryption) -> surface::Encryption {
    surface::Encryption { at_rest, in_transit }
}

fn binding(
    Binding {
        name,
        env,
        pattern,
        secret_mount,
    }: &Binding,
) -> surface::Binding {
    surface::Binding {
        name: name.clone(),
        env: env.clone(),
        pattern: pattern.clone(),
        secret_mount: secret_mount.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Every field that there is, each with a value of its own.
    fn full() -> Value {
        json!({
            "owner": {"team": "team", "contact": "contact"},
            "purpose": "purpose",
            "autonomy": "Bounded",
            "source": {"repository": "repository", "revision": "revision"},
            "workloads": [
                {"role": "server", "apiVersion": "apps/v1", "kind": "Deployment", "name": "name", "selector": null},
                {"role": "migrate", "apiVersion": "batch/v1", "kind": "Job", "name": null, "selector": {
                    "matchLabels": {"job": "migrate"},
                    "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a"]}, {"key": "x", "operator": "Exists"}],
                }},
            ],
            "prompts": [{"name": "system", "in": {"role": "server", "container": "agent", "path": "/system.md"}}],
            "models": [{"name": "main", "provider": "openai", "pin": "Version", "artifact": "oci://artifact",
                "in": {"role": "server", "env": "MODEL"}}],
            "toolServers": [{"name": "payments", "binding": "payments", "transport": "SSE"}],
            "tools": [{"name": "refund", "server": "payments", "effect": "Write", "requiresApproval": true, "definitionDigest": "sha256:1"}],
            "delegates": [{"agent": "fraud-score"}],
            "data": [{"name": "records", "classification": "Confidential", "access": ["Read", "Delete"], "purpose": "refunds",
                "through": ["crm"], "encryption": {"atRest": true, "inTransit": false}}],
            "bindings": [{"name": "crm", "env": "CRM_URL", "pattern": "x", "secretMount": "/var/run/crm"}],
        })
    }

    #[test]
    fn every_field_survives() {
        let spec: AgentSpec = serde_json::from_value(full()).unwrap();
        assert_eq!(serde_json::to_value(agent(&spec)).unwrap(), full());
    }

    #[test]
    fn the_fields_are_those_of_core() {
        let spec = serde_json::to_value(serde_json::from_value::<AgentSpec>(full()).unwrap()).unwrap();
        let core: surface::Declaration = serde_json::from_value(full()).unwrap();
        assert_eq!(serde_json::from_value::<surface::Declaration>(spec).unwrap(), core);
    }

    #[test]
    fn the_smallest_is_lowered() {
        let spec: AgentSpec = serde_json::from_value(json!({
            "owner": {"team": "support"},
            "workloads": [{"role": "server", "apiVersion": "v1", "kind": "Pod", "name": "agent"}],
        }))
        .unwrap();
        let lowered = agent(&spec);
        assert_eq!(
            (lowered.autonomy, lowered.workloads.len(), lowered.tools.len()),
            (None, 1, 0)
        );
    }
}
