// SPDX-License-Identifier: GPL-2.0-only

//! One boot of a machine, as a line in a file of records.
//!
//! A stock boot can be recorded as well, so none of this needs our kernel: the times are those of systemd and of the
//! kernel's log.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{bail, ensure, Context, Result};
use serde::{Deserialize, Serialize};

use crate::measure::debugfs::{Layer, BLOCK};
use crate::terminal::files::read;

/// The kernel's words when it starts the first process.
const RUN_INIT: &str = "Run ";
/// The stock kernel's words about an initrd that it has unpacked, in front of its size in KiB.
const FREEING: &str = "Freeing initrd memory: ";

/// Asks systemd for its times. Unless each is asked for by its name, some are left out.
const TIMES: &str = "--property=FirmwareTimestampMonotonic,LoaderTimestampMonotonic,\
                     UserspaceTimestampMonotonic,FinishTimestampMonotonic";

/// The kind of a boot that did not mount its initrd in place.
pub const STOCK: &str = "stock";

/// A boot. Times are in microseconds, memory and sizes in bytes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Boot {
    /// The release of the kernel.
    pub kernel: String,
    /// [`STOCK`], or the kinds of the layers that were mounted in place.
    pub initrd: String,
    /// The size of the initrd, as far as the kernel tells.
    pub bytes: Option<u64>,
    /// Bytes of the initrd that were read at least once. The stock kernel reads all.
    pub read: Option<u64>,
    /// The firmware's time, if it told.
    pub firmware: Option<u64>,
    /// The bootloader's time, if it told. Loading the initrd is a part of it.
    pub loader: Option<u64>,
    /// From the kernel's start to the initrd's `/init`.
    pub init: Option<u64>,
    /// From the kernel's start to the init of the real root.
    pub real_init: u64,
    /// From the kernel's start to the last of systemd's first jobs.
    pub up: u64,
    /// `MemTotal`.
    pub memory: u64,
    /// `MemAvailable` at the time of the record.
    pub available: u64,
}

impl Boot {
    /// Reads what this boot has left: in `debugfs`, in `proc`, and by `systemctl` and `dmesg`.
    ///
    /// # Errors
    ///
    /// If systemd is not the init or has not finished starting, or a program is missing.
    pub fn read(debugfs: &Path, proc: &Path) -> Result<Self> {
        let log = output("dmesg", &[])?;
        let systemd = output("systemctl", &["show", TIMES])?;
        let time = |name: &str| {
            let line = systemd.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|line| line.strip_prefix("TimestampMonotonic="));
            value
                .and_then(|value| value.parse().ok())
                .filter(|time| *time > 0)
        };
        let (Some(real_init), Some(up)) = (time("Userspace"), time("Finish")) else {
            bail!("the system has not finished starting: systemctl is-system-running --wait");
        };
        // These count backwards from the kernel's start.
        let (firmware, loader) = (time("Firmware"), time("Loader"));
        let meminfo = text(&proc.join("meminfo"))?;
        let mut boot = Self {
            kernel: text(&proc.join("sys/kernel/osrelease"))?.trim().to_owned(),
            initrd: STOCK.to_owned(),
            bytes: freed(&log),
            read: freed(&log),
            firmware: firmware.map(|firmware: u64| firmware.saturating_sub(loader.unwrap_or(0))),
            loader,
            init: started(&log),
            real_init,
            up,
            memory: kibibytes(&meminfo, "MemTotal:")?,
            available: kibibytes(&meminfo, "MemAvailable:")?,
        };
        if debugfs.join("layers").exists() {
            let layers = Layer::read(debugfs)?;
            let kinds: Vec<&str> = layers.iter().map(|layer| layer.kind.as_str()).collect();
            let touched = |layer: &Layer| layer.touched.saturating_mul(BLOCK).min(layer.bytes);
            boot.initrd = kinds.join("+");
            boot.bytes = Some(layers.iter().map(|layer| layer.bytes).sum());
            boot.read = Some(layers.iter().map(touched).sum());
        }
        Ok(boot)
    }

    /// Adds it to a file, which is made if there is none.
    pub fn append(&self, file: &Path) -> Result<()> {
        let line = serde_json::to_string(self)? + "\n";
        let mut options = OpenOptions::new();
        let opened = options.append(true).create(true).open(file);
        opened
            .and_then(|mut file| {
                file.write_all(line.as_bytes())?;
                // The machine may be rebooted at once.
                file.sync_all()
            })
            .with_context(|| file.display().to_string())
    }

    /// Reads all of a file.
    pub fn read_all(file: &Path) -> Result<Vec<Self>> {
        let records = text(file)?;
        let boots = (1..).zip(records.lines()).map(|(number, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("{}, line {number}: no record of a boot", file.display()))
        });
        boots.collect()
    }
}

/// Returns a file's text.
fn text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).with_context(|| path.display().to_string())
}

/// Returns what a program prints.
fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .output();
    let output = output.with_context(|| program.to_owned())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program}: {}", said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns a line of `/proc/meminfo`.
fn kibibytes(meminfo: &str, name: &str) -> Result<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix(name));
    let number = value.and_then(|value| value.split_whitespace().next());
    let number = number.and_then(|number| number.parse::<u64>().ok());
    let bytes = number.and_then(|number| number.checked_mul(1024));
    bytes.with_context(|| format!("/proc/meminfo has no {name}"))
}

/// Returns the size of the initrd that the stock kernel has unpacked.
fn freed(log: &str) -> Option<u64> {
    let (_, rest) = log.split_once(FREEING)?;
    let (number, _) = rest.split_once('K')?;
    number.parse::<u64>().ok()?.checked_mul(1024)
}

/// Returns when the kernel started the first process.
fn started(log: &str) -> Option<u64> {
    let is_start =
        |(_, text): &(&str, &str)| text.starts_with(RUN_INIT) && text.ends_with(" as init process");
    let mut lines = log.lines().filter_map(|line| line.split_once("] "));
    let (time, _) = lines.find(is_start)?;
    let (seconds, fraction) = time.trim_start_matches(['[', ' ']).split_once('.')?;
    let microseconds: u64 = fraction.parse().ok().filter(|_| fraction.len() == 6)?;
    let seconds: u64 = seconds.parse().ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(microseconds)
}
