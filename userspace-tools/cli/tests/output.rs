// SPDX-License-Identifier: GPL-2.0-only

//! The commands' results: whole or not at all, and readable by nobody who could not read the source.

mod common;

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;
use std::process::Command;

use common::{ended, file, newc, node, send, Place};

fn usual() -> Place {
    let place = Place::new();
    let main = [node("init", 0o100_755), file("name", b"image\n")];
    place.write("a", newc(&main));
    place.succeed("convert a -o image");
    place
}

fn mode(place: &Place, name: &str) -> u32 {
    let metadata = fs::metadata(place.path(name)).expect(name);
    metadata.permissions().mode() & 0o777
}

fn set_mode(place: &Place, name: &str, mode: u32) {
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(place.path(name), permissions).expect(name);
}

#[test]
fn nothing_is_overwritten_or_left_half() {
    let place = usual();
    let before = place.names();
    let said = place.fail("convert a -o image");
    assert!(said.contains("image: --force replaces it"), "{said}");
    place.succeed("convert --force a -o image");
    place.fail("convert --force missing -o image2");
    place.fail("convert a -o no/such/place");
    // A new file must not take the place of a device; a pipe serves to show it without root.
    assert!(Command::new("mkfifo")
        .arg(place.path("pipe"))
        .status()
        .expect("mkfifo")
        .success());
    let said = place.fail("convert --force a -o pipe");
    assert!(
        said.contains("pipe: there is something that is not a file"),
        "{said}"
    );
    assert!(!place.path("pipe").is_file());
    fs::remove_file(place.path("pipe")).expect("it is there");
    let mut broken = place.command();
    broken
        .args(["convert", "a", "-o", "image3"])
        .env("SOURCE_DATE_EPOCH", "tomorrow");
    let ended = ended(broken.output().expect("the command"));
    assert_eq!(
        (
            ended.status,
            ended.err.contains("SOURCE_DATE_EPOCH is \"tomorrow\"")
        ),
        (2, true)
    );
    assert_eq!(place.names(), before);
}

#[test]
fn what_a_link_leads_to_is_replaced() {
    // As /initrd.img is one to what the bootloader reads.
    let place = usual();
    fs::create_dir(place.path("boot")).expect("a directory");
    fs::rename(place.path("image"), place.path("boot/image")).expect("a move");
    symlink("boot/image", place.path("image")).expect("a link");
    set_mode(&place, "boot/image", 0o640);
    place.succeed("seal image");
    place.succeed("verify boot/image");
    assert_eq!(mode(&place, "boot/image"), 0o640);
    let said = place.fail("convert a -o image");
    assert!(said.contains("--force replaces it"), "{said}");
    place.succeed("convert a -o image --force");
    assert!(place.differ("verify boot/image").contains("not sealed"));
    let target = fs::read_link(place.path("image")).expect("still a link");
    assert_eq!(target, Path::new("boot/image"));
    // One that leads nowhere makes room.
    symlink("nowhere", place.path("other")).expect("a link");
    place.fail("convert a -o other");
    place.succeed("convert a -o other --force");
    assert!(!place.path("nowhere").exists());
}

#[test]
fn whose_a_file_is_stays_so() {
    use std::os::unix::fs::{chown, MetadataExt};

    let place = usual();
    if chown(place.path("image"), Some(7), Some(8)).is_err() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    place.succeed("seal image");
    let found = fs::metadata(place.path("image")).expect("it is there");
    assert_eq!((found.uid(), found.gid()), (7, 8));
}

#[test]
fn who_cannot_read_the_source_cannot_read_the_image() {
    let place = usual();
    set_mode(&place, "a", 0o600);
    place.succeed("convert a -o secret");
    assert_eq!(mode(&place, "secret"), 0o600);
    place.succeed("seal secret -o sealed");
    assert_eq!(mode(&place, "sealed"), 0o600);
    // What is replaced says so as well.
    set_mode(&place, "a", 0o644);
    place.succeed("convert --force a -o secret");
    assert_eq!(mode(&place, "secret"), 0o600);
    set_mode(&place, "secret", 0o640);
    place.succeed("convert --force a -o secret");
    assert_eq!(mode(&place, "secret"), 0o640);
}

#[test]
fn who_cannot_read_one_of_several_sources_cannot_read_what_is_made_of_them() {
    let place = usual();
    place.succeed("extract image --tar open.tar");
    assert_eq!(mode(&place, "open.tar"), 0o644);
    set_mode(&place, "image", 0o600);
    place.succeed("extract image --tar closed.tar");
    assert_eq!(mode(&place, "closed.tar"), 0o600);
    for (name, expected) in [("open.tar", 0o644), ("closed.tar", 0o600)] {
        place.succeed(&format!("create open.tar {name} -o made --force"));
        assert_eq!(mode(&place, "made"), expected, "{name}");
        fs::remove_file(place.path("made")).expect("it is there");
    }
    place.write("tree/init", "#!/bin/sh\n");
    set_mode(&place, "tree", 0o700);
    place.succeed("create tree -o made");
    assert_eq!(mode(&place, "made"), 0o600);
}

#[test]
fn tarballs_appear_whole_or_not_at_all() {
    let place = usual();
    place.write("taken", "something else");
    place.fail("extract image --tar taken");
    assert_eq!(place.read("taken"), b"something else");
    let before = place.names();
    place.fail("extract missing --tar out.tar");
    assert_eq!(place.names(), before);
}

/// Has a program of erofs-utils write its process number to a file named `pid` before it does its work.
fn noting(place: &Place, variable: &str, work: &str) -> Command {
    let pid = place.path("tools/pid");
    let _ = fs::remove_file(&pid);
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] || echo $$ >{}\nexec {work}\n",
        pid.display()
    );
    place.write("tools/program", script);
    let program = place.path("tools/program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("chmod");
    let mut command = place.command();
    command
        .env(variable, program)
        .env("TMPDIR", place.path("tmp"));
    command
}

/// Ends the command by a signal as soon as that program runs; neither of them may survive.
fn end(place: &Place, mut command: Command, signal: &str) {
    let mut child = command.spawn().expect("it");
    let noted = || {
        let pid = fs::read_to_string(place.path("tools/pid")).ok()?;
        pid.strip_suffix('\n').map(str::to_owned)
    };
    let pid = loop {
        match noted() {
            Some(pid) => break pid,
            None => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
        assert!(child.try_wait().expect("it").is_none(), "it ended early");
    };
    // What it does from now on is its work, so that it has begun its files.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let process = Path::new("/proc").join(pid);
    assert!(process.exists());
    send(signal, child.id());
    // By the signal, and not with an error about its child.
    assert_eq!(child.wait().expect("it").code(), None);
    assert!(!process.exists(), "the child survived {signal}");
}

#[test]
fn signals_leave_nothing_behind() {
    let place = Place::new();
    let noise: Vec<u8> = (0..60_000_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    place.write("a", newc(&[node("init", 0o100_755), file("noise", &noise)]));
    fs::create_dir_all(place.path("tmp")).expect("a directory");
    let mkfs = format!("{} \"$@\"", common::erofs_tool("MKFS_EROFS"));
    for signal in ["INT", "TERM", "HUP"] {
        let mut command = noting(&place, "MKFS_EROFS", &mkfs);
        command.args(["convert", "a", "-o", "image", "--compression", "lzma"]);
        end(&place, command, signal);
        assert_eq!(place.names(), ["a", "tmp", "tools"], "after {signal}");
        assert_eq!(fs::read_dir(place.path("tmp")).expect("tmp").count(), 0);
    }
    place.write("b", newc(&[file("text", &b"text ".repeat(5_000))]));
    place.succeed("convert b -o image");
    let mut command = noting(&place, "FSCK_EROFS", "sleep 100");
    command.args(["cat", "image", "text"]);
    end(&place, command, "TERM");
    assert_eq!(fs::read_dir(place.path("tmp")).expect("tmp").count(), 0);
}
