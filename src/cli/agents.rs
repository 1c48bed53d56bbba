//! Agents among manifests: each with its workloads, its configuration, and what it really is.
//!
//! Takes [`Manifests`], gives what core makes of every Agent in them. Needs no cluster; whoever has one adds what is only there.

mod config;

pub(crate) use self::config::{ConfigError, config_object};

use super::{
    Advice,
    manifests::{Manifest, Manifests, Origin},
    schema::{self, SchemaError},
};
use vouchsafe_api::{Agent, GROUP, lower};
use vouchsafe_core::{
    digest::ReleaseDigest,
    surface::{ConfigObject, Content, Declaration, Objects, Problem, Resolved, Workload, advise, resolve},
};

/// The annotation by which a workload's template claims its release.
pub(crate) const CLAIM: &str = "vouchsafe.dev/release";

/// Why agents cannot be worked out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    /// There is none.
    #[error("there is no Agent among {0} objects")]
    NoAgent(usize),
    /// There is none of this name.
    #[error("there is no Agent `{0}`; there are: {1}")]
    NoSuchAgent(String, String),
    /// An Agent is not one.
    #[error(transparent)]
    Agent(#[from] SchemaError),
    /// Configuration that the API server would not take.
    #[error("{object} ({origin}) cannot be read")]
    Config {
        /// The object.
        object: String,
        /// Where it is.
        origin: Origin,
        /// Why.
        source: ConfigError,
    },
}

impl Advice for AgentError {
    fn fix(&self) -> String {
        let words = match self {
            Self::NoAgent(_) => "add an Agent to the manifests; `vouchsafe adopt` writes one for an existing workload",
            Self::NoSuchAgent(..) => "name one of them, or leave `--agent` out",
            Self::Agent(error) => return error.fix(),
            Self::Config { .. } => "correct the field",
        };
        words.to_owned()
    }
}

/// An agent as manifests describe it.
#[derive(Debug)]
pub(crate) struct Described {
    /// Its name.
    pub(crate) name: String,
    /// Its namespace, when anything says it.
    pub(crate) namespace: Option<String>,
    /// What it declares.
    pub(crate) declaration: Declaration,
    /// Its workloads.
    pub(crate) workloads: Vec<Workload>,
    /// The configuration of its namespace.
    pub(crate) objects: Objects,
}

/// An agent that was worked out.
#[derive(Debug)]
pub(crate) struct Known {
    /// The agent.
    pub(crate) agent: Described,
    /// What it is.
    pub(crate) resolved: Resolved,
    /// The digest of that.
    pub(crate) release: ReleaseDigest,
    /// What is wrong with it, and what would get in the way later.
    pub(crate) problems: Vec<Problem>,
}

impl Known {
    /// What stands in the way everywhere.
    pub(crate) fn blocking(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.blocking)
    }

    /// The workloads, as `Kind/name`.
    pub(crate) fn workload_titles(&self) -> Vec<String> {
        let title = |workload: &Workload| {
            let name = workload.object.pointer("/metadata/name").and_then(|name| name.as_str());
            let kind = super::manifests::word(&workload.object, "kind");
            format!("{kind}/{}", name.unwrap_or_default())
        };
        self.agent.workloads.iter().map(title).collect()
    }
}

/// The agents that manifests describe, all or the one of this name; `namespace` is where they are to be applied.
pub(crate) fn find(
    manifests: &Manifests,
    namespace: Option<&str>,
    only: Option<&str>,
) -> Result<Vec<Described>, AgentError> {
    let default = manifests.namespace(namespace);
    let all: Vec<_> = manifests.of(GROUP, "Agent").collect();
    let chosen: Vec<_> = all
        .iter()
        .filter(|agent| only.is_none_or(|name| agent.name() == name))
        .collect();
    match (chosen.is_empty(), only) {
        (true, Some(name)) if !all.is_empty() => {
            let names: Vec<_> = all.iter().map(|agent| agent.name()).collect();
            return Err(AgentError::NoSuchAgent(name.to_owned(), names.join(", ")));
        }
        (true, _) => return Err(AgentError::NoAgent(manifests.objects.len())),
        (false, _) => {}
    }
    chosen
        .into_iter()
        .map(|agent| describe(agent, manifests, default.as_deref()))
        .collect()
}

/// Works an agent out from manifests alone, with advice.
pub(crate) fn know(agent: Described, manifests: &Manifests) -> Known {
    let resolved = resolved(&agent, &agent.objects);
    with_advice(agent, resolved, manifests)
}

/// What an agent is, with configuration from there.
pub(crate) fn resolved(agent: &Described, content: &dyn Content) -> Resolved {
    resolve(&agent.declaration, &agent.workloads, content)
}

/// An agent that was worked out, with advice from the manifests.
pub(crate) fn with_advice(agent: Described, resolved: Resolved, manifests: &Manifests) -> Known {
    let raw: Vec<_> = manifests
        .objects
        .iter()
        .map(|manifest| manifest.object.clone())
        .collect();
    let mut problems = resolved.problems.clone();
    problems.extend(advise(&agent.declaration, &agent.workloads, &raw));
    problems.sort_by(|a, b| b.blocking.cmp(&a.blocking).then_with(|| a.cmp(b)));
    problems.dedup();
    Known {
        release: resolved.surface.digest(),
        agent,
        resolved,
        problems,
    }
}

fn describe(agent: &Manifest, manifests: &Manifests, default: Option<&str>) -> Result<Described, AgentError> {
    let namespace = agent.namespace().or(default);
    let here = |manifest: &&Manifest| manifest.namespace().or(default) == namespace;
    let declaration = lower::agent(&schema::typed::<Agent>(agent)?.spec);
    let mut workloads = Vec::new();
    for reference in &declaration.workloads {
        let meant = manifests
            .objects
            .iter()
            .filter(here)
            .filter(|manifest| reference.selects(&manifest.object));
        workloads.extend(meant.map(|manifest| Workload {
            role: reference.role.clone(),
            object: manifest.object.clone(),
        }));
    }
    let mut objects = Objects::default();
    for (kind, into) in [
        ("ConfigMap", &mut objects.config_maps),
        ("Secret", &mut objects.secrets),
    ] {
        for manifest in manifests.of("", kind).filter(here) {
            into.insert(manifest.name().to_owned(), configuration(manifest)?);
        }
    }
    Ok(Described {
        name: agent.name().to_owned(),
        namespace: namespace.map(str::to_owned),
        declaration,
        workloads,
        objects,
    })
}

/// What the ConfigMaps of some manifests hold.
pub(crate) fn config_maps(manifests: &Manifests) -> Result<Vec<ConfigObject>, AgentError> {
    manifests.of("", "ConfigMap").map(configuration).collect()
}

fn configuration(manifest: &Manifest) -> Result<ConfigObject, AgentError> {
    config_object(&manifest.object).map_err(|source| AgentError::Config {
        object: manifest.title(),
        origin: manifest.origin.clone(),
        source,
    })
}
