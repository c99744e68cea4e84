// SPDX-License-Identifier: GPL-2.0-only

//! Leaving the initial root.

use core::ffi::CStr;

use rustix::fs::{openat2, FileType, Mode, OFlags, ResolveFlags, CWD};
use rustix::io::Errno;
use rustix::mount::{mount_move, unmount, UnmountFlags};
use rustix::process::{chdir, chroot, getpid, pivot_root};

use crate::arguments::Arguments;
use crate::failure::{say, Failure};

/// Mounts that a real root expects, as they are called in the old root and in the new one.
const MOUNTS: [(&CStr, &CStr); 4] = [
    (c"/dev", c"dev"),
    (c"/proc", c"proc"),
    (c"/sys", c"sys"),
    (c"/run", c"run"),
];

/// Returns whether the switch can be expected to work; the reason if not.
pub fn check<'a>(arguments: &Arguments<'a>) -> Result<(), Failure<'a>> {
    let (new_root, init) = (arguments.new_root, arguments.init());
    let found = device(new_root).map_err(|errno| Failure::of(new_root, errno))?;
    if device(c"/") == Ok(found) {
        return Err(Failure::because(
            new_root.to_bytes(),
            "it is on the initial root itself",
        ));
    }
    if !is_program(new_root, init).map_err(|errno| Failure::of(init, errno))? {
        return Err(Failure::because(init.to_bytes(), "it is no program"));
    }
    if !arguments.is_dry_run && !getpid().is_init() {
        return Err(Failure::because(
            b"",
            "only process 1 can switch to another root",
        ));
    }
    Ok(())
}

/// Returns the device that a file is on.
fn device(path: &CStr) -> Result<u64, Errno> {
    rustix::fs::stat(path).map(|found| found.st_dev)
}

/// Returns whether `path` is a program where links start at `root`, too.
fn is_program(root: &CStr, path: &CStr) -> Result<bool, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, root, flags, Mode::empty())?;
    let program = openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)?;
    let mode = rustix::fs::fstat(&program)?.st_mode;
    Ok(FileType::from_raw_mode(mode).is_file() && mode & 0o111 != 0)
}

/// Makes `new_root` the working directory.
pub fn enter(new_root: &CStr) -> Result<(), Failure<'_>> {
    chdir(new_root).map_err(|errno| Failure::of(new_root, errno))
}

/// Moves the kernel's filesystems to the new root, the working directory, as far as they are mounted and have a place
/// to go to.
pub fn move_mounts() {
    for (from, to) in MOUNTS {
        let is_mount =
            matches!((device(from), device(c"/")), (Ok(mount), Ok(root)) if mount != root);
        let is_there = matches!((device(to), device(c".")), (Ok(mount), Ok(root)) if mount != root);
        if !is_mount || (!is_there && mount_move(from, to).is_ok()) {
            continue;
        }
        // As util-linux: what has no place there, or is there already, must not stay in the way.
        if let Err(errno) = unmount(from, UnmountFlags::DETACH) {
            say(b"a mount of the initial root stays:");
            Failure::of(from, errno).say();
        }
    }
}

/// Makes the working directory, `new_root`, the root, and lets go of the old one.
pub fn switch(new_root: &CStr) -> Result<(), Failure<'_>> {
    let fail = |errno| Failure::of(new_root, errno);
    if pivot_root(c".", c".").is_ok() {
        // The old root lies on the new one now.
        unmount(c".", UnmountFlags::DETACH)
            .map_err(|errno| Failure::at("the old root stays", errno))?;
    } else {
        // Before Linux 7.0 the very first root cannot be pivoted away.
        mount_move(c".", c"/").map_err(fail)?;
        chroot(c".").map_err(fail)?;
    }
    chdir(c"/").map_err(|errno| Failure::at("the new root", errno))
}
