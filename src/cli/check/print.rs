//! The decision for people, and as JSON.

use super::{Judged, Report, Require};
use crate::cli::{
    digest::{field, heading},
    problems,
    screen::{Screen, Style},
};
use serde_json::{Value, json};
use vouchsafe_core::{
    decision::{ApprovalOutcome, CheckOutcome, Outcome, Part, SubjectKind, Verdict},
    digest::ReleaseDigest,
    surface::ProblemReason,
};

/// Prints every agent, what was decided of it and why.
pub(super) fn table(report: &Report, screen: &mut Screen) {
    for fault in &report.faults {
        screen.styled(Style::Wait, &format!("! {fault}"));
    }
    for note in &report.notes {
        screen.styled(Style::Dim, &format!("! {note}"));
    }
    for judged in &report.judged {
        one(judged, report, screen);
    }
}

fn one(judged: &Judged, report: &Report, screen: &mut Screen) {
    let Judged { known, decision } = judged;
    heading(known, screen);
    field(screen, "release", &known.release.to_string());
    let style = match decision.verdict {
        Verdict::Cleared => Style::Good,
        Verdict::Refused | Verdict::Revoked => Style::Bad,
        Verdict::Waiting | Verdict::AwaitingApproval | Verdict::Superseded => Style::Wait,
    };
    screen.pieces(&[
        (Style::Dim, &format!("  {:<12}", report.environment)),
        (style, decision.verdict.as_str()),
    ]);
    decision.checks.iter().for_each(|outcome| check(outcome, screen));
    for before in &decision.after {
        let mark = if before.satisfied { "✓" } else { "·" };
        screen.styled(
            Style::Dim,
            &format!("  {mark} after {}: {}", before.environment, before.message),
        );
    }
    decision.approvals.iter().for_each(|outcome| approval(outcome, screen));
    problems::print(&known.problems, screen);
    let (style, words) = conclusion(judged, report.require);
    screen.styled(style, &format!("  {words}"));
}

fn check(outcome: &CheckOutcome, screen: &mut Screen) {
    let (style, mark) = match outcome.outcome {
        Outcome::Pass => (Style::Good, "✓"),
        Outcome::Waived => (Style::Wait, "✓"),
        Outcome::Fail => (Style::Bad, "✗"),
        Outcome::Inconclusive | Outcome::Pending => (Style::Wait, "✗"),
    };
    screen.pieces(&[
        (style, &format!("  {mark} {} {}", outcome.outcome, outcome.check)),
        (Style::Plain, &format!(": {}", outcome.message)),
    ]);
    for part in &outcome.missing {
        screen.styled(
            Style::Dim,
            &format!("      for {} {}", part.subject.as_str(), digest_of(part)),
        );
    }
}

/// A part as Evidence names it.
fn digest_of(part: &Part) -> String {
    match part.subject {
        SubjectKind::Release => ReleaseDigest::v1(part.digest).to_string(),
        SubjectKind::Image | SubjectKind::Model | SubjectKind::ToolServer => format!("{} {}", part.name, part.digest),
    }
}

fn approval(outcome: &ApprovalOutcome, screen: &mut Screen) {
    let contact = outcome
        .contact
        .as_ref()
        .map_or(String::new(), |contact| format!(" ({contact})"));
    let mark = if outcome.have >= outcome.need { "✓" } else { "·" };
    screen.styled(
        Style::Dim,
        &format!(
            "  {mark} approval by {}: {} of {}{contact}",
            outcome.role, outcome.have, outcome.need
        ),
    );
}

fn conclusion(judged: &Judged, require: Require) -> (Style, String) {
    let missing: Vec<_> = judged.missing().map(|check| check.check.as_str()).collect();
    match (judged.is_good(require), require) {
        (true, Require::Cleared) => (Style::Good, "Cleared.".to_owned()),
        (true, Require::Machine) => (Style::Good, "Nothing that a machine can give is missing.".to_owned()),
        (false, _) if judged.decision.verdict == Verdict::Refused => {
            (Style::Bad, format!("Refused: {}.", missing.join(", ")))
        }
        (false, Require::Machine) => (Style::Bad, format!("Missing: {}.", missing.join(", "))),
        (false, Require::Cleared) => (Style::Bad, "Not cleared.".to_owned()),
    }
}

/// All of it, for machines.
pub(super) fn json(report: &Report) -> Value {
    let one = |judged: &Judged| {
        let known = &judged.known;
        json!({
            "agent": known.agent.name,
            "namespace": known.agent.namespace,
            "release": known.release,
            "promotion": known.release.promotion_name(&known.agent.name),
            "bindingDigest": known.resolved.binding_digest,
            "good": judged.is_good(report.require),
            "missing": judged.missing().map(|check| check.check.as_str()).collect::<Vec<_>>(),
            "decision": judged.decision,
            "problems": known.problems,
            "undeclared": known.problems.iter().filter(|problem| problem.reason == ProblemReason::UndeclaredModel).count(),
        })
    };
    json!({
        "environment": report.environment,
        "policyDigest": report.policy.digest(),
        "policyProblems": report.faults,
        "notes": report.notes,
        "require": match report.require { Require::Machine => "machine", Require::Cleared => "cleared" },
        "good": report.is_good(),
        "agents": report.judged.iter().map(one).collect::<Vec<_>>(),
    })
}
