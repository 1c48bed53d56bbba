//! What one namespace's ledger has to hold, gathered from the world.

use super::{pods::Judged, token};
use crate::{
    enforce::{Context, now},
    observe::AgentState,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::{ResourceExt, api::DynamicObject, core::PartialObjectMeta};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use vouchsafe_api::{Environment, Promotion, promotion::status::Verdict};
use vouchsafe_core::{
    clearance::{
        Around, ClearedRelease, Exempt, Grandfathered, LedgerSpec, Offered, Plan, Profile, ProfileEntry, Subject,
        Wanted, exempted, named, plan, release_key,
    },
    decision::{BindingChange, Enforcement},
    digest::{Digest, ReleaseDigest},
    surface::{ConfigReference, essence, pod_template},
};

/// A namespace as its ledger sees it.
pub(super) struct View {
    pub(super) namespace: String,
    pub(super) states: BTreeMap<String, Arc<AgentState>>,
    pub(super) exempt: Vec<Exempt>,
    pub(super) current: Option<LedgerSpec>,
    pub(super) grandfather_until: Option<Timestamp>,
    pub(super) wanted: Wanted,
    promotions: Vec<Arc<Promotion>>,
    reapprove: bool,
    /// When to look again at what nobody has declared yet.
    look_again: Option<Timestamp>,
}

impl View {
    pub(super) fn of(
        context: &Context,
        namespace: &PartialObjectMeta<Namespace>,
        environment: &Environment,
        current: Option<LedgerSpec>,
        changed: BTreeSet<String>,
    ) -> Self {
        let name = namespace.name_any();
        let states = context.world.states_of(&name);
        let promotions: Vec<_> = context.world.promotions_of(&name);
        let promotions: Vec<_> = promotions
            .into_iter()
            .filter(|promotion| promotion.spec.environment == environment.name_any())
            .collect();
        let cleared: Vec<_> = promotions
            .iter()
            .filter_map(|promotion| retained(promotion, &states))
            .collect();
        let waiting = promotions
            .iter()
            .filter_map(|promotion| waiting(promotion, &states))
            .collect();
        let exempt: Vec<_> = environment.spec.exempt.iter().map(exemption).collect();
        let existing = environment.spec.existing.as_ref();
        let around = around(context, &name, &states, &cleared);
        let mut cleared = cleared;
        cleared.extend(current.iter().flat_map(|current| still_exempted(current, &exempt)));
        let wanted = Wanted {
            environment: environment.name_any(),
            namespace_uid: namespace.uid().unwrap_or_default(),
            enforcement: Enforcement::from(environment.spec.enforcement),
            require_surge: environment.spec.hold.require_surge,
            require_debug: environment.spec.connect.require_debug,
            token: token::injected(),
            cleared,
            profiles: Vec::new(),
            grandfathered: Vec::new(),
            grandfather_until: existing.map(|existing| existing.grandfather_until),
            revoked: promotions.iter().filter_map(|promotion| revoked(promotion)).collect(),
            changed,
            around,
            waiting,
            keep_previous: environment.spec.clearance.keep_previous as usize,
        };
        Self {
            namespace: name,
            states,
            exempt,
            current,
            grandfather_until: existing
                .map(|existing| existing.grandfather_until)
                .filter(|until| *until > now()),
            wanted,
            promotions,
            look_again: None,
            reapprove: BindingChange::from(environment.spec.on_binding_change) == BindingChange::Reapprove,
        }
    }

    /// Whether enforcement begins with the next ledger.
    pub(super) fn begins(&self) -> bool {
        let enforced = self.wanted.enforcement != Enforcement::Observe;
        let before = self.current.as_ref().map(|current| current.enforcement);
        enforced && before.is_none_or(|before| before == Enforcement::Observe)
    }

    /// What has to be written.
    pub(super) fn plan(&self, now: Timestamp) -> Plan {
        plan(self.current.as_ref(), &self.wanted, now)
    }

    /// When the first thing that it holds ends, or something has to be looked at again.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        let ends = self.wanted.cleared.iter().map(|cleared| cleared.not_after);
        ends.chain(self.grandfather_until).chain(self.look_again).min()
    }

    /// Whether a pod came so lately that its Agent may be on its way: one `kubectl apply` brings both. Then it is looked at again.
    pub(super) fn is_quiet_until(&mut self, pod: &DynamicObject, quiet: Duration) -> bool {
        let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let declared_by = created.and_then(|created| created.checked_add(quiet).ok());
        let Some(declared_by) = declared_by.filter(|by| *by > now()) else {
            return false;
        };
        self.look_again = Some(self.look_again.map_or(declared_by, |other| other.min(declared_by)));
        true
    }

    /// Until when a pod that was judged may run; none when it is not cleared.
    pub(super) fn cleared_until(&self, judged: &Judged) -> Option<Timestamp> {
        let promotion = self.promotions.iter().find(|promotion| {
            promotion.spec.agent == judged.subject.agent && promotion.spec.release == judged.subject.release
        })?;
        let status = promotion.status.as_ref()?;
        let cleared = status.verdict == Some(Verdict::Cleared);
        let approved = status.bindings.as_ref().map(|bindings| bindings.digest);
        let bound = !self.reapprove || approved.is_none_or(|approved: Digest| approved == judged.bindings);
        status.not_after.filter(|end| cleared && bound && *end > now())
    }

    /// Adds a pod to what is granted.
    pub(super) fn admit(&mut self, judged: Judged) {
        self.wanted.profiles.push(Offered {
            subject: judged.subject,
            profile: judged.profile,
            configuration: judged.configuration,
        });
    }

    /// Lets a pod of exempted containers be what it is.
    pub(super) fn exempt_until(&mut self, release: ReleaseDigest, until: Timestamp) {
        if !self
            .wanted
            .cleared
            .iter()
            .any(|cleared| cleared.agent.is_empty() && cleared.release == release)
        {
            self.wanted.cleared.push(of_no_agent(release, until));
        }
    }

    /// Takes in what ran when enforcement began.
    pub(super) fn grandfather(
        &mut self,
        profile: Option<Profile>,
        template: Option<Value>,
        configuration: Vec<ConfigReference>,
        until: Timestamp,
    ) {
        let stands_for = profile.as_ref().map(|profile| &profile.spec).or(template.as_ref());
        let subject = Subject {
            agent: String::new(),
            role: String::new(),
            // Forms that differ in what means nothing are one, so that the older give way to the newer where there is no room for all.
            release: stand_in(&essence(stands_for.unwrap_or(&Value::Null))),
        };
        self.wanted.grandfather_until = Some(until);
        self.wanted.grandfathered.push(Grandfathered {
            subject,
            profile,
            template,
            configuration,
        });
    }

    /// Says why something of an agent stays out.
    pub(super) fn explain(&mut self, agent: &str, words: String) {
        self.wanted.waiting.insert(agent.to_owned(), words);
    }
}

/// What is there beside the agents, and what of it they name.
fn around(
    context: &Context,
    namespace: &str,
    states: &BTreeMap<String, Arc<AgentState>>,
    cleared: &[ClearedRelease],
) -> Around {
    let key = |release: ReleaseDigest| release_key(&release.digest().hex());
    let mut declared: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for state in states.values() {
        let names = named(&state.declaration, &state.resolved, namespace);
        declared.entry(key(state.release)).or_default().extend(names);
    }
    Around {
        namespace: namespace.to_owned(),
        there: context.world.identities.of(namespace),
        named: declared,
        lasting: cleared.iter().map(|cleared| key(cleared.release)).collect(),
    }
}

/// A release that the ledger holds: cleared, or still in its term.
fn retained(promotion: &Promotion, states: &BTreeMap<String, Arc<AgentState>>) -> Option<ClearedRelease> {
    let status = promotion.status.as_ref()?;
    let not_after = status.not_after.filter(|end| *end > now())?;
    if matches!(status.verdict, Some(Verdict::Revoked | Verdict::Refused)) {
        return None;
    }
    let state = states
        .get(&promotion.spec.agent)
        .filter(|state| state.release == promotion.spec.release);
    let template = |found: &crate::observe::workloads::Found| {
        pod_template(&found.workload().object).and_then(|template| template.get("spec").cloned())
    };
    let granted = state.filter(|_| status.verdict == Some(Verdict::Cleared));
    Some(ClearedRelease {
        agent: promotion.spec.agent.clone(),
        release: promotion.spec.release,
        cleared_at: status.cleared_at.unwrap_or(Timestamp::UNIX_EPOCH),
        not_after,
        current: state.is_some() || status.verdict == Some(Verdict::Cleared) && status.deployed_at.is_none(),
        configuration: state
            .map(|state| state.resolved.configuration.clone())
            .unwrap_or_default(),
        templates: granted
            .map(|state| state.workloads.iter().filter_map(template).collect())
            .unwrap_or_default(),
    })
}

/// A release that may not run, whatever ran when enforcement began.
fn revoked(promotion: &Promotion) -> Option<ReleaseDigest> {
    let verdict = promotion.status.as_ref()?.verdict?;
    matches!(verdict, Verdict::Revoked | Verdict::Refused).then_some(promotion.spec.release)
}

/// One line for the agent whose present release waits.
fn waiting(promotion: &Promotion, states: &BTreeMap<String, Arc<AgentState>>) -> Option<(String, String)> {
    let state = states.get(&promotion.spec.agent)?;
    let status = promotion.status.as_ref()?;
    let waits = state.release == promotion.spec.release && status.verdict != Some(Verdict::Cleared);
    let words = status.waiting_for.clone().filter(|_| waits)?;
    Some((promotion.spec.agent.clone(), words))
}

fn exemption(exemption: &vouchsafe_api::environment::rules::Exemption) -> Exempt {
    Exempt {
        name: exemption.name.clone(),
        container: exemption.container.clone(),
        free: exemption.free.iter().map(|field| field.as_str().to_owned()).collect(),
        volumes: Vec::new(),
    }
}

/// Pods of exempted containers that the ledger has, and that are exempted still.
fn still_exempted(current: &LedgerSpec, exempt: &[Exempt]) -> Vec<ClearedRelease> {
    let token = token::injected();
    let known = |release: ReleaseDigest| {
        let entry = current.releases.get(&release.digest().hex());
        entry
            .filter(|entry| entry.agent.is_empty())
            .map(|entry| entry.not_after)
    };
    let still = |entry: &ProfileEntry| {
        let pod = json!({"metadata": {"name": ""}, "spec": entry.profile.spec});
        let until = known(entry.subject.release).filter(|_| entry.subject.agent.is_empty())?;
        exempted(&pod, &token, exempt)
            .is_empty()
            .then(|| of_no_agent(entry.subject.release, until))
    };
    current.profiles.values().filter_map(still).collect()
}

fn of_no_agent(release: ReleaseDigest, until: Timestamp) -> ClearedRelease {
    ClearedRelease {
        agent: String::new(),
        release,
        cleared_at: Timestamp::UNIX_EPOCH,
        not_after: until,
        current: true,
        configuration: Vec::new(),
        templates: Vec::new(),
    }
}

/// The release that stands for something that no agent declares.
pub(super) fn stand_in(profile: &serde_json::Value) -> ReleaseDigest {
    ReleaseDigest::v1(Digest::of_json(profile))
}
