// SPDX-License-Identifier: GPL-2.0-only

//! Programs in an image that do not work on an overlay root, or keep it in memory, with the cure for each.

use initoverlayfs_image::tree::{split, Tree};

use crate::terminal::summary::shown;

/// The first version of systemd that takes any root with `/etc/initrd-release` for an initrd.
const SYSTEMD: u32 = 253;

/// Programs that keep an overlay's upper directory below `/var/lib`.
const CONTAINERS: [&[u8]; 4] = [b"podman", b"dockerd", b"containerd", b"crio"];

/// Programs that survive the switch to the real root by design.
const SURVIVORS: [&[u8]; 3] = [b"mdmon", b"iscsid", b"plymouthd"];

/// Returns a sentence for each thing that will not work as on a tmpfs.
pub fn of(tree: &Tree) -> Vec<String> {
    let mut warnings = Vec::new();
    for (path, _) in tree.iter() {
        let (directory, name) = split(path);
        let shown = shown(path);
        if let Some(version) = systemd_version(name).filter(|version| *version < SYSTEMD) {
            warnings.push(format!(
                "/{shown}: systemd {version} does not take this root for an initrd: put SYSTEMD_IN_INITRD=1 on the kernel's command line"
            ));
        }
        if !directory.ends_with(b"bin") {
            continue;
        }
        if CONTAINERS.contains(&name) {
            warnings.push(format!(
                "/{shown}: containers cannot have their storage on this root: put it on a tmpfs, such as /run"
            ));
        }
        if SURVIVORS.contains(&name) {
            warnings.push(format!(
                "/{shown}: if it survives the switch to the real root, it keeps the image in memory: `initoverlayfs stats` shows it"
            ));
        }
    }
    warnings
}

/// Returns the version of systemd that a library belongs to: `libsystemd-shared-252.so`.
fn systemd_version(name: &[u8]) -> Option<u32> {
    let rest = name.strip_prefix(b"libsystemd-shared-")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}
