//! What to remember of a decision until the next one.

use super::{Decision, Past, Verdict};

impl Decision {
    /// The past that the next decision has to be given, from this one and from the past that this one was given.
    ///
    /// Keeping both [`Past`] and [`Decision::seen`] where only the operator writes is what makes a decision stand: with the same facts
    /// and this past it is made again unchanged until `next_review_at`.
    #[must_use]
    pub fn past(&self, before: Option<&Past>) -> Past {
        let before = before.cloned().unwrap_or_default();
        let kept = Past {
            failing_since: self.failing_since,
            ..before
        };
        match self.term {
            Some(term) => Past {
                cleared_at: Some(term.cleared_at),
                renewed_at: Some(term.renewed_at),
                not_after: Some(term.not_after),
                grandfathered: self.grandfathered,
                after_waived: term.after_waived,
                ..kept
            },
            // Revoked by failing: the term stays known, so that it stands again when what failed is mended.
            None if self.failing_since.is_some() => kept,
            None => Past {
                cleared_at: None,
                renewed_at: None,
                not_after: None,
                grandfathered: false,
                after_waived: false,
                ..kept
            },
        }
    }

    /// Whether pods of the release that the ledger does not know yet may be let in.
    #[must_use]
    pub fn lets_in(&self) -> bool {
        self.verdict == Verdict::Cleared
    }
}
