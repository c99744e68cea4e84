// SPDX-License-Identifier: GPL-2.0-only
//! The results as tables in Markdown.

use std::fmt::Write;

use anyhow::{Context, Result};

use crate::loading;
use crate::results::{Results, Row};

/// What the columns of the sizes' tables mean.
const LEGEND: &str = "\
Times are milliseconds over the floor: when `/init` starts, and when it has read a tenth of the bytes, and all. \
The floor unpacks an archive of init, which takes longer than mounting an image: a figure below the floor is shown as 0. \
Memory is MiB less than on the floor: available when `/init` starts, and after it has read all (what the page cache \
holds counts as available); the most that was ever in use, page cache included, counted by the host as \
memory that was touched; and what is still missing after the switch to another root. Copied is what the kernel \
copied of the files, in MB: an archive's contents into the tmpfs, or what the filesystem was given of an image.
";

/// The size of the README's table, in MB, and the kinds of initrd in it.
pub const HEADLINE_MB: u64 = 100;
pub const HEADLINE: [&str; 4] = ["cpio.zst", "cpio.lz4", "EROFS plain", "EROFS lz4hc"];

/// The kinds of initrd, of that size, that the least memory is measured of.
pub const LEAST: [&str; 7] = [
    "cpio",
    "cpio.lz4",
    "cpio.zst",
    "EROFS plain",
    "EROFS lz4hc",
    "EROFS zstd 64K",
    "squashfs zstd",
];

/// All tables of a run: one for each size, and one of the component's own phases.
pub fn tables(results: &Results) -> Result<String> {
    let mut out = String::new();
    floors(&mut out, results)?;
    for mb in sizes(results) {
        size(&mut out, results, mb)?;
        loading::table(&mut out, results, mb)?;
    }
    least(&mut out, &results.rows)?;
    phases(&mut out, &results.rows)?;
    Ok(out)
}

/// Returns the README's table: what counts, of a few kinds of initrd.
pub fn headline(results: &Results) -> Result<String> {
    let row = |name: &&str| {
        let is_it = |row: &&Row| row.payload_mb == HEADLINE_MB && row.initrd == *name;
        results.rows.iter().find(is_it).with_context(|| format!("no {name} was measured"))
    };
    let rows = HEADLINE.iter().map(row).collect::<Result<Vec<_>>>()?;
    let base = results.floor.available_mib;
    let mut out = String::new();
    writeln!(out, "| {HEADLINE_MB} MB of files | {} |", HEADLINE.join(" | "))?;
    writeln!(out, "|---|{}", "--:|".repeat(HEADLINE.len()))?;
    let mut line = |what: &str, cell: &dyn Fn(&Row) -> String| {
        let cells: Vec<String> = rows.iter().map(|row| cell(row)).collect();
        writeln!(out, "| {what} | {} |", cells.join(" | "))
    };
    line("time to `/init`, ms", &|row| over(results.over(row).init))?;
    line("until all files are read, ms", &|row| over(results.over(row).all))?;
    line("memory in use at `/init`, MiB", &|row| {
        format!("{:.0}", base.init - row.available_mib.init)
    })?;
    if rows.iter().all(|row| row.least.is_some()) {
        line("least memory that boots, MiB", &|row| {
            row.least.map_or_else(String::new, |least| least.init_mib.to_string())
        })?;
    }
    line("file size, MB", &|row| megabytes(row.bytes as f64))?;
    Ok(out)
}

/// Returns milliseconds over the floor. A figure below it is 0: the floor has to unpack its init.
fn over(ms: f64) -> String {
    format!("{:.1}", ms.max(0.0))
}

fn sizes(results: &Results) -> Vec<u64> {
    let mut sizes: Vec<u64> = results.rows.iter().map(|row| row.payload_mb).collect();
    sizes.dedup();
    sizes
}

/// Returns what is behind "over the floor".
fn floors(out: &mut String, results: &Results) -> Result<()> {
    let floor = &results.floor;
    writeln!(
        out,
        "The floor, an archive of init alone ({} MB), starts `/init` at {:.1} ms, with {:.0} MiB of {} MiB available \
         and {:.0} MiB ever touched.",
        megabytes(floor.bytes as f64),
        floor.at_ms.init,
        floor.available_mib.init,
        results.memory_mib,
        floor.touched_mib
    )?;
    if let Some(floor) = &results.disk_floor {
        writeln!(
            out,
            "Rows with `~` have a disk, and are compared with a floor beside a disk: {:.0} ms. While the guest waits \
             for its disk, the clock goes with the host's, whose page cache holds the disk: these figures do not \
             repeat, and are the least of their boots.",
            floor.at_ms.init
        )?;
    }
    Ok(writeln!(out, "\n{LEGEND}")?)
}

/// Returns the table of a size.
fn size(out: &mut String, results: &Results, mb: u64) -> Result<()> {
    let content = format!("{mb} MB of files");
    writeln!(
        out,
        "| {content} | size, MB | `/init` | 10 % read | all read | memory at `/init` | all read | most | left \
         | copied at `/init` | all read |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
    for row in results.rows.iter().filter(|row| row.payload_mb == mb) {
        line(out, results, row)?;
    }
    Ok(writeln!(out)?)
}

/// Returns a line of that table.
fn line(out: &mut String, results: &Results, row: &Row) -> Result<()> {
    let (times, floor) = (results.over(row), &results.floor);
    let (available, base) = (row.available_mib, floor.available_mib);
    let is_ours = ["EROFS", "squashfs", "btrfs", "ext4"].iter().any(|n| row.initrd.starts_with(n));
    let mark = if is_ours { "**" } else { "" };
    let time = |ms: f64| if row.has_disk { format!("~{ms:.0}") } else { over(ms) };
    write!(out, "| {mark}{}{mark} | {} ", row.initrd, megabytes(row.bytes as f64))?;
    write!(out, "| {mark}{}{mark} ", time(times.init))?;
    write!(out, "| {} | {} ", time(times.tenth), time(times.all))?;
    for missing in [
        base.init - available.init,
        base.all - available.all,
        row.touched_mib - floor.touched_mib,
        floor.left_mib - row.left_mib,
    ] {
        write!(out, "| {:.0} ", missing.max(0.0))?;
    }
    match row.copied_bytes {
        Some(copied) => {
            writeln!(out, "| {} | {} |", megabytes(copied.init), megabytes(copied.all))?;
        }
        None => writeln!(out, "| | |")?,
    }
    Ok(())
}

/// Returns the table of the least memory, if it was measured.
fn least(out: &mut String, rows: &[Row]) -> Result<()> {
    let rows: Vec<_> = rows.iter().filter_map(|row| Some((row, row.least?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "The least memory of the machine, in MiB, with which `/init` starts, and with which it reads all files. Found by bisection in steps of 8 MiB, by an ordinary clock.\n")?;
    writeln!(out, "| {HEADLINE_MB} MB of files | `/init` | all read |")?;
    writeln!(out, "|---|--:|--:|")?;
    for (row, least) in rows {
        writeln!(out, "| {} | {} | {} |", row.initrd, least.init_mib, least.all_mib)?;
    }
    Ok(writeln!(out)?)
}

/// Returns the table of the phases, if the kernel tells them.
fn phases(out: &mut String, rows: &[Row]) -> Result<()> {
    let ours: Vec<&Row> = rows.iter().filter(|row| !row.phases.is_empty()).collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in ours.iter().flat_map(|row| &row.phases) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    if ours.is_empty() {
        return Ok(());
    }
    writeln!(out, "The component's own phases, in microseconds, booted with `quiet`: the thread that writes the log to the serial line takes its turn in whichever phase a tick comes.\n")?;
    writeln!(out, "| image | files, MB | {} | in all |", names.join(" | "))?;
    writeln!(out, "|---|--:|{}--:|", "--:|".repeat(names.len()))?;
    for row in ours {
        write!(out, "| {} | {} ", row.initrd, row.payload_mb)?;
        for name in &names {
            match row.phases.iter().find(|(found, _)| found == name) {
                Some((_, ms)) => write!(out, "| {:.0} ", ms * 1e3)?,
                None => write!(out, "| ")?,
            }
        }
        let all: f64 = row.phases.iter().map(|(_, ms)| ms).sum();
        writeln!(out, "| {:.0} |", all * 1e3)?;
    }
    Ok(writeln!(out)?)
}

/// Bytes in millions.
fn megabytes(bytes: f64) -> String {
    let mb = bytes / 1e6;
    if mb < 100.0 {
        format!("{mb:.1}")
    } else {
        format!("{mb:.0}")
    }
}
