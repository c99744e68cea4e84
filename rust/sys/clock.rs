// SPDX-License-Identifier: GPL-2.0-only

//! The time.
//!
//! Unsafe, because it calls C.

use crate::sys::bindings;

/// Nanoseconds since the clock started.
///
/// This is the scheduler's clock: timekeeping still counts in ticks at the early initcalls.
pub(crate) fn now() -> u64 {
    // SAFETY: There are no preconditions.
    unsafe { bindings::sched_clock() }
}
