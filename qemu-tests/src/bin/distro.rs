// SPDX-License-Identifier: GPL-2.0-only
//! How long a real Debian takes to boot: its own initramfs, as stock and as converted.
//!
//! The guest's clock counts instructions (2 ns each) on one processor; it does not know cache misses, and
//! nothing overlaps. Where the guest waits, for its disk above all, time passes as on the host: letting
//! it jump to the next timer, as the other benchmark does, turns a read into seconds. The least of
//! two boots counts, as the host's load can only add, and goes into `Documentation/benchmark.rst`. Needs what
//! `scripts/distro` makes.
//!
//! Memory is what is available when `/init` starts, when the real root's init does, and when all is up. A
//! script that says so is in a small archive behind each initrd.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result};
use qemu_tests::fixtures::archive;
use qemu_tests::fixtures::command::{convert, read_in};
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::machine::Machine;
use qemu_tests::report::Report;
use qemu_tests::{publish, tools};

const TIME_LIMIT: Duration = Duration::from_secs(1200);
/// Lengths that the option and its padding have together.
const PADDINGS: [usize; 2] = [16, 32];
const SUITE: &str = "trixie";
const GENERATORS: [&str; 2] = ["dracut", "initramfs-tools"];

fn made(name: &str) -> PathBuf {
    tools::build_dir().join("distro").join(name)
}

/// The script, in the initial root and on the disk.
const SCRIPT: &str = "rdinit=/report-init init=/usr/local/sbin/report-init";
/// The first bytes of a frame of zstd.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// In kB.
const MIB: u64 = 1024;

const HEAD: &str =
    "| initrd | size | `/init` | real root's init | system up |\n|---|--:|--:|--:|--:|\n";

/// What counts of a boot.
#[derive(Clone, Copy)]
enum Figure {
    Init,
    RealInit,
    Up,
    /// Available at a stage.
    Available(&'static str),
}

impl Figure {
    /// In microseconds, or in kB.
    fn of(self, report: &Report) -> Result<u64> {
        let found = report.last()?;
        match self {
            Self::Init => {
                let time = found.get("ran")?.split(' ').nth(1).context("no time of /init")?;
                Ok(Duration::try_from_secs_f64(time.parse()?)?.as_micros().try_into()?)
            }
            Self::RealInit => found.number("UserspaceTimestampMonotonic"),
            Self::Up => found.number("FinishTimestampMonotonic"),
            Self::Available(stage) => report.stage(stage)?.available_kb(),
        }
    }

    /// Returns the best of several boots: the least time, the most memory.
    fn best(self, boots: &[Report]) -> Result<u64> {
        let figures: Vec<u64> = boots.iter().map(|found| self.of(found)).collect::<Result<_>>()?;
        let best = match self {
            Self::Available(_) => figures.into_iter().max(),
            Self::Init | Self::RealInit | Self::Up => figures.into_iter().min(),
        };
        best.context("no boots")
    }

    /// Returns a time in seconds.
    fn seconds(self, boots: &[Report]) -> Result<String> {
        Ok(format!("{:.2} s", Duration::from_micros(self.best(boots)?).as_secs_f64()))
    }
}

/// Boots Debian's disk with this initrd, several times, each with another length of the command line,
/// which are the same for all initrds.
fn boots(initrd: &[u8], option: &str) -> Result<Vec<Report>> {
    let script = include_bytes!("../../../scripts/distro.d/report-init");
    let layer = Layer::new().file("report-init", 0o755, script);
    let archive = archive::newc(&layer, archive::Style::default());
    // Where the next archive of a classic initramfs may start, too.
    let gap = initrd.len().next_multiple_of(4) - initrd.len();
    let initrd = [initrd, &vec![0; gap], &archive].concat();
    let boot = |padding: usize| {
        let padding = "x".repeat(padding - option.len());
        let machine = Machine::new().initrd_bytes(initrd.clone());
        let machine = machine.root_disk(made(&format!("{SUITE}.ext4")));
        let machine =
            machine.append(&format!("initoverlayfs={option} {SCRIPT} probe.pad={padding}"));
        let machine =
            machine.accel(&tools::counting_with_disk()).memory(1024).time_limit(TIME_LIMIT);
        Ok(machine.quiet().run()?.report)
    };
    PADDINGS.into_iter().map(boot).collect()
}

/// Returns a row of the table, and what the boots reported.
fn row(name: &str, initrd: &[u8], option: &str) -> Result<(String, Vec<Report>)> {
    eprintln!("distro: booting {name}");
    let boots = boots(initrd, option)?;
    let at = |time: Figure, stage| -> Result<String> {
        let available = Figure::Available(stage).best(&boots)? / MIB;
        Ok(format!("{}, {available} MiB", time.seconds(&boots)?))
    };
    let row = format!(
        "| {name} | {} MB | {} | {} | {} |\n",
        initrd.len() / 1_000_000,
        at(Figure::Init, "initrd-init")?,
        at(Figure::RealInit, "real-init")?,
        at(Figure::Up, "disk")?
    );
    Ok((row, boots))
}

/// Returns the image that is made for what a boot of the usual one read.
fn profiled(initramfs: &Path, usual: &[u8], boots: &[Report]) -> Result<Vec<u8>> {
    let list = read_in(boots.first().context("no boots")?.last()?, usual)?;
    let path = list.path().to_str().context("the temporary directory is not UTF-8")?;
    convert(initramfs, &["--compression", "lz4hc", "--profile", path])
}

/// Returns the archives, with those decompressed that are compressed by zstd.
fn uncompressed(bytes: &[u8]) -> Result<Vec<u8>> {
    let at = bytes.windows(ZSTD.len()).position(|window| window == ZSTD);
    let (head, tail) = bytes.split_at(at.context("Debian does not use zstd any more")?);
    let mut file = tempfile::tempfile()?;
    file.write_all(tail)?;
    file.rewind()?;
    let archive = tools::run(Command::new("zstd").arg("-dcq").stdin(file))?;
    Ok([head, &archive].concat())
}

/// Compares initrds of somebody's own making, for the same disk.
fn files(paths: impl Iterator<Item = String>) -> Result<()> {
    print!("{HEAD}");
    for path in paths {
        print!("{}", row(&path, &fs::read(&path).context(path.clone())?, "auto")?.0);
    }
    Ok(())
}

fn run() -> Result<()> {
    let mut paths = env::args().skip(1).peekable();
    if paths.peek().is_some() {
        return files(paths);
    }
    let mut table = HEAD.to_owned();
    for generator in GENERATORS {
        let initramfs = made(&format!("{SUITE}.{generator}.img"));
        let bytes = fs::read(&initramfs)
            .with_context(|| format!("{}: run scripts/distro", initramfs.display()))?;
        let stock = |kind, bytes: &[u8]| row(&format!("{generator}, {kind}"), bytes, "off");
        table += &stock("as it is", &bytes)?.0;
        table += &stock("cpio", &uncompressed(&bytes)?)?.0;
        let ours = |kind, bytes: &[u8]| row(&format!("{generator}, {kind}"), bytes, "require");
        table += &ours("EROFS mixed", &convert(&initramfs, &[])?)?.0;
        let usual = convert(&initramfs, &["--compression", "lz4hc"])?;
        let (line, boots) = ours("EROFS lz4hc", &usual)?;
        table += &line;
        table += &ours("EROFS lz4hc, profiled", &profiled(&initramfs, &usual, &boots)?)?.0;
        table += &ours("EROFS plain", &convert(&initramfs, &["--compression", "none"])?)?.0;
        publish::section("bench-distro", &table)?;
    }
    print!("{table}");
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("distro: {error:#}");
            ExitCode::FAILURE
        }
    }
}
