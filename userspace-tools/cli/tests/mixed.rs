// SPDX-License-Identifier: GPL-2.0-only

//! `--compression mixed`, the usual one: what a boot seldom reads is packed tighter than the rest.

mod common;

use common::{dump, lines_of_text, Place};

/// Returns the lengths of a file's compressed pieces.
fn clusters(place: &Place, image: &str, path: &str) -> Vec<u64> {
    let shown = dump(&place.path(image), path);
    let last = |line: &str| line.rsplit('|').next()?.trim().parse().ok();
    let rows = shown.lines().filter(|line| line.matches('|').count() == 2);
    rows.filter_map(last).collect()
}

/// Returns whether this mkfs.erofs crashes, as the summary says then.
fn cannot_mix(said: &str) -> bool {
    said.contains("can use lz4hc only")
}

#[test]
fn what_a_boot_seldom_reads_is_packed_tighter() {
    let place = Place::new();
    place.write("root/init", "#!/bin/sh\n");
    place.write("root/bin/kmod", lines_of_text(2 << 20));
    for name in [
        "bin/tool",
        "usr/lib/modules/7.3/a.ko",
        "lib/firmware/b",
        "usr/share/c",
    ] {
        place.write(&format!("root/{name}"), lines_of_text(2 << 20));
    }
    place.write("root/var/hwdb.bin", lines_of_text(5 << 20));
    let said = place.run("create root -o image").err;
    let seen = place.succeed("inspect image");
    assert_eq!(
        place.succeed("cat image usr/share/c"),
        lines_of_text(2 << 20)
    );
    assert_eq!(
        place.succeed("cat image var/hwdb.bin"),
        lines_of_text(5 << 20)
    );
    if cannot_mix(&said) {
        assert!(seen.contains("compression  lz4\n"), "{seen}");
        return;
    }
    assert!(seen.contains("compression  lz4, zstd\n"), "{seen}");
    let largest = |path: &str| clusters(&place, "image", path).into_iter().max();
    // One of the programs that most inits run.
    assert_eq!(largest("bin/kmod"), Some(64 << 10));
    for name in [
        "bin/tool",
        "usr/lib/modules/7.3/a.ko",
        "lib/firmware/b",
        "usr/share/c",
    ] {
        assert_eq!(largest(name), Some(128 << 10), "{name}");
    }
    assert_eq!(largest("var/hwdb.bin"), Some(4 << 10));
    place.succeed("create root -o other --compression lz4hc");
    assert!(place.read("image").len() * 10 < place.read("other").len() * 9);
    place.succeed("create root -o again");
    assert!(place.read("image") == place.read("again"));
}

#[test]
fn module_is_no_database_however_large() {
    let place = Place::new();
    place.write("root/init", lines_of_text(6 << 20));
    place.write("root/lib/modules/a.ko", lines_of_text(6 << 20));
    let said = place.run("create root -o image").err;
    if !cannot_mix(&said) {
        let largest = |path: &str| clusters(&place, "image", path).into_iter().max();
        assert_eq!(largest("lib/modules/a.ko"), Some(128 << 10));
        // Nor is init.
        assert_eq!(largest("init"), Some(64 << 10));
    }
}

#[test]
fn second_algorithm_has_to_be_worth_it() {
    let place = Place::new();
    place.write("root/init", "#!/bin/sh\n");
    place.write("root/bin/udevadm", lines_of_text(3 << 20));
    place.write("root/usr/share/listed", lines_of_text(2 << 20));
    place.write("root/usr/share/other", lines_of_text((2 << 20) - 1));
    place.write("list", "usr/share/listed\n");
    // Only what is not quick to read counts.
    let lz4_only = |options: &str| {
        let said = place.run(&format!("create root -o image --force {options}"));
        let seen = place.succeed("inspect image");
        (seen.contains("compression  lz4\n"), said.err)
    };
    let (has_lz4_only, said) = lz4_only("--profile list");
    assert!(has_lz4_only, "{said}");
    let (has_lz4_only, said) = lz4_only("");
    assert_eq!(has_lz4_only, cannot_mix(&said), "{said}");
}

#[test]
fn what_starts_init_is_compressed_if_it_is_large() {
    let place = Place::new();
    for (len, words) in [
        (4 << 20, "uncompressed: 1 file"),
        ((4 << 20) + 1, "by lz4hc: 1 file"),
    ] {
        place.write("root/init", lines_of_text(len));
        for options in ["", "--compression lz4hc"] {
            let said = place
                .run(&format!("create root -o image --force {options}"))
                .err;
            let words = if options.is_empty() {
                words
            } else {
                "uncompressed: 1 file"
            };
            assert!(said.contains(words), "{len} {options}: {said}");
        }
    }
    // Unless it is a small part of all.
    for number in 0..25 {
        place.write(&format!("root/{number}"), lines_of_text(4 << 20));
    }
    let said = place.run("create root -o image --force").err;
    assert!(said.contains("uncompressed: 1 file"), "{said}");
}

#[test]
fn smallest_files_of_a_list_are_uncompressed() {
    let place = Place::new();
    place.write("root/init", "#!/bin/sh\n");
    for (name, len) in [
        ("small", 1 << 20),
        ("usr/share/middle", 2 << 20),
        ("usr/share/large", 3 << 20),
    ] {
        place.write(&format!("root/{name}"), lines_of_text(len));
    }
    place.write("list", "small\nusr/share/middle\nusr/share/large\n");
    let said = place.run("create root -o image --profile list").err;
    assert!(
        said.contains("profile: 2 files uncompressed, 1 larger by lz4hc"),
        "{said}"
    );
    assert!(!common::is_compressed(&place, "image", "usr/share/middle"));
    if !cannot_mix(&said) {
        // By lz4hc, wherever it lies.
        let largest = clusters(&place, "image", "usr/share/large")
            .into_iter()
            .max();
        assert_eq!(largest, Some(64 << 10));
        place.succeed("create root -o image --force --profile list --cluster-size 1M");
        assert_eq!(
            place.succeed("cat image usr/share/large"),
            lines_of_text(3 << 20)
        );
    }
}

#[test]
fn level_wants_one_compression() {
    let place = Place::new();
    place.write("root/init", "#!/bin/sh\n");
    let said = place.fail("create root -o image --level 3");
    assert!(
        said.contains("--level is of no use with mixed compression"),
        "{said}"
    );
}
