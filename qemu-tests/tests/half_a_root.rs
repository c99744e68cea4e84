// SPDX-License-Identifier: GPL-2.0-only
//! Initrds that are not whole, or do not fit: stock, under `auto` and under `require`. Each cell of the table in
//! boot.rst, "Half a root", is what a boot makes of it.

use std::fs;

use anyhow::{bail, ensure, Context, Result};
use probe::entry::Entry;
use qemu_tests::fixtures::compress::Compressor;
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::stack::{with_base, Stack};
use qemu_tests::machine::Machine;
use qemu_tests::report::Section;
use qemu_tests::summary::Summary;
use qemu_tests::tools;

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../Documentation/boot.rst");

/// The words of the cells.
const WHOLE: &str = "whole";
const HALF: &str = "half a root";
/// The same, and nothing says so.
const SILENT: &str = "half a root, silently";
const DISK: &str = "``root=``";
const PANIC: &str = "panic";
const OUT_OF_MEMORY: &str = "out of memory";

/// Our words where the kernel goes on with half a root.
const GOES_ON: &str = ", going on with what came before that";

/// How a panic begins that `require` leads to, and one for want of memory.
const REQUIRED: &str = "initoverlayfs: required, but ";
const NO_MEMORY: &str = "System is deadlocked on memory";

/// Returns the memory of the machines, in MiB. A debug kernel fills most of 160.
fn memory_mib() -> Result<u32> {
    Ok(if tools::kernel_has("CONFIG_KASAN")? { 480 } else { 160 })
}

/// The part that is missing at the end of an initrd.
#[derive(Clone, Copy)]
enum Missing {
    Nothing,
    Half,
    Cut,
}

/// Parameters beside the initrd.
#[derive(Clone, Copy)]
enum Parameters {
    /// A disk, as `root=`.
    Disk,
    /// No disk, and a tmpfs of 4 MiB. With `root=`, the stock root is a ramfs, which has no limit.
    SmallTmpfs,
}

/// Boots an initrd with an option, and sees whether that ends as the cell says.
fn check_cell(
    stack: &Stack,
    missing: Missing,
    parameters: Parameters,
    option: &str,
    cell: &str,
) -> Result<()> {
    let mut initrd = stack.bytes();
    initrd.truncate(match missing {
        Missing::Nothing => initrd.len(),
        Missing::Half => initrd.len() / 2,
        Missing::Cut => initrd.len() - CUT,
    });
    let machine = Machine::new().memory(memory_mib()?).initrd_bytes(initrd).orders("tree").quiet();
    let machine = machine.append(option);
    let machine = match parameters {
        Parameters::Disk => machine.root_disk(disk::image()?),
        Parameters::SmallTmpfs => machine.append("initramfs_options=size=4M"),
    };
    if [PANIC, OUT_OF_MEMORY].contains(&cell) {
        let console = machine.run_to_panic()?;
        let line = console.panic().context("no panic")?;
        println!("{option}: {line}");
        let words = if cell == PANIC { REQUIRED } else { NO_MEMORY };
        ensure!(line.contains(words), "{line}: not {cell}");
        return Ok(());
    }
    let boot = machine.run()?;
    let found = outcome(boot.report.first()?, &stack.entries()?)?;
    let goes_on = || boot.console.text().lines().find(|line| line.contains(GOES_ON));
    let says = boot.console.unpacking_error().or_else(goes_on);
    println!("{option}: {found}: {}", says.unwrap_or("no error"));
    let found = if found == HALF && says.is_none() { SILENT } else { found };
    ensure!(found == cell, "{found}, not {cell}");
    Ok(())
}

/// Returns the word for a root that an init found.
fn outcome(found: &Section, entries: &[Entry]) -> Result<&'static str> {
    if found.get("argv0")? == "/sbin/init" {
        return Ok(DISK);
    }
    let differences = Summary::of(found, entries)?.differences;
    let count = differences.iter().filter(|line| line.starts_with('-')).count();
    println!("{count} of {} entries are missing or cut", entries.len());
    Ok(if count == 0 { WHOLE } else { HALF })
}

/// Returns 10 MiB of files that do not compress.
fn files() -> Layer {
    let mut random = fastrand::Rng::with_seed(1);
    (0..40).fold(Layer::new().directory("files", 0o755), |layer, number| {
        let mut content = vec![0; 256 << 10];
        random.fill(&mut content);
        layer.file(&format!("files/{number:02}"), 0o644, content)
    })
}

/// Returns more files than the memory holds, which take some hundreds of KiB.
fn bomb() -> Result<Layer> {
    let files = 0..memory_mib()? / 4;
    Ok(files.fold(Layer::new().directory("files", 0o755), |layer, number| {
        layer.file(&format!("files/{number:03}"), 0o644, vec![0; 5 << 20])
    }))
}

/// How archives and images are compressed, unless they are not.
const METHOD: Compressor = Compressor::Zstd(9);
const IMAGE: [&str; 2] = ["-zlz4hc,9", "-C65536"];
/// Bytes that an archive is cut by.
const CUT: usize = 5 << 20;

/// Returns a layer as an archive, and as an image.
fn alone(layer: Layer) -> Result<[Stack; 2]> {
    let layer = with_base(layer)?;
    Ok([Stack::new()?.archive(&layer, METHOD)?, Stack::new()?.image_with(&layer, &IMAGE)?])
}

/// Returns a layer as an archive behind an initrd with the init, which is an archive or an image.
fn behind(layer: &Layer, method: Compressor) -> Result<[Stack; 2]> {
    let [stock, ours] = alone(Layer::new())?;
    // Where a plain archive may follow.
    Ok([stock.aligned().archive(layer, method)?, ours.archive(layer, method)?])
}

/// Returns the rows of the table in the guide.
fn rows(guide: &str) -> Result<Vec<Vec<&str>>> {
    let (_, section) = guide.split_once("\nHalf a root\n").context("no section")?;
    let (section, _) = section.split_once("\n====").context("no end")?;
    let lines = section.lines().filter_map(|line| line.strip_prefix("   \"")?.strip_suffix('"'));
    Ok(lines.map(|line| line.split("\", \"").collect()).collect())
}

/// Boots a row of the table, each cell of it.
fn check(name: &str, stacks: [Stack; 2], missing: Missing, parameters: Parameters) -> Result<()> {
    let guide = fs::read_to_string(GUIDE)?;
    let rows = rows(&guide)?;
    let row = rows.iter().find(|row| row[0] == name).context("no such row")?;
    let [_, stock, auto, require] = row[..] else { bail!("{row:?} has not four cells") };
    ensure!([WHOLE, PANIC, OUT_OF_MEMORY].contains(&require), "`require` promises more");
    let [classic, ours] = &stacks;
    check_cell(classic, missing, parameters, "initoverlayfs=off", stock).context("stock")?;
    check_cell(ours, missing, parameters, "initoverlayfs=auto", auto).context("auto")?;
    check_cell(ours, missing, parameters, "initoverlayfs=require", require).context("require")
}

#[test]
fn cut_in_the_middle() -> Result<()> {
    check("cut in the middle", alone(files())?, Missing::Half, Parameters::Disk)
}

#[test]
fn whole_with_a_cut_compressed_archive_behind_it() -> Result<()> {
    let name = "whole, with a cut archive behind it, by zstd";
    check(name, behind(&files(), METHOD)?, Missing::Cut, Parameters::Disk)
}

#[test]
fn whole_with_a_cut_plain_archive_behind_it() -> Result<()> {
    let name = "whole, with a cut archive behind it, not compressed";
    check(name, behind(&files(), Compressor::None)?, Missing::Cut, Parameters::Disk)
}

#[test]
fn larger_than_the_tmpfs() -> Result<()> {
    check("larger than the tmpfs", alone(files())?, Missing::Nothing, Parameters::SmallTmpfs)
}

#[test]
fn with_an_archive_behind_it_that_is_larger_than_the_tmpfs() -> Result<()> {
    let name = "with an archive behind it that is larger than the tmpfs";
    check(name, behind(&files(), METHOD)?, Missing::Nothing, Parameters::SmallTmpfs)
}

#[test]
fn larger_than_the_memory() -> Result<()> {
    check("larger than the memory", alone(bomb()?)?, Missing::Nothing, Parameters::Disk)
}

#[test]
fn with_an_archive_behind_it_that_is_larger_than_the_memory() -> Result<()> {
    let name = "with an archive behind it that is larger than the memory";
    check(name, behind(&bomb()?, METHOD)?, Missing::Nothing, Parameters::Disk)
}

#[test]
fn table_has_no_other_rows() -> Result<()> {
    ensure!(rows(&fs::read_to_string(GUIDE)?)?.len() == 7, "a row has no test");
    Ok(())
}
