// SPDX-License-Identifier: GPL-2.0-only

//! Programs that are called: which they are, and where.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Directories of programs that are not in every user's `PATH`.
const SYSTEM_PLACES: [&str; 2] = ["/usr/sbin", "/sbin"];

const BTRFS_PROGS: &str = "btrfs-progs 6.14 or newer";
const E2FSPROGS: &str = "e2fsprogs 1.47 or newer";
const EROFS_UTILS: &str = "erofs-utils 1.8 or newer";
const SQUASHFS_TOOLS: &str = "squashfs-tools 4.5 or newer";

/// A program, and what to install where it is missing.
#[derive(Debug)]
pub struct Program {
    /// The name.
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

        /// All programs.
        pub static PROGRAMS: &[&Program] = &[$(&$program),+];
    };
}

programs! {
    BTRFS: "btrfs" in "BTRFS", of BTRFS_PROGS;
    // DEBUGFS is what scripts call the place of the kernel's debugfs.
    DEBUGFS: "debugfs" in "E2FS_DEBUGFS", of E2FSPROGS;
    FAKEROOT: "fakeroot" in "FAKEROOT", of "fakeroot";
    FSCK_EROFS: "fsck.erofs" in "FSCK_EROFS", of EROFS_UTILS;
    MATCHPATHCON: "matchpathcon" in "MATCHPATHCON", of "selinux-utils";
    MKE2FS: "mke2fs" in "MKE2FS", of E2FSPROGS;
    MKFS_BTRFS: "mkfs.btrfs" in "MKFS_BTRFS", of BTRFS_PROGS;
    MKFS_EROFS: "mkfs.erofs" in "MKFS_EROFS", of EROFS_UTILS;
    MKSQUASHFS: "mksquashfs" in "MKSQUASHFS", of SQUASHFS_TOOLS;
    RESIZE2FS: "resize2fs" in "RESIZE2FS", of E2FSPROGS;
    SETFATTR: "setfattr" in "SETFATTR", of "attr";
    UNSQUASHFS: "unsquashfs" in "UNSQUASHFS", of SQUASHFS_TOOLS;
}

impl Program {
    /// Returns where it is: as the environment says, where `make setup` has found or built it if this program is
    /// `build/bin/initoverlayfs` of a source tree, in `PATH`, or where the system's programs are.
    pub fn place(&self) -> OsString {
        if let Some(named) = env::var_os(self.variable).filter(|name| !name.is_empty()) {
            return named;
        }
        if let Some(found) = env::current_exe()
            .ok()
            .and_then(|own| found_by_setup(self.variable, &own))
        {
            return found.into();
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

/// Returns the value of a variable in `build/tools.env`, if `own` is `build/bin/initoverlayfs`.
fn found_by_setup(variable: &str, own: &Path) -> Option<String> {
    if !own.ends_with("build/bin/initoverlayfs") {
        return None;
    }
    let tools = std::fs::read_to_string(own.parent()?.parent()?.join("tools.env")).ok()?;
    let value = tools
        .lines()
        .find_map(|line| line.strip_prefix(variable)?.strip_prefix('='))?;
    Some(value.trim_matches('\'').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn tools_of_setup_are_for_the_program_beside_them_only() {
        let place = tempfile::tempdir().expect("a directory");
        let tools = place.path().join("build/tools.env");
        fs::create_dir_all(tools.parent().expect("a parent")).expect("a directory");
        fs::write(&tools, "A=/a\nMKFS_EROFS=/tools/mkfs.erofs\n").expect("a file");
        let found = |own: &str| found_by_setup("MKFS_EROFS", &place.path().join(own));
        let expected = Some("/tools/mkfs.erofs".to_owned());
        assert_eq!(found("build/bin/initoverlayfs"), expected);
        assert_eq!(found("build/initoverlayfs"), None);
        assert_eq!(found("bin/initoverlayfs"), None);
        assert_eq!(
            found_by_setup("FSCK_EROFS", &place.path().join("build/bin/initoverlayfs")),
            None
        );
    }
}
