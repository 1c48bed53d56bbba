//! Times of many runs.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// How long each run took, sorted; at least one.
pub(crate) fn times<T>(runs: usize, mut run: impl FnMut() -> T) -> Vec<Duration> {
    let mut times: Vec<_> = (0..runs.max(1))
        .map(|_| {
            let start = Instant::now();
            black_box(run());
            start.elapsed()
        })
        .collect();
    times.sort();
    times
}

/// The middle one of sorted times.
pub(crate) fn median(times: &[Duration]) -> Duration {
    times.get(times.len() / 2).copied().unwrap_or_default()
}
