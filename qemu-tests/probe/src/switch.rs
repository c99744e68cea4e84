// SPDX-License-Identifier: GPL-2.0-only
//! The step from the initial root to the real one, as `switch_root` does it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, UnmountFlags};

/// The disk with the real root.
const DISK: &str = "/dev/vda";
/// Where it is mounted first: a directory of every fixture image.
const NEW_ROOT: &str = "/newroot";
/// The probe's name over there.
const NEW_INIT: &str = "/sbin/init";
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
    std::env::set_current_dir(NEW_ROOT)?;
    rustix::process::pivot_root(".", ".").context("pivot_root")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).context("cannot detach the old root")?;
    std::env::set_current_dir("/")?;
    Err(Command::new(NEW_INIT).exec()).context("cannot execute /sbin/init")
}
