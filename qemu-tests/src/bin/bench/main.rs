// SPDX-License-Identifier: GPL-2.0-only
//! What does it cost to start from an initrd, in time and memory? The same kernel and files, as one
//! kind of initrd or another, in several sizes.
//!
//! A complete run replaces the tables in `Documentation/benchmark.rst` and the README, and `Documentation/bench`; any
//! other only prints, without `--publish`. Of another machine than README's, it replaces that machine's section.

mod candidates;
mod compare;
mod crash;
mod frontier;
mod least;
mod loading;
mod measure;
mod parallel;
mod payload;
mod plot;
mod results;
mod table;
mod wall;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, ensure, Context, Result};
use clap::Parser;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::target::target;
use qemu_tests::{publish, tools};

use crate::candidates::{formats, Candidate, Format, DISK_FLOOR, FLOOR};
use crate::results::{Results, Row};

/// Sizes of a complete run, of a quick one, and of one by an ordinary clock.
const SIZES: &[u64] = &[1, 10, 100, 300, 1000];
const QUICK_SIZES: &[u64] = &[10, 100];
const WALL_SIZES: &[u64] = &[10, 100, 300];
/// Rounds by an ordinary clock, and memory in MiB, unless told otherwise.
const ROUNDS: u8 = 5;
const MEMORY: u32 = 4096;

/// Measures what several kinds of initrd made from the same files cost.
#[derive(Parser)]
#[command(bin_name = "scripts/bench")]
struct Options {
    /// Sizes of the files, in MB [default: 1,10,100,300,1000; quick: 10,100; wall: 10,100,300]
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<u64>,
    /// Fewer sizes, and the main kinds
    #[arg(long)]
    quick: bool,
    /// Only kinds whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// On two processors by an ordinary clock, in turns
    #[arg(long)]
    wall: bool,
    /// Rounds of --wall
    #[arg(long, default_value_t = ROUNDS, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Directory to take the files from, instead of Debian packages
    #[arg(long)]
    payload: Option<PathBuf>,
    /// Memory of the guest in MiB
    #[arg(long, default_value_t = MEMORY)]
    memory: u32,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// Boot nothing: take the results from these files, as if they were of one run
    #[arg(long, value_delimiter = ',')]
    from: Vec<PathBuf>,
    /// Boot nothing: say how far the two runs in these files agree, in times that do not depend on a disk
    #[arg(long, num_args = 2, value_names = ["RUN", "RUN"], exclusive = true)]
    compare: Vec<PathBuf>,
    /// Measure the least memory that boots as well, as a complete run does
    #[arg(long)]
    least: bool,
    /// Instead, the least crashkernel= that saves a dump, on a kernel that can: CONFIG=kexec scripts/bench --crash
    #[arg(long, conflicts_with_all = ["quick", "wall", "least", "json", "from"])]
    crash: bool,
    /// Replace the documents' tables and plots, even if the run is not complete
    #[arg(long)]
    publish: bool,
}

impl Options {
    /// Returns whether this is a run of everything, as usual.
    fn is_complete(&self) -> bool {
        let is_all = self.sizes.is_empty() && self.only.is_none() && self.payload.is_none();
        let is_usual = self.rounds == ROUNDS && self.memory == MEMORY;
        is_all && is_usual && !self.quick && self.from.is_empty()
    }

    /// Returns whether the documents show the figures of this run. Not all machines have a section there.
    fn is_published(&self) -> bool {
        let section = format!("{}{}", if self.wall { "bench-wall" } else { "bench" }, machine());
        let has_section = publish::has_section(&section);
        if (self.publish || self.is_complete()) && !has_section {
            eprintln!("bench: Documentation/benchmark.rst has no section {section}: the figures are printed only");
        }
        (self.publish || self.is_complete()) && has_section
    }

    fn sizes(&self) -> &[u64] {
        match (self.sizes.is_empty(), self.quick, self.wall) {
            (false, _, _) => &self.sizes,
            _ if self.crash => &[crash::MB],
            (true, true, _) => QUICK_SIZES,
            (true, false, true) => WALL_SIZES,
            (true, false, false) => SIZES,
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match &options.compare[..] {
        [one, other] => read(one).and_then(|one| compare::print(&one, &read(other)?)),
        _ if options.wall => wall(&options),
        _ if options.crash => crash(&options),
        _ => counted(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Boots on the counting clock; keeps the results, prints them.
fn counted(options: &Options) -> Result<()> {
    let mut results = match options.from.is_empty() {
        true => measured(options)?,
        false => joined(&options.from)?,
    };
    if options.least || options.is_complete() {
        add_least(options, &mut results)?;
    }
    let (json, text) = (serde_json::to_string_pretty(&results)? + "\n", table::tables(&results)?);
    // Hours of a complete run are not to be lost to a smaller one.
    let kept = if options.is_complete() { "results" } else { "partial" };
    keep(&format!("{kept}{}.json", machine()), &json)?;
    plot::write(&results, &place()?)?;
    if options.is_published() && results.missing == 0 {
        publish_counted(&results, &text)?;
        let file = format!("results{}.json", machine());
        fs::write(publish::directory()?.join(file), &json)?;
    }
    print(if options.json { &json } else { &text })?;
    ensure!(results.missing == 0, "{} initrds could not be booted: see above", results.missing);
    Ok(())
}

/// Replaces the documents' tables and plots; those of README and the plots are of one machine only.
fn publish_counted(results: &Results, text: &str) -> Result<()> {
    let machine = machine();
    if !machine.is_empty() {
        return publish::section(&format!("bench{machine}"), text);
    }
    let headline = table::headline(results)?;
    plot::write(results, &publish::directory()?)?;
    publish::section("bench", &(text.to_owned() + &plot::links()))?;
    publish::readme("headline", &headline)
}

/// Adds the least memory that boots, for the size and the kinds that it is shown for.
fn add_least(options: &Options, results: &mut Results) -> Result<()> {
    let only_size = Options {
        sizes: vec![table::HEADLINE_MB],
        crash: false,
        quick: false,
        only: None,
        payload: options.payload.clone(),
        from: Vec::new(),
        compare: Vec::new(),
        ..*options
    };
    let candidates = candidates(&only_size, |format| table::LEAST.contains(&format.name))?;
    eprintln!("bench: looking for the least memory that boots, by an ordinary clock");
    for (candidate, least) in candidates.iter().zip(least::measure(&candidates)?) {
        let is_it =
            |row: &&mut Row| row.initrd == candidate.format.name && row.payload_mb == candidate.mb;
        if let Some(row) = results.rows.iter_mut().find(is_it) {
            row.least = least;
        }
    }
    Ok(())
}

/// Boots on two processors, by an ordinary clock; keeps the results, prints them.
fn wall(options: &Options) -> Result<()> {
    let run = match &options.from[..] {
        [] => {
            let wanted = |format: &Format| wall::KINDS.contains(&format.name);
            let candidates = candidates(options, wanted)?;
            wall::measure(&candidates, usize::from(options.rounds), options.memory)?
        }
        [file] => wall::Run::read(file)?,
        _ => bail!("--wall takes one file to read"),
    };
    let (json, text) = (serde_json::to_string_pretty(&run)? + "\n", wall::table(&run)?);
    let file = format!("wall{}.json", machine());
    keep(&file, &json)?;
    // Older runs do not know the sizes.
    let counted = read(&publish::directory()?.join("results.json")).ok();
    let plot = frontier::of_wall(&run, counted.as_ref())?;
    fs::write(place()?.join(frontier::WALL_FILE), &plot)?;
    if options.is_published() {
        publish::section(&format!("bench-wall{}", machine()), &text)?;
        fs::write(publish::directory()?.join(&file), &json)?;
        if machine().is_empty() {
            fs::write(publish::directory()?.join(frontier::WALL_FILE), &plot)?;
        }
    }
    print(if options.json { &json } else { &text })
}

/// Measures the least memory of a crash kernel.
fn crash(options: &Options) -> Result<()> {
    ensure!(tools::kernel_has("CONFIG_PROC_VMCORE")?, "the kernel saves no dumps: CONFIG=kexec");
    let candidates = candidates(options, |format| crash::KINDS.contains(&format.name))?;
    let text = crash::table(&candidates)?;
    if options.publish {
        publish::section("bench-crash", &text)?;
    }
    print(&text)
}

/// Returns what names of sections and files end in: nothing for the machine that README shows.
fn machine() -> String {
    match target().name {
        "x86_64" => String::new(),
        other => format!("-{other}"),
    }
}

/// Returns the directory for plots of the machine, which is there then.
fn place() -> Result<PathBuf> {
    let place = tools::build_dir().join(format!("bench{}", machine()));
    fs::create_dir_all(&place)?;
    Ok(place)
}

/// Writes a file of results.
fn keep(name: &str, text: &str) -> Result<()> {
    let place = tools::build_dir().join("bench");
    fs::create_dir_all(&place)?;
    Ok(fs::write(place.join(name), text)?)
}

fn print(text: &str) -> Result<()> {
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

/// Returns the results of earlier runs; the floors of the first.
fn joined(files: &[PathBuf]) -> Result<Results> {
    let mut all = files.iter().map(|path| read(path));
    let mut joined = all.next().context("no files")??;
    for results in all {
        let results = results?;
        joined.rows.extend(results.rows);
        joined.missing += results.missing;
    }
    joined.rows.sort_by_key(|row| row.payload_mb);
    Ok(joined)
}

fn read(path: &Path) -> Result<Results> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}

/// Makes the initrds of all sizes.
fn candidates(options: &Options, wanted: impl Fn(&Format) -> bool) -> Result<Vec<Candidate>> {
    fs::create_dir_all(tools::build_dir().join("bench"))?;
    let mut candidates = Vec::new();
    for &mb in options.sizes() {
        let (tree, content) = payload::tree(mb, options.payload.as_deref())?;
        for format in formats(options.quick, mb)? {
            let is_named = options.only.as_ref().is_none_or(|part| format.name.contains(part));
            if is_named && wanted(format) {
                eprintln!("bench: making {}, {mb} MB", format.name);
                candidates.push(Candidate::new(format, mb, &tree, content)?);
            }
        }
    }
    Ok(candidates)
}

/// Makes the initrds and boots them on the counting clock.
fn measured(options: &Options) -> Result<Results> {
    let mut all = candidates(options, |_| true)?;
    let floor = |format| Candidate::new(format, 0, &Tree::probe_only()?, 0);
    let has_disk = all.iter().any(|candidate| candidate.disk.is_some());
    if has_disk {
        all.insert(0, floor(&DISK_FLOOR)?);
    }
    all.insert(0, floor(&FLOOR)?);
    let mut rows = measure::measure(&all, options.memory)?;
    let mut take = |format: &Format| {
        let found = rows.iter().position(|row| row.initrd == format.name);
        found.map(|index| rows.remove(index))
    };
    let floor = take(&FLOOR).context("the floor does not boot")?;
    let disk_floor = take(&DISK_FLOOR);
    let missing = all.len() - rows.len() - 1 - usize::from(disk_floor.is_some());
    Ok(Results { memory_mib: options.memory, floor, disk_floor, rows, missing })
}
