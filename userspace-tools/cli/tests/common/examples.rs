// SPDX-License-Identifier: GPL-2.0-only

//! The files that examples in manual pages and documents speak of, and a shell that runs the examples.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{ended, erofs_tool, file, newc, node, Ended, Entry, Place};

/// All that the examples speak of: `boot/initrd.img`, and `initrd.img`, which is sealed and signed or not.
pub fn machine(is_sealed: bool) -> Place {
    let place = Place::new();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let config = "INITOVERLAYFS EROFS_FS OVERLAY_FS EROFS_FS_ZIP".split(' ');
    let config: String = config
        .map(|option| format!("CONFIG_{option}=y\n"))
        .collect();
    place.write(&format!("boot/config-{}", release.trim()), config);
    let entries = [
        Entry {
            mode: 0o100_755,
            ..file("init", b"#!/bin/sh\n")
        },
        node("etc", 0o040_755),
        file("etc/fstab", b"none /tmp tmpfs defaults 0 0\n"),
    ];
    place.write("boot/initrd.img", newc(&entries));
    place.write("rootfs/init", "#!/bin/sh\n");
    for name in ["base", "app"] {
        place.succeed(&format!("extract boot/initrd.img --tar {name}.tar"));
    }
    let mut openssl = Command::new("openssl");
    let line =
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=test -keyout key.pem -out cert.pem";
    let openssl = openssl.args(line.split(' ')).current_dir(place.path("."));
    assert!(openssl.output().expect("openssl").status.success());
    let seal = if is_sealed {
        "--sign --key key.pem --cert cert.pem"
    } else {
        ""
    };
    place.succeed(&format!("convert boot/initrd.img -o initrd.img {seal}"));
    place.write("copy.img", place.read("initrd.img"));
    place.write("other.img", "");
    place.write("files", "/init\n");
    let shown = place.succeed("inspect --json initrd.img");
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let size = &shown["segments"][0]["size"];
    place.write("debug/phases", "claim 41230\n");
    place.write("debug/layers", format!("0 erofs {size} 0 1 1 1\n"));
    place.write("debug/touched", "0 0 100\n");
    place
}

/// Runs a line of shell in the place, where it finds the command; what is absolute in it is of that place.
pub fn run(place: &Place, line: &str) -> Ended {
    let line = line.replace("/boot/", "boot/");
    let line = line.replace("initoverlayfs stats", "initoverlayfs stats --debugfs debug");
    let command = Path::new(env!("CARGO_BIN_EXE_initoverlayfs"));
    let directory = command.parent().expect("a directory").display();
    let path = std::env::var("PATH").expect("a path");
    let mut shell = Command::new("sh");
    shell
        .args(["-e", "-c", &line])
        .env("PATH", format!("{directory}:{path}"))
        .env("INITOVERLAYFS_HANDOVER", "handover")
        .current_dir(place.path("."));
    for name in ["MKFS_EROFS", "FSCK_EROFS", "MKFS_BTRFS"] {
        shell.env(name, erofs_tool(name));
    }
    ended(shell.output().expect("sh"))
}
