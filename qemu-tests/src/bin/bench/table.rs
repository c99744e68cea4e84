// SPDX-License-Identifier: GPL-2.0-only
//! The results as tables in Markdown.

use std::fmt::Write;

use anyhow::Result;

use crate::results::{Results, Row};

/// What the columns of the sizes' tables mean.
const LEGEND: &str = "\
Times are milliseconds over the floor: when `/init` starts, and when it has read a tenth of the bytes, and all. \
On the floor, the stock code unpacks the init, which takes longer than to mount an image: hence figures below it. \
Memory is MiB less than on the floor: available when `/init` starts, and after it has read all (what the page cache \
holds counts as available); the most that was ever in use, page cache included, counted by the host as \
memory that was touched; and what is still missing after the switch to another root. Copied is what the kernel \
copied of the files, in MB: an archive's contents into the tmpfs, or what the filesystem was given of an image.
";

/// Sizes that the README shows on demand.
const FOLDED: [u64; 2] = [1, 300];

/// All tables of a run: one for each size, and one of the component's own phases.
pub fn tables(results: &Results) -> Result<String> {
    let mut out = String::new();
    floors(&mut out, results)?;
    for mb in sizes(results) {
        size(&mut out, results, mb)?;
    }
    phases(&mut out, &results.rows)?;
    Ok(out)
}

/// The same for the README, where some of it has to be unfolded.
pub fn readme(results: &Results) -> Result<String> {
    let mut out = String::new();
    floors(&mut out, results)?;
    let (folded, open): (Vec<u64>, Vec<u64>) =
        sizes(results).into_iter().partition(|mb| FOLDED.contains(mb));
    for mb in open {
        size(&mut out, results, mb)?;
    }
    writeln!(out, "<details>\n<summary>Other sizes, and the component's own phases</summary>\n")?;
    for mb in folded {
        size(&mut out, results, mb)?;
    }
    phases(&mut out, &results.rows)?;
    writeln!(out, "</details>\n")?;
    Ok(out)
}

fn sizes(results: &Results) -> Vec<u64> {
    let mut sizes: Vec<u64> = results.rows.iter().map(|row| row.payload_mb).collect();
    sizes.dedup();
    sizes
}

/// What is behind "over the floor".
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

/// The table of a size.
fn size(out: &mut String, results: &Results, mb: u64) -> Result<()> {
    let content = format!("{mb} MB of files");
    writeln!(
        out,
        "| {content} | size, MB | `/init` | + 10 % read | + all read | memory at `/init` | all read | most | left \
         | copied at `/init` | all read |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
    for row in results.rows.iter().filter(|row| row.payload_mb == mb) {
        line(out, results, row)?;
    }
    Ok(writeln!(out)?)
}

/// A line of that table.
fn line(out: &mut String, results: &Results, row: &Row) -> Result<()> {
    let (over, floor) = (results.over(row), &results.floor);
    let (available, base) = (row.available_mib, floor.available_mib);
    let is_ours = ["EROFS", "squashfs", "btrfs", "ext4"].iter().any(|n| row.initrd.starts_with(n));
    let mark = if is_ours { "**" } else { "" };
    let time = |ms: f64| if row.has_disk { format!("~{ms:.0}") } else { format!("{ms:.1}") };
    write!(out, "| {mark}{}{mark} | {} ", row.initrd, megabytes(row.bytes as f64))?;
    write!(out, "| {mark}{}{mark} ", time(over.init))?;
    write!(out, "| {} | {} ", time(over.tenth), time(over.all))?;
    for missing in [
        base.init - available.init,
        base.all - available.all,
        row.touched_mib - floor.touched_mib,
        floor.left_mib - row.left_mib,
    ] {
        write!(out, "| {missing:.0} ")?;
    }
    match row.copied_bytes {
        Some(copied) => {
            writeln!(out, "| {} | {} |", megabytes(copied.init), megabytes(copied.all))?;
        }
        None => writeln!(out, "| | |")?,
    }
    Ok(())
}

/// The table of the phases, if the kernel tells them.
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
