// SPDX-License-Identifier: GPL-2.0-only
//! What does it cost to start from an initrd, in time and memory? The same kernel and files, as one
//! kind of initrd or another, in several sizes.

mod candidates;
mod measure;
mod payload;
mod results;
mod table;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{fs, path::Path};

use anyhow::{Context, Result};
use clap::Parser;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::tools;

use crate::candidates::{formats, Candidate, DISK_FLOOR, FLOOR};
use crate::results::Results;

/// Sizes of a full run, and the one that variants are shown for.
const SIZES: [u64; 5] = [1, 10, 100, 300, 1000];
const QUICK_SIZES: [u64; 2] = [10, 100];
const VARIANTS_AT: u64 = 100;

/// Measures what several kinds of initrd made from the same files cost.
#[derive(Parser)]
struct Options {
    /// Sizes of the files, in MB
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<u64>,
    /// Only 10 and 100 MB, and the main kinds
    #[arg(long)]
    quick: bool,
    /// Only kinds whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Directory to take the files from, instead of Debian packages
    #[arg(long)]
    payload: Option<PathBuf>,
    /// Memory of the guest in MiB
    #[arg(long, default_value_t = 4096)]
    memory: u32,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// Print the tables of this file again, and boot nothing
    #[arg(long)]
    render: Option<PathBuf>,
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

/// Measures, keeps the results, prints them.
fn run(options: &Options) -> Result<()> {
    let results = match &options.render {
        Some(path) => read(path)?,
        None => measured(options)?,
    };
    let json = serde_json::to_string_pretty(&results)? + "\n";
    fs::write(tools::build_dir().join("bench/results.json"), &json)?;
    let mut out = io::stdout().lock();
    if options.json {
        return Ok(io::Write::write_all(&mut out, json.as_bytes())?);
    }
    Ok(io::Write::write_all(&mut out, table::tables(&results)?.as_bytes())?)
}

/// The results of an earlier run.
fn read(path: &Path) -> Result<Results> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}

/// Makes the initrds and boots them.
fn measured(options: &Options) -> Result<Results> {
    let sizes = match (options.sizes.is_empty(), options.quick) {
        (false, _) => &options.sizes[..],
        (true, true) => &QUICK_SIZES,
        (true, false) => &SIZES,
    };
    fs::create_dir_all(tools::build_dir().join("bench"))?;
    let mut candidates = vec![Candidate::new(&FLOOR, 0, &Tree::probe_only()?, 0)?];
    for &mb in sizes {
        let (tree, content) = payload::tree(mb, options.payload.as_deref())?;
        for format in formats(options.quick, mb == VARIANTS_AT)? {
            if options.only.as_ref().is_some_and(|part| !format.name.contains(part)) {
                continue;
            }
            eprintln!("bench: making {}, {mb} MB", format.name);
            candidates.push(Candidate::new(format, mb, &tree, content)?);
        }
    }
    if candidates.iter().any(|candidate| candidate.disk.is_some()) {
        candidates.insert(1, Candidate::new(&DISK_FLOOR, 0, &Tree::probe_only()?, 0)?);
    }
    let mut rows = measure::measure(&candidates, options.memory)?;
    let floor = rows.remove(0);
    let has_disk_floor = rows.first().is_some_and(|row| row.initrd == DISK_FLOOR.name);
    let disk_floor = has_disk_floor.then(|| rows.remove(0));
    Ok(Results { memory_mib: options.memory, floor, disk_floor, rows })
}
