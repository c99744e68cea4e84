// SPDX-License-Identifier: GPL-2.0-only
//! Memory figures, after the kernel has had time to tidy up.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::channel::Channel;

/// Between two looks at the memory.
const PAUSE: Duration = Duration::from_millis(50);
/// Equal looks in a row that count as settled.
const QUIET_LOOKS: u32 = 10;
/// Looks after which the memory is reported as it is: 10 s.
const MOST_LOOKS: u32 = 200;

/// Sends `memory.*`: the figures of `/proc/meminfo` in kB, and the free pages that wait on
/// per-CPU lists, which `MemAvailable` leaves out.
pub fn report(channel: &mut Channel) -> Result<()> {
    for name in ["MemTotal", "MemFree", "MemAvailable"] {
        channel.say(&format!("memory.{name}"), meminfo(name)?)?;
    }
    // Only kernels with CONFIG_CMA have the line.
    if let Ok(free) = meminfo("CmaFree") {
        channel.say("memory.CmaFree", free)?;
    }
    channel.say("memory.PerCpuFree", per_cpu_free()?)?;
    Ok(())
}

/// Sends `memory.STAGE AVAILABLE FREE`, in kB; both with the free pages on per-CPU lists.
pub fn at(channel: &mut Channel, stage: &str) -> Result<()> {
    let waiting = per_cpu_free()?;
    let (available, free) = (meminfo("MemAvailable")? + waiting, meminfo("MemFree")? + waiting);
    Ok(channel.say(&format!("memory.{stage}"), format!("{available} {free}"))?)
}

/// Drops what the page cache can spare and waits until the free memory stands still.
pub fn settle(channel: &mut Channel) -> Result<()> {
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", "3").context("cannot drop caches")?;
    let mut last = 0;
    let mut quiet = 0;
    for _ in 0..MOST_LOOKS {
        let now = meminfo("MemFree")? + per_cpu_free()?;
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
        if quiet == QUIET_LOOKS {
            break;
        }
        sleep(PAUSE);
    }
    channel.say("memory.settled", quiet == QUIET_LOOKS)?;
    Ok(())
}

/// Returns a figure of `/proc/meminfo`, in kB.
fn meminfo(name: &str) -> Result<u64> {
    fs::read_to_string("/proc/meminfo")?
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .find_map(|value| value.split_whitespace().next()?.parse().ok())
        .with_context(|| format!("/proc/meminfo has no {name}"))
}

/// Free pages on per-CPU lists, in kB.
fn per_cpu_free() -> Result<u64> {
    let zones = fs::read_to_string("/proc/zoneinfo")?;
    let pages: u64 = zones
        .lines()
        .filter_map(|line| line.trim().strip_prefix("count:"))
        .filter_map(|count| count.trim().parse::<u64>().ok())
        .sum();
    Ok(pages * (rustix::param::page_size() as u64 >> 10))
}
