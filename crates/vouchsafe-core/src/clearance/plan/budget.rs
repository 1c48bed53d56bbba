//! How much a ledger holds: what came first stays, what comes last is dropped, and said.

use crate::{
    clearance::{identity::MAX_IDENTITY, ledger::LedgerSpec},
    digest::ReleaseDigest,
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// Bytes of the whole spec's JSON but for identities, which have bytes of their own. The API server's store takes 1.5 MiB, its requests 3.
pub const MAX_BYTES: usize = 900 * 1024;
/// Profiles of a namespace. These bounds are those of the Clearance's schema.
pub const MAX_PROFILES: usize = 256;
/// Templates of a namespace.
pub const MAX_TEMPLATES: usize = 256;
/// Profiles, and templates, whose first container has the same image.
pub const MAX_PER_IMAGE: usize = 32;
/// Releases of a namespace.
pub const MAX_RELEASES: usize = 256;
/// Objects whose configuration is protected.
pub const MAX_PROTECTED: usize = 1024;
/// Agents whose waiting is explained.
pub const MAX_WAITING: usize = 64;
/// Characters of one explanation.
pub const MAX_EXPLANATION: usize = 300;

/// Things that are named as dropped; a further line says how many more.
const MAX_DROPPED: usize = 16;

/// Something that should be in a ledger and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// `LedgerFull`: there is no room. `ConfigurationChanged`: it contradicts the configuration.
    pub reason: &'static str,
    /// Whose it is; empty when it is no agent's, and of the line that says how many more there are.
    pub agent: String,
    /// Of which release; none on the line that says how many more there are.
    pub release: Option<ReleaseDigest>,
    /// What it is, and why it is not in.
    pub message: String,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

/// Keys of one kind.
#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_image: BTreeMap<String, usize>,
}

/// What is used up.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: usize,
    profiles: Counts,
    templates: Counts,
    releases: usize,
    protected: usize,
    waiting: usize,
    dropped: Vec<Dropped>,
    more: usize,
}

impl Budget {
    /// With what the ledger is in any case.
    pub(super) fn new(empty: &LedgerSpec) -> Self {
        Self {
            bytes: bytes(empty),
            profiles: Counts::default(),
            templates: Counts::default(),
            releases: 0,
            protected: 0,
            waiting: 0,
            dropped: Vec::new(),
            more: 0,
        }
    }

    /// Whether there is room for a profile with this key.
    pub(super) fn takes_profile(&mut self, image: &str, entry: &impl Serialize) -> Result<(), String> {
        let cost = bytes(entry) + bytes(image) + 2 * KEY;
        self.profiles.check(MAX_PROFILES, "profiles", image)?;
        self.spend(cost)?;
        self.profiles.add(image);
        Ok(())
    }

    /// The same for a template.
    pub(super) fn takes_template(&mut self, image: &str, entry: &impl Serialize) -> Result<(), String> {
        let cost = bytes(entry) + bytes(image) + 2 * KEY;
        self.templates.check(MAX_TEMPLATES, "templates", image)?;
        self.spend(cost)?;
        self.templates.add(image);
        Ok(())
    }

    /// The same for a release that needs this much more configuration protected.
    pub(super) fn takes_release(&mut self, entry: &impl Serialize, names: &[&str]) -> Result<(), String> {
        if self.releases >= MAX_RELEASES {
            return Err(format!("the ledger holds {MAX_RELEASES} releases already"));
        }
        self.takes_protected(names, bytes(entry) + 2 * KEY)?;
        self.releases += 1;
        Ok(())
    }

    /// The same for configuration.
    pub(super) fn takes_protected(&mut self, names: &[&str], more: usize) -> Result<(), String> {
        let count = self.protected + names.len();
        if count > MAX_PROTECTED {
            return Err(format!(
                "the ledger would protect {count} objects, at most {MAX_PROTECTED} are allowed"
            ));
        }
        let cost: usize = names.iter().map(|name| bytes(*name) + PROTECTED).sum();
        self.spend(cost + more)?;
        self.protected = count;
        Ok(())
    }

    /// Whether there is room for a line.
    pub(super) fn takes_waiting(&mut self, agent: &str, line: &str) -> bool {
        let fits = self.waiting < MAX_WAITING && self.spend(bytes(agent) + bytes(line) + 2).is_ok();
        self.waiting += usize::from(fits);
        fits
    }

    fn spend(&mut self, cost: usize) -> Result<(), String> {
        let bytes = self.bytes.saturating_add(cost);
        if bytes > MAX_BYTES {
            return Err(format!(
                "the ledger would be {bytes} bytes, at most {MAX_BYTES} are written"
            ));
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Notes what is left out.
    pub(super) fn drop(&mut self, reason: &'static str, of: (&str, ReleaseDigest), what: &str, why: &str) {
        if self.dropped.len() < MAX_DROPPED {
            self.dropped.push(Dropped {
                reason,
                agent: of.0.to_owned(),
                release: Some(of.1),
                message: format!("{what}: {why}"),
            });
        } else {
            self.more += 1;
        }
    }

    /// Notes how much of the identities is not recorded.
    pub(super) fn left_out(&mut self, count: usize) {
        if count > 0 {
            self.dropped.push(Dropped {
                reason: "LedgerFull",
                agent: String::new(),
                release: None,
                message: format!(
                    "{count} names and contents of service accounts, Roles and Services are more than the {MAX_IDENTITY} bytes that are recorded: \
                     they can be kept, not made again"
                ),
            });
        }
    }

    pub(super) fn into_dropped(mut self) -> Vec<Dropped> {
        if self.more > 0 {
            self.dropped.push(Dropped {
                reason: "LedgerFull",
                agent: String::new(),
                release: None,
                message: format!("and {} more", self.more),
            });
        }
        self.dropped
    }
}

/// `"<64 hex>":` and a comma.
const KEY: usize = 68;
/// `:{"present":false},`
const PROTECTED: usize = 19;

impl Counts {
    fn check(&self, most: usize, what: &str, image: &str) -> Result<(), String> {
        if self.all >= most {
            return Err(format!("the ledger holds {most} {what} already"));
        }
        match self.by_image.get(image) {
            Some(count) if *count >= MAX_PER_IMAGE => {
                Err(format!("the ledger holds {MAX_PER_IMAGE} {what} of `{image}` already"))
            }
            _ => Ok(()),
        }
    }

    fn add(&mut self, image: &str) {
        self.all += 1;
        *self.by_image.entry(image.to_owned()).or_default() += 1;
    }
}

fn bytes(value: &(impl Serialize + ?Sized)) -> usize {
    serde_json::to_vec(value).map_or(MAX_BYTES, |json| json.len())
}

/// A line as policies can show it: no line breaks, and not too long.
pub(super) fn one_line(text: &str) -> String {
    let plain = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.take(MAX_EXPLANATION).collect()
}
