// SPDX-License-Identifier: GPL-2.0-only
//! The least `crashkernel=` with which a crash kernel saves the dump, by kind of its initrd.
//!
//! The first kernel boots a small image, reserves so much, loads the crash kernel and panics. The crash kernel's init copies
//! `/proc/vmcore` to a disk. The host then looks for the first kernel's memory there.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use probe::marker;
use qemu_tests::kexec::{run_through_panic, Disks};
use qemu_tests::least::{search_up_to, STEP};
use qemu_tests::machine::Machine;
use qemu_tests::scenario::usual_bytes;

use crate::candidates::Candidate;
use crate::parallel;

/// The kinds that are shown.
pub const KINDS: [&str; 5] =
    ["cpio.zst", "cpio.lz4", "EROFS plain", "EROFS lz4hc", "EROFS zstd 64K"];
/// The size of their files, in MB.
pub const MB: u64 = 40;
/// The memory of the machine, and the most of it that is reserved, in MiB.
const MEMORY: u32 = 640;
const MOST: u32 = 256;
/// The limit of both boots and the dump, by an ordinary clock.
const TIME_LIMIT: Duration = Duration::from_secs(150);
/// More parameters of the crash kernel. It ends at the first process that is killed.
const ENDS: &str = "nr_cpus=1 reset_devices sysctl.vm.panic_on_oom=1";

/// A line of the table.
struct Row {
    name: &'static str,
    bytes: u64,
    mib: Option<u32>,
}

/// Measures each candidate, and returns the table.
pub fn table(candidates: &[Candidate]) -> Result<String> {
    let rows = parallel::map(candidates.len(), |index| {
        let candidate = candidates.get(index).context("no such candidate")?;
        let mib = search_up_to(0, MOST, |mib| saves(candidate, mib))?;
        eprintln!("bench: {}, {} MB: {mib:?} MiB", candidate.format.name, candidate.mb);
        Ok(Row { name: candidate.format.name, bytes: candidate.bytes, mib })
    })?;
    text(&rows)
}

/// Returns whether the crash kernel saves the dump with so much memory.
fn saves(candidate: &Candidate, mib: u32) -> Result<bool> {
    let next = Machine::new().orders("dump").append(&candidate.option).append(ENDS);
    let disks = Disks::new(&fs::read(&candidate.initrd)?, &next)?;
    let first = Machine::new().initrd_bytes(usual_bytes()?).memory(MEMORY).quiet();
    let first = first.orders("crash,kexec_file_load").append(&format!("crashkernel={mib}M"));
    let first = disks.with_dump(first, u64::from(MEMORY))?.time_limit(TIME_LIMIT);
    // A reservation that does not hold the kernel and its initrd, a hang and a kernel that complains are all too little
    // memory. So is an archive that was unpacked in part.
    let Ok((_, console)) = run_through_panic(first) else {
        return Ok(false);
    };
    let is_whole = console.unpacking_error().is_none();
    Ok(is_whole && disks.dump().is_ok_and(|dump| dump.markers >= marker::COUNT))
}

/// Returns the table.
fn text(rows: &[Row]) -> Result<String> {
    let mut out = format!(
        "A machine of {MEMORY} MiB, {MB} MB of files in the crash kernel's initrd, steps of {STEP} MiB.\n\n\
         | initrd | size, MB | `crashkernel=`, MiB |\n|---|--:|--:|\n"
    );
    for Row { name, bytes, mib } in rows {
        // PRECISION: A size is shown with three digits.
        let size = *bytes as f64 / 1e6;
        let mib = mib.map_or_else(|| format!("more than {MOST}"), |mib| mib.to_string());
        writeln!(out, "| {name} | {size:.1} | {mib} |")?;
    }
    Ok(out + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_needs_too_much_is_shown() -> Result<()> {
        let row = |mib| Row { name: "x", bytes: 12_340_000, mib };
        let text = text(&[row(Some(64)), row(None)])?;
        assert!(text.contains("| x | 12.3 | 64 |\n| x | 12.3 | more than 256 |\n"), "{text}");
        Ok(())
    }
}
