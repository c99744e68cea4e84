// SPDX-License-Identifier: GPL-2.0-only

//! `-` in the place of a file, and what must not become one.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{symlink, PermissionsExt};
use std::process::{Command, Output, Stdio};

use common::{ended, file, newc, node, Place};

fn usual() -> Place {
    let place = Place::new();
    place.write("tree/init", "#!/bin/sh\n");
    place.write(
        "a",
        newc(&[node("init", 0o100_755), file("name", b"content")]),
    );
    place.succeed("convert a -o image");
    place
}

/// Runs the command with a file of the place, or nothing, as its input.
fn fed(place: &Place, line: &str, input: Option<&str>) -> Output {
    let input = input.map_or(Stdio::null(), |name| {
        File::open(place.path(name)).expect(name).into()
    });
    let mut command = place.command();
    command.args(line.split_whitespace()).stdin(input);
    command.output().expect("the command")
}

#[test]
fn results_go_to_standard_output() {
    let place = usual();
    let before = place.names();
    let image = place.read("image");
    for line in ["convert a -o -", "convert a --output=/dev/stdout --force"] {
        let output = fed(&place, line, None);
        assert!(output.stdout == image, "{line}");
        let said = ended(output).err;
        assert!(said.starts_with("standard output: 2 names, "), "{said}");
    }
    place.succeed("create tree -o created");
    assert!(fed(&place, "create tree -o -", None).stdout == place.read("created"));
    place.succeed("convert a --seal -o sealed");
    assert!(fed(&place, "convert a --seal -o -", None).stdout == place.read("sealed"));
    let failed = fed(&place, "convert missing -o -", None);
    assert!(failed.stdout.is_empty() && failed.status.code() == Some(2));
    fs::remove_file(place.path("created")).expect("it is there");
    fs::remove_file(place.path("sealed")).expect("it is there");
    assert_eq!(place.names(), before);
}

#[test]
fn early_archives_go_in_front_on_standard_output_too() {
    let place = usual();
    let early = newc(&[node("kernel", 0o040_755), node("kernel/x86", 0o040_755)]);
    place.write("both", [early, place.read("a")].concat());
    place.succeed("convert both -o in-front");
    assert!(fed(&place, "convert both -o -", None).stdout == place.read("in-front"));
}

#[test]
fn sources_come_from_standard_input() {
    let place = usual();
    let shown = place.succeed("inspect image");
    let output = ended(fed(&place, "inspect -", Some("image")));
    assert_eq!(output.out, shown);
    assert!(fed(&place, "convert - -o -", Some("a")).stdout == place.read("image"));
    let output = ended(fed(&place, "check - --kernel-config none", Some("image")));
    assert_eq!(output.out, "standard input: boots in place\n");
    let output = ended(fed(&place, "ls - name", Some("image")));
    assert_eq!(output.out, "/name\n");
    let output = ended(fed(&place, "digest -", Some("image")));
    assert_eq!(output.out, place.succeed("digest image"));
    place.succeed("extract image --tar a.tar");
    place.succeed("create a.tar -o created");
    assert!(fed(&place, "create - -o -", Some("a.tar")).stdout == place.read("created"));

    for (line, words) in [
        ("convert - -o out", "standard input: it holds no archive"),
        ("create - - -o out", "standard input can be read only once"),
        ("ls -", "standard input: there is no image"),
    ] {
        let said = place.fail(line);
        assert!(said.contains(words), "{line}: {said}");
    }
}

#[test]
fn who_could_read_the_input_can_read_the_image() {
    let place = usual();
    let mode = |name: &str| {
        let metadata = fs::metadata(place.path(name)).expect(name);
        metadata.permissions().mode() & 0o777
    };
    let set = |name: &str, mode| {
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).expect(name);
    };
    set("a", 0o644);
    let output = fed(&place, "convert - -o from-file", Some("a"));
    assert!(output.status.success());
    set("a", 0o600);
    fed(&place, "convert - -o from-secret", Some("a"));
    let mut pipe = Command::new("sh");
    let line = format!(
        "cat a | {} convert --quiet - -o from-pipe",
        env!("CARGO_BIN_EXE_initoverlayfs")
    );
    pipe.args(["-c", &line])
        .current_dir(place.path("."))
        .env("MKFS_EROFS", common::erofs_tool("MKFS_EROFS"));
    assert!(pipe.status().expect("sh").success());
    // Less the umask of whoever runs this.
    assert_eq!(mode("from-file"), mode("image"));
    assert_eq!((mode("from-secret"), mode("from-pipe")), (0o600, 0o600));
}

#[test]
fn a_terminal_gets_and_gives_no_image() {
    let place = usual();
    for (words, line) in [
        ("standard output is a terminal", "convert a -o -"),
        ("standard input is a terminal", "inspect -"),
    ] {
        let line = format!("{} {line}", env!("CARGO_BIN_EXE_initoverlayfs"));
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        script
            .current_dir(place.path("."))
            .env("MKFS_EROFS", common::erofs_tool("MKFS_EROFS"));
        let output = script.output().expect("script: install bsdutils");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(words), "{line}: {said}");
        assert_eq!(output.status.code(), Some(2), "{said}");
    }
}

#[test]
fn devices_are_not_replaced_by_name_or_through_a_link() {
    let place = usual();
    symlink("/dev/null", place.path("link")).expect("a link");
    for output in ["/dev/null", "link"] {
        for line in ["convert --force a", "create --force tree"] {
            let said = place.fail(&format!("{line} -o {output}"));
            let words = format!("{output}: there is something that is not a file");
            assert!(said.contains(&words), "{said}");
        }
    }
    assert!(place.path("link").is_symlink());
    let null = fs::metadata("/dev/null").expect("it is there");
    assert!(!null.is_file());
}
