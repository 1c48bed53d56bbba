//! How long it takes to plan and write a ledger that is full: by the number of its profiles, and by its bytes.
//!
//! `cargo bench -p vouchsafe-core --bench ledger`. Prints one line a figure: the median of many runs, and what was measured.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures time, prints, and ends when its input is not there"
)]

#[path = "shared/measure.rs"]
mod measure;

use jiff::Timestamp;
use measure::{median, times};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vouchsafe_core::{
    clearance::{
        Around, ClearedRelease, Images, LedgerSpec, MAX_PROFILES, Offered, OwnerKind, Profile, Subject, Wanted, plan,
        would_hold,
    },
    decision::Enforcement,
    digest::{Digest, ReleaseDigest},
};

/// Pods of Deployments as an API server stored them, by what a ledger of 256 of them runs out of.
const STORED: [(&str, &str, bool); 2] = [
    (
        "small pods, full by profiles",
        include_str!("../src/clearance/tests/stored/small-deployment.json"),
        true,
    ),
    (
        "large pods, full by bytes",
        include_str!("../src/clearance/tests/stored/deployment.json"),
        false,
    ),
];
const RUNS: usize = 101;

fn main() {
    for (name, stored, all_have_room) in STORED {
        ledger(name, stored, all_have_room);
    }
}

fn ledger(name: &str, stored: &str, all_have_room: bool) {
    let stored: Value = serde_json::from_str(stored).expect("the stored pod is JSON");
    let pod = stored.pointer("/pods/0").expect("there is a pod");
    let token = token(pod);
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().expect("a time");
    let pods: Vec<_> = (0..MAX_PROFILES).map(|number| variant(pod, number)).collect();
    let mut wanted = wanted(&pods, &token, now);
    let full = plan(None, &wanted, now).grant.expect("something is granted");
    assert_eq!(full.profiles.len() == MAX_PROFILES, all_have_room, "{name}");
    let json = serde_json::to_vec(&full).expect("a ledger is JSON");
    println!("{name}: {} profiles, {} KiB", full.profiles.len(), json.len() / 1024);
    report("profile of one pod", || profile(pod, &token));
    report("plan from nothing", || plan(None, &wanted, now));
    wanted.profiles.clear();
    report("plan when nothing changed", || plan(Some(&full), &wanted, now));
    wanted.cleared.pop();
    report("plan of a revocation", || plan(Some(&full), &wanted, now));
    report("write as JSON", || serde_json::to_vec(&full));
    report("read from JSON", || serde_json::from_slice::<LedgerSpec>(&json));
    report("would one pod be held", || would_hold(&full, pod, now));
}

fn report<T>(what: &str, run: impl FnMut() -> T) {
    let times = times(RUNS, run);
    let worst = times.last().copied().unwrap_or_default();
    println!("  {what}: p50 {:.1?}, worst of {RUNS} {worst:.1?}", median(&times));
}

/// The same pod with another image: 64 images, four pods each.
fn variant(pod: &Value, number: usize) -> Value {
    let mut pod = pod.clone();
    if let Some(container) = pod.pointer_mut("/spec/containers/0") {
        let image = format!(
            "registry.example/agent@{}",
            Digest::of(&[u8::try_from(number / 4).unwrap_or_default()])
        );
        *container = merged(
            container,
            &json!({"image": image, "workingDir": format!("/work/{number}")}),
        );
    }
    pod
}

fn merged(value: &Value, with: &Value) -> Value {
    let fields = value.as_object().into_iter().chain(with.as_object()).flatten();
    Value::Object(fields.map(|(key, field)| (key.clone(), field.clone())).collect())
}

fn token(pod: &Value) -> Value {
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
    let last = volumes.and_then(|volumes| volumes.last());
    last.and_then(|volume| volume.get("projected"))
        .cloned()
        .expect("the token is the last volume")
}

fn profile(pod: &Value, token: &Value) -> Profile {
    Profile::of_pod(pod, token, OwnerKind::Plain, Images::Pinned).expect("the pod has a profile")
}

/// 32 releases with eight pods each.
fn wanted(pods: &[Value], token: &Value, now: Timestamp) -> Wanted {
    let release = |number: usize| ReleaseDigest::v1(Digest::of(number.to_string().as_bytes()));
    let agent = |number: usize| format!("agent-{}", number / 8);
    let cleared = |number: usize| ClearedRelease {
        agent: agent(number),
        release: release(number / 8),
        cleared_at: now,
        not_after: now + jiff::SignedDuration::from_hours(2160),
        current: true,
        configuration: Vec::new(),
        templates: Vec::new(),
    };
    let offered = |(number, pod): (usize, &Value)| Offered {
        subject: Subject {
            agent: agent(number),
            role: "server".to_owned(),
            release: release(number / 8),
        },
        profile: profile(pod, token),
        configuration: Vec::new(),
    };
    Wanted {
        environment: "prod".to_owned(),
        namespace_uid: "1f0c1f5e-8b7c-4b1c-9d0a-0b0f5b0d9f57".to_owned(),
        enforcement: Enforcement::Hold,
        require_surge: false,
        require_debug: false,
        token: token.clone(),
        cleared: (0..pods.len()).step_by(8).map(cleared).collect(),
        profiles: pods.iter().enumerate().map(offered).collect(),
        grandfathered: Vec::new(),
        grandfather_until: None,
        revoked: [].into(),
        changed: [].into(),
        around: Around::default(),
        waiting: BTreeMap::new(),
        keep_previous: 2,
    }
}
