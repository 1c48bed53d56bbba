//! How fast an agent becomes a digest, beside plain SHA-256 of the same bytes.
//!
//! `cargo bench -p vouchsafe-core --bench digest`. The bytes are those of the declaration and the workload as compact JSON, and of the
//! configuration; "resolved" is from these objects in memory to the release's digest, "canonical" the digest of a surface that is there.
//! The three are measured in turn. Prints one line a size.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures time, prints, and ends when its input is not there"
)]

#[path = "shared/measure.rs"]
mod measure;
#[path = "shared/refund.rs"]
mod refund;

use measure::{median, times};
use refund::Agent;
use std::time::Duration;
use vouchsafe_core::{digest::Digest, surface::resolve};

const RUNS: usize = 301;
/// Bytes of the agent's two prompts.
const SIZES: [(usize, usize); 4] = [(3_000, 500), (30_000, 5_000), (300_000, 50_000), (1_000_000, 40_000)];

fn main() {
    for (prompt, style) in SIZES {
        compare(&refund::agent(prompt, style));
    }
}

fn compare(agent: &Agent) {
    let (bytes, plain) = (
        bytes(agent),
        resolve(&agent.declaration, &agent.workloads, &agent.objects),
    );
    assert!(
        plain.surface.unresolved().next().is_none() && plain.problems.iter().all(|problem| !problem.blocking),
        "the agent is whole: {:#?}",
        plain.problems
    );
    let mut taken: [Vec<Duration>; 3] = Default::default();
    let [hashed, resolved, canonical] = &mut taken;
    for _ in 0..RUNS {
        hashed.extend(times(1, || Digest::of(&bytes)));
        resolved.extend(times(1, || {
            resolve(&agent.declaration, &agent.workloads, &agent.objects)
                .surface
                .digest()
        }));
        canonical.extend(times(1, || plain.surface.digest()));
    }
    let [hashed, resolved, canonical] = taken.map(|mut times| {
        times.sort();
        median(&times)
    });
    println!(
        "{} KB: SHA-256 {}, resolved {}: {:.1} times as long; canonical {canonical:.1?}",
        bytes.len() / 1000,
        speed(&bytes, hashed),
        speed(&bytes, resolved),
        resolved.as_secs_f64() / hashed.as_secs_f64(),
    );
}

fn speed(bytes: &[u8], time: Duration) -> String {
    format!("{time:.1?} ({:.0} MB/s)", bytes.len() as f64 / 1e6 / time.as_secs_f64())
}

/// Everything that the digest is made of.
fn bytes(agent: &Agent) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(&agent.declaration).expect("a declaration is JSON");
    for workload in &agent.workloads {
        bytes.extend(serde_json::to_vec(&workload.object).expect("a workload is JSON"));
    }
    let config = agent
        .objects
        .config_maps
        .values()
        .flat_map(|object| object.data.values());
    config.for_each(|data| bytes.extend(data));
    bytes
}
