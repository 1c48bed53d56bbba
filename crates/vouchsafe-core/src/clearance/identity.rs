//! What agents are to others: what their service accounts may do, and where the names lead that they were cleared with.
//!
//! Takes the profiles of a ledger, what is there in the namespace now, and what the ledger had; gives what the ledger has to hold. Whatever
//! exists was there before a release was cleared or passed the policy, so it is put on record, and stays there while a release needs it, so
//! that exactly that can be brought back. It decides nothing: the policy `vouchsafe-identity` does.
//!
//! Names come before contents: a name that is in the ledger without its content can be kept as it is, and not be made again.

mod names;
mod read;
mod room;

pub use self::{
    names::named,
    read::{Binding, MARKS, MARKS_BELOW, MAX_CONTENT, annotations, binding, leads, rules},
    room::MAX_IDENTITY,
};

use self::room::Room;
use super::ledger::ProfileEntry;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Service accounts, Roles, Services, and releases, of a namespace that are on record, each. The bound of the Clearance's schema.
pub const MAX_NAMES: usize = 512;
/// Roles of one service account, and names in one pod.
pub const MAX_OF_ONE: usize = 64;
/// Service accounts, and Services, that are kept in mind of one release.
pub const MAX_NEEDED: usize = 2 * MAX_OF_ONE;
/// Letters of a role as `ClusterRole/name`.
pub const MAX_ROLE: usize = 320;

/// What the ledger has of a namespace's identities.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// Service accounts of profiles, by name.
    pub accounts: BTreeMap<String, Account>,
    /// Roles that are bound to them, by name.
    pub roles: BTreeMap<String, BoundRole>,
    /// Services that releases name, by name.
    pub services: BTreeMap<String, NamedService>,
    /// Why they are here, by the first 32 hexadecimal digits of a release. No policy reads it.
    pub needs: BTreeMap<String, Needs>,
}

/// A service account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    /// Its annotations but for the marks of tools.
    pub annotations: BTreeMap<String, String>,
    /// What is bound to it in its namespace, as `Role/name` or `ClusterRole/name`.
    pub roles: BTreeSet<String>,
}

/// A Role that is bound to a service account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoundRole {
    /// Its rules; none when it was never there, or is too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Value>>,
}

/// A Service that a release names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedService {
    /// Whether it ever was there.
    pub present: bool,
    /// Where it leads; none when it never was there, or is too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads: Option<Value>,
}

/// What one release needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Needs {
    /// Names of service accounts.
    pub accounts: BTreeSet<String>,
    /// Names of Services.
    pub services: BTreeSet<String>,
}

/// What is there now, reduced to what counts. What could not be read yet is none, and says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct There {
    /// Annotations of service accounts, by name.
    pub accounts: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// Rules of Roles, by name; none when they are too large.
    pub roles: Option<BTreeMap<String, Option<Vec<Value>>>>,
    /// Role bindings that reach service accounts, by name.
    pub bindings: Option<BTreeMap<String, Binding>>,
    /// Where Services lead, by name; none when that is too large.
    pub services: Option<BTreeMap<String, Option<Value>>>,
}

/// A namespace around its agents.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Around {
    /// Its name.
    pub namespace: String,
    /// What is there.
    pub there: There,
    /// Services that releases name by what they declare, by release as in [`Identity::needs`].
    pub named: BTreeMap<String, BTreeSet<String>>,
    /// Releases that may come back without anybody's word, though no profile of them is in the ledger.
    pub lasting: BTreeSet<String>,
}

/// What the ledger has to hold, and how many names and contents had no room.
pub(super) fn identity<'l>(
    known: Option<&Identity>,
    profiles: impl Iterator<Item = &'l ProfileEntry>,
    around: &Around,
) -> (Identity, usize) {
    let nothing = Identity::default();
    let known = known.unwrap_or(&nothing);
    let mut room = Room::default();
    let (current, needs) = needs(known, profiles, around, &mut room);
    let names = |of: fn(&Needs) -> &BTreeSet<String>| {
        // What runs comes first, then what only may come back.
        let current: BTreeSet<&String> = current.values().flat_map(of).collect();
        let later: BTreeSet<&String> = needs.values().flat_map(of).collect();
        let later: Vec<_> = later.into_iter().filter(|name| !current.contains(name)).collect();
        current.into_iter().chain(later).take(MAX_NAMES).collect::<Vec<_>>()
    };
    let accounts = room.names(&names(|needs| &needs.accounts));
    let services = room.names(&names(|needs| &needs.services));
    let accounts = self::accounts(known, around, accounts, &mut room);
    let roles = roles(known, around, &accounts, &mut room);
    let services = self::services(known, around, services, &mut room);
    let identity = Identity {
        accounts,
        roles,
        services,
        needs,
    };
    (identity, room.left_out())
}

/// Of what runs now, whole; and of all that is kept in mind, what has room.
fn needs<'l>(
    known: &Identity,
    profiles: impl Iterator<Item = &'l ProfileEntry>,
    around: &Around,
    room: &mut Room,
) -> (BTreeMap<String, Needs>, BTreeMap<String, Needs>) {
    let mut current: BTreeMap<String, Needs> = BTreeMap::new();
    for entry in profiles {
        let key = key(&entry.subject.release.digest().hex());
        let needs = current.entry(key).or_default();
        let spec = &entry.profile.spec;
        let account = spec.get("serviceAccountName").and_then(Value::as_str);
        needs.accounts.insert(account.unwrap_or("default").to_owned());
        needs.services.extend(names::of_spec(spec, &around.namespace));
    }
    for (key, needs) in &mut current {
        needs
            .services
            .extend(around.named.get(key).into_iter().flatten().cloned());
        if let Some(before) = known.needs.get(key) {
            add(&mut needs.accounts, &before.accounts);
            add(&mut needs.services, &before.services);
        }
    }
    let lasting = |key: &String| !current.contains_key(key) && around.lasting.contains(key);
    let later = known.needs.iter().filter(|(key, _)| lasting(key));
    let mut all = BTreeMap::new();
    for (key, needs) in current.iter().chain(later) {
        let first = |names: &BTreeSet<String>| names.iter().take(MAX_NEEDED).cloned().collect();
        let needs = Needs {
            accounts: first(&needs.accounts),
            services: first(&needs.services),
        };
        if all.len() < MAX_NAMES && room.needs(key, &needs) {
            all.insert(key.clone(), needs);
        }
    }
    (current, all)
}

/// Adds what was known before, as far as one release may have names.
fn add(names: &mut BTreeSet<String>, before: &BTreeSet<String>) {
    for name in before {
        if names.len() >= MAX_NEEDED {
            break;
        }
        names.insert(name.clone());
    }
}

/// The key of a release.
#[must_use]
pub fn key(hex: &str) -> String {
    hex.chars().take(32).collect()
}

fn accounts(known: &Identity, around: &Around, names: Vec<String>, room: &mut Room) -> BTreeMap<String, Account> {
    let there = &around.there;
    let mut accounts = BTreeMap::new();
    for name in known_first(names, &known.accounts) {
        let before = known.accounts.get(&name);
        let now = there.accounts.as_ref().and_then(|accounts| accounts.get(&name));
        let mut account = Account::default();
        // What was taken away may come back as it was.
        let annotations = merged(before.map(|before| &before.annotations), now);
        if room.takes(&annotations) {
            account.annotations = annotations;
        }
        let reaches = |binding: &&Binding| binding.reaches(&name);
        let bound = there.bindings.iter().flat_map(BTreeMap::values).filter(reaches);
        let bound: BTreeSet<&String> = bound.map(|binding| &binding.role).collect();
        let before = before.into_iter().flat_map(|before| &before.roles);
        let before: Vec<_> = before.filter(|role| !bound.contains(role)).collect();
        for role in bound.into_iter().chain(before).take(MAX_OF_ONE) {
            if role.len() <= MAX_ROLE && room.takes(role) {
                account.roles.insert(role.clone());
            }
        }
        accounts.insert(name, account);
    }
    accounts
}

/// What is there now, and what was there before.
fn merged(
    before: Option<&BTreeMap<String, String>>,
    now: Option<&BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    let mut both = before.cloned().unwrap_or_default();
    both.extend(
        now.into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    match now {
        Some(now) if !read::is_small(&json!(both)) => now.clone(),
        _ => both,
    }
}

fn roles(
    known: &Identity,
    around: &Around,
    accounts: &BTreeMap<String, Account>,
    room: &mut Room,
) -> BTreeMap<String, BoundRole> {
    let bound = accounts.values().flat_map(|account| &account.roles);
    let bound: BTreeSet<_> = bound.filter_map(|role| role.strip_prefix("Role/")).collect();
    let names = room.names(&bound.into_iter().take(MAX_NAMES).collect::<Vec<_>>());
    let mut roles = BTreeMap::new();
    for name in known_first(names, &known.roles) {
        let now = around.there.roles.as_ref().and_then(|roles| roles.get(&name));
        let before = || known.roles.get(&name).and_then(|role| role.rules.clone());
        let rules = now.cloned().unwrap_or_else(before).filter(|rules| room.takes(rules));
        roles.insert(name, BoundRole { rules });
    }
    roles
}

fn services(known: &Identity, around: &Around, names: Vec<String>, room: &mut Room) -> BTreeMap<String, NamedService> {
    let mut services = BTreeMap::new();
    for name in known_first(names, &known.services) {
        let now = around.there.services.as_ref().and_then(|services| services.get(&name));
        let before = known.services.get(&name).cloned();
        // Nobody knows whether it is there: then it is not free to be made.
        let unknown = NamedService {
            present: around.there.services.is_none(),
            leads: None,
        };
        let mut service = match now {
            Some(leads) => NamedService {
                present: true,
                leads: leads.clone(),
            },
            None => before.unwrap_or(unknown),
        };
        service.leads = service.leads.filter(|leads| room.takes(leads));
        services.insert(name, service);
    }
    services
}

/// What is on record already gets its room first.
fn known_first<T>(names: Vec<String>, known: &BTreeMap<String, T>) -> impl Iterator<Item = String> {
    let (before, new): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| known.contains_key(name));
    before.into_iter().chain(new)
}
