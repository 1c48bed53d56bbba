//! The time of one decision, and the next one at which it could come out differently.
//!
//! Every comparison with the time goes through here, so that nothing can change before `next_review_at` by construction.

use jiff::{SignedDuration, Timestamp};
use std::cell::Cell;

/// The time, remembering what has not come yet.
#[derive(Debug)]
pub(super) struct Clock {
    now: Timestamp,
    next: Cell<Option<Timestamp>>,
}

impl Clock {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now,
            next: Cell::new(None),
        }
    }

    /// The time, to be written down only: to compare with it there is [`Clock::reached`].
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether an instant has come. One that has not is when the decision has to be made again.
    pub(super) fn reached(&self, instant: Timestamp) -> bool {
        if instant <= self.now {
            return true;
        }
        let earlier = self.next.get().map_or(instant, |next| next.min(instant));
        self.next.set(Some(earlier));
        false
    }

    /// Whether an instant has come, for who asks for a later one as well where it has not.
    pub(super) fn is_past(&self, instant: Timestamp) -> bool {
        instant <= self.now
    }

    /// The earliest instant asked for that has not come.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next.get()
    }
}

/// An instant and a while later; the end of time when there is no such instant.
pub(super) fn later(instant: Timestamp, by: SignedDuration) -> Timestamp {
    let end = if by.is_negative() {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    instant.checked_add(by).unwrap_or(end)
}
