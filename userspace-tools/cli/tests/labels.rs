// SPDX-License-Identifier: GPL-2.0-only

//! `--labels`: a policy's file of contexts states the SELinux labels of an image's files.

mod common;

use std::process::Command;

use common::{erofs_tool, file, newc, node, other_kinds, Place};

/// Each kind of file has a line that is for that kind only.
const CONTEXTS: &str = "\
/.*		system_u:object_r:default_t
/	-d	system_u:object_r:root_t
/init	--	system_u:object_r:init_exec_t
/dev(/.*)?	system_u:object_r:device_t
/dev/console	-c	system_u:object_r:console_t
/disk	-b	system_u:object_r:disk_t
/pipe	-p	system_u:object_r:pipe_t
/link	-l	system_u:object_r:link_t
/first	--	system_u:object_r:first_t
/init	-d	system_u:object_r:wrong_t
/left	--	<<none>>
";

const LABELS: &str = "\
/ system_u:object_r:root_t
/a\\nb system_u:object_r:default_t
/dev system_u:object_r:device_t
/dev/console system_u:object_r:console_t
/disk system_u:object_r:disk_t
/etc system_u:object_r:default_t
/first system_u:object_r:first_t
/init system_u:object_r:init_exec_t
/left -
/link system_u:object_r:link_t
/pipe system_u:object_r:pipe_t
/second system_u:object_r:first_t
";

/// An archive with a file of each kind, in a place with the contexts.
fn start() -> Place {
    let place = Place::new();
    let mut entries = other_kinds(b"init");
    entries.extend([
        node("init", 0o100_755),
        node("etc", 0o040_755),
        file("left", b"x"),
        file("a\nb", b"y"),
    ]);
    place.write("archive", newc(&entries));
    place.write("contexts", CONTEXTS);
    place
}

/// Returns a line with its label for each name in an image, as the command itself reads it.
fn labels(place: &Place, image: &str) -> String {
    let listed = place.succeed(&format!("ls --json {image}"));
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let line = |file: &serde_json::Value| {
        let path = file["path"].as_str().expect("a path");
        let label = file["xattrs"]["security.selinux"].as_str().unwrap_or("-");
        format!("{path} {label}\n")
    };
    listed
        .as_array()
        .expect("a list")
        .iter()
        .map(line)
        .collect()
}

#[test]
fn each_file_has_the_label_of_its_name_and_kind() {
    let place = start();
    let said = place.run("convert archive -o image --labels contexts").err;
    assert!(said.contains("labels for 10 of 11 files"), "{said}");
    assert_eq!(labels(&place, "image"), LABELS);
    // The same by another reader of EROFS.
    let names = [
        "/", "/dev", "/etc", "/first", "/init", "/left", "/link", "/second",
    ];
    let is_named = |line: &&str| {
        line.split(' ')
            .next()
            .is_some_and(|name| names.contains(&name))
    };
    let expected: Vec<&str> = LABELS.lines().filter(is_named).collect();
    match extracted(&place, "image", &names) {
        Some(found) => assert_eq!(found, expected),
        None => eprintln!("skipped: attributes cannot be set here"),
    }
}

#[test]
fn labels_of_the_source_are_replaced_or_kept() {
    let place = start();
    place.succeed("convert archive -o first --labels contexts");
    place.succeed("extract first --tar first.tar");
    place.write("others", "/init	--	u:object_r:other_t\n/etc	<<none>>\n");
    place.succeed("create first.tar -o second --labels others");
    let found = labels(&place, "second");
    assert!(found.contains("/init u:object_r:other_t\n"), "{found}");
    assert!(
        found.contains("/etc system_u:object_r:default_t\n"),
        "{found}"
    );
    assert!(
        found.contains("/pipe system_u:object_r:pipe_t\n"),
        "{found}"
    );
}

#[test]
fn other_types_of_images_have_labels_too() {
    let place = start();
    place.write("tree/init", "#!/bin/sh\n");
    for kind in ["btrfs", "squashfs", "ext4"] {
        place.succeed(&format!(
            "create tree -o {kind} --type {kind} --labels contexts"
        ));
        let expected = "/ system_u:object_r:root_t\n/init system_u:object_r:init_exec_t\n";
        assert_eq!(labels(&place, kind), expected, "{kind}");
    }
}

#[test]
fn what_is_no_file_of_contexts_is_refused() {
    let place = start();
    place.write("missing-field", "/init\n");
    place.write("wrong-kind", "/init b system_u:object_r:init_t\n");
    place.write("elsewhere", "/nowhere	system_u:object_r:init_t\n");
    for (contexts, words) in [
        ("nothing", "nothing: No such file"),
        (".", "it is no file"),
        ("missing-field", "line 1 is missing fields"),
        ("wrong-kind", "line 1 has invalid file type b"),
        (
            "elsewhere",
            "elsewhere: it has a label for none of the files",
        ),
    ] {
        let said = place.fail(&format!("convert archive -o image --labels {contexts}"));
        assert!(said.contains(words), "{contexts}: {said}");
        assert!(!place.path("image").exists(), "{contexts}");
    }
}

#[test]
fn missing_program_is_named_before_any_work() {
    let place = start();
    let mut command = place.command();
    command.env("MATCHPATHCON", "/nowhere/matchpathcon");
    // What is no archive is not looked at.
    command.args(["convert", "contexts", "-o", "image", "--labels", "contexts"]);
    let output = command.output().expect("the command");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("matchpathcon cannot be run"), "{said}");
    assert!(said.contains("install selinux-utils"), "{said}");
}

/// Returns a line with its label for each of these names, as erofs-utils extract them; [`None`] where attributes cannot be
/// set.
fn extracted(place: &Place, image: &str, names: &[&str]) -> Option<Vec<String>> {
    place.write("probe", "");
    xattr::set(place.path("probe"), "security.selinux", b"x").ok()?;
    let output = Command::new(erofs_tool("FSCK_EROFS"))
        .arg(format!("--extract={}", place.path("out").display()))
        .args(["--xattrs", "--force"])
        .arg(place.path(image))
        .output()
        .expect("fsck.erofs");
    assert!(output.status.success(), "{output:?}");
    let line = |name: &&str| {
        let path = place.path("out").join(&name[1..]);
        let label = xattr::get(path, "security.selinux").expect("attributes");
        let label = label.unwrap_or(b"-".to_vec());
        format!("{name} {}", String::from_utf8_lossy(&label))
    };
    Some(names.iter().map(line).collect())
}

#[test]
fn check_asks_the_kernel_for_security_attributes() {
    const KERNEL: &str =
        "CONFIG_INITOVERLAYFS=y\nCONFIG_OVERLAY_FS=y\nCONFIG_EROFS_FS=y\nCONFIG_EROFS_FS_XATTR=y\n";
    const OPTION: &str = "CONFIG_EROFS_FS_SECURITY=y";
    let place = start();
    place.write("without", KERNEL);
    place.write("with", format!("{KERNEL}{OPTION}\n"));
    place.succeed("convert archive -o plain --compression none");
    place.succeed("convert archive -o labelled --compression none --labels contexts");
    place.succeed("check plain --kernel-config without");
    place.succeed("check labelled --kernel-config with");
    let ended = place.run("check labelled --kernel-config without");
    let words =
        format!("the kernel has no {OPTION}, and file capabilities and labels are not seen");
    assert!(ended.out.contains(&words), "{}{}", ended.out, ended.err);
    assert_eq!(ended.status, 1);
}
