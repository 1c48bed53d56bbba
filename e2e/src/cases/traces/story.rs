//! What has to be told of one promotion: the spans in their order, in one another, with the times and words of what was stored.

use super::label;
use crate::collector::Span;
use anyhow::{Context as _, Result, bail, ensure};
use kube::ResourceExt;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use vouchsafe_api::{Promotion, promotion::status::Verdict};

/// What happened, and what was told of it.
pub(super) struct Story {
    pub(super) promotion: Promotion,
    pub(super) pod: String,
    pub(super) signed: String,
    pub(super) scan: String,
    pub(super) spans: Vec<Span>,
}

/// What has to be told, in the order of its end.
const TOLD: &[&str] = &[
    "decide Waiting",
    "wait for machines",
    "decide AwaitingApproval",
    "wait for people",
    "decide Cleared",
    "grant",
    "let go",
    "ledger",
    "promotion",
];

impl Story {
    fn first(&self, wanted: &str) -> Result<&Span> {
        let found = self.spans.iter().find(|span| label(span) == wanted);
        found.with_context(|| format!("no span `{wanted}` in {:?}", self.labels()))
    }

    fn labels(&self) -> Vec<String> {
        self.spans.iter().map(label).collect()
    }

    /// Everything, in its order, once.
    pub(super) fn is_told(&self) -> Result<()> {
        let mut ended: Vec<_> = self.spans.iter().collect();
        ended.sort_by_key(|span| (span.ended, std::cmp::Reverse(span.begun)));
        let mut order: Vec<String> = Vec::new();
        for label in ended.into_iter().map(label) {
            if TOLD.contains(&label.as_str()) && !order.contains(&label) {
                order.push(label);
            }
        }
        ensure!(order == TOLD, "told in the order {order:?}");
        // A registry is asked while a decision is made, and answers before that is written or after.
        let (decided, asked, waited) = (
            self.first("decide Waiting")?,
            self.first("ask registry")?,
            self.first("wait for machines")?,
        );
        ensure!(
            decided.begun <= asked.begun && asked.ended <= waited.ended,
            "{asked:?} of {decided:?} in {waited:?}"
        );
        self.is_nested()?;
        self.waits_are_true()?;
        self.words_are_true()
    }

    /// One root; the steps of a ledger are in it, all else in the root; and nothing that led there is outside of the root's time.
    fn is_nested(&self) -> Result<()> {
        let roots: Vec<_> = self.spans.iter().filter(|span| span.parent.is_empty()).collect();
        ensure!(roots.len() == 1, "{} roots", roots.len());
        let root = self.first("promotion")?;
        let created = self
            .promotion
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0.as_nanosecond());
        ensure!(
            root.parent.is_empty() && Some(i128::from(root.begun)) == created,
            "{root:?}"
        );
        for span in &self.spans {
            ensure!(span.begun <= span.ended, "ends before it begins: {span:?}");
            if span.parent.is_empty() {
                continue;
            }
            let parent = self.spans.iter().find(|other| other.id == span.parent);
            let parent = parent.with_context(|| format!("in nothing: {span:?}"))?;
            let is_step = matches!(
                span.name.as_str(),
                "withdraw" | "protect" | "barrier" | "grant" | "let go"
            );
            let wanted = if is_step { "ledger" } else { "promotion" };
            ensure!(parent.name == wanted, "{} is in {}", span.name, parent.name);
            // What is seen of it afterwards, as that it is healthy, comes later.
            let is_later = parent.name == "promotion" && span.begun >= root.ended;
            let is_inside = parent.begun <= span.begun && span.ended <= parent.ended;
            ensure!(is_inside || is_later, "{span:?} is not inside of {parent:?}");
        }
        let mut ids: Vec<_> = self.spans.iter().map(|span| &span.id).collect();
        ids.sort();
        ids.dedup();
        ensure!(
            ids.len() == self.spans.len(),
            "two spans have one id: {:?}",
            self.labels()
        );
        Ok(())
    }

    /// As long as the status says, although the operator crashed in one of them.
    fn waits_are_true(&self) -> Result<()> {
        let mut history = self.promotion.status.clone().unwrap_or_default().history;
        history.reverse();
        let mut waited = BTreeSet::new();
        for (since, until) in history.iter().zip(history.iter().skip(1)) {
            let name = match since.verdict {
                Verdict::Waiting => "wait for machines",
                Verdict::AwaitingApproval => "wait for people",
                other => bail!("was {other}: {history:?}"),
            };
            let times = [since, until].map(|entry| entry.at.as_nanosecond());
            let is = |span: &Span| span.name == name && [span.begun, span.ended].map(i128::from) == times;
            let told = self.spans.iter().any(is);
            ensure!(told, "no `{name}` at {times:?} in {:?}", self.labels());
            waited.insert(name);
        }
        ensure!(waited.len() == 2, "waited for {waited:?} alone: {history:?}");
        Ok(())
    }

    fn words_are_true(&self) -> Result<()> {
        let spec = &self.promotion.spec;
        for span in &self.spans {
            for (key, value) in [
                ("k8s.namespace.name", self.promotion.namespace().unwrap_or_default()),
                ("vouchsafe.promotion", self.promotion.name_any()),
                ("vouchsafe.agent", spec.agent.clone()),
                ("vouchsafe.environment", spec.environment.clone()),
                ("vouchsafe.release", spec.release.to_string()),
            ] {
                ensure!(span.says(key) == value, "{key} of {span:?}");
            }
            for (key, value) in [("service.name", "vouchsafe"), ("k8s.cluster.name", "blue")] {
                ensure!(span.resource.get(key) == Some(&json!(value)), "{key} of {span:?}");
            }
        }
        let cleared = self.first("decide Cleared")?;
        let status = self.promotion.status.clone().unwrap_or_default();
        let policy = status
            .policy_digest
            .map(|digest| digest.to_string())
            .unwrap_or_default();
        ensure!(cleared.says("vouchsafe.policy.digest") == policy, "{cleared:?}");
        let checks = json!(cleared.attributes.get("vouchsafe.checks")).to_string();
        for check in [&self.signed, &self.scan] {
            ensure!(checks.contains(&format!("{check}=Pass/")), "{check} in {checks}");
        }
        let approvals = cleared.attributes.get("vouchsafe.approvals");
        ensure!(approvals == Some(&json!(["security=1/1"])), "{approvals:?}");
        let asked = self.first("ask registry")?;
        ensure!(asked.says("vouchsafe.signature") == "verified", "{asked:?}");
        ensure!(
            asked.says("server.address") == "127.0.0.1" && asked.attributes.contains_key("server.port"),
            "{asked:?}"
        );
        ensure!(
            self.first("let go")?.says("k8s.pod.name") == self.pod,
            "the pod is {}",
            self.pod
        );
        ensure!(self.first("ledger")?.says("vouchsafe.ledger.change") == "granted");
        let failed = self.spans.iter().find(|span| span.error.is_some());
        ensure!(failed.is_none(), "{failed:?}");
        Ok(())
    }

    /// The log's line of the decision has the ids of its span, and both have the same facts.
    pub(super) fn is_logged(&self, log: &str) -> Result<()> {
        let cleared = self.first("decide Cleared")?;
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut lines = lines.filter(|line| line.get("span_id") == Some(&json!(cleared.id)));
        let line = lines
            .next()
            .context("no line of the log has the id of the decision's span")?;
        for (key, value) in [
            ("event", "decision"),
            ("trace_id", &cleared.trace),
            ("facts_digest", cleared.says("vouchsafe.facts.digest")),
            ("verdict", "Cleared"),
        ] {
            ensure!(line.get(key) == Some(&json!(value)), "{key} in {line}");
        }
        Ok(())
    }
}
