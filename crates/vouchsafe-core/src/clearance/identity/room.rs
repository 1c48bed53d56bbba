//! How much of a ledger identities may take: names first, then what is behind them.

use super::Needs;
use serde::Serialize;

/// Bytes of a ledger's identities as JSON, beside what else it holds.
pub const MAX_IDENTITY: usize = 128 * 1024;
/// Of these, what is kept in mind of releases.
const MAX_NEEDS: usize = 32 * 1024;
/// What a name costs with an empty entry: `"":{"annotations":{},"roles":[]},`.
const ENTRY: usize = 40;

/// What is used up.
#[derive(Debug, Default)]
pub(super) struct Room {
    used: usize,
    left_out: usize,
}

impl Room {
    /// Whether what a release needs fits.
    pub(super) fn needs(&mut self, key: &str, needs: &Needs) -> bool {
        self.within(bytes(needs) + key.len() + 4, MAX_NEEDS)
    }

    /// The names that fit.
    pub(super) fn names(&mut self, names: &[impl AsRef<str>]) -> Vec<String> {
        let mut taken = Vec::new();
        for name in names {
            let name = name.as_ref();
            if self.within(bytes(name) + ENTRY, MAX_IDENTITY) {
                taken.push(name.to_owned());
            } else {
                self.left_out += 1;
            }
        }
        taken
    }

    /// Whether content fits.
    pub(super) fn takes(&mut self, content: &(impl Serialize + ?Sized)) -> bool {
        let fits = self.within(bytes(content) + ENTRY, MAX_IDENTITY);
        self.left_out += usize::from(!fits);
        fits
    }

    /// How much did not fit.
    pub(super) fn left_out(&self) -> usize {
        self.left_out
    }

    fn within(&mut self, cost: usize, most: usize) -> bool {
        let used = self.used.saturating_add(cost);
        let fits = used <= most;
        if fits {
            self.used = used;
        }
        fits
    }
}

fn bytes(value: &(impl Serialize + ?Sized)) -> usize {
    serde_json::to_vec(value).map_or(MAX_IDENTITY, |json| json.len())
}
