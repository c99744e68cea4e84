// SPDX-License-Identifier: GPL-2.0-only
//! The least memory with which a machine reaches the stages of a boot.
//!
//! The report of init decides, not the time of a boot: too little
//! memory ends in a panic, in an init that is killed, or in an emulator that has no room for the initrd.

use std::time::Duration;

use anyhow::{Context, Result};
use qemu_tests::least::search;
use qemu_tests::machine::Machine;

use crate::candidates::Candidate;
use crate::parallel;
use crate::results::Least;

/// The limit of a boot, by an ordinary clock.
const TIME_LIMIT: Duration = Duration::from_secs(240);

/// Measures each candidate; those that do not boot with the most memory have none.
pub fn measure(candidates: &[Candidate]) -> Result<Vec<Option<Least>>> {
    parallel::map(candidates.len(), |index| {
        of(candidates.get(index).context("no such candidate")?)
    })
}

fn of(candidate: &Candidate) -> Result<Option<Least>> {
    let name = candidate.format.name;
    let Some(init_mib) = search(0, |mib| reaches(candidate, mib, "start", "start.cycles"))? else {
        return Ok(None);
    };
    let all_mib = search(init_mib, |mib| reaches(candidate, mib, "start,read10,read", "rest"))?;
    let Some(all_mib) = all_mib else {
        return Ok(None);
    };
    eprintln!("bench: {name}, {} MB: /init with {init_mib} MiB, all with {all_mib}", candidate.mb);
    Ok(Some(Least { init_mib, all_mib }))
}

/// Boots with so much memory: whether init has reported `key`.
fn reaches(candidate: &Candidate, mib: u32, orders: &str, key: &str) -> Result<bool> {
    let machine = Machine::new().initrd(&candidate.initrd).orders(orders).quiet();
    let machine = machine.append(&candidate.option).memory(mib).time_limit(TIME_LIMIT);
    // An emulator that refuses, a hang and a kernel that complains are all too little memory. So is an archive that
    // was unpacked in part: the kernel goes on without the rest.
    let Ok((Some(report), console)) = machine.run_to_any_end() else {
        return Ok(false);
    };
    let is_whole = console.unpacking_error().is_none();
    Ok(is_whole && report.first().is_ok_and(|found| found.get(key).is_ok()))
}
