// SPDX-License-Identifier: GPL-2.0-only

//! Programs that are called: which they are, and where.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Where programs are that `PATH` does not lead every user to.
const SYSTEM_PLACES: [&str; 2] = ["/usr/sbin", "/sbin"];

const BTRFS_PROGS: &str = "btrfs-progs 6.14 or newer";
const E2FSPROGS: &str = "e2fsprogs 1.47 or newer";
const EROFS_UTILS: &str = "erofs-utils 1.8 or newer";
const SQUASHFS_TOOLS: &str = "squashfs-tools 4.5 or newer";

/// A program, and what to install where it is missing.
#[derive(Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// The variable of the environment that can name another one.
    pub variable: &'static str,
    /// The software that it comes with, and from which version on.
    pub package: &'static str,
}

macro_rules! programs {
    ($($program:ident: $name:literal in $variable:literal, of $package:expr;)+) => {
        $(
            pub(crate) static $program: Program = Program {
                name: $name,
                variable: $variable,
                package: $package,
            };
        )+

        /// All of them.
        pub static PROGRAMS: &[&Program] = &[$(&$program),+];
    };
}

programs! {
    // DEBUGFS is what scripts call the place of the kernel's debugfs.
    DEBUGFS: "debugfs" in "E2FS_DEBUGFS", of E2FSPROGS;
    DUMP_EROFS: "dump.erofs" in "DUMP_EROFS", of EROFS_UTILS;
    FAKEROOT: "fakeroot" in "FAKEROOT", of "fakeroot";
    FSCK_EROFS: "fsck.erofs" in "FSCK_EROFS", of EROFS_UTILS;
    MKE2FS: "mke2fs" in "MKE2FS", of E2FSPROGS;
    MKFS_BTRFS: "mkfs.btrfs" in "MKFS_BTRFS", of BTRFS_PROGS;
    MKFS_EROFS: "mkfs.erofs" in "MKFS_EROFS", of EROFS_UTILS;
    MKSQUASHFS: "mksquashfs" in "MKSQUASHFS", of SQUASHFS_TOOLS;
    RESIZE2FS: "resize2fs" in "RESIZE2FS", of E2FSPROGS;
    SETFATTR: "setfattr" in "SETFATTR", of "attr";
    UNSQUASHFS: "unsquashfs" in "UNSQUASHFS", of SQUASHFS_TOOLS;
}

impl Program {
    /// Where it is: as the environment says, or in `PATH`, or where the system's programs are.
    pub fn place(&self) -> OsString {
        if let Some(named) = env::var_os(self.variable).filter(|name| !name.is_empty()) {
            return named;
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let is_in = |directory: &Path| directory.join(self.name).is_file();
        if env::split_paths(&path).any(|directory| is_in(&directory)) {
            return self.name.into();
        }
        let places = SYSTEM_PLACES.map(Path::new);
        let place = places.into_iter().find(|directory| is_in(directory));
        place.map_or_else(|| self.name.into(), |place| place.join(self.name).into())
    }

    /// To be run.
    pub fn command(&self) -> Command {
        Command::new(self.place())
    }
}
