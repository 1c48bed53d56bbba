//! What the Agent says of itself: components that come from its declaration alone.

use super::{
    Binding, Component, DataUse, Declaration, Facet, ModelPin, Problem, ProblemReason, Resolution, Tool, ToolServer,
    part, places, reading::Notes,
};
use serde_json::{Map, json};
use std::collections::BTreeSet;

/// All components of the declaration; what was not found in any workload is unresolved among them.
pub(super) fn read(declaration: &Declaration, notes: &mut Notes) -> Vec<Component> {
    let mut parts = vec![agent(declaration)];
    not_found(declaration, notes, &mut parts);
    for (index, server) in declaration.tool_servers.iter().enumerate() {
        parts.push(tool_server(declaration, server, index, notes));
    }
    for (index, one) in declaration.tools.iter().enumerate() {
        parts.push(tool(declaration, one, index, notes));
    }
    for delegate in &declaration.delegates {
        parts.push(part::of_value(
            Facet::Delegate,
            &delegate.agent,
            Resolution::Declared,
            json!({"agent": delegate.agent}),
        ));
    }
    for (index, data) in declaration.data.iter().enumerate() {
        parts.push(data_use(declaration, data, index, notes));
    }
    for (index, one) in declaration.bindings.iter().enumerate() {
        parts.push(binding(one, index, notes));
    }
    duplicates(declaration, notes);
    parts
}

fn agent(declaration: &Declaration) -> Component {
    let (autonomy, resolution) = match declaration.autonomy {
        Some(autonomy) => (json!(autonomy), Resolution::Declared),
        None => (json!("Undeclared"), Resolution::Defaulted),
    };
    let prompts: Map<_, _> = declaration
        .prompts
        .iter()
        .map(|prompt| (prompt.name.clone(), json!({"in": prompt.place})))
        .collect();
    let pinned = declaration.models.iter().filter(|model| model.pin == ModelPin::Digest);
    let fact = |model: &super::Model| json!({"provider": model.provider, "pin": model.pin, "in": model.place});
    let models: Map<_, _> = pinned.map(|model| (model.name.clone(), fact(model))).collect();
    part::of_value(
        Facet::Agent,
        "agent",
        resolution,
        json!({"autonomy": autonomy, "prompts": prompts, "models": models}),
    )
}

fn problem(reason: ProblemReason, field: String, message: String, fix: &str, blocking: bool) -> Problem {
    Problem {
        reason,
        object: "Agent".to_owned(),
        field,
        message,
        fix: fix.to_owned(),
        blocking,
    }
}

fn not_found(declaration: &Declaration, notes: &mut Notes, parts: &mut Vec<Component>) {
    for (index, prompt) in declaration.prompts.iter().enumerate() {
        if notes.found.contains(&(Facet::Prompt, prompt.name.clone())) {
            continue;
        }
        let message = format!("nothing that can be read is at the place of prompt `{}`", prompt.name);
        let fix =
            "correct role, container, path or env; what is there has to come from a ConfigMap, a Secret or a literal";
        notes.problems.push(problem(
            ProblemReason::PromptNotFound,
            format!("spec.prompts[{index}].in"),
            message,
            fix,
            true,
        ));
        parts.push(part::unresolved(
            Facet::Prompt,
            &prompt.name,
            json!({"unresolved": "PromptNotFound"}),
        ));
    }
    for (index, model) in declaration.models.iter().enumerate() {
        if notes.found.contains(&(Facet::Model, model.name.clone())) {
            continue;
        }
        let field = format!("spec.models[{index}]");
        if model.place.is_some() {
            let message = format!("nothing that can be read is at the place of model `{}`", model.name);
            let fix = "correct role, container, env or path";
            notes.problems.push(problem(
                ProblemReason::ModelNotFound,
                format!("{field}.in"),
                message,
                fix,
                true,
            ));
            parts.push(part::unresolved(
                Facet::Model,
                &model.name,
                json!({"unresolved": "ModelNotFound", "pin": model.pin}),
            ));
            continue;
        }
        let (component, moving) = places::of_model(model, None);
        parts.push(component);
        let fix = "name a version that its provider keeps, or the artifact by digest";
        notes
            .problems
            .extend(moving.map(|message| problem(ProblemReason::ModelFloating, field, message, fix, false)));
    }
}

fn tool_server(declaration: &Declaration, server: &ToolServer, index: usize, notes: &mut Notes) -> Component {
    let value = json!({"binding": server.binding, "transport": server.transport});
    let field = format!("spec.toolServers[{index}]");
    let bound = |name: &String| declaration.bindings.iter().any(|binding| binding.name == *name);
    let mut resolution = Resolution::Declared;
    if server.binding.as_ref().is_some_and(|name| !bound(name)) {
        resolution = Resolution::Unresolved;
        let message = format!("tool server `{}` names a binding that is not declared", server.name);
        let fix = "declare the binding, or correct its name";
        notes.problems.push(problem(
            ProblemReason::ToolServerNotBound,
            format!("{field}.binding"),
            message,
            fix,
            false,
        ));
    }
    if !declaration
        .tools
        .iter()
        .any(|tool| tool.server.as_ref() == Some(&server.name))
    {
        resolution = Resolution::Unresolved;
        let message = format!(
            "no tool of server `{}` is declared, which may mean all of them",
            server.name
        );
        notes.problems.push(problem(
            ProblemReason::ToolsUndeclared,
            field,
            message,
            "declare the tools that the agent uses",
            false,
        ));
    }
    part::of_value(Facet::ToolServer, &server.name, resolution, value)
}

fn tool(declaration: &Declaration, tool: &Tool, index: usize, notes: &mut Notes) -> Component {
    let digest = tool.definition_digest.as_deref();
    let value = json!({
        "server": tool.server, "effect": tool.effect, "requiresApproval": tool.requires_approval, "definitionDigest": digest,
    });
    let field = format!("spec.tools[{index}]");
    let mut resolution = Resolution::Declared;
    if let Some(server) = tool
        .server
        .as_ref()
        .filter(|server| !declaration.tool_servers.iter().any(|one| one.name == **server))
    {
        resolution = Resolution::Unresolved;
        let message = format!("tool `{}` is of server `{server}`, which is not declared", tool.name);
        let fix = "declare the server, or correct its name";
        notes.problems.push(problem(
            ProblemReason::ToolServerNotFound,
            format!("{field}.server"),
            message,
            fix,
            false,
        ));
    }
    let pinned = digest.is_some_and(|digest| digest.parse::<crate::digest::Digest>().is_ok());
    if !pinned && (tool.server.is_some() || digest.is_some()) {
        resolution = Resolution::Unresolved;
        let message = format!(
            "the definition of tool `{}` is not pinned, so that its server can change it",
            tool.name
        );
        let fix = "set `definitionDigest` to the SHA-256 of its definition, as `sha256:…`";
        notes.problems.push(problem(
            ProblemReason::ToolNotPinned,
            format!("{field}.definitionDigest"),
            message,
            fix,
            false,
        ));
    }
    part::of_value(Facet::Tool, &tool.name, resolution, value)
}

fn data_use(declaration: &Declaration, data: &DataUse, index: usize, notes: &mut Notes) -> Component {
    let access: BTreeSet<_> = data.access.iter().copied().collect();
    let through: BTreeSet<_> = data.through.iter().cloned().collect();
    let known = |name: &String| {
        name.starts_with('/')
            || declaration.bindings.iter().any(|binding| binding.name == *name)
            || declaration.tool_servers.iter().any(|server| server.name == *name)
    };
    let mut resolution = Resolution::Declared;
    if let Some(unknown) = through.iter().find(|name| !known(name)) {
        resolution = Resolution::Unresolved;
        let message = format!(
            "data `{}` is reached through `{unknown}`, which is neither a binding, a tool server nor a path",
            data.name
        );
        let fix = "name a declared binding or tool server, or a mount path";
        notes.problems.push(problem(
            ProblemReason::DataNotTied,
            format!("spec.data[{index}].through"),
            message,
            fix,
            false,
        ));
    }
    let value = json!({"classification": data.classification, "access": access, "through": through, "encryption": data.encryption});
    let summary = data.purpose.as_ref().map(|purpose| part::summary(purpose));
    Component {
        summary,
        ..part::of_value(Facet::Data, &data.name, resolution, value)
    }
}

fn binding(binding: &Binding, index: usize, notes: &mut Notes) -> Component {
    let used = notes.found.contains(&(Facet::Binding, binding.name.clone()));
    let about = |problem: &Problem| problem.message.contains(&format!("binding `{}`", binding.name));
    if !used && !notes.problems.iter().any(about) {
        let message = format!("nothing uses binding `{}`", binding.name);
        let fix = "correct its env or secretMount, or take it out";
        notes.problems.push(problem(
            ProblemReason::BindingUnused,
            format!("spec.bindings[{index}]"),
            message,
            fix,
            false,
        ));
    }
    let value = json!({"env": binding.env, "pattern": binding.pattern, "secretMount": binding.secret_mount});
    part::of_value(Facet::Binding, &binding.name, Resolution::Declared, value)
}

fn duplicates(declaration: &Declaration, notes: &mut Notes) {
    let named: [(&str, Vec<&String>); 7] = [
        ("prompts", declaration.prompts.iter().map(|one| &one.name).collect()),
        ("models", declaration.models.iter().map(|one| &one.name).collect()),
        (
            "toolServers",
            declaration.tool_servers.iter().map(|one| &one.name).collect(),
        ),
        ("tools", declaration.tools.iter().map(|one| &one.name).collect()),
        (
            "delegates",
            declaration.delegates.iter().map(|one| &one.agent).collect(),
        ),
        ("data", declaration.data.iter().map(|one| &one.name).collect()),
        ("bindings", declaration.bindings.iter().map(|one| &one.name).collect()),
    ];
    for (list, names) in named {
        let mut seen = BTreeSet::new();
        for (index, name) in names.into_iter().enumerate() {
            if !seen.insert(name) {
                let message = format!("`{name}` appears twice");
                let field = format!("spec.{list}[{index}]");
                notes.problems.push(problem(
                    ProblemReason::DuplicateName,
                    field,
                    message,
                    "give each its own name",
                    true,
                ));
            }
        }
    }
}
