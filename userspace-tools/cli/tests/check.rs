// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs check`: what it warns of. What it says no to, boots have to confirm: `qemu-tests/tests/verdicts.rs`.

mod common;

use common::{ended, file, newc, node, Entry, Place};

#[test]
fn programs_that_an_overlay_root_does_not_suit_are_named_with_the_cure() {
    let place = Place::new();
    let program = |name| Entry {
        mode: 0o100_755,
        ..file(name, b"program")
    };
    let directories = ["usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib/systemd"];
    let mut entries: Vec<_> = directories.map(|name| node(name, 0o040_755)).into();
    entries.push(program("init"));
    place.write("a", newc(&entries));
    place.succeed("convert a -o image");
    assert_eq!(place.succeed("check image"), "image: boots in place\n");
    for (name, words) in [
        (
            "usr/lib/systemd/libsystemd-shared-252.so",
            Some("SYSTEMD_IN_INITRD=1"),
        ),
        ("usr/lib/systemd/libsystemd-shared-257.9-1~deb13u1.so", None),
        ("usr/bin/podman", Some("on a tmpfs, such as /run")),
        ("usr/sbin/mdmon", Some("keeps the image in memory")),
        ("usr/lib/podman", None),
    ] {
        place.write("a", newc(&[&entries[..], &[program(name)]].concat()));
        place.succeed("convert --force a -o image");
        let said = place.succeed("check image");
        assert_eq!(
            said.lines().count(),
            1 + usize::from(words.is_some()),
            "{said}"
        );
        let named = format!("image: warning: /{name}: ");
        assert!(
            words.is_none_or(|words| said.contains(&named) && said.contains(words)),
            "{said}"
        );
    }
    assert!(place
        .succeed("check image --json")
        .contains("\"warnings\": []"));
}

#[test]
fn running_kernel_is_judged_unless_another_is_named() {
    let place = Place::new();
    place.write("a", newc(&[node("init", 0o100_755)]));
    place.succeed("convert a -o image");
    let check = |words: &[&str]| {
        let mut command = place.command();
        command.args(["check", "image"]).args(words);
        ended(command.output().expect("the command"))
    };
    let found = check(&[]);
    let words = [
        "judging the running kernel by /",
        "so the kernel is not judged",
    ];
    let said = words.map(|words| found.err.contains(words));
    assert!(said[0] != said[1], "{}", found.err);
    assert!(said[0] || found.status == 0, "{}", found.out);
    assert_eq!(check(&["--kernel-config", "none"]).err, "");
    place.write("config", "CONFIG_OVERLAY_FS=y\n");
    let named = check(&["--json", "--kernel-config", "config"]);
    assert_eq!((named.status, &*named.err), (1, ""));
    let config = "\"kernel_config\": \"config\"";
    assert!(named.out.contains(config), "{}", named.out);
}
