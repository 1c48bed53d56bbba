//! Gathering what is known for a decision on one Promotion.
//!
//! Takes the world, gives [`Facts`]: what counts in this namespace, of this tenant, about this release. Whether a stamp is true the API
//! server has judged. The only request to the API server is the access review that tells who can write workloads.

use super::Context;
use crate::observe::World;
use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{Api, ResourceExt, api::PostParams};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use vouchsafe_api::{Approval, Promotion, approval::Scope, lower, promotion::status::Verdict};
use vouchsafe_core::{
    decision::{
        ApprovalFact, Author, CheckRule, EvidenceFact, FactProblem, Facts, Person, Policy, Run, SignatureFact,
        UnknownAuthor, WaiverFact,
    },
    surface::{Facet, Surface},
};

/// Everything known about one Promotion.
pub(crate) async fn gather(promotion: &Promotion, surface: &Surface, policy: &Policy, context: &Context) -> Facts {
    let world = &context.world;
    let namespace = promotion.namespace().unwrap_or_default();
    let state = world.state(&namespace, &promotion.spec.agent);
    let deployed = state.filter(|state| state.release == promotion.spec.release);
    let approvals = approvals(promotion, &namespace, world);
    let requester = requester(promotion, &context.settings.identity);
    let status = promotion.status.clone().unwrap_or_default();
    // Who can write workloads decides only who is independent.
    let matters = policy.unknown_author == UnknownAuthor::ExtraApproval;
    let (evidence, unreadable): (Vec<_>, Vec<_>) = evidence(promotion, surface, &namespace, policy, world)
        .into_iter()
        .partition(Result::is_ok);
    Facts {
        evidence: evidence.into_iter().filter_map(Result::ok).collect(),
        signatures: signatures(promotion, surface, &namespace, policy, context),
        indexes: BTreeMap::new(),
        writers: if matters {
            writers(&approvals, &namespace, context).await
        } else {
            BTreeSet::new()
        },
        approvals,
        waivers: waivers(promotion, &namespace, world),
        author: author(requester.as_ref()),
        requester,
        runs: runs(promotion, policy, &namespace, world),
        problems: deployed
            .map(|state| state.resolved.problems.clone())
            .unwrap_or_default(),
        unknown: unreadable.into_iter().filter_map(Result::err).collect(),
        bindings_changed_at: status.bindings.as_ref().and_then(|bindings| bindings.changed),
        past: promotion.status.as_ref().map(lower::past),
        seen: lower::seen(&status),
        grandfathered: false,
        superseded: is_superseded(promotion, &namespace, context),
    }
}

/// Namespaces of the same tenant, this one included.
fn is_of_tenant(world: &World, namespace: &str, other: &str) -> bool {
    namespace == other || world.tenant_of(namespace) == world.tenant_of(other)
}

fn evidence(
    promotion: &Promotion,
    surface: &Surface,
    namespace: &str,
    policy: &Policy,
    world: &World,
) -> Vec<Result<EvidenceFact, FactProblem>> {
    let checks: BTreeSet<_> = policy
        .requires
        .iter()
        .map(|requirement| requirement.check.as_str())
        .collect();
    let mut subjects: BTreeSet<_> = surface
        .components()
        .iter()
        .map(|component| component.digest.to_string())
        .collect();
    subjects.insert(promotion.spec.release.to_string());
    let mut found = world.evidence.state_filter(|evidence| {
        checks.contains(evidence.spec.check.as_str())
            && subjects.contains(&evidence.spec.subject.digest)
            && is_of_tenant(world, namespace, evidence.namespace().as_deref().unwrap_or_default())
    });
    found.sort_by_key(|evidence| (evidence.namespace(), evidence.name_any()));
    super::evidence::newest(&found)
        .into_iter()
        .map(lower::evidence)
        .collect()
}

/// Where the images are: as the workloads name them, and as whoever asked says. The digest is what counts, wherever it is fetched from.
fn signatures(
    promotion: &Promotion,
    surface: &Surface,
    namespace: &str,
    policy: &Policy,
    context: &Context,
) -> Vec<SignatureFact> {
    let mut facts = Vec::new();
    let asker = context.traces.as_ref().and_then(|traces| traces.of(promotion));
    for requirement in &policy.requires {
        let Some(CheckRule::Signature { authorities, .. }) = requirement.definition.as_ref().map(|check| &check.rule)
        else {
            continue;
        };
        let images: BTreeSet<_> = surface
            .of(Facet::Image)
            .filter_map(|image| image.summary.clone())
            .collect();
        facts.extend(
            context
                .signatures
                .facts(namespace, &requirement.check, authorities, &images, asker.as_ref()),
        );
    }
    facts
}

/// Votes that count here: made in this namespace, or for the whole environment in one of its namespaces of the same tenant.
fn approvals(promotion: &Promotion, namespace: &str, world: &World) -> Vec<ApprovalFact> {
    let environment = &promotion.spec.environment;
    let counts = |approval: &Approval| {
        let made_in = approval.namespace().unwrap_or_default();
        let here = made_in == namespace;
        let wide = approval.spec.scope == Scope::Environment
            && world.environment_of(&made_in) == *environment
            && is_of_tenant(world, namespace, &made_in);
        approval.spec.promotion == promotion.name_any()
            && approval.spec.release == promotion.spec.release
            && approval.spec.environment == *environment
            && (here || wide)
    };
    let found = world.approvals.state_filter(counts);
    found
        .iter()
        .filter_map(|approval| lower::approval(approval).ok())
        .collect()
}

fn waivers(promotion: &Promotion, namespace: &str, world: &World) -> Vec<WaiverFact> {
    let found = world.waivers.state_filter(|waiver| {
        waiver.namespace().as_deref() == Some(namespace) && waiver.spec.release == promotion.spec.release
    });
    found.iter().filter_map(|waiver| lower::waiver(waiver).ok()).collect()
}

/// Who asked; nobody when the operator did.
fn requester(promotion: &Promotion, operator: &str) -> Option<Person> {
    let stamp = promotion.spec.requested_by.as_ref()?;
    (stamp.username != operator).then(|| lower::person(stamp))
}

/// A person who asks with manifests in hand wrote them, or answers for them as if. A service account did neither.
fn author(requester: Option<&Person>) -> Author {
    match requester {
        Some(person) if !person.is_service_account() => Author::Known(BTreeSet::from([person.username.clone()])),
        _ => Author::Unknown,
    }
}

/// The same release in the environments that come before, of the same tenant.
fn runs(promotion: &Promotion, policy: &Policy, namespace: &str, world: &World) -> Vec<Run> {
    let before: BTreeSet<_> = policy.after.iter().map(|before| before.environment.as_str()).collect();
    let same = world.promotions.state_filter(|other| {
        let theirs = other.namespace().unwrap_or_default();
        other.spec.release == promotion.spec.release
            && before.contains(other.spec.environment.as_str())
            && world.environment_of(&theirs) == other.spec.environment
            && is_of_tenant(world, namespace, &theirs)
    });
    let run = |other: &Arc<Promotion>| {
        let status = other.status.clone().unwrap_or_default();
        Run {
            environment: other.spec.environment.clone(),
            namespace: other.namespace().unwrap_or_default(),
            cleared: status.verdict == Some(Verdict::Cleared),
            healthy_since: status.healthy_since,
        }
    };
    same.iter().map(run).collect()
}

/// What the operator asked for because it was deployed, and is not deployed any more, without ever having been cleared.
fn is_superseded(promotion: &Promotion, namespace: &str, context: &Context) -> bool {
    let Some(state) = context.world.state(namespace, &promotion.spec.agent) else {
        return false;
    };
    let by_operator = requester(promotion, &context.settings.identity).is_none();
    let never_cleared = promotion
        .status
        .as_ref()
        .is_none_or(|status| status.cleared_at.is_none());
    let was_deployed = promotion
        .status
        .as_ref()
        .is_some_and(|status| status.deployed_at.is_some());
    state.release != promotion.spec.release && never_cleared && (by_operator || was_deployed)
}

/// Who can write workloads, by namespace and user; asked anew after a minute.
#[derive(Default)]
pub(crate) struct Writers {
    known: Mutex<HashMap<(String, String), (bool, Instant)>>,
}

const WRITERS_AGE: Duration = Duration::from_secs(60);
const MAX_WRITERS: usize = 4096;

async fn writers(approvals: &[ApprovalFact], namespace: &str, context: &Context) -> BTreeSet<String> {
    let people: BTreeMap<_, _> = approvals
        .iter()
        .map(|approval| (&approval.by.username, &approval.by))
        .collect();
    let mut writers = BTreeSet::new();
    for (username, person) in people {
        if can_write(person, namespace, context).await {
            writers.insert(username.clone());
        }
    }
    writers
}

/// Who cannot be asked about is taken for a writer: an approval too few waits, one too many lets in.
async fn can_write(person: &Person, namespace: &str, context: &Context) -> bool {
    let key = (namespace.to_owned(), person.username.clone());
    let known = context
        .writers
        .known
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&key)
        .copied();
    if let Some((writes, asked)) = known
        && asked.elapsed() < WRITERS_AGE
    {
        return writes;
    }
    let writes = review(person, namespace, context).await.unwrap_or(true);
    let mut known = context.writers.known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MAX_WRITERS {
        known.clear();
    }
    known.insert(key, (writes, Instant::now()));
    writes
}

async fn review(person: &Person, namespace: &str, context: &Context) -> Result<bool, kube::Error> {
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(person.username.clone()),
            groups: Some(person.groups.iter().cloned().collect()),
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                verb: Some("patch".to_owned()),
                group: Some("apps".to_owned()),
                resource: Some("deployments".to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api = Api::<SubjectAccessReview>::all(context.world.client.clone());
    let answer = api.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// When the bindings got their present values, and what to remember of them.
pub(crate) fn bindings(
    promotion: &Promotion,
    world: &World,
    now: Timestamp,
) -> Option<vouchsafe_api::promotion::status::Bindings> {
    let namespace = promotion.namespace().unwrap_or_default();
    let before = promotion.status.as_ref().and_then(|status| status.bindings.clone());
    let Some(state) = world
        .state(&namespace, &promotion.spec.agent)
        .filter(|state| state.release == promotion.spec.release)
    else {
        return before;
    };
    let digest = state.resolved.binding_digest;
    match before {
        Some(before) if before.digest == digest => Some(before),
        Some(_) => Some(vouchsafe_api::promotion::status::Bindings {
            digest,
            changed: Some(now),
        }),
        None => Some(vouchsafe_api::promotion::status::Bindings { digest, changed: None }),
    }
}
