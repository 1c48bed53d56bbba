//! What a ledger could not take in: told once in the log and in an Event on the Promotion that it is about, and kept in mind for that
//! Promotion's status while it is so.

use crate::{enforce::Context, observe::change::Change};
use kube::runtime::reflector::ObjectRef;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use vouchsafe_core::{clearance::Dropped, digest::ReleaseDigest};

/// What is left out now, by namespace.
#[derive(Default)]
pub(crate) struct LeftOut {
    known: Mutex<HashMap<String, Vec<Dropped>>>,
}

impl LeftOut {
    /// Why something of a release is not in its namespace's ledger.
    pub(crate) fn of(&self, namespace: &str, agent: &str, release: ReleaseDigest) -> Option<Dropped> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_here = known.get(namespace)?.iter();
        let found = of_here.find(|dropped| dropped.agent == agent && dropped.release == Some(release));
        found.cloned()
    }

    /// Replaces what is known of a namespace; gives what was known before.
    fn set(&self, namespace: &str, dropped: &[Dropped]) -> Vec<Dropped> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = if dropped.is_empty() {
            known.remove(namespace)
        } else {
            known.insert(namespace.to_owned(), dropped.to_vec())
        };
        before.unwrap_or_default()
    }
}

/// Tells what was withdrawn for that reason and what stays out, each once, and wakes the Promotions that it concerns.
pub(super) fn tell(context: &Context, namespace: &str, withdrawn: &[Dropped], left_out: &[Dropped]) {
    let before = context.ledgers.left_out.set(namespace, left_out);
    let news = withdrawn.iter().filter(|dropped| !left_out.contains(dropped));
    let news = news.chain(left_out).filter(|dropped| !before.contains(dropped));
    for dropped in news {
        let Dropped { reason, message, .. } = dropped;
        tracing::error!(
            event = "left_out",
            namespace,
            reason,
            message,
            "the ledger does not hold it"
        );
        record(context, namespace, dropped);
    }
    let gone = before.iter().filter(|dropped| !left_out.contains(dropped));
    let come = left_out.iter().filter(|dropped| !before.contains(dropped));
    for promotion in gone.chain(come).filter_map(name) {
        // A closed channel means that the operator is shutting down.
        let _ = context.world.changes.send(Change::Word { promotion });
    }
}

/// On the Promotion, where there is one: what was grandfathered and what the Environment exempts has none.
fn record(context: &Context, namespace: &str, dropped: &Dropped) {
    let promotion =
        name(dropped).and_then(|name| context.world.promotions.get(&ObjectRef::new(&name).within(namespace)));
    if let Some(promotion) = promotion {
        let recorder = &context.recorder;
        recorder.about_ours(promotion.as_ref(), dropped.reason, &dropped.message);
    }
}

fn name(dropped: &Dropped) -> Option<String> {
    let release = dropped.release.filter(|_| !dropped.agent.is_empty())?;
    Some(release.promotion_name(&dropped.agent))
}
