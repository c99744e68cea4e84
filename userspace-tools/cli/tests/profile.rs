// SPDX-License-Identifier: GPL-2.0-only

//! `--profile` and `--max-extent`: how single files are stored.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use common::{dump, is_compressed, newc, text, Entry, Place};

/// Names that mean something to a regular expression, to a list, or to `mkfs.erofs`.
const NAMES: [&str; 14] = [
    "usr/lib/libc.so.6",
    "usr/lib/libcXso.6",
    "usr/lib/libc.so.6.bak",
    "a+b(c|d)[e]{2}.*^$?",
    "[e",
    "name with  spaces ",
    " leading",
    "new\nline",
    "back\\slash",
    "dev-disk-by\\x2duuid",
    "ends in n\\n",
    "n\u{e4}me",
    "#comment",
    "tab\tand \r",
];

fn tree(place: &Place) {
    for name in NAMES {
        place.write(&format!("root/{name}"), text(name));
    }
}

/// Returns the names among `NAMES` that are stored as they are.
fn uncompressed(place: &Place, image: &str) -> BTreeSet<&'static str> {
    let names = NAMES.into_iter();
    names
        .filter(|name| !is_compressed(place, image, name))
        .collect()
}

#[test]
fn files_of_the_list_are_stored_as_they_are_and_no_others() {
    let place = Place::new();
    tree(&place);
    place.write("list", "/usr/lib/libc.so.6\n\nusr/lib/missing\n/usr/lib\n");
    let said = place.run("create root -o image --profile list").err;
    assert!(said.contains("profile: 1 file uncompressed"), "{said}");
    let passed_over = "  profile: no file of this image: usr/lib\n  profile: no file of this image: usr/lib/missing\n";
    assert!(said.contains(passed_over), "{said}");
    assert_eq!(
        uncompressed(&place, "image"),
        BTreeSet::from(["usr/lib/libc.so.6"])
    );
    place.succeed("create root -o without");
    assert_eq!(place.succeed("diff image without"), "");
    assert!(uncompressed(&place, "without").is_empty());
    place.succeed("create root -o again --profile list");
    assert!(place.read("image") == place.read("again"));
}

#[test]
fn every_name_stands_for_itself() {
    let place = Place::new();
    tree(&place);
    for name in NAMES {
        // As the command writes it.
        let line = name.replace('\\', "\\\\").replace('\n', "\\n");
        place.write("list", format!("/{line}\n"));
        place.succeed("create root -o image --force --profile list");
        assert_eq!(
            uncompressed(&place, "image"),
            BTreeSet::from([name]),
            "{name:?}"
        );
    }
}

#[test]
fn lists_may_be_long() {
    // Longer than a line of what mkfs.erofs reads, by many names and by one.
    let place = Place::new();
    let deep = format!("{}/file", vec!["+".repeat(200); 15].join("/"));
    place.write(&format!("root/{deep}"), text("deep"));
    let names: Vec<String> = (0..300)
        .map(|number| format!("a.directory/of-some-length/{number}"))
        .collect();
    for name in &names {
        place.write(&format!("root/{name}"), &text(name)[..15_000]);
    }
    let list: Vec<&str> = names.iter().map(String::as_str).step_by(2).collect();
    place.write("list", format!("{}\n{deep}", list.join("\n")));
    place.succeed("create root -o image --profile list");
    assert!(!is_compressed(&place, "image", &deep));
    for (number, name) in names.iter().enumerate() {
        let is_listed = number % 2 == 0;
        assert_eq!(is_compressed(&place, "image", name), !is_listed, "{name}");
    }
}

#[test]
fn any_name_of_a_file_will_do() {
    let place = Place::new();
    place.write("root/usr/bin/tool", text("tool"));
    place.write("root/usr/bin/other", text("other"));
    fs::hard_link(place.path("root/usr/bin/tool"), place.path("root/zz")).expect("a name");
    symlink("usr/bin", place.path("root/bin")).expect("a link");
    for name in ["zz", "usr/bin/tool", "bin/tool"] {
        place.write("list", name);
        let said = place.run("create root -o image --force --profile list").err;
        assert!(said.contains("profile: 1 file uncompressed\n"), "{said}");
        assert!(!is_compressed(&place, "image", "zz"), "{name}");
        assert!(is_compressed(&place, "image", "usr/bin/other"), "{name}");
    }
}

#[test]
fn convert_takes_a_profile() {
    let place = Place::new();
    let (hot, cold) = (text("hot"), text("cold"));
    let entry = |name, content| Entry {
        owner: (1000, 100),
        ..common::file(name, content)
    };
    place.write("a", newc(&[entry("hot", &hot), entry("cold", &cold)]));
    place.write("list", "hot\n");
    place.succeed("convert a -o image --profile list");
    assert!(!is_compressed(&place, "image", "hot"));
    assert!(is_compressed(&place, "image", "cold"));
    assert_eq!(place.succeed("diff a image"), "");
}

#[test]
fn a_profile_without_compression_has_no_effect() {
    let place = Place::new();
    tree(&place);
    place.write("list", "usr/lib/libc.so.6\n");
    let said = place
        .run("create root -o image --profile list --compression none")
        .err;
    assert!(said.contains("profile: no effect"), "{said}");
    place.succeed("create root -o without --compression none");
    assert!(place.read("image") == place.read("without"));
}

#[test]
fn what_is_no_list_is_an_error() {
    let place = Place::new();
    tree(&place);
    let said = place.fail("create root -o image --profile missing");
    assert!(said.contains("missing: No such file"), "{said}");
    place.write("list", "name\nanother\0name\n");
    let said = place.fail("create root -o image --profile list");
    assert!(said.contains("list: line 2 holds a NUL byte"), "{said}");
    assert_eq!(place.names(), ["list", "root"]);
}

#[test]
fn max_extent_limits_what_is_compressed_together() {
    let place = Place::new();
    place.write("root/file", text("file").repeat(4));
    place.succeed("create root -o image --max-extent 8192");
    let shown = dump(&place.path("image"), "file");
    let lengths = shown.lines().filter_map(|line| {
        let (_, column) = line.split_once(" |")?;
        column.split_once(" :")?.0.trim().parse::<u32>().ok()
    });
    let lengths: Vec<u32> = lengths.collect();
    assert!(lengths.len() > 5, "{shown}");
    assert!(lengths.iter().all(|length| *length <= 8192), "{shown}");
    let said = place.fail("create root -o other --max-extent 4096");
    assert!(said.contains("more than a block of 4096"), "{said}");
}

#[test]
fn sizes_may_have_a_suffix() {
    let place = Place::new();
    place.write("root/file", text("file").repeat(4));
    let bytes = "--cluster-size 65536 --max-extent 32768";
    place.succeed(&format!("create root -o bytes {bytes}"));
    place.succeed("create root -o suffix --cluster-size 64K --max-extent 32K");
    assert!(place.read("bytes") == place.read("suffix"));
    for (option, words) in [
        ("--cluster-size 5K", "a multiple of 4096 up to 1M"),
        ("--cluster-size 2M", "a multiple of 4096 up to 1M"),
        ("--cluster-size 64KiB", "K, M or G behind it"),
        ("--max-extent 4G", "more than 4294967295 bytes"),
    ] {
        let said = place.fail(&format!("create root -o other {option}"));
        assert!(said.contains(words), "{option}: {said}");
    }
    let help = place.succeed("create --help");
    assert!(help.contains("[default: 64K"), "{help}");
}

/// mkfs.erofs 1.8.6 fails with the largest clusters where some files are stored as they are, or never ends.
#[test]
fn the_largest_clusters_work_with_every_compression() {
    let place = Place::new();
    place.write("root/init", "#!/bin/sh\n");
    for name in ["a", "b", "c"] {
        place.write(&format!("root/{name}"), text(name));
    }
    for compression in ["lz4hc", "lz4", "zstd", "deflate", "lzma"] {
        for more in ["", " --compress-init"] {
            let options = format!("--compression {compression} --cluster-size 1M{more}");
            place.succeed(&format!("create --force root -o image {options}"));
            assert_eq!(
                place.succeed("cat image b").into_bytes(),
                text("b"),
                "{options}"
            );
        }
    }
}
