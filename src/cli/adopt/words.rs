//! The guess as a manifest with comments.

use super::guess::{Guess, Place, pattern};
use std::fmt::{self, Write as _};
use vouchsafe_api::{GROUP, VERSION};

/// The manifest.
pub(super) fn manifest(guess: &Guess) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(guess, &mut text);
    text
}

fn write(guess: &Guess, to: &mut String) -> fmt::Result {
    writeln!(
        to,
        "# A guess from what is deployed. Complete what is marked TODO; `vouchsafe digest -f` says what is still open."
    )?;
    writeln!(
        to,
        "apiVersion: {GROUP}/{VERSION}\nkind: Agent\nmetadata:\n  name: {}",
        quoted(&guess.name)
    )?;
    if let Some(namespace) = &guess.namespace {
        writeln!(to, "  namespace: {}", quoted(namespace))?;
    }
    match &guess.team {
        Some(team) => writeln!(to, "spec:\n  owner:\n    team: {}", quoted(team))?,
        None => writeln!(to, "spec:\n  owner:\n    team: TODO            # who answers for it")?,
    }
    writeln!(to, "    # contact: team@example.com")?;
    writeln!(to, "  # purpose: what it is for, in a sentence")?;
    writeln!(to, "  # autonomy: Supervised | Bounded | Autonomous")?;
    writeln!(to, "  workloads:")?;
    for [role, api_version, kind, name] in &guess.workloads {
        let words = [role, api_version, kind, name].map(|word| quoted(word));
        writeln!(
            to,
            "  - {{role: {}, apiVersion: {}, kind: {}, name: {}}}",
            words[0], words[1], words[2], words[3]
        )?;
    }
    for image in &guess.tagged {
        writeln!(
            to,
            "  # image {} is a tag: `vouchsafe pin -f … --write` pins it",
            quoted(image)
        )?;
    }
    prompts(guess, to)?;
    models(guess, to)?;
    tools(to)?;
    bindings(guess, to)
}

fn prompts(guess: &Guess, to: &mut String) -> fmt::Result {
    if guess.prompts.is_empty() {
        return writeln!(
            to,
            "  # prompts: [{{name: system, in: {{role: server, container: agent, path: /etc/agent/system.md}}}}]"
        );
    }
    writeln!(to, "  prompts:")?;
    for (name, place) in unique(&guess.prompts) {
        writeln!(to, "  - {{name: {}, in: {}}}", quoted(&name), at(place, "path"))?;
    }
    Ok(())
}

fn models(guess: &Guess, to: &mut String) -> fmt::Result {
    if guess.models.is_empty() {
        return writeln!(
            to,
            "  # models: [{{name: main, provider: openai, pin: Version, in: {{role: server, container: agent, env: MODEL}}}}]"
        );
    }
    writeln!(
        to,
        "  models:               # pin: Digest | Version (its provider keeps it) | Floating (it can move)"
    )?;
    for (name, place) in unique(&guess.models) {
        writeln!(
            to,
            "  - {{name: {}, pin: Version, in: {}}}",
            quoted(&name),
            at(place, "env")
        )?;
    }
    Ok(())
}

fn tools(to: &mut String) -> fmt::Result {
    writeln!(
        to,
        "  # toolServers: [{{name: payments, binding: payments-url, transport: StreamableHTTP}}]"
    )?;
    writeln!(
        to,
        "  # tools: [{{name: refund.create, server: payments, effect: Write, requiresApproval: true, definitionDigest: \"sha256:…\"}}]"
    )?;
    writeln!(
        to,
        "  # data: [{{name: customer-records, classification: Confidential, access: [Read], through: [crm-url]}}]"
    )
}

fn bindings(guess: &Guess, to: &mut String) -> fmt::Result {
    if guess.endpoints.is_empty() && guess.secrets.is_empty() {
        return Ok(());
    }
    writeln!(
        to,
        "  bindings:             # what may differ between environments; widen the patterns as far as it really may"
    )?;
    for (name, (variable, value)) in &guess.endpoints {
        let pattern = pattern(value);
        writeln!(
            to,
            "  - {{name: {}, env: {}, pattern: {}}}",
            quoted(name),
            quoted(variable),
            quoted(&pattern)
        )?;
    }
    for (name, path) in &guess.secrets {
        writeln!(to, "  - {{name: {}, secretMount: {}}}", quoted(name), quoted(path))?;
    }
    Ok(())
}

/// Each name once; a second one gets a number.
fn unique(named: &[(String, Place)]) -> Vec<(String, &Place)> {
    let mut all: Vec<(String, &Place)> = Vec::new();
    for (name, place) in named {
        let taken = all
            .iter()
            .filter(|(other, _)| other == name || other.starts_with(&format!("{name}-")))
            .count();
        let name = if taken == 0 {
            name.clone()
        } else {
            format!("{name}-{}", taken + 1)
        };
        all.push((name, place));
    }
    all
}

fn at(place: &Place, field: &str) -> String {
    let [role, container, at] = [&place.role, &place.container, &place.at].map(|word| quoted(word));
    format!("{{role: {role}, container: {container}, {field}: {at}}}")
}

/// A text that YAML reads as that text: bare where that is safe, else as JSON.
fn quoted(text: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '/' | '.');
    let starts = text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/');
    let word =
        ["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if starts && !word && text.chars().all(bare) {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}
