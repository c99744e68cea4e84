// SPDX-License-Identifier: GPL-2.0-only

//! `--type`: what goes with images of other filesystems, and what does not.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{ended, file, newc, node, send, Entry, Place};

/// The other filesystems.
const OTHERS: [&str; 3] = ["btrfs", "squashfs", "ext4"];

#[test]
fn options_of_other_types_are_refused() {
    let place = Place::new();
    place.write("tree/init", "#!/bin/sh\n");
    for (options, words) in [
        ("ext4 --compression lz4", "--compression is of no use with --type ext4: leave it out, or choose --type erofs or btrfs or squashfs"),
        ("ext4 --level 1", "--level is of no use with --type ext4"),
        ("btrfs --cluster-size 64K", "--cluster-size is of no use with --type btrfs: leave it out, or choose --type erofs or squashfs"),
        ("squashfs --max-extent 64K", "choose --type erofs"),
        ("squashfs --profile list", "--profile is of no use with --type squashfs"),
        ("ext4 --compress-init", "--compress-init is of no use"),
        ("erofs --subvol root", "--subvol is of no use with --type erofs: leave it out, or choose --type btrfs"),
        ("squashfs --reserve 1M", "--reserve is of no use"),
        ("btrfs --compression xz", "--type btrfs has no compression xz: choose zstd, zlib, lzo or none"),
        ("squashfs --compression deflate", "--type squashfs has no compression deflate: choose lz4hc,"),
        ("erofs --compression gzip", "--type erofs has no compression gzip"),
        ("btrfs --level 16", "--level 16: 1 to 15 is wanted"),
        ("btrfs --compression zlib --level 10", "1 to 9 is wanted"),
        ("squashfs --level 3", "--level is of no use with this compression"),
        ("squashfs --cluster-size 12K", "a power of two is wanted"),
        ("btrfs --subvol a/b", "a name is wanted"),
        ("btrfs --subvol ..", "a name is wanted"),
        ("btrfs --subvol a,b", "a name is wanted"),
        ("vfat", "[possible values: erofs, btrfs, squashfs, ext4]"),
    ] {
        let said = place.fail(&format!("create tree -o image --type {options}"));
        assert!(said.contains(words), "{options}: {said}");
    }
    assert_eq!(place.names(), ["tree"]);
}

#[test]
fn missing_tools_are_named() {
    let place = Place::new();
    place.write("tree/init", "#!/bin/sh\n");
    for (filesystem, variable, words) in [
        (
            "btrfs",
            "MKFS_BTRFS",
            "install btrfs-progs 6.14 or newer, or name it in MKFS_BTRFS",
        ),
        (
            "squashfs",
            "MKSQUASHFS",
            "install squashfs-tools 4.5 or newer",
        ),
        ("ext4", "MKE2FS", "install e2fsprogs 1.47 or newer"),
        ("ext4", "E2FS_DEBUGFS", "debugfs cannot be run"),
    ] {
        let mut command = place.command();
        command.args(["create", "tree", "-o", "image", "--type", filesystem]);
        let ended = ended(
            command
                .env(variable, "/nowhere")
                .output()
                .expect("the command"),
        );
        assert_eq!(ended.status, 2);
        assert!(ended.err.contains(words), "{}", ended.err);
    }
    place.write("tree/two\nlines", "");
    let said = place.fail("create tree -o image --type ext4");
    assert!(said.contains("takes no names with line feeds"), "{said}");
    assert_eq!(place.names(), ["tree"]);
}

#[test]
fn images_of_any_type_are_sealed() {
    let place = Place::new();
    place.write("tree/init", "#!/bin/sh\n");
    for filesystem in OTHERS {
        place.succeed(&format!(
            "create tree -o image --force --seal --type {filesystem}"
        ));
        let digest = place.succeed("digest image");
        place.succeed(&format!("verify image --digest {digest}"));
        let parameter = place.succeed("digest image --boot-parameter");
        assert!(parameter.starts_with("initoverlayfs=require,verify=sha256:"));
        assert!(place
            .succeed("inspect image")
            .contains("sealed       sha256:"));
        place.succeed(&format!("create tree -o bare --force --type {filesystem}"));
        place.succeed("seal bare -o sealed --force --hash-alg sha512");
        assert!(place.succeed("digest sealed").starts_with("sha512:"));
        if filesystem != "btrfs" {
            assert_eq!(place.succeed("digest bare"), digest);
        }
    }
}

#[test]
fn early_archives_stay_in_front() {
    let place = Place::new();
    let early = newc(&[
        node("kernel", 0o040_755),
        node("kernel/x86", 0o040_755),
        node("kernel/x86/microcode", 0o040_755),
        file("kernel/x86/microcode/GenuineIntel.bin", &[1; 3000]),
    ]);
    let main = newc(&[Entry {
        mode: 0o100_755,
        ..file("init", b"#!/bin/sh\n")
    }]);
    place.write("a", [&early[..], &main].concat());
    for filesystem in OTHERS {
        place.succeed(&format!("convert a -o image --force --type {filesystem}"));
        let seen = place.succeed("inspect image");
        assert!(
            seen.contains("for the early boot") && seen.contains(&format!("  {filesystem}")),
            "{seen}"
        );
        place.succeed("check image");
        let said = place.fail("convert image -o other");
        assert!(
            said.contains(&format!("with an image of {filesystem}")),
            "{said}"
        );
    }
}

#[test]
fn a_squashfs_image_that_is_not_found_is_named() {
    let place = Place::new();
    place.write("tree/init", "#!/bin/sh\n");
    fs::set_permissions(place.path("tree/init"), fs::Permissions::from_mode(0o755)).expect("chmod");
    place.succeed("create tree -o image --type squashfs");
    place.write("archive", newc(&[file("more", b"x")]));
    let archive = place.compress("gzip -c", "archive");
    let image = place.read("image");
    place.write("hidden", [&archive[..], &image].concat());
    let ended = place.run("check hidden");
    let at = archive.len();
    let wanted = format!("the squashfs image at offset {at:#x}, behind a compressed archive: put 1024 NUL bytes in front");
    assert!(
        ended.status == 1 && ended.out.contains(&wanted),
        "{}",
        ended.out
    );
    place.write("found", [&archive[..], &[0; 1024], &image].concat());
    assert_eq!(place.succeed("check found"), "found: boots in place\n");
    assert_eq!(place.succeed("cat found more"), "x");
}

#[test]
fn signals_leave_nothing_behind() {
    let place = Place::new();
    let noise: Vec<u8> = (0..30_000_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    place.write("a", newc(&[node("init", 0o100_755), file("noise", &noise)]));
    fs::create_dir_all(place.path("tmp")).expect("a directory");
    let mut command = place.command();
    command.env("TMPDIR", place.path("tmp"));
    command.args([
        "convert",
        "a",
        "-o",
        "image",
        "--type",
        "squashfs",
        "--compression",
        "xz",
    ]);
    let mut child = command.spawn().expect("the command");
    // fakeroot tells the others by its key, in their environment.
    let marked = || {
        let processes = fs::read_dir("/proc").expect("/proc");
        let environments =
            processes.filter_map(|entry| fs::read(entry.ok()?.path().join("environ")).ok());
        let mark = place.path("tmp").display().to_string().into_bytes();
        environments
            .filter(|environ| environ.windows(mark.len()).any(|part| part == mark))
            .count()
    };
    while marked() < 4 {
        assert!(child.try_wait().expect("it").is_none(), "it ended early");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    send("TERM", child.id());
    assert_eq!(child.wait().expect("it").code(), None);
    // fakeroot's server is told to end, and takes its time on a busy machine.
    let mut looks = (0..500).map(|_| std::thread::sleep(std::time::Duration::from_millis(10)));
    assert!(looks.any(|()| marked() == 0), "programs survived");
    assert_eq!(place.names(), ["a", "tmp"]);
    assert_eq!(fs::read_dir(place.path("tmp")).expect("tmp").count(), 0);
}
