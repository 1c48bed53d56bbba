//! What is missing for a Promotion: what, who may give it, and the command that does.

use crate::cli::{
    Failure,
    cluster::{Cluster, ClusterError},
    screen::{Screen, Style},
    verdict,
};
use std::collections::BTreeMap;
use vouchsafe_api::{
    Check, Promotion,
    check::CheckSpec,
    evidence::SubjectKind,
    promotion::{
        Facet,
        status::{ApprovalOutcome, CheckOutcome, Outcome, Part, PredecessorOutcome, WaiverOutcome},
    },
};
use vouchsafe_core::decision::{INDEPENDENT, REINSTATE};

/// Prints every requirement, what is missing with who and how.
pub(super) async fn print(promotion: &Promotion, cluster: &Cluster, screen: &mut Screen) -> Result<(), Failure> {
    let Some(status) = &promotion.status else {
        screen.line("  The operator has not looked at it yet; see `kubectl get pods -n vouchsafe-system`.");
        return Ok(());
    };
    let (known, hidden) = checks(&status.checks, cluster).await?;
    let place = Place { promotion, cluster };
    for outcome in &status.checks {
        place.check(outcome, known.get(&outcome.check), screen);
    }
    if hidden {
        let role = "ask for a ClusterRoleBinding to `vouchsafe-policy-viewer`";
        screen.styled(
            Style::Dim,
            &format!("    Checks say who answers for them, and you may not read them: {role}"),
        );
    }
    status.after.iter().for_each(|outcome| predecessor(outcome, screen));
    status
        .approvals
        .iter()
        .for_each(|outcome| place.approval(outcome, screen));
    status.waivers.iter().for_each(|outcome| waiver(outcome, screen));
    Ok(())
}

/// The Checks that are not passed, as far as we may read them: they say who helps. And whether we may not read one.
async fn checks(outcomes: &[CheckOutcome], cluster: &Cluster) -> Result<(BTreeMap<String, CheckSpec>, bool), Failure> {
    let mut known = BTreeMap::new();
    let mut hidden = false;
    for outcome in outcomes.iter().filter(|outcome| outcome.outcome != Outcome::Pass) {
        match cluster.find_global::<Check>(&outcome.check).await {
            Ok(Some(check)) => {
                known.insert(outcome.check.clone(), check.spec);
            }
            Ok(None) => {}
            Err(ClusterError::Forbidden { .. }) => hidden = true,
            Err(error) => return Err(error.into()),
        }
    }
    Ok((known, hidden))
}

/// Where commands are for.
struct Place<'a> {
    promotion: &'a Promotion,
    cluster: &'a Cluster,
}

impl Place<'_> {
    fn check(&self, outcome: &CheckOutcome, check: Option<&CheckSpec>, screen: &mut Screen) {
        let style = verdict::outcome_style(outcome.outcome);
        let mark = if matches!(outcome.outcome, Outcome::Pass | Outcome::Waived) {
            "✓"
        } else {
            "✗"
        };
        let words = if outcome.message.is_empty() {
            String::new()
        } else {
            format!(": {}", outcome.message)
        };
        let reason = match outcome.outcome {
            Outcome::Pass | Outcome::Waived => String::new(),
            _ => format!(" ({})", outcome.reason),
        };
        screen.pieces(&[
            (
                style,
                &format!("  {mark} {} {}{reason}", outcome.outcome, outcome.check),
            ),
            (Style::Plain, &words),
        ]);
        if matches!(outcome.outcome, Outcome::Pass | Outcome::Waived) {
            return;
        }
        if let Some(words) = check.and_then(helpers) {
            who(&words, screen);
        }
        for command in self.commands(outcome, check) {
            how(&command, screen);
        }
    }

    fn commands(&self, outcome: &CheckOutcome, check: Option<&CheckSpec>) -> Vec<String> {
        let namespace = &self.cluster.namespace;
        if outcome.reason == "RegistryUnavailable" {
            return vec!["see that the registry answers; it is asked again without anybody's doing".to_owned()];
        }
        // Who may not read the Check still learns how from its outcome's reason.
        let asks_for =
            |part: fn(&CheckSpec) -> bool, reason: &str| check.map_or_else(|| outcome.reason.starts_with(reason), part);
        if asks_for(|check| check.signature.is_some(), "Signature") {
            let images = outcome.missing.iter().filter(|part| part.subject == SubjectKind::Image);
            return images
                .map(|part| format!("cosign sign --key KEY {}", self.image(part)))
                .collect();
        }
        if asks_for(|check| check.evidence.is_some(), "Evidence") {
            let attest = |subject: String| {
                format!(
                    "kubectl vouchsafe attest --check {} REPORT {subject} -n {namespace}",
                    outcome.check
                )
            };
            return outcome.missing.iter().map(|part| attest(self.subject(part))).collect();
        }
        let change = "change the agent so that the check is satisfied; that is another release";
        check.map(|_| change.to_owned()).into_iter().collect()
    }

    fn subject(&self, part: &Part) -> String {
        match part.subject {
            SubjectKind::Release => format!("--release {}", self.name()),
            SubjectKind::Image => format!("--image {}", self.image(part)),
            SubjectKind::Model => format!("--model {}", part.digest),
            SubjectKind::ToolServer => format!("--tool-server {}", part.digest),
        }
    }

    /// The image as its component words it, which names the repository; else its digest.
    fn image(&self, part: &Part) -> String {
        let digest = part.digest.to_string();
        let components = &self.promotion.spec.surface.components;
        let found = components
            .iter()
            .find(|component| component.facet == Facet::Image && component.digest == part.digest);
        let summary = found
            .and_then(|component| component.summary.clone())
            .filter(|summary| summary.ends_with(&digest));
        summary.unwrap_or(digest)
    }

    fn name(&self) -> &str {
        self.promotion.metadata.name.as_deref().unwrap_or_default()
    }

    fn approval(&self, outcome: &ApprovalOutcome, screen: &mut Screen) {
        let ApprovalOutcome {
            role,
            have,
            need,
            by,
            rejected_by,
            not_counted,
            contact,
        } = outcome;
        let given = have >= need;
        let (style, mark) = if given {
            (Style::Good, "✓")
        } else {
            (Style::Wait, "✗")
        };
        let by = if by.is_empty() {
            String::new()
        } else {
            format!(", by {}", by.join(", "))
        };
        screen.pieces(&[
            (style, &format!("  {mark} Approval by {role}")),
            (Style::Plain, &format!(": {have} of {need}{by}")),
        ]);
        for name in rejected_by {
            screen.styled(Style::Bad, &format!("      rejected by {name}"));
        }
        for words in not_counted {
            screen.styled(Style::Dim, &format!("      not counted: {words}"));
        }
        if !given {
            let contact = contact
                .as_ref()
                .map_or(String::new(), |contact| format!(" ({contact})"));
            let (people, role) = asked(role, &self.promotion.spec.environment, &contact);
            who(&people, screen);
            how(
                &format!(
                    "kubectl vouchsafe approve {} --role {role} --reason … -n {}",
                    self.name(),
                    self.cluster.namespace
                ),
                screen,
            );
        }
    }
}

/// Who gives what a Check asks for, and who answers for it, as far as it says so.
fn helpers(check: &CheckSpec) -> Option<String> {
    let producers = check.evidence.iter().flat_map(|rule| &rule.producers);
    let producers: Vec<_> = producers
        .map(|producer| match &producer.namespace {
            Some(namespace) => format!("{namespace}/{}", producer.name),
            None => producer.name.clone(),
        })
        .collect();
    let gives = producers.join(" or ");
    match &check.owner {
        Some(owner) if gives.is_empty() => Some(format!("{owner}, who answers for this check")),
        Some(owner) => Some(format!("{gives} gives it; {owner} answers for this check")),
        None => (!gives.is_empty()).then(|| format!("{gives} gives it")),
    }
}

fn predecessor(outcome: &PredecessorOutcome, screen: &mut Screen) {
    let (style, mark) = if outcome.satisfied {
        (Style::Good, "✓")
    } else {
        (Style::Wait, "✗")
    };
    screen.pieces(&[
        (style, &format!("  {mark} After {}", outcome.environment)),
        (Style::Plain, &format!(": {}", outcome.message)),
    ]);
}

fn waiver(outcome: &WaiverOutcome, screen: &mut Screen) {
    let style = if outcome.active { Style::Wait } else { Style::Dim };
    screen.styled(
        style,
        &format!(
            "  Waiver {}: {}; until {}",
            outcome.waiver,
            outcome.message,
            verdict::at(outcome.not_after)
        ),
    );
}

fn who(words: &str, screen: &mut Screen) {
    screen.styled(Style::Dim, &format!("      who {words}"));
}

fn how(words: &str, screen: &mut Screen) {
    screen.styled(Style::Dim, &format!("      how {words}"));
}

/// Who may approve in a role, and what to say in its place: two of them are not roles of anybody, so that any role counts.
fn asked<'r>(role: &'r str, environment: &str, contact: &str) -> (String, &'r str) {
    match role {
        INDEPENDENT => {
            let words = "in any role, and cannot change workloads here: nobody knows who wrote this";
            (
                format!("one more person who may `approve` in {environment} {words}"),
                "ROLE",
            )
        }
        REINSTATE => {
            let words = "in any role, after it was revoked";
            (format!("whoever may `approve` in {environment} {words}"), "ROLE")
        }
        role => (
            format!("whoever may `approve` as {role} in {environment}{contact}"),
            role,
        ),
    }
}
