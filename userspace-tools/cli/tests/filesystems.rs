// SPDX-License-Identifier: GPL-2.0-only

//! `--type`: images of btrfs, squashfs and ext4.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use common::second_opinions::{btrfs, debugfs, fsck, printed};
use common::{ended, erofs_tool, file, newc, node, other_kinds, text, Entry, Place};

/// The other filesystems.
const OTHERS: [&str; 3] = ["btrfs", "squashfs", "ext4"];

/// One of everything.
fn everything<'a>(large: &'a [u8]) -> Vec<Entry<'a>> {
    let mut entries = vec![
        Entry {
            owner: (3, 4),
            mtime: 1_100_000_000,
            ..node(".", 0o040_751)
        },
        Entry {
            mode: 0o100_755,
            ..file("init", b"#!/bin/sh\n")
        },
        node("closed", 0o040_000),
        Entry {
            mode: 0o100_000,
            ..file("closed/shadow", b"secret")
        },
        Entry {
            owner: (65_536, 4_000_000_000),
            mode: 0o104_755,
            ..file("suid", large)
        },
        node("dev", 0o040_755),
    ];
    entries.extend(other_kinds(b"/suid"));
    entries.extend([
        file("name with \"quotes\" and \\ more", b"x"),
        file("<12>", b"y"),
        file(".wh.file", b"no whiteout"),
    ]);
    entries
}

#[test]
fn squashfs_keeps_everything() {
    let place = Place::new();
    let large = text("large").repeat(10);
    place.write("a", newc(&everything(&large)));
    place.succeed("convert a -o image --type squashfs");
    assert_eq!(place.succeed("diff a image"), "");
    assert_eq!(
        place.succeed("cat image closed/shadow link"),
        "secret".to_owned() + &String::from_utf8_lossy(&large)
    );
    place.succeed("extract image --tar tarball");
    place.succeed("create tarball -o other");
    // A tarball's name of a whiteout is one.
    assert_eq!(
        place.run("diff image other").out,
        "/.wh.file: only in the old one\n"
    );
}

#[test]
fn ext4_keeps_everything() {
    let place = Place::new();
    let large = text("large").repeat(10);
    place.write("a", newc(&everything(&large)));
    place.succeed("convert a -o image --type ext4");
    fsck(&place, "ext4", "image");
    let listed = debugfs(&place, "image", "ls -p /");
    let mut names: Vec<_> = listed
        .lines()
        .filter_map(|line| {
            let words: Vec<_> = line.split('/').collect();
            Some(words.get(2..6)?.join(" "))
        })
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "010640 0 0 pipe",
            "040000 0 0 closed",
            "040751 3 4 .",
            "040751 3 4 ..",
            "040755 0 0 dev",
            "060660 0 0 disk",
            "100644 0 0 .wh.file",
            "100644 0 0 <12>",
            "100644 0 0 first",
            "100644 0 0 name with \"quotes\" and \\ more",
            "100644 0 0 second",
            "100755 0 0 init",
            "104755 65536 -294967296 suid",
            "120777 0 0 link",
        ]
    );
    for (name, wanted) in [
        ("disk", "major/minor number: 259:300000"),
        ("dev/console", "major/minor number: 05:01"),
        ("second", "Links: 2 "),
        ("link", "Fast link dest: \"/suid\""),
        ("suid", "mtime: 0x3b9aca00:00000000"),
        (".", "mtime: 0x4190ab00:00000000"),
    ] {
        let seen = debugfs(&place, "image", &format!("stat {name}"));
        assert!(seen.contains(wanted), "{name}: {seen}");
    }
    assert_eq!(place.succeed("diff a image"), "");
    assert_eq!(place.succeed("cat image closed/shadow"), "secret");
    assert_eq!(debugfs(&place, "image", "cat closed/shadow"), "secret");
    assert!(debugfs(&place, "image", "cat suid").as_bytes() == large);
    let seen = place.succeed("inspect image");
    assert!(
        seen.contains("ext4, 14 files") && seen.contains("free         0 B"),
        "{seen}"
    );
}

#[test]
fn btrfs_keeps_everything() {
    let place = Place::new();
    let large = text("large").repeat(10);
    place.write("a", newc(&everything(&large)));
    place.succeed("convert a -o image --type btrfs --subvol root");
    fsck(&place, "btrfs", "image");
    let seen = btrfs(
        &place,
        &["inspect-internal", "dump-tree", "-t", "256"],
        "image",
    );
    let inodes: Vec<_> = seen
        .split("INODE_ITEM 0) itemoff")
        .filter_map(|part| {
            let (_, rest) = part.split_once(" mode ")?;
            let (words, rest) = rest.split_once('\n')?;
            let (_, time) = rest.split_once("mtime ")?;
            Some(format!("{words} {}", time.split(' ').next()?))
        })
        .collect();
    let disk = (259_u64 << 20) + 300_000;
    for wanted in [
        "40751 links 1 uid 3 gid 4 rdev 0 1100000000.0".to_owned(),
        "40000 links 1 uid 0 gid 0 rdev 0 1000000000.0".into(),
        "100000 links 1 uid 0 gid 0 rdev 0 1000000000.0".into(),
        "104755 links 1 uid 65536 gid 4000000000 rdev 0 1000000000.0".into(),
        format!(
            "20600 links 1 uid 0 gid 0 rdev {} 1000000000.0",
            (5 << 20) + 1
        ),
        format!("60660 links 1 uid 0 gid 0 rdev {disk} 1000000000.0"),
        "10640 links 1 uid 0 gid 0 rdev 0 1000000000.0".into(),
        "120777 links 1 uid 0 gid 0 rdev 0 1000000000.0".into(),
        "100644 links 2 uid 0 gid 0 rdev 0 1000000000.0".into(),
    ] {
        assert!(inodes.contains(&wanted), "{wanted}: {inodes:#?}");
    }
    for (kind, name) in [("CHRDEV", "console"), ("BLKDEV", "disk"), ("FIFO", "pipe")] {
        let kinds = seen.split("type ").filter(|part| part.starts_with(kind));
        let named = kinds.filter(|part| part.contains(&format!("name: {name}\n")));
        // In the directory by its hash, and by its number.
        assert_eq!(named.count(), 2, "{name}: {seen}");
    }
    fs::create_dir(place.path("out")).expect("a directory");
    let mut restore = Command::new(erofs_tool("BTRFS"));
    restore.args(["restore", "--symlink", "--metadata"]);
    printed(
        restore
            .arg("--root")
            .arg("256")
            .arg(place.path("image"))
            .arg(place.path("out")),
    );
    assert!(place.read("out/suid") == large);
    assert_eq!(place.read("out/closed/shadow"), b"secret");
    assert_eq!(place.succeed("cat image root/closed/shadow"), "secret");
    let said = place.succeed("check image --kernel-config none");
    assert!(
        said.contains("boot with initoverlayfs=subvol=root") && said.contains("boots in place"),
        "{said}"
    );
    for options in ["", "--compression none", "--compression lzo"] {
        place.succeed(&format!(
            "convert a -o image --type btrfs --force {options}"
        ));
        assert_eq!(place.succeed("diff a image"), "", "{options}");
    }
}

#[test]
fn attributes_are_kept_and_nobody_has_to_be_root() {
    let place = Place::new();
    let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    place.write("tree/bin/ping", text("ping"));
    place.write("tree/init", "#!/bin/sh\n");
    let ping = place.path("tree/bin/ping");
    if xattr::set(&ping, "security.capability", capability).is_err() {
        eprintln!("skipped: attributes cannot be set here");
        return;
    }
    place.succeed("create tree -o image");
    place.succeed("extract image --tar tree.tar");
    // Whoever that is can write here, and read what is here.
    for (name, mode) in [("", 0o777), ("tree.tar", 0o644)] {
        let path = place.path(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    }
    for filesystem in OTHERS {
        place.succeed(&format!(
            "create tree.tar -o {filesystem} --type {filesystem}"
        ));
        let command = place.command();
        let mut other = Command::new("setpriv");
        other.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        other.arg(command.get_program()).current_dir(place.path(""));
        for (name, value) in command.get_envs() {
            other.env(name, value.unwrap_or_default());
        }
        other.env_remove("SOURCE_DATE_EPOCH");
        let line = format!("create tree.tar -o other-{filesystem} --type {filesystem}");
        if fs::metadata("/proc/self").expect("a process").uid() == 0 {
            let ended = ended(
                other
                    .args(line.split_whitespace())
                    .output()
                    .expect("setpriv"),
            );
            assert_eq!(ended.status, 0, "{filesystem}: {}", ended.err);
        } else {
            place.succeed(&line);
        }
        fsck(&place, filesystem, &format!("other-{filesystem}"));
        if filesystem != "btrfs" {
            assert!(
                place.read(filesystem) == place.read(&format!("other-{filesystem}")),
                "{filesystem}"
            );
        }
    }
    assert_eq!(
        place.succeed("diff image other-squashfs --ignore-times"),
        ""
    );
    let seen = debugfs(&place, "other-ext4", "ea_list bin/ping");
    assert!(
        seen.contains("security.capability (20) = 01 00 00 02 00 20"),
        "{seen}"
    );
    let seen = btrfs(
        &place,
        &["inspect-internal", "dump-tree", "-t", "5"],
        "other-btrfs",
    );
    assert!(seen.contains("name: security.capability"), "{seen}");
}

#[test]
fn the_same_tree_makes_the_same_image() {
    let place = Place::new();
    let large = text("large").repeat(10);
    place.write("a", newc(&everything(&large)));
    for filesystem in ["squashfs", "ext4"] {
        for name in ["once", "again"] {
            place.succeed(&format!("convert a -o {name} --force --type {filesystem}"));
        }
        assert!(place.read("once") == place.read("again"), "{filesystem}");
    }
}

#[test]
fn a_reserve_is_room_and_nothing_else() {
    let place = Place::new();
    place.write("tree/init", "#!/bin/sh\n");
    fs::set_permissions(place.path("tree/init"), fs::Permissions::from_mode(0o755)).expect("chmod");
    place.succeed("create tree -o small --type btrfs");
    place.succeed("create tree -o large --type btrfs --reserve 50M --subvol root");
    let (small, large) = (place.read("small").len(), place.read("large").len());
    assert_eq!(large, small + (50 << 20));
    fsck(&place, "btrfs", "large");
    let seen = btrfs(&place, &["inspect-internal", "dump-super"], "large");
    assert!(
        seen.contains(&format!("total_bytes\t\t{large}\n")),
        "{seen}"
    );
    assert!(
        seen.contains(&format!("dev_item.total_bytes\t{large}\n")),
        "{seen}"
    );
    let seen = btrfs(
        &place,
        &["inspect-internal", "dump-tree", "-t", "chunk"],
        "large",
    );
    for kind in ["DATA", "METADATA", "SYSTEM"] {
        assert!(seen.contains(&format!("type {kind}|single")), "{seen}");
    }
    // Beyond the first copy of the superblock.
    place.write("tree/large", vec![1; 70 << 20]);
    place.succeed("create tree -o large --force --type btrfs --compression none --reserve 1M");
    fsck(&place, "btrfs", "large");
    place.succeed("check large");
}
