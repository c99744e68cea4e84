// SPDX-License-Identifier: GPL-2.0-only

//! How long something took.

use crate::bindings;

/// A running stopwatch.
///
/// It reads the scheduler's clock: timekeeping still counts in ticks at the early initcalls.
pub(crate) struct Stopwatch {
    start: u64,
}

impl Stopwatch {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self { start: now() }
    }

    /// The time since the start, in microseconds.
    pub(crate) fn micros(&self) -> u64 {
        now().saturating_sub(self.start) / 1000
    }
}

/// Nanoseconds since the clock started.
fn now() -> u64 {
    // SAFETY: There are no preconditions.
    unsafe { bindings::sched_clock() }
}
