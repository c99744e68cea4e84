// SPDX-License-Identifier: GPL-2.0-only
//! What does it cost to start from an initrd, in time and memory? The same kernel and files, as one
//! kind of initrd or another, in several sizes.
//!
//! A complete run replaces the tables in `Documentation/benchmark.rst` and the README, and `Documentation/bench`; any
//! other only prints.

mod candidates;
mod least;
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

use anyhow::{ensure, Context, Result};
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
/// Differences that a comparison lists.
const LARGEST: usize = 15;
/// The size that variants are shown for.
const VARIANTS_AT: u64 = 100;

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
    /// Replace the documents' tables and plots, even if the run is not complete
    #[arg(long)]
    publish: bool,
}

impl Options {
    /// Returns whether this is a run that the project shows its figures of.
    fn is_complete(&self) -> bool {
        let is_all = self.sizes.is_empty() && self.only.is_none() && self.payload.is_none();
        let is_usual = self.rounds == ROUNDS && self.memory == MEMORY;
        self.publish || (is_all && is_usual && !self.quick && self.from.is_empty())
    }

    fn sizes(&self) -> &[u64] {
        match (self.sizes.is_empty(), self.quick, self.wall) {
            (false, _, _) => &self.sizes,
            (true, true, _) => QUICK_SIZES,
            (true, false, true) => WALL_SIZES,
            (true, false, false) => SIZES,
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match &options.compare[..] {
        [one, other] => compare(one, other),
        _ if options.wall => wall(&options),
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

/// Prints the differences of two runs.
fn compare(one: &Path, other: &Path) -> Result<()> {
    let (one, other) = (read(one)?, read(other)?);
    let mut differences: Vec<(f64, &str, u64)> = Vec::new();
    for row in one.rows.iter().filter(|row| !row.has_disk) {
        let is_same =
            |found: &&Row| found.initrd == row.initrd && found.payload_mb == row.payload_mb;
        let Some(found) = other.rows.iter().find(is_same) else {
            continue;
        };
        let (a, b) = (one.over(row), other.over(found));
        for difference in [a.init - b.init, a.tenth - b.tenth, a.all - b.all] {
            differences.push((difference.abs(), &row.initrd, row.payload_mb));
        }
    }
    differences.sort_by(|a, b| b.0.total_cmp(&a.0));
    let within = differences.iter().filter(|(ms, ..)| *ms < 0.1).count();
    println!(
        "{within} of {} times differ by less than 0.1 ms; the largest differences:",
        differences.len()
    );
    for (ms, initrd, mb) in differences.iter().take(LARGEST) {
        println!("{ms:8.3} ms  {initrd}, {mb} MB");
    }
    Ok(())
}

/// Boots on the counting clock; keeps the results, prints them.
fn counted(options: &Options) -> Result<()> {
    let mut results = match options.from.is_empty() {
        true => measured(options)?,
        false => joined(&options.from)?,
    };
    if options.least || (options.from.is_empty() && options.is_complete()) {
        add_least(options, &mut results)?;
    }
    let (json, text) = (serde_json::to_string_pretty(&results)? + "\n", table::tables(&results)?);
    let machine = machine();
    let file = format!("results{machine}.json");
    keep(&file, &json)?;
    plot::write(&results, &tools::build_dir().join("bench"))?;
    if options.is_complete() && results.missing == 0 {
        fs::write(publish::directory()?.join(&file), &json)?;
        if machine.is_empty() {
            plot::write(&results, &publish::directory()?)?;
            publish::section("bench", &(table::tables(&results)? + &plot::links()))?;
            publish::readme("headline", &table::headline(&results)?)?;
        } else {
            publish::section(&format!("bench{machine}"), &text)?;
        }
    }
    print(if options.json { &json } else { &text })?;
    ensure!(results.missing == 0, "{} initrds could not be booted: see above", results.missing);
    Ok(())
}

/// Adds the least memory that boots, for the size and the kinds that it is shown for.
fn add_least(options: &Options, results: &mut Results) -> Result<()> {
    let only_size = Options {
        sizes: vec![table::HEADLINE_MB],
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

/// Boots on two processors, by an ordinary clock.
fn wall(options: &Options) -> Result<()> {
    let wanted = |format: &Format| wall::KINDS.contains(&format.name);
    let candidates = candidates(options, wanted)?;
    let rounds = usize::from(options.rounds);
    let all = wall::measure(&candidates, rounds, options.memory)?;
    let (json, text) = (serde_json::to_string_pretty(&all)? + "\n", wall::table(&all, rounds)?);
    keep("wall.json", &json)?;
    if options.is_complete() {
        fs::write(publish::directory()?.join("wall.json"), &json)?;
        publish::section("bench-wall", &text)?;
    }
    print(if options.json { &json } else { &text })
}

/// Returns what names of sections and files end in: nothing for the machine that README shows.
fn machine() -> String {
    match target().name {
        "x86_64" => String::new(),
        other => format!("-{other}"),
    }
}

/// Writes a file of results.
fn keep(name: &str, text: &str) -> Result<()> {
    Ok(fs::write(tools::build_dir().join("bench").join(name), text)?)
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
        for format in formats(options.quick, mb == VARIANTS_AT)? {
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
