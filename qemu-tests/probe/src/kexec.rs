// SPDX-License-Identifier: GPL-2.0-only
//! The step to another kernel: by kexec, or by a panic. After a panic, the other kernel saves the memory of the first.
//!
//! The kernel, its initrd, its command line and the program `kexec` are on a disk.

use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use probe::marker;
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::system::RebootCommand;

use crate::channel::Channel;
use crate::mount;
use crate::orders::{parameter, Orders};

/// Where the disk is mounted for a moment: a directory of every fixture image.
const PLACE: &str = "/tmp";
/// The parameter that says how many kernels are still to be started.
const LEFT: &str = "probe.left=";
/// The serial numbers of the disk with the next kernel, and of the one for the dump.
const KERNEL_DISK: &str = "kexec";
const DUMP_DISK: &str = "dump";
/// How often to look for a disk, 10 ms apart.
const LOOKS: u32 = 500;
/// Bytes that are read at a time.
const CHUNK: usize = 1 << 20;

/// Starts the next kernel by the system call that was ordered, if one was and kernels are left. Returns in that case only with an error.
pub fn next(channel: &mut Channel, orders: &Orders) -> Result<()> {
    let Some(system_call) = system_call(orders) else { return Ok(()) };
    let left = parameter(LEFT)?.map_or(Ok(0), |text| text.parse::<u32>())?;
    if orders.has("crash") {
        load(&[system_call, "--load-panic"], "")?;
        channel.drain()?;
        return panic();
    }
    if left == 0 {
        return Ok(());
    }
    load(&[system_call, "--load"], &format!(" {LEFT}{}", left - 1))?;
    channel.drain()?;
    rustix::system::reboot(RebootCommand::Kexec).context("cannot start the next kernel")
}

/// Returns the option of `kexec` for the system call that was ordered.
fn system_call(orders: &Orders) -> Option<&'static str> {
    let known = [("kexec_file_load", "--kexec-file-syscall"), ("kexec_load", "--kexec-syscall")];
    known.into_iter().find(|(name, _)| orders.has(name)).map(|(_, option)| option)
}

/// Loads the kernel of the disk. Its command line gets `more` at its end.
fn load(options: &[&str], more: &str) -> Result<()> {
    let disk = disk(KERNEL_DISK)?;
    rustix::mount::mount(&disk, PLACE, "erofs", MountFlags::RDONLY, None)
        .with_context(|| format!("cannot mount {}", disk.display()))?;
    let place = Path::new(PLACE);
    let line = fs::read_to_string(place.join("command-line"))?;
    let mut command = Command::new(place.join("kexec"));
    command.args(options).arg(place.join("kernel"));
    command.arg(format!("--initrd={}", place.join("initrd").display()));
    // What it complains about shows on the console.
    let status = command.arg(format!("--command-line={line}{more}")).status()?;
    ensure!(status.success(), "kexec failed: {status}");
    Ok(rustix::mount::unmount(PLACE, UnmountFlags::DETACH)?)
}

/// Fills some memory with markers, and lets the kernel panic.
fn panic() -> Result<()> {
    let markers = marker::bytes().repeat(marker::COUNT);
    black_box(&markers);
    fs::write("/proc/sysrq-trigger", "c").context("no panic")?;
    black_box(&markers);
    bail!("the kernel survives its panic")
}

/// Copies the memory of the kernel that panicked to the disk for it, and sends the number of bytes.
pub fn save_dump(channel: &mut Channel) -> Result<()> {
    let mut dump = File::open("/proc/vmcore").context("/proc/vmcore")?;
    let mut disk = OpenOptions::new().write(true).open(disk(DUMP_DISK)?)?;
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        let count = dump.read(&mut buffer).context("cannot read /proc/vmcore")?;
        if count == 0 {
            break;
        }
        disk.write_all(buffer.get(..count).unwrap_or_default()).context("cannot save the dump")?;
        bytes += count;
    }
    disk.sync_all()?;
    Ok(channel.say("dump.bytes", bytes)?)
}

/// Returns the disk with this serial number.
fn disk(serial: &str) -> Result<PathBuf> {
    if !Path::new("/sys/block").exists() {
        mount("sysfs", "/sys")?;
    }
    for _ in 0..LOOKS {
        for device in fs::read_dir("/sys/block")? {
            let device = device?;
            let found = fs::read_to_string(device.path().join("serial")).unwrap_or_default();
            if found.trim() == serial {
                return Ok(Path::new("/dev").join(device.file_name()));
            }
        }
        sleep(Duration::from_millis(10));
    }
    bail!("no disk has the serial number {serial}")
}
