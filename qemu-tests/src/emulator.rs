// SPDX-License-Identifier: GPL-2.0-only
//! Waiting for the emulator's end, and looking at its memory meanwhile.

use std::fs;
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Between two looks at the emulator.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits for a process to end; nothing if it is still running at the limit, or when `has_come` says so. Leaves
/// the shared memory that it had last, in kB.
pub fn wait(
    child: &mut Child,
    limit: Duration,
    shared_kb: &mut u64,
    has_come: impl Fn() -> bool,
) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    while start.elapsed() < limit && !has_come() {
        if let Some(status) = child.try_wait().context("lost sight of the emulator")? {
            return Ok(Some(status));
        }
        *shared_kb = shared(child.id()).unwrap_or(*shared_kb);
        sleep(PAUSE);
    }
    Ok(None)
}

/// Returns the shared memory of a process, in kB.
fn shared(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix("RssShmem:"))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}
