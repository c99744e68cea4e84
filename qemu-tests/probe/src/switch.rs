// SPDX-License-Identifier: GPL-2.0-only
//! The step from the initial root to the real one, as `switch_root` does it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::time::ClockId;

/// The disk with the real root.
const DISK: &str = "/dev/vda";
/// Where it is mounted first: a directory of every fixture image.
const NEW_ROOT: &str = "/newroot";
/// The probe's name over there.
const NEW_INIT: &str = "/sbin/init";
/// The variable in which the next init learns when the old root was left, in nanoseconds since the start.
pub const LEFT: &str = "PROBE_LEFT";
/// `f_type` of the file systems that hold files in memory only.
const TMPFS_MAGIC: i64 = 0x0102_1994;
const RAMFS_MAGIC: i64 = 0x8584_58f6;
/// How often to look for the disk, 10 ms apart.
const LOOKS: u32 = 500;

/// Moves to the disk and becomes its init. Returns only with an error.
pub fn to_disk() -> Result<()> {
    for _ in 0..LOOKS {
        if Path::new(DISK).exists() {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    rustix::mount::mount(DISK, NEW_ROOT, "ext4", MountFlags::empty(), None)
        .context("cannot mount /dev/vda")?;
    go()
}

/// Moves to a tmpfs with nothing but this program, and becomes its init. Returns only with an error.
///
/// A root that is a tmpfs itself, as a stock initramfs is, is emptied before, as `switch_root` does: what
/// the kernel opened for the first process keeps it from going away as a whole.
pub fn to_memory() -> Result<()> {
    rustix::mount::mount("newroot", NEW_ROOT, "tmpfs", MountFlags::empty(), None)
        .context("cannot mount a tmpfs")?;
    for name in ["dev", "proc", "sbin", "sys", "tmp"] {
        fs::create_dir(Path::new(NEW_ROOT).join(name))?;
    }
    fs::copy("/proc/self/exe", format!("{NEW_ROOT}{NEW_INIT}")).context("cannot copy myself")?;
    let kind = rustix::fs::statfs("/").context("statfs of /")?.f_type;
    if [TMPFS_MAGIC, RAMFS_MAGIC].contains(&kind) {
        let root = fs::metadata("/")?.dev();
        empty(Path::new("/"), root)?;
    }
    go()
}

/// Removes everything below a directory that is on this device.
fn empty(directory: &Path, device: u64) -> Result<()> {
    for member in fs::read_dir(directory)? {
        let path = member?.path();
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.dev() != device {
            continue;
        }
        if metadata.is_dir() {
            empty(&path, device)?;
            // A mount point, or what a mount point is in, stays.
            let _ = fs::remove_dir(&path);
        } else {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Makes the new root the root, and executes its init.
fn go() -> Result<()> {
    std::env::set_current_dir(NEW_ROOT)?;
    rustix::process::pivot_root(".", ".").context("pivot_root")?;
    let now = rustix::time::clock_gettime(ClockId::Boottime);
    let left = (now.tv_sec * 1_000_000_000 + now.tv_nsec).to_string();
    rustix::mount::unmount(".", UnmountFlags::DETACH).context("cannot detach the old root")?;
    std::env::set_current_dir("/")?;
    Err(Command::new(NEW_INIT).env(LEFT, left).exec()).context("cannot execute /sbin/init")
}
