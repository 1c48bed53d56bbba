//! How many decisions one core makes in a second.
//!
//! `cargo bench -p vouchsafe-core --bench decision`. A release of four images, two models and a tool server against ten checks, two
//! approvals and a soak; half of the cases are cleared. Prints one line a case, and the rate over all of them.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures time, prints, and ends when its input is not there"
)]

#[path = "decision/facts.rs"]
mod facts;
#[path = "shared/measure.rs"]
mod measure;
#[path = "shared/refund.rs"]
mod refund;

use facts::{cases, now};
use measure::{median, times};
use std::{hint::black_box, time::Duration};
use vouchsafe_core::{
    decision::{CompiledPolicy, Facts, Policy, PreparedRelease, Release, decide},
    surface::resolve,
};

const POLICY: &str = include_str!("decision/policy.yaml");
const RUNS: usize = 101;
/// Decisions of one case in a run: a single one is too short to be measured.
const EACH: u32 = 50;

fn main() {
    let policy: Policy = serde_saphyr::from_str(POLICY).expect("it is a policy");
    let refund = refund::agent(3_000, 500);
    let surface = resolve(&refund.declaration, &refund.workloads, &refund.objects).surface;
    let release = Release {
        agent: "refund-triage",
        surface: &surface,
    };
    let (compiled, prepared) = (CompiledPolicy::new(policy.clone()), PreparedRelease::new(&release));
    let mut cases = cases(&surface);
    println!(
        "{} checks, {} components, {} evidence",
        policy.requires.len(),
        surface.components().len(),
        cases.first().map_or(0, |(.., facts)| facts.evidence.len())
    );
    for (name, verdict, facts) in &cases {
        let decision = compiled.decide(&prepared, facts, now());
        assert_eq!(decision.verdict, *verdict, "{name}: {decision:#?}");
        report(name, 1, || compiled.decide(&prepared, facts, now()));
    }
    let count = u32::try_from(cases.len()).expect("there are few");
    let of_all = |run: &dyn Fn(&Facts)| cases.iter().for_each(|(.., facts)| run(facts));
    let ready = |facts: &Facts| drop(black_box(compiled.decide(&prepared, facts, now())));
    report("all of them", count, || of_all(&ready));
    report("all of them, policy and release made ready each time", count, || {
        of_all(&|facts| drop(black_box(decide(&policy, &release, facts, now()))));
    });
    let reports = cases.iter_mut().flat_map(|(.., facts)| &mut facts.evidence);
    reports.for_each(|report| report.findings.clear());
    let of_all = |run: &dyn Fn(&Facts)| cases.iter().for_each(|(.., facts)| run(facts));
    report("all of them, reports without findings", count, || of_all(&ready));
}

/// `run` makes `count` decisions.
fn report<T>(what: &str, count: u32, mut run: impl FnMut() -> T) {
    let times = times(RUNS, || (0..EACH).for_each(|_| drop(black_box(run()))));
    let one: Duration = median(&times) / (EACH * count);
    println!("{what}: {one:.1?} a decision, {:.0} a second", 1.0 / one.as_secs_f64());
}
