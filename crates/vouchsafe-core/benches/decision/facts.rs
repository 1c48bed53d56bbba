//! What is known in each case: everything, or everything but something.

use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use vouchsafe_core::{
    decision::{
        ApprovalFact, ApprovalScope, Author, EvidenceFact, EvidenceResult, Facts, Finding, Past, Person, Run, Scanner,
        SignatureFact, SignatureState, SubjectKind, Verdict, Vote,
    },
    digest::Digest,
    surface::{Facet, Surface},
};

/// Findings of each scan of an image.
const FINDINGS: usize = 20;

/// When everything is decided.
pub(crate) fn now() -> Timestamp {
    "2026-07-01T12:00:00Z".parse().expect("it is a time")
}

fn hours_ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

/// Cases with their verdicts.
pub(crate) fn cases(surface: &Surface) -> Vec<(&'static str, Verdict, Facts)> {
    let whole = everything(surface);
    let with = |change: &dyn Fn(&mut Facts)| {
        let mut facts = whole.clone();
        change(&mut facts);
        facts
    };
    let past = Past {
        cleared_at: Some(hours_ago(300)),
        not_after: Some(now() + SignedDuration::from_hours(1860)),
        ..Past::default()
    };
    vec![
        ("new and cleared", Verdict::Cleared, whole.clone()),
        (
            "cleared before, and still",
            Verdict::Cleared,
            with(&|facts| facts.past = Some(past.clone())),
        ),
        (
            "cleared before, evidence aged since",
            Verdict::Cleared,
            with(&|facts| {
                facts.past = Some(past.clone());
                facts.evidence.iter_mut().for_each(age);
            }),
        ),
        (
            "cleared after a failure was mended",
            Verdict::Cleared,
            with(&|facts| failures(facts, surface, 5)),
        ),
        (
            "one approval is missing",
            Verdict::AwaitingApproval,
            with(&|facts| facts.approvals.truncate(1)),
        ),
        (
            "the red team has not reported",
            Verdict::Waiting,
            with(&|facts| facts.evidence.retain(|evidence| evidence.check != "red-team")),
        ),
        (
            "it has not soaked for long enough",
            Verdict::Waiting,
            with(&|facts| facts.runs.iter_mut().for_each(unsoaked)),
        ),
        (
            "a scan of every image fails",
            Verdict::Refused,
            with(&|facts| failures(facts, surface, 1)),
        ),
    ]
}

fn age(evidence: &mut EvidenceFact) {
    evidence.started_at = hours_ago(1_000);
    evidence.created_at = hours_ago(1_000);
}

fn unsoaked(run: &mut Run) {
    run.healthy_since = Some(hours_ago(3));
}

/// Scans that failed so many hours ago.
fn failures(facts: &mut Facts, surface: &Surface, hours: i64) {
    for image in surface.images() {
        facts.evidence.push(EvidenceFact {
            result: EvidenceResult::Fail,
            started_at: hours_ago(hours),
            created_at: hours_ago(hours),
            ..evidence("image-scanned", SubjectKind::Image, image.digest)
        });
    }
}

/// Whatever the policy asks for.
fn everything(surface: &Surface) -> Facts {
    let mut all = Vec::new();
    for (check, subject, facet) in [
        ("image-scanned", SubjectKind::Image, Facet::Image),
        ("no-known-exploits", SubjectKind::Image, Facet::Image),
        ("model-scanned", SubjectKind::Model, Facet::Model),
        ("tool-server-scanned", SubjectKind::ToolServer, Facet::ToolServer),
    ] {
        all.extend(surface.of(facet).map(|part| evidence(check, subject, part.digest)));
    }
    let release = surface.digest().digest();
    all.extend(["red-team", "evaluated"].map(|check| evidence(check, SubjectKind::Release, release)));
    Facts {
        evidence: all,
        signatures: surface.images().map(|image| signature(image.digest)).collect(),
        approvals: [("sam", "security"), ("paula", "product")]
            .map(|(name, role)| approval(surface, name, role))
            .into(),
        requester: Some(person("dana", &["dev"])),
        author: Author::Known(BTreeSet::from(["dana".to_owned()])),
        writers: BTreeSet::from(["dana".to_owned(), "ed".to_owned()]),
        runs: vec![Run {
            environment: "staging".to_owned(),
            namespace: "support-staging".to_owned(),
            cleared: true,
            healthy_since: Some(hours_ago(30)),
        }],
        ..Facts::default()
    }
}

fn person(name: &str, groups: &[&str]) -> Person {
    Person {
        username: name.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

fn evidence(check: &str, subject: SubjectKind, digest: Digest) -> EvidenceFact {
    let (format, producer, counters): (_, _, &[(&str, i64)]) = match check {
        "image-scanned" | "no-known-exploits" => {
            ("Trivy", "scan", &[("critical", 0), ("high", 4), ("high_fixable", 1)])
        }
        "tool-server-scanned" => ("Sarif", "scan", &[("error", 0), ("warning", 3)]),
        "model-scanned" => ("Sarif", "scan", &[("unsafe", 0)]),
        "red-team" => ("Garak", "red-team", &RED_TEAM),
        _ => (
            "Promptfoo",
            "evaluation",
            &[("refunds.passed", 96), ("refunds.total", 100)],
        ),
    };
    let finding = |number: usize| Finding {
        id: format!("CVE-2026-{number:04}"),
        severity: "low".to_owned(),
        title: "a buffer is read past its end".to_owned(),
        package: Some("libexample".to_owned()),
        ..Finding::default()
    };
    EvidenceFact {
        id: format!("support-ci/{check}-{}", &digest.hex()[..8]),
        check: check.to_owned(),
        subject,
        digest,
        format: format.to_owned(),
        tool: Scanner {
            name: format.to_lowercase(),
            version: Some("1.2.3".to_owned()),
            database_time: Some(hours_ago(6)),
        },
        started_at: hours_ago(3),
        finished_at: Some(hours_ago(2)),
        created_at: hours_ago(2),
        result: EvidenceResult::Pass,
        reason: None,
        counters: counters
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect(),
        findings: (0..FINDINGS).filter(|_| format == "Trivy").map(finding).collect(),
        producer: person(
            &format!("system:serviceaccount:ci:{producer}"),
            &["system:serviceaccounts"],
        ),
    }
}

const RED_TEAM: [(&str, i64); 5] = [
    ("promptinject.passed", 98),
    ("promptinject.total", 100),
    ("dan.passed", 50),
    ("dan.total", 50),
    ("errors", 0),
];

fn signature(digest: Digest) -> SignatureFact {
    let keys = ["pipeline", "release"].map(|name| (name.to_owned(), BTreeSet::from([format!("key-of-{name}")])));
    SignatureFact {
        check: "image-signed".to_owned(),
        digest,
        state: SignatureState::Verified(BTreeMap::from(keys)),
        complete: true,
        detail: "signed by pipeline and release".to_owned(),
    }
}

fn approval(surface: &Surface, name: &str, role: &str) -> ApprovalFact {
    ApprovalFact {
        id: format!("support-prod/{role}-1"),
        release: surface.digest(),
        environment: "prod".to_owned(),
        role: role.to_owned(),
        scope: ApprovalScope::Namespace,
        vote: Vote::Approve,
        waiver: None,
        by: person(name, &[role]),
        at: hours_ago(1),
    }
}
