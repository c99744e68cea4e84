// SPDX-License-Identifier: GPL-2.0-only
//! Boots on two processors, by an ordinary clock.
//!
//! There the stock unpacking overlaps with the probing of drivers, which one processor that counts
//! instructions cannot show, and caches count, and disks. The host's load shows as well, so the kinds are
//! booted in turns, one of each in a round, and what counts is the ratio of two boots of the same round:
//! its median over the rounds.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use qemu_tests::machine::Machine;
use qemu_tests::tools;
use serde::Serialize;

use crate::candidates::{Candidate, Kind};
use crate::measure::median;

const PROCESSORS: u32 = 2;
/// A single boot's limit.
const TIME_LIMIT: Duration = Duration::from_secs(900);
/// The kinds that take part, if the kernel can boot them.
pub const KINDS: &[&str] = &[
    "cpio",
    "cpio.gz",
    "cpio.lz4",
    "cpio.zst",
    "EROFS plain",
    "EROFS lz4hc",
    "userspace: loop, lz4hc",
    "userspace: file, lz4hc",
];

/// The boots of one kind and size, one for each round.
#[derive(Serialize)]
pub struct Series {
    pub initrd: String,
    pub payload_mb: u64,
    is_ours: bool,
    /// When `/init` started.
    init_ms: Vec<f64>,
    /// When it had read everything.
    all_ms: Vec<f64>,
}

/// Boots all of them in turns.
pub fn measure(candidates: &[Candidate], rounds: usize, memory_mib: u32) -> Result<Vec<Series>> {
    let mut all: Vec<Series> = candidates
        .iter()
        .map(|candidate| Series {
            initrd: candidate.format.name.to_owned(),
            payload_mb: candidate.mb,
            is_ours: matches!(candidate.format.kind, Kind::Image(_) | Kind::Writable(_)),
            init_ms: Vec::new(),
            all_ms: Vec::new(),
        })
        .collect();
    for round in 1..=rounds {
        eprintln!("bench: round {round} of {rounds}");
        for (candidate, series) in candidates.iter().zip(&mut all) {
            let [init, read] = boot(candidate, memory_mib)
                .with_context(|| format!("{}, {} MB", series.initrd, series.payload_mb))?;
            series.init_ms.push(init);
            series.all_ms.push(read);
        }
    }
    Ok(all)
}

/// Returns when `/init` starts, and when it has read everything, in milliseconds.
fn boot(candidate: &Candidate, memory_mib: u32) -> Result<[f64; 2]> {
    let machine = Machine::new().initrd(&candidate.initrd).orders("start,read10,read");
    let machine = machine.append(&candidate.option).cpus(PROCESSORS).memory(memory_mib);
    let machine = match &candidate.disk {
        Some(disk) => machine.disk(disk),
        None => machine,
    };
    let report = machine.time_limit(TIME_LIMIT).quiet().run()?.report;
    let found = report.first()?;
    let taken = |key| -> Result<u64> {
        let line = found.get(key)?;
        line.split(' ').next().unwrap_or(line).parse().with_context(|| format!("{key} {line}"))
    };
    let start = taken("start")?;
    let all = start + taken("tenth")? + taken("rest")?;
    Ok([start, all].map(|ns| Duration::from_nanos(ns).as_secs_f64() * 1e3))
}

/// Returns the table of all sizes.
pub fn table(all: &[Series], rounds: usize) -> Result<String> {
    let mut out = String::new();
    let ours: Vec<&str> = all.iter().filter(|one| one.is_ours).map(|one| &*one.initrd).collect();
    let mut names: Vec<&str> = Vec::new();
    ours.iter().for_each(|name| {
        if !names.contains(name) {
            names.push(name)
        }
    });
    let accel = tools::accel().join(" ");
    writeln!(
        out,
        "{PROCESSORS} processors, `{accel}`, {rounds} rounds. Milliseconds are medians. Ratio = time / time of the \
         named image in the same round: the median, and in parentheses the least and the greatest.\n"
    )?;
    write!(out, "| files, MB | initrd | `/init`, ms | all read, ms ")?;
    for name in &names {
        write!(out, "| `/init` : {name} | all read : {name} ")?;
    }
    writeln!(out, "|\n|--:|---|--:|--:{}|", "|--:|--:".repeat(names.len()))?;
    for one in all {
        let mark = if one.is_ours { "**" } else { "" };
        let (init, read) = (median(one.init_ms.clone())?, median(one.all_ms.clone())?);
        write!(out, "| {} | {mark}{}{mark} | {init:.0} | {read:.0} ", one.payload_mb, one.initrd)?;
        for name in &names {
            let other = all
                .iter()
                .find(|other| other.initrd == *name && other.payload_mb == one.payload_mb)
                .context("an image is missing")?;
            write!(out, "| {} ", ratio(&one.init_ms, &other.init_ms)?)?;
            write!(out, "| {} ", ratio(&one.all_ms, &other.all_ms)?)?;
        }
        writeln!(out, "|")?;
    }
    Ok(out)
}

/// Returns the ratio of two kinds, round by round.
fn ratio(one: &[f64], other: &[f64]) -> Result<String> {
    let ratios: Vec<f64> = one.iter().zip(other).map(|(one, other)| one / other).collect();
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    Ok(format!("{:.2} ({least:.2} to {most:.2})", median(ratios)?))
}
