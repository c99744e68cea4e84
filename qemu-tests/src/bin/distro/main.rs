// SPDX-License-Identifier: GPL-2.0-only
//! How long a real Debian takes to boot: its own initramfs, as stock and as converted.
//!
//! The guest's clock counts instructions (2 ns each) on one processor; it does not know cache misses, and
//! nothing overlaps. Where the guest waits, for its disk above all, time passes as on the host: letting
//! it jump to the next timer, as the other benchmark does, turns a read into seconds. The least of
//! two boots counts, as the host's load can only add. A run of all generators goes into
//! `Documentation/benchmark.rst`. Needs what `scripts/distro` makes.
//!
//! Memory is what is available when `/init` starts, when the real root's init does, and when all is up. A
//! script that says so is in a small archive behind each initrd.
//!
//! Besides, for more generators: how large their images become, how long that takes, and the least memory that they
//! boot with.

mod boots;
mod generators;
mod images;
mod least;
mod packed;
mod results;
mod table;
mod usual;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use qemu_tests::fixtures::command::{convert, read_in};
use qemu_tests::report::Report;
use qemu_tests::target::target;
use qemu_tests::{publish, tools};

use crate::generators::{Generator, How, GENERATORS, MIXED, SMALL};
use crate::images::Images;
use crate::packed::Packed;
use crate::results::{Conversion, Least, Results};

/// Measures how long a real Debian takes to boot.
#[derive(Parser)]
#[command(bin_name = "scripts/bench --distro")]
struct Options {
    /// Boot these initrds of one's own instead
    #[arg(value_name = "INITRD", conflicts_with_all = ["only", "sizes_only", "least_only", "from", "publish"])]
    initrds: Vec<PathBuf>,
    /// Only generators whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Boot nothing: measure the sizes, and the time to convert
    #[arg(long)]
    sizes_only: bool,
    /// Measure the least memory that boots, and nothing else
    #[arg(long, conflicts_with_all = ["sizes_only", "from"])]
    least_only: bool,
    /// Boot an image of each generator, and replace the command's list of the programs that most of them read
    #[arg(long, conflicts_with_all = ["only", "sizes_only", "least_only", "from", "publish"])]
    usual_programs: bool,
    /// Boot nothing: take the results from these files; where several have a figure, the last one counts
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["only", "sizes_only"])]
    from: Vec<PathBuf>,
    /// Replace the document's tables, even if the run is not complete
    #[arg(long)]
    publish: bool,
}

impl Options {
    /// Returns whether this is a run of everything.
    fn is_complete(&self) -> bool {
        self.only.is_none() && !self.sizes_only && !self.least_only && self.from.is_empty()
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("distro: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if !options.initrds.is_empty() {
        return files(&options.initrds);
    }
    if options.usual_programs {
        return usual::replace();
    }
    let results = match options.from.is_empty() {
        true => measured(options)?,
        false => joined(&options.from)?,
    };
    let text = table::tables(&results)?;
    if options.publish || options.is_complete() {
        publish_all(&results, &text)?;
    }
    print!("{text}");
    Ok(())
}

/// Replaces the section of the machine, if there is one, and the file with the figures.
fn publish_all(results: &Results, text: &str) -> Result<()> {
    let section = format!("bench-distro{}", machine());
    if !publish::has_section(&section) {
        eprintln!("distro: Documentation/benchmark.rst has no section {section}: the figures are printed only");
        return Ok(());
    }
    publish::section(&section, text)?;
    let file = publish::directory()?.join(format!("distro{}.json", machine()));
    Ok(fs::write(file, serde_json::to_string_pretty(results)? + "\n")?)
}

/// Returns what names of sections and files end in: nothing for the machine that README shows.
fn machine() -> String {
    match target().name {
        "x86_64" => String::new(),
        other => format!("-{other}"),
    }
}

/// Compares initrds of somebody's own making, for the same disk.
fn files(paths: &[PathBuf]) -> Result<()> {
    let mut rows = Vec::new();
    for path in paths {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        rows.push(boots::row("", &path.display().to_string(), &bytes, "auto")?.0);
    }
    let mut out = String::new();
    table::boots(&mut out, &rows)?;
    print!("{out}");
    Ok(())
}

/// Returns the results of earlier runs.
fn joined(files: &[PathBuf]) -> Result<Results> {
    let mut joined = Results::default();
    for path in files {
        let about = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(about)?;
        joined.add(serde_json::from_str(&text).with_context(about)?);
    }
    Ok(joined)
}

/// Converts and boots; keeps what is known after each generator.
fn measured(options: &Options) -> Result<Results> {
    let place = tools::build_dir().join("bench");
    fs::create_dir_all(&place)?;
    let is_named =
        |one: &&Generator| options.only.as_ref().is_none_or(|part| one.name.contains(part));
    let mut results = Results::default();
    for generator in GENERATORS.iter().filter(is_named) {
        let Some(image) = generator.image()? else { continue };
        let mut images = Images::of(&image);
        if !options.least_only {
            results.conversions.push(conversion(generator, &image, &mut images)?);
        }
        if !options.sizes_only && !options.least_only {
            boot(generator, &image, &mut images, &mut results)?;
        }
        if !options.sizes_only {
            results.least.push(least(generator, &image, &mut images)?);
        }
        let kept = place.join(format!("distro{}.json", machine()));
        fs::write(kept, serde_json::to_string_pretty(&results)? + "\n")?;
    }
    Ok(results)
}

/// Measures the least memory with which an initramfs boots, as it is and converted.
fn least(generator: &Generator, initramfs: &Path, images: &mut Images) -> Result<Least> {
    eprintln!("distro: looking for the least memory for {}", generator.name);
    let mib = |initrd: &[u8], option| least::mib(initrd, option, generator.landmark);
    Ok(Least {
        generator: generator.name.to_owned(),
        stock_mib: mib(&fs::read(initramfs)?, "off")?,
        ours_mib: mib(&images.image(MIXED)?, "require")?,
    })
}

/// Measures what the command makes of an initramfs, and how long it and the generator's compressor take.
fn conversion(generator: &Generator, initramfs: &Path, images: &mut Images) -> Result<Conversion> {
    eprintln!("distro: converting the image of {}", generator.name);
    let bytes = fs::read(initramfs)?;
    Ok(Conversion {
        generator: generator.name.to_owned(),
        bytes: bytes.len().try_into()?,
        compressor: generator.compressor.to_owned(),
        compress_seconds: Packed::new(&bytes)?.compress(generator.compressor)?.as_secs_f64(),
        usual: images.cost(MIXED)?,
        small: images.cost(SMALL)?,
    })
}

/// Boots all kinds of a generator's image, and adds their rows.
fn boot(
    generator: &Generator,
    initramfs: &Path,
    images: &mut Images,
    results: &mut Results,
) -> Result<()> {
    let bytes = fs::read(initramfs)?;
    // The image before, and what its boots reported.
    let mut before: (Vec<u8>, Vec<Report>) = (Vec::new(), Vec::new());
    for kind in generator.kinds {
        let (initrd, option) = match kind.how {
            How::Stock => (bytes.clone(), "off"),
            How::Uncompressed => (Packed::new(&bytes)?.uncompressed(), "off"),
            How::Converted(options) => (images.image(options)?, "require"),
            How::Profiled(options) => {
                (profiled(initramfs, options, &before.0, &before.1)?, "require")
            }
        };
        let (row, reports) = boots::row(generator.name, kind.name, &initrd, option)?;
        results.rows.push(row);
        before = (initrd, reports);
    }
    Ok(())
}

/// Returns the image that is made for what a boot of the usual one read.
fn profiled(initramfs: &Path, options: &[&str], usual: &[u8], boots: &[Report]) -> Result<Vec<u8>> {
    let list = read_in(boots.first().context("no boots")?.last()?, usual)?;
    let path = list.path().to_str().context("the temporary directory is not UTF-8")?;
    convert(initramfs, &[options, &["--profile", path]].concat())
}
