//! Judging pods: which release of which agent a pod is, and whether all of it is accounted for.
//!
//! Takes a pod as stored, raw; gives what it is as a profile, or why it cannot be let in. The configuration that it mounts is read anew
//! where `fresh` says so: a profile is only as good as the bytes that were hashed after they were protected.

use super::{owners, token};
use crate::{
    enforce::{Context, Error, health, write},
    observe::{AgentState, content, workloads},
};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use vouchsafe_core::{
    clearance::{Exempt, Images, OwnerKind, Profile, Subject, differences, exempted, without_controller_additions},
    digest::Digest,
    surface::{ConfigReference, Problem, Resolved, of_pod},
};

/// What a pod was found to be.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// Of which agent, in which role, which release.
    pub(crate) subject: Subject,
    /// Its bindings.
    pub(crate) bindings: Digest,
    /// As the ledger holds it.
    pub(crate) profile: Profile,
    /// What it is made of.
    pub(crate) configuration: Vec<ConfigReference>,
}

/// Why a pod stays out, whatever is cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unaccounted {
    /// A stable word.
    pub(crate) reason: &'static str,
    /// A sentence, with what to do.
    pub(crate) message: String,
}

/// What pods are judged by.
pub(crate) struct Judge<'a> {
    pub(crate) context: &'a Context,
    pub(crate) namespace: &'a str,
    pub(crate) states: &'a BTreeMap<String, Arc<AgentState>>,
    pub(crate) exempt: &'a [Exempt],
    /// Read configuration anew.
    pub(crate) fresh: bool,
}

impl Judge<'_> {
    /// Judges one pod.
    pub(crate) async fn judge(&self, pod: &DynamicObject) -> Result<Result<Judged, Unaccounted>, Error> {
        let mut chain = owners::of(self.context, self.namespace, pod).await?;
        chain.insert(0, Arc::new(pod.clone()));
        let raw = workloads::json(pod);
        let token = token::injected();
        let Some((agent, state, index)) = self.declared(&chain) else {
            return Ok(Err(self.undeclared(&raw, &chain)));
        };
        let Some(maker) = chain.get(1).or_else(|| chain.first()) else {
            return Ok(Err(self.undeclared(&raw, &chain)));
        };
        let maker = workloads::json(maker);
        if let Some(difference) = differences(&maker, &raw, &token, self.exempt).first() {
            let kind = maker.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
            return Ok(Err(Unaccounted {
                reason: "PodDiffersFromTemplate",
                message: format!(
                    "{}: {}; nothing in the template of its {kind} explains that: take away what adds it, or exempt it in the Environment",
                    difference.field, difference.message
                ),
            }));
        }
        let owner = OwnerKind::of(&maker);
        let cleaned = without_controller_additions(&maker, &raw, &token, self.exempt);
        let resolved = self.resolve(state, index, &cleaned).await;
        let profile = match Profile::of_pod(&raw, &token, owner, Images::Pinned) {
            Ok(profile) => profile,
            Err(error) => {
                return Ok(Err(Unaccounted {
                    reason: "PodWithoutProfile",
                    message: error.to_string(),
                }));
            }
        };
        if let Some(problem) = resolved.problems.iter().find(|problem| problem.blocking) {
            return Ok(Err(blocked(problem)));
        }
        let role = state
            .workloads
            .get(index)
            .map(|found| found.role.clone())
            .unwrap_or_default();
        Ok(Ok(Judged {
            subject: Subject {
                agent: agent.clone(),
                role,
                release: resolved.surface.digest(),
            },
            bindings: resolved.binding_digest,
            profile,
            configuration: resolved.configuration,
        }))
    }

    /// The agent that means one of these objects, by uid, and which of its workloads that is.
    fn declared(&self, chain: &[Arc<DynamicObject>]) -> Option<(&String, &Arc<AgentState>, usize)> {
        let meant = |state: &AgentState| {
            let is_in_chain = |uid: Option<String>| uid.is_some() && chain.iter().any(|object| object.uid() == uid);
            state.workloads.iter().position(|found| is_in_chain(found.object.uid()))
        };
        // Of agents that contest a workload none is cleared but the oldest, and the digest tells them apart.
        self.states
            .iter()
            .find_map(|(name, state)| Some((name, state, meant(state)?)))
    }

    /// A pod that no agent means runs only when it is made of exempted containers alone.
    fn undeclared(&self, raw: &Value, chain: &[Arc<DynamicObject>]) -> Unaccounted {
        let owner = chain.last().map_or_else(String::new, |object| {
            format!("{}/{}", workloads::kind_of(object), object.name_any())
        });
        if self.exempt.is_empty() || !exempted(raw, &token::injected(), self.exempt).is_empty() {
            return Unaccounted {
                reason: NOT_DECLARED,
                message: format!(
                    "no Agent in this namespace names {owner}; add it to an Agent's spec.workloads: kubectl vouchsafe adopt {owner}"
                ),
            };
        }
        Unaccounted {
            reason: EXEMPTED,
            message: String::new(),
        }
    }

    async fn resolve(&self, state: &AgentState, index: usize, cleaned: &Value) -> Resolved {
        let all: Vec<_> = state.workloads.iter().map(workloads::Found::workload).collect();
        let world = &self.context.world;
        let version = |name: &str| {
            if self.fresh {
                None
            } else {
                world.config_version(self.namespace, name)
            }
        };
        let resolving = |at_hand: &content::AtHand| of_pod(&state.declaration, &all, index, cleaned, at_hand);
        content::with_content(&world.client, &world.kept, self.namespace, &version, resolving).await
    }
}

/// The reason of a pod that no agent means.
pub(crate) const NOT_DECLARED: &str = "NotDeclared";
/// The reason of a pod that is made of exempted containers alone: no reason to hold it.
pub(crate) const EXEMPTED: &str = "Exempted";

fn blocked(problem: &Problem) -> Unaccounted {
    Unaccounted {
        reason: problem.reason.as_str(),
        message: format!(
            "{} {}: {}; {}",
            problem.object, problem.field, problem.message, problem.fix
        ),
    }
}

/// Every pod of a namespace, as stored, but for those that have ended.
pub(crate) async fn all(context: &Context, namespace: &str) -> Result<Vec<DynamicObject>, Error> {
    let resource = workloads::resource("v1", "Pod");
    let api: Api<DynamicObject> = Api::namespaced_with(context.world.client.clone(), namespace, &resource);
    let running = ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed");
    let listed = api
        .list(&running)
        .await
        .map_err(write::failed("list the pods of", namespace.to_owned()))?;
    let mut pods = listed.items;
    for pod in &mut pods {
        pod.types = Some(kube::api::TypeMeta {
            api_version: resource.api_version.clone(),
            kind: resource.kind.clone(),
        });
        pod.metadata.managed_fields = None;
    }
    Ok(pods)
}

/// Whether every pod of the agent's workloads is of its present release, and ready.
pub(crate) async fn are_all_of(
    context: &Context,
    namespace: &str,
    agent: &str,
    state: &AgentState,
) -> Result<bool, Error> {
    let states = BTreeMap::from([(agent.to_owned(), Arc::new(state.clone()))]);
    let judge = Judge {
        context,
        namespace,
        states: &states,
        exempt: &[],
        fresh: false,
    };
    let mut theirs = 0_usize;
    for pod in all(context, namespace).await? {
        if pod.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let mut chain = owners::of(context, namespace, &pod).await?;
        chain.insert(0, Arc::new(pod.clone()));
        if judge.declared(&chain).is_none() {
            continue;
        }
        theirs += 1;
        let same = judge
            .judge(&pod)
            .await?
            .is_ok_and(|judged| judged.subject.release == state.release);
        if !same || !health::is_ready(&workloads::json(&pod)) {
            return Ok(false);
        }
    }
    let resting = state
        .workloads
        .iter()
        .all(|found| matches!(workloads::kind_of(&found.object), "Job" | "CronJob"));
    Ok(theirs > 0 || resting)
}
