//! Inputs that nobody thought of, from a small world so that things meet.

use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::collections::{BTreeMap, BTreeSet};
use vouchsafe_core::{
    decision::{
        ApprovalFact, ApprovalRule, ApprovalScope, Author, Authority, BindingChange, Check, CheckRule, ClearanceRule,
        EvidenceFact, EvidenceResult, Exclude, FactProblem, Facts, OnFailure, Past, Person, Policy, Predecessor,
        Producer, Release, Requirement, Run, Scanner, Sensitivity, SignatureFact, SignatureState, SignatureSubject,
        SubjectKind, UnknownAuthor, Vote, WaiverFact,
    },
    digest::{Digest, ReleaseDigest},
    surface::{Component, Facet, Resolution, Surface},
};

/// The time that everything is around.
pub(crate) fn noon() -> Timestamp {
    "2026-07-01T12:00:00Z".parse().unwrap()
}

/// A time some hours from noon, rarely one at the ends of time.
pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        20 => (-60_i64..60).prop_map(|hours| noon() + SignedDuration::from_hours(hours)),
        1 => select(vec![Timestamp::MIN, Timestamp::MAX]),
    ]
}

fn duration() -> impl Strategy<Value = SignedDuration> {
    prop_oneof![
        20 => (0_i64..80).prop_map(SignedDuration::from_hours),
        1 => select(vec![SignedDuration::MIN, SignedDuration::MAX, SignedDuration::from_nanos(1)]),
    ]
}

/// An agent of two images.
pub(crate) fn surface() -> Surface {
    let image = |name: &str| Component {
        facet: Facet::Image,
        name: name.to_owned(),
        digest: Digest::of(name.as_bytes()),
        resolution: Resolution::Resolved,
        value: None,
        summary: None,
    };
    Surface::from_claim(vec![image("server/agent"), image("server/proxy")]).unwrap()
}

pub(crate) fn release(surface: &Surface) -> Release<'_> {
    Release {
        agent: "refund",
        surface,
    }
}

fn digest() -> impl Strategy<Value = Digest> {
    let surface = surface();
    let mut all: Vec<_> = surface.images().map(|image| image.digest).collect();
    all.extend([surface.digest().digest(), Digest::of(b"another")]);
    select(all)
}

fn release_digest() -> impl Strategy<Value = ReleaseDigest> {
    prop_oneof![
        9 => Just(surface().digest()),
        1 => Just(ReleaseDigest::v1(Digest::of(b"another"))),
    ]
}

fn environment() -> impl Strategy<Value = String> {
    prop_oneof![9 => Just("prod".to_owned()), 1 => Just("staging".to_owned())]
}

fn person() -> impl Strategy<Value = Person> {
    let names = ["amy", "ben", "cem", "dana", "system:serviceaccount:ci:bot"];
    (select(names.to_vec()), any::<bool>()).prop_map(|(name, trusted)| Person {
        username: name.to_owned(),
        groups: trusted.then(|| "security".to_owned()).into_iter().collect(),
    })
}

fn check_name() -> impl Strategy<Value = String> {
    select(vec!["red-team", "scan", "signed"]).prop_map(str::to_owned)
}

/// How good a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quality {
    Good,
    Failed,
    BadCounters,
    NoCounters,
    Inconclusive,
}

pub(crate) fn quality() -> impl Strategy<Value = Quality> {
    select(vec![
        Quality::Good,
        Quality::Good,
        Quality::Failed,
        Quality::BadCounters,
        Quality::NoCounters,
        Quality::Inconclusive,
    ])
}

pub(crate) fn evidence_of(quality: Quality) -> impl Strategy<Value = EvidenceFact> {
    let about = prop_oneof![
        (Just("red-team"), Just(SubjectKind::Release)),
        (Just("scan"), Just(SubjectKind::Image)),
    ];
    ((0_u8..40), about, digest(), time(), time(), person()).prop_map(
        move |(id, (check, subject), digest, started_at, created_at, producer)| EvidenceFact {
            id: format!("shop/evidence-{id}"),
            check: check.to_owned(),
            subject,
            digest,
            format: "garak".to_owned(),
            tool: Scanner::default(),
            started_at,
            finished_at: None,
            created_at,
            result: match quality {
                Quality::Failed => EvidenceResult::Fail,
                Quality::Inconclusive => EvidenceResult::Inconclusive,
                Quality::Good | Quality::BadCounters | Quality::NoCounters => EvidenceResult::Pass,
            },
            reason: None,
            counters: match quality {
                Quality::NoCounters => BTreeMap::new(),
                Quality::BadCounters => BTreeMap::from([("critical".to_owned(), 3)]),
                _ => BTreeMap::from([("critical".to_owned(), 0)]),
            },
            findings: Vec::new(),
            producer,
        },
    )
}

fn evidence() -> impl Strategy<Value = EvidenceFact> {
    quality().prop_flat_map(evidence_of)
}

fn signature() -> impl Strategy<Value = SignatureFact> {
    let keys = || prop::collection::btree_set(select(vec!["k1", "k2", "k3"]).prop_map(str::to_owned), 1..3);
    let names = select(vec!["release", "build", "mallory"]).prop_map(str::to_owned);
    let state = prop_oneof![
        3 => prop::collection::btree_map(names, keys(), 1..3).prop_map(SignatureState::Verified),
        1 => Just(SignatureState::NotSigned),
        1 => Just(SignatureState::CannotTell),
    ];
    (digest(), state, any::<bool>()).prop_map(|(digest, state, complete)| SignatureFact {
        check: "signed".to_owned(),
        digest,
        state,
        complete,
        detail: "so it is".to_owned(),
    })
}

pub(crate) fn approval() -> impl Strategy<Value = ApprovalFact> {
    let roles = select(vec!["security", "product", "legal"]).prop_map(str::to_owned);
    let vote = prop_oneof![5 => Just(Vote::Approve), 1 => Just(Vote::Reject)];
    let scope = select(vec![ApprovalScope::Namespace, ApprovalScope::Environment]);
    let waiver = option::weighted(
        0.3,
        select(vec!["waiver-0", "waiver-1", "waiver-2"]).prop_map(str::to_owned),
    );
    let what = (release_digest(), environment(), roles, scope, vote, waiver);
    ((0_u8..40), what, person(), time()).prop_map(|(id, (release, environment, role, scope, vote, waiver), by, at)| {
        ApprovalFact {
            id: format!("shop/approval-{id}"),
            release,
            environment,
            role,
            scope,
            vote,
            waiver,
            by,
            at,
        }
    })
}

fn waiver() -> impl Strategy<Value = WaiverFact> {
    let names = prop_oneof![check_name(), Just("resolution".to_owned())];
    let what = (prop::collection::btree_set(names, 0..3), any::<bool>());
    let times = (time(), time());
    ((0_u8..3), release_digest(), environment(), what, times, person()).prop_map(
        |(id, release, environment, (checks, break_glass), (not_after, at), by)| WaiverFact {
            id: format!("waiver-{id}"),
            release,
            environment,
            checks,
            break_glass,
            not_after,
            reason: "because".to_owned(),
            by,
            at,
        },
    )
}

fn run() -> impl Strategy<Value = Run> {
    let environments = select(vec!["staging", "dev"]).prop_map(str::to_owned);
    (environments, any::<bool>(), option::of(time())).prop_map(|(environment, cleared, healthy_since)| Run {
        namespace: format!("shop-{environment}"),
        environment,
        cleared,
        healthy_since,
    })
}

fn unknown() -> impl Strategy<Value = FactProblem> {
    option::weighted(0.7, check_name()).prop_map(|check| FactProblem {
        object: "Evidence/x".to_owned(),
        message: "unreadable".to_owned(),
        check,
    })
}

fn past() -> impl Strategy<Value = Past> {
    let times = (
        option::of(time()),
        option::of(time()),
        option::of(time()),
        option::of(time()),
    );
    (times, option::weighted(0.2, time()), any::<bool>()).prop_map(
        |((cleared_at, not_after, failing_since, renewed_at), revoked_at, grandfathered)| Past {
            cleared_at,
            not_after,
            failing_since,
            revoked_at,
            renewed_at,
            grandfathered,
            after_waived: grandfathered,
        },
    )
}

fn author() -> impl Strategy<Value = Author> {
    let names = prop::collection::btree_set(select(vec!["amy", "dana"]).prop_map(str::to_owned), 0..3);
    prop_oneof![Just(Author::Unknown), names.prop_map(Author::Known)]
}

/// Facts about the release; without a past when `fresh`.
pub(crate) fn facts(fresh: bool) -> impl Strategy<Value = Facts> {
    let given = (
        vec(evidence(), 0..8),
        vec(signature(), 0..4),
        vec(approval(), 0..6),
        vec(waiver(), 0..3),
    );
    let around = (vec(run(), 0..3), vec(unknown(), 0..2), option::of(person()), author());
    let rarely = || prop::bool::weighted(0.1);
    let flags = (rarely(), rarely(), option::weighted(0.2, time()), option::of(past()));
    (given, around, flags).prop_map(
        move |(
            (evidence, signatures, approvals, waivers),
            (runs, unknown, requester, author),
            (grandfathered, superseded, bindings_changed_at, past),
        )| {
            let keep = |odds: usize| approvals.len() % odds == 0;
            Facts {
                unknown: if keep(3) { unknown } else { Vec::new() },
                evidence,
                signatures,
                waivers,
                runs,
                requester,
                author,
                approvals,
                bindings_changed_at,
                grandfathered,
                superseded,
                past: past.filter(|_| !fresh),
                writers: BTreeSet::from(["ben".to_owned()]),
                ..Facts::default()
            }
        },
    )
}

fn check(rule: CheckRule) -> Option<Check> {
    Some(Check {
        parameters: Vec::new(),
        rule,
        owner: None,
    })
}

fn definition(name: &str, threshold: u32, producers: Vec<Producer>) -> Option<Check> {
    let evidence = |subject| CheckRule::Evidence {
        subject,
        formats: Vec::new(),
        policy: "counters.critical == 0".to_owned(),
        producers,
    };
    let authority = |name: &str| Authority {
        name: name.to_owned(),
        key: String::new(),
    };
    match name {
        "red-team" => check(evidence(SubjectKind::Release)),
        "scan" => check(evidence(SubjectKind::Image)),
        "signed" => check(CheckRule::Signature {
            of: vec![SignatureSubject::Image],
            authorities: vec![authority("release"), authority("build")],
            threshold,
        }),
        _ => None,
    }
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let producers = select(vec![
        Vec::new(),
        vec![Producer::Group("security".to_owned())],
        vec![Producer::User("amy".to_owned())],
    ]);
    let name = prop_oneof![9 => check_name(), 1 => Just("gone".to_owned())];
    (name, 0_u32..3, producers, option::of(duration())).prop_map(|(check, threshold, producers, max_age)| Requirement {
        definition: definition(&check, threshold, producers),
        check,
        max_age,
        parameters: BTreeMap::new(),
    })
}

fn rule() -> impl Strategy<Value = ApprovalRule> {
    let roles = select(vec!["security", "product"]).prop_map(str::to_owned);
    let count = prop_oneof![8 => 0_u32..3, 1 => Just(u32::MAX)];
    let exclude = prop::sample::subsequence(
        vec![Exclude::Requester, Exclude::Author, Exclude::ServiceAccount],
        0..=3,
    );
    (roles, count, exclude).prop_map(|(role, count, exclude)| ApprovalRule {
        role,
        count,
        contact: None,
        exclude,
    })
}

/// An environment's policy.
pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    let after = (select(vec!["staging", "dev"]), duration()).prop_map(|(environment, soak)| Predecessor {
        environment: environment.to_owned(),
        soak,
    });
    let asked = (vec(requirement(), 0..3), vec(rule(), 0..3), vec(after, 0..2));
    let author = select(vec![
        UnknownAuthor::Accept,
        UnknownAuthor::ExtraApproval,
        UnknownAuthor::Refuse,
    ]);
    let binding = select(vec![BindingChange::Accept, BindingChange::Reapprove]);
    let failure = select(vec![OnFailure::Alert, OnFailure::Hold, OnFailure::Evict]);
    let clearance = (duration(), failure, duration()).prop_map(|(valid_for, on_failure, grace_period)| ClearanceRule {
        valid_for,
        on_failure,
        grace_period,
    });
    let rest = (
        author,
        binding,
        clearance,
        option::of(time()),
        prop::bool::weighted(0.05),
    );
    (asked, rest).prop_map(
        |((requires, approvals, after), (unknown_author, on_binding_change, clearance, grandfather_until, broken))| {
            Policy {
                environment: "prod".to_owned(),
                sensitivity: Sensitivity::High,
                after,
                requires,
                approvals,
                unknown_author,
                on_binding_change,
                clearance,
                grandfather_until,
                problems: broken.then(|| "a cycle".to_owned()).into_iter().collect(),
            }
        },
    )
}
