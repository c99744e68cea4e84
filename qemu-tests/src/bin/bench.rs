// SPDX-License-Identifier: GPL-2.0-only
//! When does `/init` start, and when has it read everything? The same files and kernel, as one initrd
//! or another, authenticated or not.
//!
//! The guest's clock counts instructions (2 ns each), so the figures repeat to about 10 us and do not
//! depend on the host; they do not know cache misses. The length of the kernel command line shifts when
//! background work runs, so every initrd is booted with the same command lines, of several
//! lengths, and the median counts. `--wall` adds boots on two processors by the host's clock.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, thread};

use anyhow::{ensure, Context, Result};
use clap::Parser;
use qemu_tests::fixtures::cpio::{self, Compressor};
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::seal::Sealed;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::tools;
use serde::Serialize;

/// Command lines grow by this much from one boot to the next.
const PADDING: usize = 16;
/// A single boot's limit; counting is slow.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// Measures when /init starts, for several kinds of initrd made from the same files.
#[derive(Parser)]
struct Options {
    /// Directory with the files [default: build/demo]
    #[arg(long)]
    payload: Option<PathBuf>,
    /// Boots per initrd, each with a command line of another length
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=31))]
    paddings: u8,
    /// Memory of the guest in MiB
    #[arg(long, default_value_t = 2048)]
    memory: u32,
    /// Leave out cpio.zst -19, which takes minutes to make and to boot
    #[arg(long)]
    quick: bool,
    /// Also boot on two processors, by the host's clock
    #[arg(long)]
    wall: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// An initrd to measure.
struct Candidate {
    name: &'static str,
    path: PathBuf,
    /// What the command line has for it.
    option: String,
}

/// What was measured.
#[derive(Serialize)]
struct Row {
    /// Kind of initrd.
    initrd: &'static str,
    /// Its size.
    bytes: u64,
    /// When the kernel turned to `/init`, before reading anything of it.
    run_ms: f64,
    /// When `/init` had been loaded and started, on the counting clock.
    start_ms: f64,
    /// How much later than with the first row's initrd.
    over_floor_ms: f64,
    /// How long it takes then to read all files.
    read_ms: f64,
    /// Memory available to `/init`.
    available_mib: f64,
    /// When `/init` started on two processors, by the host's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    wall_ms: Option<f64>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Makes the initrds, measures each, prints.
fn run(options: &Options) -> Result<()> {
    let payload = options.payload.clone().unwrap_or_else(|| tools::build_dir().join("demo"));
    ensure!(payload.is_dir(), "no payload at {}: `make image` makes it", payload.display());
    eprintln!("bench: making the initrds from {}", payload.display());
    let mut rows: Vec<Row> = Vec::new();
    for candidate in candidates(&Tree::payload(&payload)?, options.quick)? {
        eprintln!("bench: booting {}", candidate.name);
        let floor = rows.first().map(|row| row.start_ms);
        let row = measure(options, &candidate, floor)?;
        eprintln!("bench: /init starts at {:.2} ms", row.start_ms);
        rows.push(row);
    }
    let mut out = io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &rows)?;
        writeln!(out)?;
        return Ok(());
    }
    print(&mut out, options, &rows)
}

/// The initrds, the floor first.
fn candidates(payload: &Tree, quick: bool) -> Result<Vec<Candidate>> {
    let floor = Tree::probe_only()?;
    let row = |name, path| Candidate { name, path, option: "initoverlayfs=auto".to_owned() };
    let (lz4, plain) = (erofs::image(payload, &USUAL)?, erofs::image(payload, &[])?);
    let mut candidates = vec![
        row("cpio of init alone (the floor)", cpio::archive(&floor, Compressor::None)?),
        row("cpio", cpio::archive(payload, Compressor::None)?),
        row("cpio.lz4", cpio::archive(payload, Compressor::Lz4)?),
        row("EROFS lz4hc 64K", lz4.clone()),
        sealed("EROFS lz4hc 64K, verify=sha256", &lz4)?,
        row("EROFS uncompressed", plain.clone()),
        sealed("EROFS uncompressed, verify=sha256", &plain)?,
        signed("EROFS uncompressed, verify=signature", &plain)?,
    ];
    if !quick {
        candidates.push(row("cpio.zst -19", cpio::archive(payload, Compressor::Zstd(19))?));
    }
    Ok(candidates)
}

/// The same image, which the kernel checks against its digest.
fn sealed(name: &'static str, image: &Path) -> Result<Candidate> {
    let sealed = Sealed::new(&fs::read(image)?, &[])?;
    let path = image.with_extension("sealed");
    fs::write(&path, &sealed.bytes)?;
    Ok(Candidate {
        name,
        path,
        option: format!("initoverlayfs=require,verify={}", sealed.digest()?),
    })
}

/// The same image, which the kernel checks against a signature.
fn signed(name: &'static str, image: &Path) -> Result<Candidate> {
    let path = image.with_extension("signed");
    fs::write(&path, Sealed::new(&fs::read(image)?, &[])?.signed("trusted")?.bytes)?;
    Ok(Candidate { name, path, option: "initoverlayfs=require,verify=signature".to_owned() })
}

/// Boots one initrd as often as ordered, and takes the medians.
fn measure(options: &Options, candidate: &Candidate, floor: Option<f64>) -> Result<Row> {
    let counted = boots(options, || machine(options, candidate).accel(tools::COUNTING))?;
    let run_ms = median(counted.iter().map(|sample| sample.run_ms).collect())?;
    let start_ms = median(counted.iter().map(|sample| sample.start_ms).collect())?;
    let wall_ms = match options.wall {
        true => {
            let one_by_one = (0..options.paddings)
                .map(|_| Ok(sample(machine(options, candidate).cpus(2))?.start_ms))
                .collect::<Result<_>>()?;
            Some(median(one_by_one)?)
        }
        false => None,
    };
    Ok(Row {
        initrd: candidate.name,
        bytes: fs::metadata(&candidate.path)?.len(),
        run_ms,
        start_ms,
        over_floor_ms: start_ms - floor.unwrap_or(start_ms),
        read_ms: median(counted.iter().map(|sample| sample.read_ms).collect())?,
        available_mib: median(counted.iter().map(|sample| sample.available_mib).collect())?,
        wall_ms,
    })
}

/// The machine that all boots have in common.
fn machine(options: &Options, candidate: &Candidate) -> Machine {
    let machine = Machine::new().initrd(&candidate.path).orders("start,read");
    // Of one length, as it shifts the figures.
    let option = format!("{} probe.fill={:.<200}", candidate.option, "");
    let machine = machine.append(&option[..200]);
    machine.memory(options.memory).time_limit(TIME_LIMIT)
}

/// Boots with command lines of all lengths, at once: the counting clock does not see the host's load.
fn boots(options: &Options, machine: impl Fn() -> Machine) -> Result<Vec<Sample>> {
    let machines: Vec<Machine> = (1..=usize::from(options.paddings))
        .map(|step| machine().append(&format!("probe.pad={}", "x".repeat(step * PADDING))))
        .collect();
    thread::scope(|scope| {
        let running: Vec<_> = machines.into_iter().map(|m| scope.spawn(|| sample(m))).collect();
        running
            .into_iter()
            .map(|boot| boot.join().map_err(|_| anyhow::anyhow!("a boot's thread panicked"))?)
            .collect()
    })
}

/// What one boot showed.
struct Sample {
    /// When the kernel ran its init.
    run_ms: f64,
    /// When its init started.
    start_ms: f64,
    /// How long that took to read all files.
    read_ms: f64,
    /// The memory that it had at first.
    available_mib: f64,
}

fn sample(machine: Machine) -> Result<Sample> {
    let report = machine.quiet().run()?.report;
    let found = report.first()?;
    // PRECISION: All are far below the 53 bits that a double holds exactly.
    let ms =
        |key| -> Result<f64> { Ok(Duration::from_nanos(found.number(key)?).as_secs_f64() * 1e3) };
    let available_mib = found.available_kb()? as f64 / 1024.0;
    let run_ms = Duration::from_micros(found.number("ran")?).as_secs_f64() * 1e3;
    Ok(Sample { run_ms, start_ms: ms("start")?, read_ms: ms("read")?, available_mib })
}

/// The middle value.
fn median(mut values: Vec<f64>) -> Result<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("nothing was measured")
}

/// Prints the table.
fn print(out: &mut impl Write, options: &Options, rows: &[Row]) -> Result<()> {
    let (paddings, memory) = (options.paddings, options.memory);
    writeln!(out, "`/init` starts; 2 ns per guest instruction, cache misses not counted;")?;
    writeln!(out, "median of {paddings} command line lengths, 1 processor, {memory} MiB.")?;
    let wall = if options.wall { " wall, 2 processors |" } else { "" };
    let line = if options.wall { "--:|" } else { "" };
    writeln!(
        out,
        "\n| initrd | size | kernel runs `/init` | `/init` starts | over the floor | to read all | available |{wall}"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|{line}")?;
    for row in rows {
        write!(out, "| {} | {:.1} MB ", row.initrd, row.bytes as f64 / 1e6)?;
        write!(out, "| {:.2} ms | {:.2} ms ", row.run_ms, row.start_ms)?;
        write!(out, "| {:.2} ms ", row.over_floor_ms)?;
        write!(out, "| {:.0} ms | {:.0} MiB |", row.read_ms, row.available_mib)?;
        if let Some(wall) = row.wall_ms {
            write!(out, " {wall:.0} ms |")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
