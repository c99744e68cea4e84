// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs stats --record` and `--recorded`. The Debian of `make test-distro` records real boots.

mod common;

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use common::debugfs::{debugfs, LAYERS, STATS};
use common::{ended, Place};

/// Lines of the kernel's log of a stock boot.
const LOG: &str = "\
[    0.431337] Freeing initrd memory: 41240K
[    0.874210] Run /init as init process
[    4.120000] Run /sbin/init as init process
";

/// The times that systemd knows, if the bootloader has told its own.
const SYSTEMD: &str = "\
Version=257
FirmwareTimestampMonotonic=3000000
LoaderTimestampMonotonic=1000000
KernelTimestampMonotonic=0
InitRDTimestampMonotonic=1200000
UserspaceTimestampMonotonic=4500000
FinishTimestampMonotonic=9000000
";

const MEMINFO: &str = "MemTotal: 2000000 kB\nMemFree: 1 kB\nMemAvailable: 1000000 kB\n";

/// Makes programs that print these.
fn machine(log: &str, systemd: &str) -> Place {
    let place = Place::new();
    place.write("proc/meminfo", MEMINFO);
    place.write("proc/sys/kernel/osrelease", "7.3.4\n");
    for (name, text) in [("dmesg", log), ("systemctl", systemd)] {
        let program = format!("bin/{name}");
        place.write(&program, format!("#!/bin/sh\ncat <<'END'\n{text}END\n"));
        fs::set_permissions(place.path(&program), Permissions::from_mode(0o755)).expect("a mode");
    }
    place
}

/// Records a boot of that machine. Returns what was complained of.
fn record(place: &Place) -> String {
    let own = env::var("PATH").expect("PATH");
    let path = format!("{}:{own}", place.path("bin").display());
    let line = format!("{STATS} --proc proc --record boots");
    let mut command = place.command();
    command.args(line.split_whitespace()).env("PATH", path);
    let ended = ended(command.output().expect("the command"));
    assert_eq!(ended.status == 0, ended.err.is_empty(), "{}", ended.err);
    ended.err
}

#[test]
fn boots_are_recorded_and_compared() {
    let place = machine(LOG, SYSTEMD);
    assert_eq!(record(&place), "");
    let slower = SYSTEMD.replace("=9000000", "=9500000");
    place.write(
        "bin/systemctl",
        format!("#!/bin/sh\ncat <<'END'\n{slower}END\n"),
    );
    assert_eq!(record(&place), "");
    debugfs(&place, LAYERS, "");
    assert_eq!(record(&place), "");
    let expected = "\
kernel  initrd      size       boots  firmware  loader  /init   real init  system up                   read       available
7.3.4   cpio+erofs  41.21 KiB  1      2.00 s    1.00 s  0.87 s  4.50 s     9.50 s                      21.21 KiB  976.56 MiB
7.3.4   stock       40.27 MiB  2      2.00 s    1.00 s  0.87 s  4.50 s     9.25 s (9.00 s to 9.50 s)  40.27 MiB  976.56 MiB
";
    let normal = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let table = place.succeed("stats --recorded boots");
    assert_eq!(normal(&table), normal(expected));
}

/// A boot whose log is gone, without times from firmware.
#[test]
fn what_is_not_known_is_not_invented() {
    let systemd = "UserspaceTimestampMonotonic=4500000\nFinishTimestampMonotonic=9000000\n";
    let place = machine("", systemd);
    assert_eq!(record(&place), "");
    let table = place.succeed("stats --recorded boots");
    let mut lines = table.lines();
    let header: Vec<_> = lines
        .next()
        .expect("a header")
        .split("  ")
        .filter(|c| !c.is_empty())
        .collect();
    let header: Vec<_> = header.iter().map(|cell| cell.trim()).collect();
    let expected = [
        "kernel",
        "initrd",
        "size",
        "boots",
        "real init",
        "system up",
        "available",
    ];
    assert_eq!(header, expected);
    assert!(
        lines
            .next()
            .expect("a row")
            .starts_with("7.3.4   stock   -     1 "),
        "{table}"
    );
}

#[test]
fn boots_that_are_not_over_are_not_recorded() {
    let place = machine(LOG, &SYSTEMD.replace("=9000000", "=0"));
    let said = record(&place);
    assert!(said.contains("is-system-running --wait"), "{said}");
    assert!(!place.path("boots").exists());
    place.write("boots", "{}\n");
    let said = place.fail("stats --recorded boots");
    assert!(
        said.contains("boots, line 1: no record of a boot"),
        "{said}"
    );
}
