// SPDX-License-Identifier: GPL-2.0-only

//! `ls` and `cat` of images that the filesystems' own tools made of a directory.

mod common;

use std::fs;
use std::process::Command;

use common::{ended, erofs_tool, text, Place};

#[test]
fn images_that_others_made_are_read() {
    let place = Place::new();
    let tree = place.path("tree");
    place.write("tree/deep/er/file", text("file"));
    place.write("tree/init", "#!/bin/sh\n");
    place.write("tree/sp ace \"q\" \\ $x", "x");
    place.write("tree/large", vec![b'l'; 3 << 20]);
    fs::hard_link(tree.join("init"), tree.join("deep/hard")).expect("a link");
    std::os::unix::fs::symlink("s".repeat(100), tree.join("slow")).expect("a link");
    std::os::unix::fs::symlink("to \"it\"", tree.join("fast")).expect("a link");
    for (name, value) in [
        ("user.text", &b"pr\"int\\able\n and more of it"[..]),
        ("user.na me", b"\0\xff\x10"),
        ("user.empty", b""),
    ] {
        if xattr::set(tree.join("init"), name, value).is_err() {
            eprintln!("attributes cannot be set here");
        }
    }
    let run = |program: &str, words: &[&str]| {
        let mut command = Command::new(erofs_tool(program));
        let ended = ended(
            command
                .args(words)
                .current_dir(place.path("."))
                .output()
                .expect("a tool"),
        );
        assert_eq!(ended.status, 0, "{program}: {}", ended.err);
    };
    let touch = [
        "-c",
        "touch -d '2030-01-01 00:00:00.123456789' tree/large tree/deep/er",
    ];
    assert!(Command::new("sh")
        .args(touch)
        .current_dir(place.path("."))
        .status()
        .expect("sh")
        .success());
    run(
        "MKE2FS",
        &["-q", "-t", "ext4", "-I", "256", "-d", "tree", "ext4", "16M"],
    );
    run("MKFS_BTRFS", &["--quiet", "--rootdir", "tree", "btrfs"]);
    place.succeed("create tree -o erofs");
    // The tools leave parts of seconds out, and mke2fs makes the root and a directory of its own.
    let listed = |image: &str| {
        let lines = place.succeed(&format!("ls -l {image}"));
        let lines = lines
            .lines()
            .filter(|line| !line.ends_with(" /") && !line.ends_with("/lost+found"));
        let without_parts = |line: &str| {
            let (before, after) = line.split_once('.').expect("a time");
            format!(
                "{before}{}",
                after.trim_start_matches(|c: char| c.is_ascii_digit())
            )
        };
        lines.map(without_parts).collect::<Vec<_>>()
    };
    let wanted = listed("erofs");
    for image in ["ext4", "btrfs"] {
        assert_eq!(listed(image), wanted, "{image}");
    }
    assert_eq!(place.succeed("cat btrfs large").len(), 3 << 20);
}
