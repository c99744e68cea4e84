// SPDX-License-Identifier: GPL-2.0-only

//! Images of btrfs, squashfs and ext4: what `inspect` and `check` see of each compression.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::second_opinions::fsck;
use common::{text, Place};

#[test]
fn every_compression_makes_an_image_that_is_known() {
    let place = Place::new();
    place.write("tree/init", "#!/bin/sh\n");
    place.write("tree/text", text("text").repeat(5));
    fs::set_permissions(place.path("tree/init"), fs::Permissions::from_mode(0o755)).expect("chmod");
    place.write("config", "CONFIG_INITOVERLAYFS=y\nCONFIG_OVERLAY_FS=y\nCONFIG_INITOVERLAYFS_BLOCK=y\nCONFIG_SQUASHFS=y\nCONFIG_BTRFS_FS=y\nCONFIG_EXT4_FS=y\n");
    for (filesystem, options, shown, symbol) in [
        ("squashfs", "", "lz4", "SQUASHFS_LZ4"),
        ("squashfs", "--compression lz4", "lz4", "SQUASHFS_LZ4"),
        (
            "squashfs",
            "--compression gzip --level 9",
            "gzip",
            "SQUASHFS_ZLIB",
        ),
        ("squashfs", "--compression lzo", "lzo", "SQUASHFS_LZO"),
        (
            "squashfs",
            "--compression xz --cluster-size 1M",
            "xz",
            "SQUASHFS_XZ",
        ),
        (
            "squashfs",
            "--compression zstd --level 22",
            "zstd",
            "SQUASHFS_ZSTD",
        ),
        ("squashfs", "--compression none", "gzip", "SQUASHFS_ZLIB"),
        ("btrfs", "", "zstd", ""),
        ("btrfs", "--compression zstd --level 15", "zstd", ""),
        ("btrfs", "--compression zlib --level 9", "none", ""),
        ("btrfs", "--compression lzo", "lzo", ""),
        ("btrfs", "--compression none", "none", ""),
        ("ext4", "", "none", ""),
        ("ext4", "--compression none", "none", ""),
    ] {
        place.succeed(&format!(
            "create tree -o image --force --type {filesystem} {options}"
        ));
        let seen = place.succeed("inspect image");
        assert!(
            seen.contains(&format!("  {filesystem}"))
                && seen.contains(&format!("compression  {shown}\n"))
                && seen.contains("boot: mounted in place"),
            "{filesystem} {options}: {seen}"
        );
        fsck(&place, filesystem, "image");
        let checked = place.run("check image --kernel-config config");
        if symbol.is_empty() {
            assert_eq!(checked.out, "image: boots in place\n", "{}", checked.err);
        } else {
            let wanted = format!(
                "image: the kernel has no CONFIG_{symbol}=y, and the image at 0x0 uses {shown}: \
                 build it with that, or make the image with another --compression\n"
            );
            assert_eq!((checked.status, checked.out), (1, wanted), "{options}");
        }
    }
}

#[test]
fn the_kernel_needs_a_driver_and_a_block_device() {
    let place = Place::new();
    place.write("tree/init", "#!/bin/sh\n");
    fs::set_permissions(place.path("tree/init"), fs::Permissions::from_mode(0o755)).expect("chmod");
    place.write("config", "CONFIG_INITOVERLAYFS=y\nCONFIG_OVERLAY_FS=y\n");
    for (filesystem, driver) in [
        ("btrfs", "BTRFS_FS"),
        ("squashfs", "SQUASHFS"),
        ("ext4", "EXT4_FS"),
    ] {
        place.succeed(&format!("create tree -o image --force --type {filesystem}"));
        let said = place.run("check image --kernel-config config").out;
        for symbol in ["INITOVERLAYFS_BLOCK", driver] {
            let wanted =
                format!("no CONFIG_{symbol}=y, and the image at 0x0 is one of {filesystem}: ");
            assert!(said.contains(&wanted), "{said}");
        }
        assert!(!said.contains("EROFS_FS"), "{said}");
    }
}
