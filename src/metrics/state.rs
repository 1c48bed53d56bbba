//! What is the case now, read from the watches when it is asked for: by whoever leads, as others would count it twice.

use super::labels::{Checked, Decided, Enforced, Measured, Of};
use crate::{
    enforce::{Context, now},
    observe::World,
};
use jiff::Timestamp;
use kube::{ResourceExt, runtime::reflector::ObjectRef};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock, Weak},
};
use vouchsafe_api::{
    Environment, Promotion,
    environment::status::Probe,
    promotion::status::{CheckOutcome, Verdict},
};
use vouchsafe_core::conditions::Truth;

/// Collects it.
pub(super) struct State(Arc<OnceLock<Weak<Context>>>);

impl State {
    /// Of what is known once this operator leads.
    pub(super) fn new(context: Arc<OnceLock<Weak<Context>>>) -> Self {
        Self(context)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("State")
    }
}

impl Collector for State {
    fn encode(&self, encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        match self.0.get().and_then(Weak::upgrade) {
            Some(context) => Found::of(&context).encode(encoder),
            None => Ok(()),
        }
    }
}

/// Numbers by their labels.
#[derive(Default)]
struct Found {
    promotions: BTreeMap<Decided, i64>,
    checks: BTreeMap<Checked, i64>,
    evidence: BTreeMap<Measured, i64>,
    left: BTreeMap<Of, i64>,
    namespaces: BTreeMap<Of, i64>,
    agents: BTreeMap<Of, i64>,
    held: BTreeMap<Of, i64>,
    would_hold: BTreeMap<Of, i64>,
    undeclared: BTreeMap<Of, i64>,
    static_pods: BTreeMap<Of, i64>,
    enforced: BTreeMap<Enforced, i64>,
    holds: BTreeMap<Of, i64>,
}

impl Found {
    fn of(context: &Context) -> Self {
        let (mut found, now) = (Self::default(), now());
        for environment in context.world.environments.state() {
            found.environment(&environment, context);
        }
        for promotion in context.world.promotions.state() {
            found.promotion(&promotion, &context.world, now);
        }
        found
    }

    fn environment(&mut self, environment: &Environment, context: &Context) {
        let (world, name) = (&context.world, environment.name_any());
        let mut namespaces = world.governed();
        namespaces.retain(|namespace| world.environment_of(namespace) == name);
        let sum = |count: &dyn Fn(&str) -> usize| {
            let all: usize = namespaces.iter().map(|namespace| count(namespace)).sum();
            i64::try_from(all).unwrap_or(i64::MAX)
        };
        let of = || Of {
            environment: name.clone(),
        };
        self.namespaces.insert(of(), sum(&|_| 1));
        self.agents
            .insert(of(), sum(&|namespace| world.agents_of(namespace).len()));
        self.held
            .insert(of(), sum(&|namespace| world.held_pods(namespace).len()));
        let surveys = &context.ledgers.surveys;
        let undeclared = sum(&|namespace| surveys.of(namespace).undeclared);
        let static_pods = sum(&|namespace| surveys.of(namespace).static_pods);
        let would_hold = sum(&|namespace| surveys.of(namespace).would_hold);
        self.would_hold.insert(of(), would_hold);
        self.undeclared.insert(of(), undeclared);
        self.static_pods.insert(of(), static_pods);
        let conditions = environment.status.iter().flat_map(|status| &status.conditions);
        let is_enforced = conditions
            .into_iter()
            .any(|condition| condition.kind == "Enforced" && condition.status == Truth::True);
        let labels = Enforced {
            environment: name.clone(),
            enforcement: environment.spec.enforcement.as_str(),
        };
        self.enforced.insert(labels, i64::from(is_enforced));
        let status = environment.status.as_ref().and_then(|status| status.enforced.as_ref());
        let holds = status.is_some_and(|enforced| enforced.probe == Probe::Held);
        self.holds.insert(of(), i64::from(holds));
    }

    /// One release. What it calls its environment counts only when there is one.
    fn promotion(&mut self, promotion: &Promotion, world: &World, now: Timestamp) {
        let environment = &promotion.spec.environment;
        let Some(status) = promotion
            .status
            .as_ref()
            .filter(|_| world.environment(environment).is_some())
        else {
            return;
        };
        let Some(verdict) = status.verdict else { return };
        let labels = Decided {
            environment: environment.clone(),
            verdict: verdict.as_str(),
        };
        *self.promotions.entry(labels).or_default() += 1;
        if verdict == Verdict::Superseded {
            return;
        }
        for check in &status.checks {
            let labels = Checked {
                environment: environment.clone(),
                check: check.check.clone(),
                outcome: check.outcome.as_str(),
            };
            *self.checks.entry(labels).or_default() += 1;
            if verdict == Verdict::Cleared {
                self.measured(environment, check, world, now);
            }
        }
        if let Some(end) = status.not_after.filter(|_| verdict == Verdict::Cleared) {
            let left = end.duration_since(now).as_secs();
            let of = Of {
                environment: environment.clone(),
            };
            self.left
                .entry(of)
                .and_modify(|least| *least = left.min(*least))
                .or_insert(left);
        }
    }

    /// How old the evidence is that a cleared release rests on.
    fn measured(&mut self, environment: &str, check: &CheckOutcome, world: &World, now: Timestamp) {
        for name in &check.evidence {
            let Some((namespace, name)) = name.split_once('/') else {
                continue;
            };
            let Some(evidence) = world.evidence.get(&ObjectRef::new(name).within(namespace)) else {
                continue;
            };
            let age = now.duration_since(evidence.spec.started_at).as_secs();
            let labels = Measured {
                environment: environment.to_owned(),
                check: check.check.clone(),
            };
            self.evidence
                .entry(labels)
                .and_modify(|oldest| *oldest = age.max(*oldest))
                .or_insert(age);
        }
    }

    fn encode(&self, mut to: DescriptorEncoder) -> Result<(), fmt::Error> {
        let to = &mut to;
        gauges(to, "promotions", "Promotions by verdict", &self.promotions)?;
        gauges(
            to,
            "check_outcomes",
            "Checks of promotions that are not superseded, by outcome",
            &self.checks,
        )?;
        let help = "Age of the oldest evidence that a cleared release rests on";
        gauges(to, "evidence_age_seconds", help, &self.evidence)?;
        let help = "Time until the first clearance ends, unless it is renewed";
        gauges(to, "clearance_left_seconds", help, &self.left)?;
        gauges(
            to,
            "governed_namespaces",
            "Namespaces that belong to an environment",
            &self.namespaces,
        )?;
        gauges(to, "agents", "Agents declared in them", &self.agents)?;
        gauges(to, "held_pods", "Pods behind the gate", &self.held)?;
        gauges(
            to,
            "would_hold_pods",
            "Pods that Hold would keep behind the gate, under Observe",
            &self.would_hold,
        )?;
        let help = "Workloads that no Agent names";
        gauges(to, "undeclared_workloads", help, &self.undeclared)?;
        let help = "Pods that a kubelet runs from a file, which no gate can hold";
        gauges(to, "static_pods", help, &self.static_pods)?;
        let help = "Whether the API server was seen to enforce it; 0 under Observe";
        gauges(to, "environment_enforced", help, &self.enforced)?;
        let help = "Whether an uncleared pod that was tried came back held, and was not refused or let in";
        gauges(to, "environment_holds", help, &self.holds)
    }
}

fn gauges<L: EncodeLabelSet>(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: &BTreeMap<L, i64>,
) -> Result<(), fmt::Error> {
    let mut family = to.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        ConstGauge::new(*value).encode(family.encode_family(labels)?)?;
    }
    Ok(())
}
