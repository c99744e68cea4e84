// SPDX-License-Identifier: GPL-2.0-only

//! Leaving the initial root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::mount::{mount_move, unmount, UnmountFlags};
use rustix::process::{chdir, chroot, getpid, pivot_root};

use crate::arguments::Arguments;
use crate::Result;

/// Mounts that a real root expects.
const MOUNTS: [&str; 4] = ["dev", "proc", "sys", "run"];

/// The most links that the path of an init may lead through.
const MOST_LINKS: usize = 40;

/// Returns whether the switch can be expected to work; the reason if not.
pub fn check(arguments: &Arguments) -> Result<()> {
    let new_root = &arguments.new_root;
    let device = |path: &Path| {
        fs::metadata(path)
            .map(|found| found.dev())
            .map_err(|e| format!("{}: {e}", path.display()))
    };
    if device(new_root)? == device(Path::new("/"))? {
        return Err(format!(
            "{} is on the initial root itself",
            new_root.display()
        ));
    }
    let init = within(new_root, &arguments.init)?;
    let found = fs::metadata(&init).map_err(|e| format!("{}: {e}", init.display()))?;
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Err(format!("{} is no program", init.display()));
    }
    if !arguments.is_dry_run && getpid().as_raw_nonzero().get() != 1 {
        return Err("only process 1 can switch to another root".to_owned());
    }
    Ok(())
}

/// Returns where a path of the new root is, as long as that is not the root: links start there, too.
fn within(root: &Path, path: &Path) -> Result<PathBuf> {
    let mut rest: Vec<PathBuf> = parts(path);
    let mut place = root.to_owned();
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == Path::new("..") {
            if place != root {
                place.pop();
            }
            continue;
        }
        let next = place.join(&part);
        let Ok(target) = fs::read_link(&next) else {
            place = next;
            continue;
        };
        links += 1;
        if links > MOST_LINKS {
            return Err(format!("{} leads through too many links", path.display()));
        }
        if target.is_absolute() {
            place = root.to_owned();
        }
        rest.extend(parts(&target));
    }
    Ok(place)
}

/// Returns the parts of a path, the last one first.
fn parts(path: &Path) -> Vec<PathBuf> {
    use std::path::Component::{Normal, ParentDir};
    let is_part = |part: &std::path::Component<'_>| matches!(part, Normal(_) | ParentDir);
    path.components()
        .rev()
        .filter(is_part)
        .map(|part| part.as_os_str().into())
        .collect()
}

/// Moves the kernel's filesystems, as far as they are mounted and have a place to go to.
pub fn move_mounts(new_root: &Path) {
    for name in MOUNTS {
        let (from, to) = (Path::new("/").join(name), new_root.join(name));
        let is_mount = matches!(
            (fs::metadata(&from), fs::metadata("/")),
            (Ok(mount), Ok(root)) if mount.dev() != root.dev()
        );
        if !is_mount || mount_move(&from, &to).is_ok() {
            continue;
        }
        // As util-linux: what has no place there must not stay in the way.
        if let Err(error) = unmount(&from, UnmountFlags::DETACH) {
            eprintln!("initoverlayfs-handover: /{name} stays mounted: {error}");
        }
    }
}

/// Makes `new_root` the root, and lets go of the old one.
pub fn switch(new_root: &Path) -> Result<()> {
    chdir(new_root).map_err(|error| format!("{}: {error}", new_root.display()))?;
    if pivot_root(".", ".").is_ok() {
        // The old root lies on the new one now.
        unmount(".", UnmountFlags::DETACH).map_err(|e| format!("the old root stays: {e}"))?;
    } else {
        // Before Linux 7.0 the very first root cannot be pivoted away.
        mount_move(".", "/").map_err(|e| format!("{}: {e}", new_root.display()))?;
        chroot(".").map_err(|e| format!("{}: {e}", new_root.display()))?;
    }
    chdir("/").map_err(|error| format!("the new root: {error}"))
}
