// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs stats`: what this boot took of its initrd, and which files that were.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use clap::Args;
use indicatif::HumanBytes;
use initoverlayfs_core::initrd::filesystem::Filesystem;
use initoverlayfs_core::initrd::Kind;
use initoverlayfs_image::profile::Profile;
use initoverlayfs_image::{erofs, initrd};

use crate::measure::boot::Boot;
use crate::measure::boot_table;
use crate::measure::debugfs::{Layer, Stats, Touched, BLOCK};
use crate::terminal::files::create;
use crate::terminal::streams::{self, input_name, place_of};
use crate::terminal::summary::count;
use crate::terminal::summary::shown;
use crate::Verdict;

/// Show how this boot went and what it read of its initrd, list the files that it read, or record and compare boots.
///
/// The kernel counts in blocks of 4096 bytes. A file is listed if enough of its blocks were read. A block counts
/// even if it was read for another file, or read ahead. Only files of EROFS images are listed: those of archives
/// were unpacked whole.
#[derive(Args)]
pub struct Arguments {
    /// Print JSON
    #[arg(long, conflicts_with = "files")]
    json: bool,
    /// List the files of IMAGE, the initrd or unified kernel image that was booted, whose data was read, one
    /// a line
    #[arg(long, value_name = "IMAGE")]
    files: Option<PathBuf>,
    /// List files of which at least PERCENT was read. 0 lists every file of which a block was read
    #[arg(long, value_name = "PERCENT", default_value_t = 20, requires = "files", value_parser = clap::value_parser!(u8).range(..=100))]
    least: u8,
    /// Write the list into this file, for `convert --profile` and `create --profile`
    #[arg(short, long, value_name = "LIST", requires = "files")]
    output: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "output")]
    force: bool,
    /// Add a line about this boot to RECORDS: times, memory, what was read. Stock boots can be recorded, too. Needs
    /// systemd
    #[arg(long, value_name = "RECORDS", conflicts_with_all = ["json", "files", "recorded"])]
    record: Option<PathBuf>,
    /// Compare the boots in RECORDS: for each initrd the median of each value, and the least and the most
    #[arg(long, value_name = "RECORDS", conflicts_with_all = ["json", "files"])]
    recorded: Option<PathBuf>,
    /// Directory in which the kernel shows its statistics
    #[arg(
        long,
        value_name = "DIRECTORY",
        default_value = "/sys/kernel/debug/initoverlayfs"
    )]
    debugfs: PathBuf,
    /// Directory in which the kernel shows processes
    #[arg(long, value_name = "DIRECTORY", default_value = "/proc", hide = true)]
    proc: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    if let Some(file) = &arguments.record {
        Boot::read(&arguments.debugfs, &arguments.proc)?.append(file)?;
        return Ok(Verdict::Good);
    }
    if let Some(file) = &arguments.recorded {
        boot_table::print(&mut io::stdout().lock(), &Boot::read_all(file)?)?;
        return Ok(Verdict::Good);
    }
    is_there(&arguments.debugfs)?;
    if let Some(image) = &arguments.files {
        let layers = Layer::read(&arguments.debugfs)?;
        let touched = Touched::read(&arguments.debugfs)?;
        let initrd = streams::read_initrd(image)?;
        let (files, all) = files(initrd.bytes(), &layers, &touched, arguments.least)
            .with_context(|| input_name(image))?;
        return list(&files, all, image, arguments);
    }
    let stats = Stats::read(&arguments.debugfs, &arguments.proc)?;
    if arguments.json {
        streams::print_json(&stats)?;
    } else {
        print(&mut io::stdout().lock(), &stats)?;
    }
    Ok(Verdict::Good)
}

/// Says what to do if there are no statistics.
fn is_there(directory: &Path) -> Result<()> {
    let shown = directory.display();
    let error = match fs::read_dir(directory) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::PermissionDenied => bail!("{shown}: {error}: root alone may read it"),
        io::ErrorKind::NotFound => {}
        _ => return Err(error).with_context(|| shown.to_string()),
    }
    let parent = directory.parent().unwrap_or(directory);
    match fs::read_dir(parent).map(|mut entries| entries.next().is_none()) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            bail!("{}: {error}: root alone may read it", parent.display())
        }
        Err(_) => bail!(
            "{shown} is not there: the path is wrong, or this kernel is built without CONFIG_DEBUG_FS"
        ),
        Ok(true) => bail!(
            "{shown} is not there, debugfs is not mounted: mount -t debugfs debugfs {}",
            parent.display()
        ),
        Ok(false) => bail!(
            "{shown} is not there: this boot did not mount its initrd in place; `dmesg | grep \
             initoverlayfs` says why, if this kernel can do it at all"
        ),
    }
}

/// Returns the files of whose data at least so many percent were read, and how many files there are.
fn files(bytes: &[u8], layers: &[Layer], touched: &Touched, least: u8) -> Result<(Profile, usize)> {
    // Archives beside the image may come from elsewhere, or be left out by the kernel.
    let booted = layers.iter().filter(|layer| layer.kind == "erofs");
    let booted: Vec<&Layer> = booted.collect();
    let segments = initrd::segments(bytes)?;
    let images = segments
        .iter()
        .filter(|segment| matches!(segment.kind, Kind::Image(Filesystem::Erofs, _)));
    let images: Vec<_> = images
        .map(|segment| &bytes[segment.range.clone()])
        .collect();
    ensure!(
        images.len() == booted.len(),
        "this is not what was booted: it holds {}, and the kernel mounted {}",
        count(images.len(), "EROFS image"),
        booted.len()
    );
    let mut found = Vec::new();
    let mut all = 0;
    for (image, layer) in images.into_iter().zip(booted) {
        ensure!(
            u64::try_from(image.len())? == layer.bytes,
            "this is not what was booted: its image for layer {} has {} bytes, the kernel's has {}",
            layer.layer,
            image.len(),
            layer.bytes
        );
        for file in erofs::extents(image)? {
            all += file.paths.len();
            let read = |extent| touched.within(layer.layer, extent);
            let read: u64 = file.extents.iter().map(read).sum();
            let stored: u64 = file.extents.iter().map(|e| e.end - e.start).sum();
            if read > 0 && u128::from(read) * 100 >= u128::from(stored) * u128::from(least) {
                found.extend(file.paths);
            }
        }
    }
    Ok((found.into_iter().collect(), all))
}

/// Writes the list where it is to go.
fn list(files: &Profile, all: usize, image: &Path, arguments: &Arguments) -> Result<Verdict> {
    let Some(place) = &arguments.output else {
        files.write(io::stdout().lock())?;
        return Ok(Verdict::Good);
    };
    let mut out = create(place, arguments.force)?;
    out.guard_like(place_of(image));
    let file: &mut File = out.file();
    files
        .write(io::BufWriter::new(file))
        .and_then(|()| out.finish())
        .with_context(|| place.display().to_string())?;
    eprintln!("{}: {} of {all} files", place.display(), files.len());
    Ok(Verdict::Good)
}

fn print(out: &mut impl Write, stats: &Stats) -> io::Result<()> {
    let width = stats.phases.iter().map(|phase| phase.name.chars().count());
    let width = width.chain(["total".len()]).max().unwrap_or_default();
    for phase in &stats.phases {
        writeln!(out, "{:width$}  {}", phase.name, time(phase.nanoseconds))?;
    }
    let total = stats.phases.iter().map(|phase| phase.nanoseconds);
    let total = total.fold(0, u64::saturating_add);
    writeln!(out, "{:width$}  {}", "total", time(total))?;
    for layer in &stats.layers {
        let size = HumanBytes(layer.bytes);
        writeln!(out, "layer {}  {size}, {}", layer.layer, layer.kind)?;
        let held = match layer.held {
            0 => "released".to_owned(),
            held => format!("{} held", HumanBytes(held)),
        };
        writeln!(out, "    memory   {held}")?;
        let served = HumanBytes(layer.served);
        writeln!(out, "    reads    {}, {served} in all", layer.reads)?;
        let touched = layer.touched.saturating_mul(BLOCK);
        let percent = touched.min(layer.bytes).saturating_mul(100);
        let percent = percent.checked_div(layer.bytes).unwrap_or_default();
        writeln!(
            out,
            "    touched  {} in {} blocks, {percent} %",
            HumanBytes(touched),
            layer.touched
        )?;
    }
    for holder in &stats.holders {
        let (pid, name) = (holder.pid, shown(holder.name.as_bytes()));
        writeln!(out, "held by {pid} {name}: {}", holder.holds.join(", "))?;
    }
    Ok(())
}

/// Returns a duration in the unit that suits it.
fn time(nanoseconds: u64) -> String {
    let seconds = Duration::from_nanos(nanoseconds).as_secs_f64();
    if nanoseconds < 1_000_000 {
        format!("{:>8.1} us", seconds * 1e6)
    } else {
        format!("{:>8.1} ms", seconds * 1e3)
    }
}
