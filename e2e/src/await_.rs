//! Waiting for a condition instead of for a time.
//!
//! Takes something to look at, and looks until it is seen or a generous deadline has passed; then the error says what was waited for
//! and what was seen last. An error while looking counts as not seen yet: the API server may be restarting.

use anyhow::{Result, bail};
use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// Enough for anything that takes seconds on an idle machine, on a busy one.
pub const GENEROUS: Duration = Duration::from_secs(120);

/// Between two looks, at first; it doubles up to [`SLOWEST`].
const FASTEST: Duration = Duration::from_millis(20);
/// Between two looks, at most.
const SLOWEST: Duration = Duration::from_millis(250);

/// What one look found.
#[derive(Debug)]
pub enum Look<T> {
    /// What was waited for.
    Seen(T),
    /// Not there; in words, what is there instead.
    NotYet(String),
}

impl<T: Debug> Look<T> {
    /// Seen when the condition holds, else the thing itself is shown.
    pub fn when(thing: T, condition: impl FnOnce(&T) -> bool) -> Self {
        if condition(&thing) {
            Self::Seen(thing)
        } else {
            Self::NotYet(format!("{thing:?}"))
        }
    }
}

/// Looks until it is seen, for up to [`GENEROUS`].
///
/// # Errors
/// When the deadline has passed, with what was seen last.
pub async fn until<T, F, Fut>(what: &str, look: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Look<T>>>,
{
    within(GENEROUS, what, look).await
}

/// Looks until it is seen, for up to the time given.
///
/// # Errors
/// When the deadline has passed, with what was seen last.
pub async fn within<T, F, Fut>(deadline: Duration, what: &str, mut look: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Look<T>>>,
{
    let begun = Instant::now();
    let mut pause = FASTEST;
    loop {
        let last = match look().await {
            Ok(Look::Seen(thing)) => return Ok(thing),
            Ok(Look::NotYet(state)) => state,
            Err(error) => format!("{error:#}"),
        };
        if begun.elapsed() >= deadline {
            bail!("waited {} s for {what}; last seen: {last}", deadline.as_secs());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(SLOWEST);
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, within};
    use anyhow::anyhow;
    use std::time::Duration;

    #[tokio::test]
    async fn looks_again_after_an_error_and_gives_what_was_seen() {
        let mut looks = 0;
        let seen = within(Duration::from_secs(60), "the third look", || {
            looks += 1;
            std::future::ready(match looks {
                1 => Err(anyhow!("not reachable")),
                2 => Ok(Look::NotYet("two".to_owned())),
                more => Ok(Look::Seen(more)),
            })
        })
        .await
        .unwrap();
        assert_eq!(seen, 3);
    }

    #[tokio::test]
    async fn says_what_was_waited_for_and_what_was_seen_last() {
        let error = within(Duration::ZERO, "a miracle", || async {
            Ok(Look::<()>::NotYet("rain".to_owned()))
        })
        .await
        .unwrap_err();
        assert_eq!(error.to_string(), "waited 0 s for a miracle; last seen: rain");
    }
}
