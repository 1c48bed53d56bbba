//! `inbox`: what the user may approve and has not.
//!
//! Whether a role is the user's is asked of the API server, so that the answer is RBAC's own.

use super::{
    Ended, Failure,
    cluster::{Cluster, ClusterArgs, Select, permitted},
    roles::{any_of_ours, is_anybodys, is_ours},
    screen::Screen,
    table::Table,
    verdict,
};
use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use kube::ResourceExt as _;
use std::collections::{BTreeMap, BTreeSet};
use vouchsafe_api::{
    Environment, Promotion,
    environment::rules::Exclude,
    promotion::status::{ApprovalOutcome, PromotionStatus, Verdict},
};

/// Questions that are asked at the same time.
const AT_ONCE: usize = 8;

/// Show what you may approve and have not.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  kubectl vouchsafe inbox -A")]
pub(crate) struct InboxArgs {
    /// In all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Prints it.
pub(crate) fn run(args: &InboxArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    super::wait(listed(args, screen))?
}

/// Something that somebody's word is missing for.
#[derive(Debug)]
struct Item<'a> {
    promotion: &'a Promotion,
    /// The role that is asked for; none when any will do.
    role: Option<&'a str>,
    /// What the word is about: the release, or one of its Waivers.
    about: String,
    /// What to add to the command.
    flags: String,
}

async fn listed(args: &InboxArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let cluster = Cluster::open(&args.cluster).await?;
    let promotions: Vec<Promotion> = cluster.list(args.all_namespaces, &Select::default()).await?;
    let me = cluster.whoami().await?;
    let excluding = excluding_requesters(&promotions, &cluster).await?;
    let open = promotions
        .iter()
        .flat_map(|promotion| items(promotion, &me, &excluding));
    let mine = mine(open.collect(), &cluster).await?;
    if mine.is_empty() {
        screen.line(&format!("Nothing waits for you, {me}."));
    } else {
        print(&mine, args.all_namespaces, screen);
    }
    Ok(Ended::Well)
}

/// Environments where who asked for a promotion does not count; those that we may not read are taken for such.
async fn excluding_requesters(promotions: &[Promotion], cluster: &Cluster) -> Result<BTreeMap<String, bool>, Failure> {
    let names: BTreeSet<_> = promotions
        .iter()
        .map(|promotion| promotion.spec.environment.clone())
        .collect();
    let mut excluding = BTreeMap::new();
    for name in names {
        let found = permitted(cluster.find_global::<Environment>(&name).await)?.flatten();
        let excludes = found.is_none_or(|environment| {
            let rules = environment.spec.approvals;
            rules.iter().all(|rule| rule.exclude.contains(&Exclude::Requester))
        });
        excluding.insert(name, excludes);
    }
    Ok(excluding)
}

fn items<'a>(promotion: &'a Promotion, me: &str, excluding: &BTreeMap<String, bool>) -> Vec<Item<'a>> {
    let spec = &promotion.spec;
    let asked_by_me = spec.requested_by.as_ref().is_some_and(|stamp| stamp.username == me);
    let excluded = asked_by_me && excluding.get(&spec.environment).copied().unwrap_or(true);
    let Some(status) = promotion.status.as_ref().filter(|_| !excluded) else {
        return Vec::new();
    };
    let mut items = Vec::new();
    if matches!(
        status.verdict,
        Some(Verdict::AwaitingApproval | Verdict::Waiting | Verdict::Revoked) | None
    ) {
        let missing = status
            .approvals
            .iter()
            .filter(|outcome| outcome.have < outcome.need && !voted(outcome, me));
        items.extend(missing.map(|outcome| Item {
            promotion,
            role: Some(outcome.role.as_str()).filter(|role| !is_anybodys(role)),
            about: format!("release ({} of {})", outcome.have, outcome.need),
            flags: String::new(),
        }));
    }
    items.extend(waivers(promotion, status));
    items
}

fn voted(outcome: &ApprovalOutcome, me: &str) -> bool {
    let counted = outcome.by.iter().chain(&outcome.rejected_by).any(|name| name == me);
    counted
        || outcome
            .not_counted
            .iter()
            .any(|words| words.split_once(": ").is_some_and(|(name, _)| name == me))
}

/// Waivers that nobody has approved, and a broken glass that nobody has reviewed; a word in any role will do.
fn waivers<'a>(promotion: &'a Promotion, status: &'a PromotionStatus) -> impl Iterator<Item = Item<'a>> {
    let settled = matches!(status.verdict, Some(Verdict::Superseded));
    let now = Timestamp::now();
    let open = status.waivers.iter().filter(move |waiver| {
        let unreviewed = status.break_glass_unreviewed && waiver.active;
        !settled && waiver.not_after > now && (!waiver.active || unreviewed)
    });
    open.map(move |waiver| Item {
        promotion,
        role: None,
        about: format!("Waiver {} ({})", waiver.waiver, waiver.message),
        flags: format!(" --waiver {}", waiver.waiver),
    })
}

/// Those that are ours to answer, with the role; every question is asked once.
async fn mine<'a>(items: Vec<Item<'a>>, cluster: &Cluster) -> Result<Vec<(Item<'a>, String)>, Failure> {
    let key = |item: &Item<'_>| {
        let namespace = item.promotion.namespace().unwrap_or_default();
        let environment = item.promotion.spec.environment.clone();
        (namespace, environment, item.role.map(str::to_owned))
    };
    let questions: BTreeMap<_, _> = items.iter().map(|item| (key(item), item.promotion)).collect();
    let asked = stream::iter(questions).map(|(question, promotion)| async move {
        let (namespace, environment, role) = &question;
        let ours = match role {
            Some(role) => is_ours(role, environment, namespace, cluster)
                .await?
                .then(|| role.clone()),
            None => {
                let status = promotion.status.as_ref();
                let asked = status.map(|status| status.approvals.as_slice()).unwrap_or_default();
                any_of_ours(asked, environment, namespace, cluster).await?
            }
        };
        Ok::<_, Failure>((question, ours))
    });
    let answers: BTreeMap<_, _> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
    let ours = |item: Item<'a>| {
        let role = answers.get(&key(&item)).cloned().flatten()?;
        Some((item, role))
    };
    Ok(items.into_iter().filter_map(ours).collect())
}

fn print(items: &[(Item<'_>, String)], everywhere: bool, screen: &mut Screen) {
    let now = Timestamp::now();
    let header = [
        "NAMESPACE",
        "PROMOTION",
        "ENVIRONMENT",
        "ROLE",
        "ABOUT",
        "ASKED BY",
        "AGE",
    ];
    let skipped = usize::from(!everywhere);
    let mut table = Table::new(header.get(skipped..).unwrap_or_default());
    for (item, role) in items {
        let (metadata, spec) = (&item.promotion.metadata, &item.promotion.spec);
        let asked_by = spec
            .requested_by
            .as_ref()
            .map_or("(the operator)", |stamp| stamp.username.as_str());
        let age = metadata
            .creation_timestamp
            .as_ref()
            .map_or(String::new(), |time| verdict::ago(time.0, now));
        let cells = [
            item.promotion.namespace().unwrap_or_default().into(),
            item.promotion.name_any().into(),
            spec.environment.as_str().into(),
            role.as_str().into(),
            item.about.as_str().into(),
            asked_by.into(),
            age.into(),
        ];
        table.cells(cells.into_iter().skip(skipped));
    }
    table.print(screen);
    if let Some((item, role)) = items.first() {
        let (name, namespace) = (
            item.promotion.name_any(),
            item.promotion.namespace().unwrap_or_default(),
        );
        screen.line("");
        screen.line("Look at one and give your word:");
        screen.line(&format!("  kubectl vouchsafe diff {name} -n {namespace}"));
        screen.line(&format!(
            "  kubectl vouchsafe approve {name}{} --role {role} --reason … -n {namespace}",
            item.flags
        ));
    }
}
