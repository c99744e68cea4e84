// SPDX-License-Identifier: GPL-2.0-only
//! What the benchmark asks of an init: how long reading takes, and at each stage what memory there is and
//! what the kernel has read of the image.
//!
//! Nothing here runs before the time of the start is taken, and nothing but reading is timed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::channel::Channel;
use crate::orders::Orders;
use crate::{memory, mount, surroundings, switch};

/// The files that make a tenth of the bytes, one path a line.
const TENTH: &str = "/bench.tenth";
/// Directories that hold none of the initrd's files.
const NOT_READ: [&str; 4] = ["/dev", "/proc", "/sys", "/newroot"];
/// What is read at a time.
const CHUNK: usize = 128 << 10;
/// Where the kernel counts what it did with the initrd, if it does.
const COUNTERS: &str = "/sys/kernel/debug/initoverlayfs";

/// Sends the figures of the initial root; leaves it in the end, if so ordered.
pub fn initial_root(channel: &mut Channel, orders: &Orders) -> Result<()> {
    // An initramfs has no devtmpfs of its own.
    if !Path::new("/dev/kmsg").exists() {
        mount("devtmpfs", "/dev")?;
    }
    surroundings::kernel_log(channel)?;
    mount_debugfs()?;
    counters(channel, "phases", "phase")?;
    counters(channel, "device", "root.device")?;
    let device = fs::metadata("/")?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    channel.say("root.dev", format!("{major}:{minor}"))?;
    stage(channel, "init")?;

    let tenth = listed()?;
    if orders.has("read10") {
        timed(channel, "tenth", || tenth.iter().try_fold(0, |sum, path| Ok(sum + read(path)?)))?;
        stage(channel, "tenth")?;
    }
    if orders.has("read") {
        let done = tenth.iter().map(PathBuf::as_path).collect();
        timed(channel, "rest", || read_below(Path::new("/"), &done))?;
        stage(channel, "all")?;
    }
    if orders.has("blocks") {
        counters(channel, "touched", "touched")?;
    }
    if orders.has("leave") {
        switch::to_memory()?;
    }
    Ok(())
}

/// Sends the memory that is left when the initial root is gone, and what the kernel remembers of it.
pub fn next_root(channel: &mut Channel) -> Result<()> {
    if let Ok(time) = std::env::var(switch::LEFT) {
        channel.say("left", time)?;
    }
    memory::settle(channel)?;
    memory::at(channel, "left")?;
    mount_debugfs()?;
    counters(channel, "layers", "layer.left")
}

/// Mounts debugfs, if the kernel has it.
fn mount_debugfs() -> Result<()> {
    mount("sysfs", "/sys")?;
    if Path::new("/sys/kernel/debug").exists() {
        mount("debugfs", "/sys/kernel/debug")?;
    }
    Ok(())
}

/// Sends the state of memory and layers at a stage.
fn stage(channel: &mut Channel, name: &str) -> Result<()> {
    memory::at(channel, name)?;
    counters(channel, "layers", &format!("layer.{name}"))
}

/// Sends the lines of one of the kernel's own files; none where there is no such file.
fn counters(channel: &mut Channel, file: &str, key: &str) -> Result<()> {
    match fs::read_to_string(Path::new(COUNTERS).join(file)) {
        Ok(text) => text.lines().try_for_each(|line| Ok(channel.say(key, line)?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot read {file}")),
    }
}

/// Sends how long this took, in nanoseconds, and the bytes that were read.
fn timed(channel: &mut Channel, key: &str, work: impl FnOnce() -> Result<u64>) -> Result<()> {
    let start = Instant::now();
    let bytes = work()?;
    Ok(channel.say(key, format!("{} {bytes}", start.elapsed().as_nanos()))?)
}

/// Returns the files of the list; none where there is no list.
fn listed() -> Result<Vec<PathBuf>> {
    match fs::read_to_string(TENTH) {
        Ok(text) => Ok(text.lines().map(PathBuf::from).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).context(TENTH),
    }
}

/// Reads every file below a directory but those in `done`; returns the bytes.
fn read_below(directory: &Path, done: &BTreeSet<&Path>) -> Result<u64> {
    let mut bytes = 0;
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for member in fs::read_dir(&directory).with_context(|| format!("{directory:?}"))? {
            let member = member?;
            let (path, kind) = (member.path(), member.file_type()?);
            if kind.is_dir() && !NOT_READ.iter().any(|skip| path == Path::new(skip)) {
                pending.push(path);
            } else if kind.is_file() && !done.contains(path.as_path()) {
                bytes += read(&path)?;
            }
        }
    }
    Ok(bytes)
}

/// Reads a file; returns its bytes.
fn read(path: &Path) -> Result<u64> {
    let read = || -> io::Result<u64> {
        let mut file = File::open(path)?;
        let mut buffer = vec![0; CHUNK];
        let mut bytes = 0;
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(bytes),
                count => bytes += count as u64,
            }
        }
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}
