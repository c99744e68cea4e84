// SPDX-License-Identifier: GPL-2.0-only

//! Images as the filesystems' own programs see them.

use std::process::Command;

use super::{ended, erofs_tool, Place};

/// Returns what another program prints; it has to succeed.
pub fn printed(command: &mut Command) -> String {
    let ended = ended(command.output().expect("a program"));
    assert_eq!(ended.status, 0, "{command:?}: {}{}", ended.out, ended.err);
    ended.out
}

/// Returns what `debugfs` says of an image.
pub fn debugfs(place: &Place, image: &str, request: &str) -> String {
    let mut command = Command::new("/usr/sbin/debugfs");
    printed(command.args(["-R", request]).arg(place.path(image)))
}

/// Returns what `btrfs` says of one.
pub fn btrfs(place: &Place, words: &[&str], image: &str) -> String {
    printed(
        Command::new(erofs_tool("BTRFS"))
            .args(words)
            .arg(place.path(image)),
    )
}

/// Has the tool of the filesystem check that an image is sound.
pub fn fsck(place: &Place, filesystem: &str, image: &str) {
    match filesystem {
        "btrfs" => drop(btrfs(place, &["check", "--check-data-csum"], image)),
        "ext4" => {
            let mut command = Command::new("/usr/sbin/e2fsck");
            printed(command.arg("-fn").arg(place.path(image)));
        }
        _ => {
            let mut command = Command::new("unsquashfs");
            printed(command.arg("-s").arg(place.path(image)));
        }
    }
}
