// SPDX-License-Identifier: GPL-2.0-only

//! Tools that cannot hand over from an overlay: found wherever they are, and replaced if possible.

mod common;

use std::fs;

use common::{file, newc, node, Entry, Place};

/// Returns a program.
fn program<'a>(name: &'a str, content: &'a [u8]) -> Entry<'a> {
    Entry {
        mode: 0o100_755,
        ..file(name, content)
    }
}

/// Returns a symbolic link.
fn link<'a>(name: &'a str, target: &'a str) -> Entry<'a> {
    Entry {
        content: target.as_bytes(),
        ..node(name, 0o120_777)
    }
}

/// A busybox with the applets, as its list of names shows.
const BUSYBOX: &[u8] = b"\x7fELF BusyBox v1.37\0rtcwake\0run-init\0sh\0switch_root\0sync\0";

/// The bytes that the tests put in the place of tools.
const REPLACEMENT: &str = "#!initoverlayfs-handover";

/// Returns a place with the replacement, and the initramfs `a` of these entries beside an init.
fn place_with(entries: &[Entry<'_>]) -> Place {
    let place = Place::new();
    place.write("handover", REPLACEMENT);
    place.write(
        "a",
        newc(&[&[program("init", b"#!/bin/sh\n")], entries].concat()),
    );
    place
}

#[test]
fn tools_that_refuse_to_hand_over_are_replaced() {
    let klibc = b"\x7fELF ... rootfs not a ramfs or tmpfs ...";
    let entries = [
        node("bin", 0o040_755),
        program("bin/run-init", klibc),
        program("bin/busybox", b"\x7fELF BusyBox v1.37"),
        node("sbin", 0o040_755),
        link("sbin/switch_root", "/bin/busybox"),
    ];
    let place = place_with(&entries);
    let said = place.run("convert a -o image").err;
    assert!(
        said.contains("/bin/run-init: klibc") && said.contains("replaced"),
        "{said}"
    );
    assert_eq!(place.succeed("cat image bin/run-init"), REPLACEMENT);
    assert_eq!(place.succeed("cat image sbin/switch_root"), REPLACEMENT);
    assert_eq!(
        place.succeed("cat image bin/busybox"),
        "\x7fELF BusyBox v1.37"
    );
    assert!(place
        .succeed("ls -l image bin/run-init")
        .starts_with("-0755 2 0:0 "));
    place.succeed("check image");

    place.succeed("convert --force --no-handover-shim a -o image");
    let ended = place.run("check image");
    assert_eq!(ended.status, 1);
    assert!(ended.out.contains("/bin/run-init") && ended.out.contains("/sbin/switch_root"));

    fs::remove_file(place.path("handover")).expect("it is there");
    let said = place.fail("convert --force a -o image");
    assert!(said.contains("INITOVERLAYFS_HANDOVER") && said.contains("--no-handover-shim"));
}

/// In other directories, behind several links, through linked directories.
#[test]
fn tools_are_found_wherever_they_are() {
    for (name, entries) in [
        (
            "nix/store/x-utils/bin/switch_root",
            &[
                node("nix", 0o040_755),
                node("nix/store", 0o040_755),
                node("nix/store/x-utils", 0o040_755),
                node("nix/store/x-utils/bin", 0o040_755),
                program("nix/store/x-utils/bin/busybox", BUSYBOX),
                link("nix/store/x-utils/bin/switch_root", "busybox"),
            ][..],
        ),
        (
            "usr/sbin/switch_root",
            &[
                node("bin", 0o040_755),
                program("bin/busybox", BUSYBOX),
                node("etc", 0o040_755),
                node("etc/alternatives", 0o040_755),
                link("etc/alternatives/switch_root", "/bin/busybox"),
                node("usr", 0o040_755),
                node("usr/sbin", 0o040_755),
                link("usr/sbin/switch_root", "/etc/alternatives/switch_root"),
            ],
        ),
        (
            "usr/lib/klibc/bin/run-init",
            &[
                node("usr", 0o040_755),
                node("usr/lib", 0o040_755),
                link("lib", "usr/lib"),
                node("usr/lib/klibc", 0o040_755),
                node("usr/lib/klibc/bin", 0o040_755),
                program(
                    "usr/lib/klibc/bin/run-init",
                    b"root is not a ramfs or tmpfs",
                ),
            ],
        ),
    ] {
        let place = place_with(entries);
        let said = place.run("convert a -o image").err;
        assert!(
            said.contains(&format!("/{name}: ")) && said.contains("; replaced"),
            "{said}"
        );
        assert_eq!(place.succeed(&format!("cat image {name}")), REPLACEMENT);
        place.succeed("check image");
    }
}

/// Its shell runs them without a look at PATH, and `busybox --install` makes links at boot, if there is nothing of that name.
#[test]
fn tools_within_busybox_are_hidden_from_it() {
    let usual = [node("bin", 0o040_755), program("bin/busybox", BUSYBOX)];
    let merged = [
        node("usr", 0o040_755),
        node("usr/bin", 0o040_755),
        link("sbin", "usr/bin"),
        program("usr/bin/busybox", BUSYBOX),
    ];
    for (entries, directories, busybox) in [
        (&usual[..], &["bin", "sbin"][..], "bin/busybox"),
        (&merged, &["usr/bin"], "usr/bin/busybox"),
    ] {
        let place = place_with(entries);
        let said = place.run("convert a -o image").err;
        assert!(
            said.contains(&format!("/{busybox}: busybox's shell"))
                && said.contains("; renamed in it"),
            "{said}"
        );
        for directory in directories {
            for name in ["run-init", "switch_root"] {
                let found = place.succeed(&format!("cat image {directory}/{name}"));
                assert_eq!(found, REPLACEMENT);
            }
        }
        assert_eq!(
            place.succeed(&format!("cat image {busybox}")),
            "\x7fELF BusyBox v1.37\0rtcwake\0run-ini_\0sh\0switch_roo_\0sync\0"
        );
        place.succeed("check image");
        place.succeed("convert --force --no-handover-shim a -o image");
        assert!(place
            .run("check image")
            .out
            .contains(&format!("/{busybox}: busybox's shell")));
    }
    // One that has a name there which is no program of ours keeps its own.
    let taken = [
        node("bin", 0o040_755),
        program("bin/busybox", BUSYBOX),
        program("bin/run-init", b"#!/bin/sh\n"),
    ];
    let place = place_with(&taken);
    let said = place.run("convert a -o image").err;
    assert!(said.contains("; not replaced: something else"), "{said}");
    assert!(place.run("check image").out.contains("busybox's shell"));
    // Links to nowhere, names elsewhere, and a program of an earlier version change nothing.
    let odd = [
        node("bin", 0o040_755),
        program("bin/busybox", BUSYBOX),
        link("sbin", "usr/sbin"),
        node("usr", 0o040_755),
        node("usr/switch_root", 0o040_755),
        program("bin/run-init", b"#!initoverlayfs-handover of before"),
    ];
    let place = place_with(&odd);
    let said = place.run("convert a -o image").err;
    assert!(said.contains("; renamed in it"), "{said}");
    assert_eq!(place.succeed("cat image bin/switch_root"), REPLACEMENT);
    place.succeed("check image");
    // A busybox without that applet makes no such link.
    let place = place_with(&[program("busybox", b"\x7fELF BusyBox v1.37\0sh\0")]);
    assert!(!place.run("convert a -o image").err.contains("switch_root"));
}

/// Nothing can stand in for a busybox that is called by its own name.
#[test]
fn scripts_that_call_the_applet_are_named() {
    for (script, is_named) in [
        (
            "#!/bin/sh\nexec /bin/busybox switch_root /new /sbin/init\n",
            true,
        ),
        ("#!/bin/sh\n\tbusybox\tswitch_root /new /sbin/init\n", true),
        ("#!/bin/sh\nbusybox run-init /new /sbin/init\n", true),
        (
            "#!/bin/sh\n# not busybox switch_root\nexec switch_root /new /init\n",
            false,
        ),
        ("#!/bin/sh\nexec switch_root /new /sbin/init\n", false),
    ] {
        let place = Place::new();
        place.write("handover", REPLACEMENT);
        let entries = [
            program("init", script.as_bytes()),
            program("busybox", BUSYBOX),
        ];
        place.write("a", newc(&entries));
        let said = place.run("convert a -o image").err;
        let words = "/init: calls `busybox switch_root`";
        assert_eq!(said.contains(words), is_named, "{script}: {said}");
        let ended = place.run("check image");
        assert_eq!(
            ended.out.contains(words),
            is_named,
            "{script}: {}",
            ended.out
        );
    }
}

/// Returns the header of a program for a machine, and a text.
fn elf(class: u8, machine: u16, text: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1, 1]);
    bytes[16] = 2;
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes[20] = 1;
    [&bytes, text].concat()
}

/// Each tool gets the program for its own machine.
#[test]
fn programs_of_several_machines_are_told_apart() {
    let machines = [(2, 62, "x86_64"), (2, 183, "aarch64"), (1, 40, "arm")];
    let tools = machines.map(|(class, machine, _)| elf(class, machine, BUSYBOX));
    let paths = [
        "a/switch_root",
        "b/switch_root",
        "c/switch_root",
        "d/switch_root",
    ];
    let other = elf(1, 8, BUSYBOX);
    let mut entries = ["a", "b", "c", "d"]
        .map(|name| node(name, 0o040_755))
        .to_vec();
    let contents = tools.iter().chain([&other]);
    entries.extend(
        paths
            .iter()
            .zip(contents)
            .map(|(path, tool)| program(path, tool)),
    );
    let place = place_with(&entries);
    fs::remove_file(place.path("handover")).expect("it is there");
    fs::create_dir(place.path("handover")).expect("a directory");
    for (class, machine, name) in machines {
        let program = elf(class, machine, format!("{REPLACEMENT} {name}").as_bytes());
        place.write(&format!("handover/handover-{name}"), program);
    }
    let said = place.run("convert a -o image").err;
    assert!(
        said.contains("/d/switch_root") && said.contains("for another machine"),
        "{said}"
    );
    for (path, (_, _, name)) in paths.iter().zip(machines) {
        let found = place.run(&format!("cat image {path}")).out;
        assert!(found.ends_with(&format!("{REPLACEMENT} {name}")), "{path}");
    }
}

/// A program for another machine would not run.
#[test]
fn programs_for_another_machine_are_left_alone() {
    const X86_64: u16 = 62;
    for (class, machine, is_same) in [
        (2, X86_64, true),
        (2, 183, false),
        (1, 3, false),
        (1, X86_64, false),
    ] {
        let busybox = elf(class, machine, BUSYBOX);
        let entries = [
            node("bin", 0o040_755),
            program("bin/busybox", &busybox),
            node("sbin", 0o040_755),
            link("sbin/switch_root", "/bin/busybox"),
        ];
        let place = place_with(&entries);
        place.write("handover", elf(2, X86_64, REPLACEMENT.as_bytes()));
        let said = place.run("convert a -o image").err;
        assert_eq!(said.contains("; replaced"), is_same, "{said}");
        assert_eq!(said.contains("for another machine"), !is_same, "{said}");
        assert_eq!(place.run("check image").status == 0, is_same);
        let kept = place
            .succeed("ls -l image sbin/switch_root")
            .contains("-> /bin/busybox");
        assert_eq!(kept, !is_same);
    }
}
