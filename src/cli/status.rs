//! `status`: which releases of which agents are in, and which wait for what; and what nobody has declared yet.

mod namespaces;
mod unseen;

use super::{
    Ended, Failure,
    cluster::{Cluster, ClusterArgs, Select},
    digest::Output,
    screen::{Screen, Style},
    table::{Cell, Table},
    verdict,
};
use clap::Args;
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vouchsafe_api::{Agent, Promotion, promotion::status::Verdict};

/// Show agents, their releases and what these wait for.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  kubectl vouchsafe status -n support-prod\n  kubectl vouchsafe status -A")]
pub(crate) struct StatusArgs {
    /// Only this agent, with releases of the past.
    #[arg(value_name = "AGENT")]
    agent: Option<String>,
    /// In all namespaces; and of each that is governed how much is undeclared, and how many pods would be held where an environment observes.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// How to print it: text or json.
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    output: Output,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Prints it.
pub(crate) fn run(args: &StatusArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    super::wait(listed(args, screen))?
}

async fn listed(args: &StatusArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let cluster = Cluster::open(&args.cluster).await?;
    let mut agents: Vec<Agent> = cluster.list(args.all_namespaces, &Select::default()).await?;
    let select = args
        .agent
        .as_ref()
        .map_or_else(Select::default, |agent| Select::field("spec.agent", agent));
    let promotions: Vec<Promotion> = cluster.list(args.all_namespaces, &select).await?;
    agents.retain(|agent| args.agent.as_ref().is_none_or(|name| agent.name_any() == *name));
    let rows = rows(&agents, &promotions, args.agent.is_some());
    let only = (!args.all_namespaces).then_some(cluster.namespace.as_str());
    let environments = match args.agent {
        None => namespaces::environments(&cluster).await?,
        Some(_) => None,
    };
    let governed = namespaces::of(environments.as_deref().unwrap_or_default(), only);
    if args.output == Output::Text && args.all_namespaces {
        namespaces::print(&governed, screen);
        if let Some(environments) = &environments {
            unseen::everywhere(environments, &cluster, screen).await?;
        }
    }
    match args.output {
        Output::Json => screen.json(&json!({
            "namespaces": governed.iter().map(namespaces::Governed::as_json).collect::<Vec<_>>(),
            "releases": rows.iter().map(Row::as_json).collect::<Vec<_>>(),
        })),
        Output::Text if rows.is_empty() => {
            let place = if args.all_namespaces {
                "any namespace".to_owned()
            } else {
                format!("namespace {}", cluster.namespace)
            };
            screen.line(&format!("No agents in {place}."));
        }
        Output::Text => print(&rows, args.all_namespaces, screen),
    }
    if args.output == Output::Text && !args.all_namespaces {
        governed.iter().for_each(|governed| governed.tell(screen));
        if governed.is_empty() && args.agent.is_none() {
            unseen::here(environments.as_deref(), &cluster, screen).await?;
        }
    }
    Ok(Ended::Well)
}

/// One release of one agent, or an agent without any.
#[derive(Debug)]
struct Row<'a> {
    namespace: String,
    agent: &'a str,
    agent_object: Option<&'a Agent>,
    promotion: Option<&'a Promotion>,
}

type Key = (String, String);

fn rows<'a>(agents: &'a [Agent], promotions: &'a [Promotion], with_past: bool) -> Vec<Row<'a>> {
    let place = |namespace: Option<String>| namespace.unwrap_or_default();
    let mut by_agent: BTreeMap<Key, (Option<&Agent>, Vec<&Promotion>)> = BTreeMap::new();
    for agent in agents {
        by_agent
            .entry((place(agent.namespace()), agent.name_any()))
            .or_default()
            .0 = Some(agent);
    }
    for promotion in promotions {
        let entry = by_agent
            .entry((place(promotion.namespace()), promotion.spec.agent.clone()))
            .or_default();
        if with_past || verdict::of(promotion) != Some(Verdict::Superseded) {
            entry.1.push(promotion);
        }
    }
    let mut rows = Vec::new();
    for ((namespace, _), (agent, mut promotions)) in by_agent {
        promotions.sort_by_key(|promotion| std::cmp::Reverse(created(promotion)));
        let row = |promotion: Option<&'a Promotion>| {
            let name = agent.and_then(|agent| agent.metadata.name.as_deref());
            Some(Row {
                namespace: namespace.clone(),
                agent: name.or(promotion.map(|promotion| promotion.spec.agent.as_str()))?,
                agent_object: agent,
                promotion,
            })
        };
        if promotions.is_empty() {
            rows.extend(row(None));
        }
        rows.extend(promotions.into_iter().filter_map(|promotion| row(Some(promotion))));
    }
    rows
}

fn created(promotion: &Promotion) -> Option<Timestamp> {
    promotion.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

impl Row<'_> {
    /// What the release is to the agent: what it is now, what was promoted ahead, or what it was before.
    fn place(&self) -> &'static str {
        let Some(promotion) = self.promotion else {
            return "";
        };
        let deployed = promotion
            .status
            .as_ref()
            .is_some_and(|status| status.deployed_at.is_some());
        let status = self.agent_object.and_then(|agent| agent.status.as_ref());
        match status.and_then(|status| status.release) {
            _ if deployed && self.agent_object.is_none() => "no Agent",
            Some(current) if current == promotion.spec.release => "current",
            _ if deployed => "earlier",
            _ => "ahead",
        }
    }

    fn environment(&self) -> &str {
        let of_agent = || {
            self.agent_object
                .and_then(|agent| agent.status.as_ref()?.environment.as_deref())
        };
        self.promotion
            .map(|promotion| promotion.spec.environment.as_str())
            .or_else(of_agent)
            .unwrap_or_default()
    }

    /// What it waits for; of an agent without a Promotion, what is wrong with it.
    fn waiting_for(&self) -> String {
        if let Some(promotion) = self.promotion {
            return verdict::waiting_for(promotion).to_owned();
        }
        let status = self.agent_object.and_then(|agent| agent.status.as_ref());
        let problem = status.and_then(|status| status.problems.first());
        problem.map_or(String::new(), |problem| {
            format!("{}: {}", problem.reason, problem.message)
        })
    }

    fn as_json(&self) -> Value {
        let status = self.promotion.and_then(|promotion| promotion.status.as_ref());
        json!({
            "namespace": self.namespace,
            "agent": self.agent,
            "environment": self.environment(),
            "promotion": self.promotion.map(kube::ResourceExt::name_any),
            "release": self.promotion.map(|promotion| promotion.spec.release),
            "place": self.place(),
            "verdict": status.and_then(|status| status.verdict),
            "waitingFor": self.waiting_for(),
            "clearedAt": status.and_then(|status| status.cleared_at),
            "notAfter": status.and_then(|status| status.not_after),
        })
    }
}

fn print(rows: &[Row<'_>], everywhere: bool, screen: &mut Screen) {
    let now = Timestamp::now();
    let header = [
        "NAMESPACE",
        "AGENT",
        "ENVIRONMENT",
        "PROMOTION",
        "RELEASE",
        "VERDICT",
        "AGE",
        "WAITING FOR",
    ];
    let skipped = usize::from(!everywhere);
    let mut table = Table::new(header.get(skipped..).unwrap_or_default());
    for row in rows {
        let verdict = row.promotion.and_then(verdict::of);
        let word = row.promotion.map_or("", |_| verdict::word(verdict));
        let age = row
            .promotion
            .and_then(created)
            .map_or(String::new(), |time| verdict::ago(time, now));
        let cells: Vec<Cell> = vec![
            row.namespace.as_str().into(),
            row.agent.into(),
            row.environment().into(),
            row.promotion.map_or(String::new(), kube::ResourceExt::name_any).into(),
            Cell::styled(Style::Dim, row.place()),
            Cell::styled(verdict::style(verdict), word),
            age.into(),
            row.waiting_for().into(),
        ];
        table.cells(cells.into_iter().skip(skipped));
    }
    table.print(screen);
}
