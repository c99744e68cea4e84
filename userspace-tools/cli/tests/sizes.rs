// SPDX-License-Identifier: GPL-2.0-only

//! The parts that the size of an image is made of: in `inspect`, in the summaries of `convert` and `create`, with `--explain`.

mod common;

use common::{file, newc, node, noise, text, Place};
use serde_json::Value;

/// Returns text that gets smaller, of about so many bytes, different for each name.
fn long_text(name: &str, len: usize) -> Vec<u8> {
    let mut text: Vec<u8> = (0..)
        .flat_map(|number| text(&format!("{name}{number}")))
        .take(len)
        .collect();
    text.extend(noise(len / 8));
    text
}

/// Makes a tree of all kinds of files in `root`. Returns the bytes of its regular files.
fn tree(place: &Place) -> usize {
    let files = [
        ("init", b"#!/bin/sh\n".to_vec()),
        ("bin/sh", long_text("sh", 30_000)),
        ("bin/kmod", long_text("tool", 300_000)),
        ("etc/small", b"a".to_vec()),
        (
            "usr/lib/modules/7.3/kernel/drivers/gpu/a.ko",
            long_text("a", 500_000),
        ),
        (
            "usr/lib/modules/7.3/kernel/drivers/gpu/drm/b.ko",
            long_text("b", 200_000),
        ),
        (
            "usr/lib/modules/7.3/kernel/drivers/net/c.ko",
            long_text("c", 100_000),
        ),
        ("usr/lib/firmware/amdgpu/d.bin", noise(400_000)),
        (
            "usr/share/mixed",
            [long_text("e", 600_000), noise(600_000)].concat(),
        ),
    ];
    for (name, content) in &files {
        place.write(&format!("root/{name}"), content);
    }
    files.iter().map(|(_, content)| content.len()).sum()
}

/// Returns whether this mkfs.erofs crashes when it is to mix, as the summary says then.
fn cannot_mix(said: &str) -> bool {
    said.contains("can use lz4hc only")
}

/// Returns the parts that `inspect --json` shows, as names with files, contents and stored bytes; and the metadata.
fn parts(place: &Place, image: &str) -> (Vec<(String, u64, u64, u64)>, u64) {
    let shown: Value =
        serde_json::from_str(&place.succeed(&format!("inspect --json {image}"))).expect("JSON");
    let sizes = &shown["segments"][0]["sizes"];
    let number = |value: &Value| value.as_u64().expect("a number");
    let parts = sizes["storage"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|part| {
            let method = part["method"].as_str().expect("a name").to_owned();
            let [files, contents, stored] =
                ["files", "contents", "stored"].map(|name| number(&part[name]));
            (method, files, contents, stored)
        });
    (parts.collect(), number(&sizes["metadata"]))
}

#[test]
fn parts_are_the_whole() {
    let place = Place::new();
    let contents = tree(&place);
    for options in [
        "",
        "--compression lzma",
        "--compression deflate",
        "--compression none",
    ] {
        let said = place
            .run(&format!("create root -o image --force {options}"))
            .err;
        let (parts, metadata) = parts(&place, "image");
        let stored: u64 = parts.iter().map(|(_, _, _, stored)| stored).sum();
        assert_eq!(
            stored + metadata,
            place.read("image").len() as u64,
            "{options}: {parts:?}"
        );
        let counted: u64 = parts.iter().map(|(_, _, contents, _)| contents).sum();
        assert_eq!(counted, contents as u64, "{options}: {parts:?}");
        let methods: Vec<&str> = parts.iter().map(|(method, ..)| method.as_str()).collect();
        let wanted: &[&str] = match options {
            "" if cannot_mix(&said) => &["lz4"],
            "" => &["lz4", "zstd"],
            "--compression none" => {
                assert_eq!(methods, ["uncompressed"]);
                continue;
            }
            other => &[other.rsplit(' ').next().expect("a word")],
        };
        for method in ["uncompressed", "incompressible"].iter().chain(wanted) {
            assert!(
                methods.contains(method),
                "{options}: no {method} in {parts:?}"
            );
        }
        for (method, files, contents, stored) in &parts {
            assert!(*files > 0, "{options}: {parts:?}");
            // Blocks count as a whole.
            let is_smaller = !["uncompressed", "incompressible"].contains(&method.as_str());
            assert!(!is_smaller || stored < contents, "{options}: {parts:?}");
        }
    }
}

#[test]
fn inspect_says_what_is_quick_to_read() {
    let place = Place::new();
    tree(&place);
    let said = place.run("create root -o image").err;
    let seen = place.succeed("inspect image");
    let line = |name: &str| {
        let line = seen
            .lines()
            .find(|line| line.starts_with(&format!("    {name} ")));
        line.unwrap_or_else(|| panic!("no {name}: {seen}"))
            .to_owned()
    };
    assert!(
        line("metadata").ends_with(", names, inodes and indexes"),
        "{seen}"
    );
    assert!(
        line("incompressible").ends_with(", pieces that did not get smaller"),
        "{seen}"
    );
    assert!(line("uncompressed").ends_with(" files"), "{seen}");
    if !cannot_mix(&said) {
        assert!(line("lz4").ends_with(", quick to read"), "{seen}");
        assert!(line("zstd").ends_with(", seldom read"), "{seen}");
    }
    // One algorithm is for all files, and says nothing of them.
    place.succeed("create root -o image --force --compression zstd");
    let seen = place.succeed("inspect image");
    assert!(!seen.contains("seldom"), "{seen}");
}

#[test]
fn summary_says_what_the_size_is_made_of() {
    let place = Place::new();
    tree(&place);
    let said = place.run("create root -o image").err;
    let line = said.lines().find(|line| line.ends_with(" metadata"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains(" uncompressed, "), "{said}");
    assert!(line.contains(" lz4, "), "{said}");
    assert_eq!(line.contains(" zstd, "), !cannot_mix(&said), "{said}");
    let said = place.run("create root -o image --force --quiet");
    assert_eq!((said.out, said.err), (String::new(), String::new()));
}

#[test]
fn summary_says_what_would_make_it_smaller() {
    let place = Place::new();
    place.write("root/init", long_text("init", 300_000));
    place.write("root/etc/large", long_text("large", 300_000));
    let smaller = |line: &str| {
        let said = place
            .run(&format!("create root -o image --force {line}"))
            .err;
        let lines = said
            .lines()
            .filter(|line| line.starts_with("  smaller with "));
        lines.map(str::to_owned).collect::<Vec<_>>().join("\n")
    };
    assert!(smaller("").starts_with("  smaller with --compress-init"));
    // Nothing that is done already, and nothing without compression.
    assert_eq!(smaller("--compress-init"), "");
    assert_eq!(smaller("--compression none"), "");
    place.write("root/lib/firmware/a.bin", noise(1 << 20));
    let said = smaller("");
    assert!(said.starts_with("  smaller with fewer drivers: "), "{said}");
    assert!(said.ends_with(" are modules and firmware"), "{said}");
    place.write("root/lib/firmware/a.bin.xz", noise(2 << 20));
    assert!(smaller("").ends_with(" are modules and firmware, compressed already"));
}

#[test]
fn largest_parts_are_listed() {
    let place = Place::new();
    tree(&place);
    let said = place.run("create root -o image --explain").err;
    let seen = place.succeed("inspect --explain image");
    let (_, list) = said.split_once("largest directories").expect("a list");
    let (_, same) = seen
        .split_once("layer 0: largest directories")
        .expect("a list");
    assert_eq!(list, same.replace("layer 0: ", ""));
    let (directories, files) = list.split_once("largest files:\n").expect("two lists");
    let names = |list: &str| -> Vec<String> {
        let rows = list.lines().filter(|row| row.starts_with("  "));
        rows.map(|row| row.rsplit("  ").next().expect("a name").to_owned())
            .collect()
    };
    let directories = names(directories);
    for name in [
        "/usr/share",
        "/usr/lib/firmware/amdgpu",
        "/bin",
        "/etc",
        "/",
    ] {
        assert!(directories.iter().any(|one| one == name), "{name}: {said}");
    }
    let row = |name: &str| {
        list.lines()
            .find(|line| line.ends_with(name))
            .expect("a row")
    };
    assert!(
        row("/usr/lib/modules/7.3/kernel/drivers/gpu").contains(" of 2 files "),
        "{said}"
    );
    assert!(
        row("/usr/lib/firmware/amdgpu").contains(" for 390.62 KiB of 1 file "),
        "{said}"
    );
    // The largest ones first.
    assert_eq!(directories[0], "/usr/share", "{said}");
    assert_eq!(
        names(files)[..2],
        ["/usr/share/mixed", "/usr/lib/firmware/amdgpu/d.bin"],
        "{said}"
    );
}

#[test]
fn many_directories_are_summed_up() {
    let place = Place::new();
    for number in 0..30 {
        place.write(&format!("root/{number}/file"), noise(5_000 + 4096 * number));
    }
    let said = place.run("create root -o image --explain").err;
    let others = said.lines().find(|line| line.ends_with("  (10 others)"));
    assert!(
        others.is_some_and(|line| line.contains(" of 10 files ")),
        "{said}"
    );
}

#[test]
fn images_without_files_have_parts_too() {
    let place = Place::new();
    place.write("a", newc(&[node("init", 0o100_755)]));
    let said = place.run("convert a -o image --explain");
    assert_eq!(said.status, 0, "{}", said.err);
    let (parts, metadata) = parts(&place, "image");
    assert_eq!(
        (parts.len(), metadata),
        (0, place.read("image").len() as u64)
    );
}

#[test]
fn nothing_is_explained_where_nothing_is_known() {
    let place = Place::new();
    place.write("a", newc(&[file("init", b"#!/bin/sh\n")]));
    for (line, words) in [
        ("inspect a --explain", "and there is none"),
        ("inspect a --explain --json", "cannot be used with"),
        ("convert a -o out --explain --quiet", "cannot be used with"),
        (
            "convert a -o out --explain --type ext4",
            "--explain is of no use",
        ),
    ] {
        let said = place.fail(line);
        assert!(said.contains(words), "{line}: {said}");
    }
}
