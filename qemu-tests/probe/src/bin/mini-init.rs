// SPDX-License-Identifier: GPL-2.0-only
//! The init of a mini-initramfs that does from userspace what the kernel component does without one.
//!
//! The benchmark compares with it. The disk `/dev/vda` is an ext4 file system with an EROFS image as
//! the file `initrd.erofs`. This mounts the disk, attaches the file to a loop device, or with
//! `mini.image=file` on the command line has EROFS mount the file itself, puts a tmpfs over it with
//! overlayfs, pivots there and executes its `/init`. It is as small as such a program can be: what it
//! takes is what its way takes.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{bail, Context, Result};
use rustix::ioctl::{ioctl, IntegerSetter};
use rustix::mount::{mount, mount_move, unmount, MountFlags, UnmountFlags};

/// The disk, and its file with the image.
const DISK: &str = "/dev/vda";
const IMAGE: &str = "/disk/initrd.erofs";
/// `LOOP_SET_FD`, and a loop device that nothing else uses.
const LOOP_SET_FD: u32 = 0x4c00;
const LOOP: &str = "/dev/loop0";

fn main() {
    let Err(error) = run();
    eprintln!("mini-init: {error:#}");
    // The first process has ended then, and the kernel panics, which ends the test.
}

/// Does it all; returns only with an error.
fn run() -> Result<std::convert::Infallible> {
    let none = MountFlags::empty();
    mount("devtmpfs", "/dev", "devtmpfs", none, None).context("devtmpfs")?;
    mount("proc", "/proc", "proc", none, None).context("proc")?;
    let line = fs::read_to_string("/proc/cmdline")?;
    let is_file = line.split_whitespace().any(|word| word == "mini.image=file");
    unmount("/proc", UnmountFlags::empty()).context("/proc")?;

    mount(DISK, "/disk", "ext4", MountFlags::RDONLY, None).context("cannot mount the disk")?;
    let image = if is_file { IMAGE } else { attach()? };
    mount(image, "/lower", "erofs", MountFlags::RDONLY, None).context("cannot mount the image")?;
    mount("upper", "/upper", "tmpfs", none, None).context("tmpfs")?;
    fs::create_dir("/upper/upper")?;
    fs::create_dir("/upper/work")?;
    let layers = c"lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work";
    mount("overlay", "/root", "overlay", none, layers).context("overlay")?;
    // The image need not have the directory.
    let _ = fs::create_dir("/root/dev");
    mount_move("/dev", "/root/dev").context("cannot move /dev")?;

    std::env::set_current_dir("/root")?;
    rustix::process::pivot_root(".", ".").context("pivot_root")?;
    unmount(".", UnmountFlags::DETACH).context("cannot detach the initramfs")?;
    std::env::set_current_dir("/")?;
    Err(Command::new("/init").exec()).context("cannot execute /init")
}

/// Attaches the image to the loop device; returns that.
#[allow(unsafe_code)]
fn attach() -> Result<&'static str> {
    if !Path::new(LOOP).exists() {
        bail!("{LOOP} is missing: CONFIG_BLK_DEV_LOOP");
    }
    let image = File::open(IMAGE).context(IMAGE)?;
    let device = OpenOptions::new().read(true).open(LOOP)?;
    let fd = usize::try_from(image.as_raw_fd())?;
    // SAFETY: `LOOP_SET_FD` takes a descriptor by value and touches none of our memory.
    unsafe { ioctl(&device, IntegerSetter::<LOOP_SET_FD>::new_usize(fd)) }
        .context("LOOP_SET_FD")?;
    Ok(LOOP)
}
