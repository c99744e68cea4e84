// SPDX-License-Identifier: GPL-2.0-only

//! Messages when the machine is at fault, not the image: missing programs, full disks.

mod common;

use std::fs;
use std::process::Command;

use common::{ended, erofs_tool, file, newc, node, noise, Ended, Place};

fn usual() -> Place {
    let place = Place::new();
    let noise = noise(3_000_000);
    place.write("a", newc(&[node("init", 0o100_755), file("noise", &noise)]));
    place.succeed("convert a -o image");
    place
}

/// Runs a line of shell with a full disk at `full`; nothing if this machine lets nobody mount one.
fn beside_full_disk(place: &Place, line: &str) -> Option<Ended> {
    fs::create_dir_all(place.path("full")).expect("a directory");
    let unshare = |line: &str| {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", line])
            .current_dir(place.path("."))
            .env("COMMAND", env!("CARGO_BIN_EXE_initoverlayfs"));
        for name in ["MKFS_EROFS", "FSCK_EROFS"] {
            command.env(name, erofs_tool(name));
        }
        ended(command.output().expect("unshare"))
    };
    let mount = "mount -t tmpfs -o size=400k tmpfs full";
    if unshare(mount).status != 0 {
        eprintln!("skipped: no user may mount a tmpfs of its own here");
        return None;
    }
    Some(unshare(&format!("{mount} && {line}")))
}

#[test]
fn full_disks_are_named() {
    let place = usual();
    let before = place.read("image");
    for (line, words) in [
        ("\"$COMMAND\" convert a -o full/image; s=$?; [ -z \"$(ls -A full)\" ] || exit 9; exit $s", "/full: the disk is full: the image needs more"),
        ("TMPDIR=full \"$COMMAND\" convert a -o - > out", "full: the disk is full: TMPDIR names another place"),
        ("TMPDIR=full \"$COMMAND\" ls image", "full: the disk is full: TMPDIR names another place"),
        ("TMPDIR=full \"$COMMAND\" check image", "full: the disk is full: TMPDIR names another place"),
    ] {
        let Some(ended) = beside_full_disk(&place, line) else {
            return;
        };
        assert!(ended.err.contains(words), "{line}: {}", ended.err);
        assert_eq!(ended.status, 2, "{line}: {}", ended.err);
    }
    assert!(place.read("image") == before);
}

#[test]
fn an_image_without_room_for_its_files_is_not_called_damaged() {
    let place = usual();
    // Compressed, it fits; what is in it does not.
    place.write(
        "b",
        newc(&[
            node("init", 0o100_755),
            file("text", &b"text ".repeat(400_000)),
        ]),
    );
    place.succeed("convert b -o image --force");
    assert!(place.read("image").len() < 100_000);
    let line = "TMPDIR=full \"$COMMAND\" check image";
    if let Some(ended) = beside_full_disk(&place, line) {
        assert!(
            ended.err.contains("full: the disk is full: TMPDIR"),
            "{}",
            ended.err
        );
        assert_eq!((ended.status, &*ended.out), (2, ""));
    }
}

/// What is made on the way is made elsewhere.
#[test]
fn an_image_needs_no_more_room_than_it_takes() {
    let place = Place::new();
    let text = file("text", &[b't'; 2_000_000]);
    place.write("b", newc(&[node("init", 0o100_755), text]));
    let line = "\"$COMMAND\" convert b -o full/image --quiet";
    if let Some(ended) = beside_full_disk(&place, line) {
        assert_eq!((ended.status, &*ended.err), (0, ""));
    }
}

#[test]
fn a_missing_fsck_is_an_error_and_no_verdict() {
    let place = usual();
    for (line, status) in [("check image", 2), ("ls image", 2), ("inspect image", 0)] {
        let mut command = place.command();
        command.args(line.split(' ')).env("FSCK_EROFS", "/nowhere");
        let ended = ended(command.output().expect("the command"));
        let said = format!("{}{}", ended.out, ended.err);
        let words =
            "fsck.erofs cannot be run (No such file or directory): install erofs-utils 1.8 \
                     or newer, or name it in FSCK_EROFS";
        assert!(said.contains(words), "{line}: {said}");
        assert_eq!(ended.status, status, "{line}");
    }
}
