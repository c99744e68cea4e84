// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs stats`: the figures of the kernel, and the processes that hold the root.

mod common;

use std::fs;
use std::os::unix::fs::{symlink, MetadataExt};

use common::debugfs::{debugfs, LAYERS, STATS};
use common::Place;

#[test]
fn statistics_are_shown() {
    let place = Place::new();
    debugfs(&place, LAYERS, "");
    let expected = "\
claim         41.2 us
wait           0.0 us
segments       1.6 ms
image0        19.3 ms
total         21.0 ms
layer 0  1.21 KiB, cpio
    memory   released
    reads    3, 1.21 KiB in all
    touched  4.00 KiB in 1 blocks, 100 %
layer 1  40.00 KiB, erofs
    memory   40.00 KiB held
    reads    17, 120.56 KiB in all
    touched  20.00 KiB in 5 blocks, 50 %
";
    assert_eq!(place.succeed(STATS), expected);
    let json = place.succeed(&format!("{STATS} --json"));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let expected = serde_json::json!({
        "phases": [
            {"name": "claim", "nanoseconds": 41_230},
            {"name": "wait", "nanoseconds": 0},
            {"name": "segments", "nanoseconds": 1_599_999},
            {"name": "image0", "nanoseconds": 19_336_000},
        ],
        "holders": [],
        "layers": [
            {"layer": 0, "kind": "cpio", "bytes": 1234, "held": 0, "reads": 3, "served": 1234,
             "touched": 1},
            {"layer": 1, "kind": "erofs", "bytes": 40_960, "held": 40_960, "reads": 17,
             "served": 123_456, "touched": 5},
        ],
    });
    assert_eq!(json, expected);
}

#[test]
fn what_is_missing_is_told_with_the_remedy() {
    let place = Place::new();
    let said = place.fail(STATS);
    assert!(said.contains("without CONFIG_DEBUG_FS"), "{said}");
    fs::create_dir(place.path("debug")).expect("a directory");
    let said = place.fail(STATS);
    assert!(said.contains("mount -t debugfs debugfs debug"), "{said}");
    fs::create_dir(place.path("debug/block")).expect("a directory");
    let said = place.fail(STATS);
    assert!(said.contains("did not mount its initrd"), "{said}");
    debugfs(&place, LAYERS, "");
    place.write("debug/initoverlayfs/phases", "claim 1\nwait long\n");
    let said = place.fail(STATS);
    assert!(
        said.contains("phases, line 2") && said.contains("wait long"),
        "{said}"
    );
}

/// A process for each thing that it may hold, in a directory like `/proc`.
#[test]
fn processes_that_hold_the_root_are_named() {
    let place = Place::new();
    debugfs(&place, LAYERS, "");
    // A filesystem that is not the root, with a file that anyone can name.
    let number = fs::metadata("/proc").expect("/proc").dev();
    assert_ne!(
        number,
        fs::metadata("/").expect("/").dev(),
        "/proc is no mount here"
    );
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    place.write("debug/initoverlayfs/device", format!("{major}:{minor}\n"));
    let process = |pid: &str, name: &str, links: &[(&str, &str)]| {
        place.write(&format!("proc/{pid}/comm"), format!("{name}\n"));
        fs::create_dir_all(place.path(&format!("proc/{pid}/fd"))).expect("a directory");
        for (link, target) in links {
            symlink(target, place.path(&format!("proc/{pid}/{link}"))).expect("a link");
        }
    };
    process(
        "1",
        "systemd",
        &[("root", "/"), ("cwd", "/"), ("fd/0", "/proc/version")],
    );
    process(
        "200",
        "plymouthd",
        &[("root", "/proc"), ("cwd", "/"), ("exe", "/proc/version")],
    );
    process(
        "30",
        "elsewhere",
        &[("root", "/"), ("cwd", "/"), ("fd/0", "/")],
    );
    process("31", "mapped", &[("root", "/")]);
    place.write(
        "proc/31/maps",
        format!("7f00-7f01 r--p 00000000 {major:02x}:{minor:02x} 77 /lib/libc.so\n"),
    );
    process("32", "namespace", &[("root", "/")]);
    place.write(
        "proc/32/mountinfo",
        format!("55 44 {major}:{minor} / /run/initramfs rw - overlay initoverlayfs rw\n"),
    );
    let shown = place.succeed(&format!("{STATS} --proc proc"));
    let held: Vec<_> = shown
        .lines()
        .filter(|line| line.starts_with("held"))
        .collect();
    let expected = [
        "held by 1 systemd: file 0",
        "held by 31 mapped: mapping",
        "held by 32 namespace: mount /run/initramfs",
        "held by 200 plymouthd: root, program",
    ];
    assert_eq!(held, expected);
    let json = place.succeed(&format!("{STATS} --proc proc --json"));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let last = serde_json::json!({"pid": 200, "name": "plymouthd", "holds": ["root", "program"]});
    assert_eq!(json["holders"][3], last);
    // Once the memory is back, another filesystem may have the number.
    let layers = place.read("debug/initoverlayfs/layers");
    let layers = String::from_utf8(layers).expect("text");
    let released = layers.lines().map(|line| {
        let mut words: Vec<&str> = line.split(' ').collect();
        words[3] = "0";
        words.join(" ") + "\n"
    });
    place.write("debug/initoverlayfs/layers", released.collect::<String>());
    let shown = place.succeed(&format!("{STATS} --proc proc"));
    assert!(!shown.contains("held by"), "{shown}");
    place.write("debug/initoverlayfs/layers", layers);
    // Before the switch, everything is on it.
    let number = fs::metadata("/").expect("/").dev();
    let own = format!(
        "{}:{}\n",
        rustix::fs::major(number),
        rustix::fs::minor(number)
    );
    place.write("debug/initoverlayfs/device", own);
    assert!(!place
        .succeed(&format!("{STATS} --proc proc"))
        .contains("held by"));
}
