// SPDX-License-Identifier: GPL-2.0-only

//! Sources that hold more than the memory that there is for the command.

mod common;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

use common::{ended, erofs_tool, Place};

/// The memory that the command may take, in bytes. The large file alone takes three times as much.
const MEMORY: u64 = 40 << 20;
const LARGE: u64 = 3 * MEMORY;

/// Returns a place with `root`, which has a large file with little in it.
fn large() -> Place {
    let place = Place::new();
    place.write("root/init", "#!/bin/sh\n");
    place.write("root/large", "start");
    let file = File::options().write(true).open(place.path("root/large"));
    let file = file.expect("the file");
    file.write_all_at(b"middle", LARGE / 2).expect("the middle");
    file.write_all_at(b"end", LARGE - 3).expect("the end");
    place
}

/// Runs a line of a shell, in the place.
fn shell(place: &Place, line: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-ec", line]).current_dir(place.path("."));
    assert!(shell.status().expect("sh").success(), "{line}");
}

/// Runs the command with as little memory, and looks at what it makes.
///
/// `mkfs.erofs` is let off: where it has threads, as in Debian 13, it crashes for want of memory.
fn check(place: &Place, line: &str) {
    let _ = std::fs::remove_file(place.path("image"));
    let mkfs = erofs_tool("MKFS_EROFS");
    place.write(
        "mkfs",
        format!("#!/bin/sh\nulimit -S -d unlimited\nexec {mkfs} \"$@\"\n"),
    );
    shell(place, "chmod 755 mkfs");
    let command = place.command();
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--data={MEMORY}:"));
    limited.arg(command.get_program()).args(line.split(' '));
    limited.args(["--compression", "lz4", "-o", "image"]);
    limited.current_dir(place.path(".")).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.env("MKFS_EROFS", place.path("mkfs"));
    let made = ended(limited.output().expect("prlimit"));
    assert_eq!(made.status, 0, "{line}: {}", made.err);
    let listing = place.succeed("ls --json image");
    assert!(listing.contains(&format!("\"size\": {LARGE}")), "{listing}");
    place.succeed("extract image -C out");
    shell(place, "cmp root/large out/large; rm -r out");
}

#[test]
fn large_file_of_a_directory_takes_no_memory() {
    check(&large(), "create root");
}

#[test]
fn large_file_of_a_tarball_takes_no_memory() {
    let place = large();
    for format in [
        "gnu",
        "pax --sparse-version=0.0",
        "pax --sparse-version=1.0",
    ] {
        shell(
            &place,
            &format!("tar --format={format} --sparse -C root -cf a.tar ."),
        );
        check(&place, "create a.tar");
    }
    shell(&place, "tar -C root -c . | gzip -1 > a.tar");
    check(&place, "create a.tar");
}

#[test]
fn large_file_of_an_archive_takes_no_memory() {
    let place = large();
    shell(
        &place,
        "(cd root && find . | cpio --quiet -o -H newc) > plain",
    );
    check(&place, "convert plain");
    for program in ["zstd -q", "lz4 -lq"] {
        shell(&place, &format!("{program} -c < plain > packed"));
        check(&place, "convert packed");
    }
}
