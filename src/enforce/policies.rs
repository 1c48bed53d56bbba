//! Whether the admission policies that are installed are those that this program ships.
//!
//! Takes what the API server has, by listing it: the watches only say when to look, so that what cannot be read any more is unknown and not
//! what it was. Gives what differs, by name. It changes none of them: whoever may write policies may also take the operator's word away.

mod compare;
mod shipped;

pub(crate) use self::{
    compare::Comparison,
    shipped::{Shipped, ShippedError},
};

use super::{Context, Error, write};
use crate::observe::{
    change::Change,
    policies::{Name, resource},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

/// How often they are looked at when no watch says anything.
const LOOK: Duration = Duration::from_secs(30);
/// Between two looks: an installation changes all of them within a moment.
const PAUSE: Duration = Duration::from_millis(500);

/// What the newest look found.
#[derive(Default)]
pub(crate) struct Installed {
    found: watch::Sender<Option<Comparison>>,
}

impl Installed {
    /// What was found, once somebody has looked.
    pub(crate) async fn known(&self) -> Comparison {
        let mut found = self.found.subscribe();
        let known = found.wait_for(Option::is_some).await;
        known.ok().and_then(|found| found.clone()).unwrap_or_default()
    }
}

/// Looks whenever something changed, and wakes every environment when it is not as it was.
pub(crate) async fn run(context: Arc<Context>, shipped: Shipped, changed: Arc<Notify>) {
    let client = &context.world.client;
    loop {
        let found = match installed(client, shipped.kinds()).await {
            Ok(installed) => compare::compare(&shipped, &installed),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(event = "policies", %error, cause, "what is installed is not known");
                Comparison::default()
            }
        };
        let is_news = context.installed.found.send_if_modified(|known| {
            let is_news = known.as_ref() != Some(&found);
            *known = Some(found);
            is_news
        });
        if is_news {
            let _ = context.world.changes.send(Change::Policies);
        }
        sleep(PAUSE).await;
        // That nothing was said is a reason to look as well.
        let _ = timeout(LOOK, changed.notified()).await;
    }
}

/// What is compared of every policy, binding and webhook that the API server has.
async fn installed(client: &Client, kinds: &[&'static str]) -> Result<BTreeMap<Name, Value>, Error> {
    let mut found = BTreeMap::new();
    for kind in kinds.iter().copied() {
        let resource = resource(client, kind).await;
        let resource = resource.map_err(write::failed("find out who serves", kind.to_owned()))?;
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let listed = api.list(&ListParams::default()).await;
        for mut object in listed.map_err(write::failed("list every", kind.to_owned()))? {
            let name = Name {
                kind,
                name: object.name_any(),
            };
            found.insert(name, shipped::spec(&mut object.data));
        }
    }
    Ok(found)
}
