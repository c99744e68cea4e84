// SPDX-License-Identifier: GPL-2.0-only
//! Boots on two processors, by an ordinary clock.
//!
//! There the stock unpacking overlaps with the probing of drivers, which one processor that counts
//! instructions cannot show, and caches count, and disks. The host's load shows as well, so the kinds are
//! booted in turns, one of each in a round, and what counts is the ratio of two boots of the same round:
//! its median over the rounds.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use qemu_tests::machine::Machine;
use qemu_tests::tools;
use serde::{Deserialize, Serialize};

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
    "cpio.xz",
    "EROFS plain",
    "EROFS lz4hc",
    "EROFS zstd 64K",
    "EROFS mixed",
    "EROFS small",
    "squashfs zstd",
    "userspace: loop, lz4hc",
    "userspace: file, lz4hc",
];

/// The kinds that others are compared with, as far as they were measured.
const BASES: [&str; 2] = ["EROFS plain", "EROFS lz4hc"];

/// All boots.
#[derive(Serialize)]
pub struct Run {
    /// The emulator's arguments for accelerator and processor; older runs do not name them.
    accel: Option<String>,
    pub series: Vec<Series>,
}

/// The boots of one kind and size, one for each round.
#[derive(Serialize, Deserialize)]
pub struct Series {
    pub initrd: String,
    pub payload_mb: u64,
    /// The bytes of the initrd; older runs do not know them.
    #[serde(default)]
    pub bytes: Option<u64>,
    is_ours: bool,
    /// When `/init` started.
    pub init_ms: Vec<f64>,
    /// When it had read a tenth; empty in older runs.
    #[serde(default)]
    pub tenth_ms: Vec<f64>,
    /// When it had read everything.
    pub all_ms: Vec<f64>,
}

impl Run {
    /// Reads a run, be it of the older kind, which is a list of series.
    pub fn read(path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum File {
            Run { accel: Option<String>, series: Vec<Series> },
            Older(Vec<Series>),
        }
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Ok(match serde_json::from_str(&text).with_context(|| path.display().to_string())? {
            File::Run { accel, series } => Self { accel, series },
            File::Older(series) => Self { accel: None, series },
        })
    }
}

/// Boots all of them in turns.
pub fn measure(candidates: &[Candidate], rounds: usize, memory_mib: u32) -> Result<Run> {
    let mut all: Vec<Series> = candidates
        .iter()
        .map(|candidate| Series {
            initrd: candidate.format.name.to_owned(),
            payload_mb: candidate.mb,
            bytes: candidate.disk.is_none().then_some(candidate.bytes),
            is_ours: matches!(candidate.format.kind, Kind::Image(_) | Kind::Writable(_)),
            init_ms: Vec::new(),
            tenth_ms: Vec::new(),
            all_ms: Vec::new(),
        })
        .collect();
    for round in 1..=rounds {
        eprintln!("bench: round {round} of {rounds}");
        for (candidate, series) in candidates.iter().zip(&mut all) {
            let [init, tenth, read] = boot(candidate, memory_mib)
                .with_context(|| format!("{}, {} MB", series.initrd, series.payload_mb))?;
            series.init_ms.push(init);
            series.tenth_ms.push(tenth);
            series.all_ms.push(read);
        }
    }
    Ok(Run { accel: Some(tools::accel().join(" ")), series: all })
}

/// Returns when `/init` starts, and when it has read a tenth and everything, in milliseconds.
fn boot(candidate: &Candidate, memory_mib: u32) -> Result<[f64; 3]> {
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
    let tenth = start + taken("tenth")?;
    let all = tenth + taken("rest")?;
    Ok([start, tenth, all].map(|ns| Duration::from_nanos(ns).as_secs_f64() * 1e3))
}

/// Returns the table of all sizes.
pub fn table(run: &Run) -> Result<String> {
    let (mut out, all) = (String::new(), &run.series);
    let is_there = |name: &&str| all.iter().any(|one| one.initrd == *name);
    let names: Vec<&str> = BASES.into_iter().filter(is_there).collect();
    let accel = run.accel.as_ref().map_or_else(String::new, |words| format!(" `{words}`,"));
    let rounds = all.first().map_or(0, |one| one.init_ms.len());
    writeln!(
        out,
        "{PROCESSORS} processors,{accel} {rounds} rounds. Milliseconds are medians. Ratio = time / time of the \
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
            let is_it =
                |other: &&Series| other.initrd == *name && other.payload_mb == one.payload_mb;
            match all.iter().find(is_it) {
                Some(other) => {
                    write!(out, "| {} ", ratio(&one.init_ms, &other.init_ms)?)?;
                    write!(out, "| {} ", ratio(&one.all_ms, &other.all_ms)?)?;
                }
                None => write!(out, "| | ")?,
            }
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

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Returns boots that take these times.
    pub fn series(initrd: &str, bytes: Option<u64>, [init, tenth, all]: [f64; 3]) -> Series {
        Series {
            initrd: initrd.to_owned(),
            payload_mb: 100,
            bytes,
            is_ours: initrd.starts_with("EROFS"),
            init_ms: vec![init],
            tenth_ms: vec![tenth],
            all_ms: vec![all],
        }
    }

    /// Returns a run of these.
    pub fn run(series: Vec<Series>) -> Run {
        Run { accel: None, series }
    }

    #[test]
    fn older_runs_are_read() -> Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        let older = r#"[{"initrd": "cpio", "payload_mb": 10, "is_ours": false, "init_ms": [1.0], "all_ms": [2.0]}]"#;
        fs::write(file.path(), older)?;
        let read = Run::read(file.path())?;
        assert_eq!((read.series[0].bytes, read.series[0].tenth_ms.len()), (None, 0));
        assert!(table(&read)?.starts_with("2 processors, 1 rounds."));
        fs::write(file.path(), serde_json::to_string(&read)?)?;
        assert_eq!(Run::read(file.path())?.series.len(), 1);
        Ok(())
    }

    #[test]
    fn an_image_that_is_missing_leaves_its_cells_empty() -> Result<()> {
        let mut other = series("cpio", None, [1.0; 3]);
        other.payload_mb = 10;
        let run = run(vec![other, series("EROFS lz4hc", None, [2.0; 3])]);
        assert!(table(&run)?.contains("| 10 | cpio | 1 | 1 | | |\n"), "{}", table(&run)?);
        Ok(())
    }
}
