// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs stats --files`: the files that the blocks which were read belong to.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use common::debugfs::{debugfs, STATS};
use common::{dump, erofs_tool, file, newc, node, Place};

/// Bytes that no compression makes smaller, the same for the same seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let bytes = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    });
    bytes.take(len).collect()
}

/// Bytes of a mark, which LZ4 copies as they are.
const MARK: usize = 48;

/// Returns a file that gets smaller, with a mark of its own in every 4096 bytes, and those marks. A length that
/// is no multiple of 4096 leaves the last one in a tail, among the inodes, where files are stored as they are.
fn marked(seed: u64, len: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let line = format!("the same line all over again in file {seed}, as text is\n");
    let mut content: Vec<u8> = line.bytes().cycle().take(len).collect();
    let mut marks = Vec::new();
    for (index, at) in (0..len - MARK).step_by(4096).enumerate() {
        let mark = noise(seed * 1000 + index as u64, MARK);
        content[at..at + MARK].copy_from_slice(&mark);
        // Every other line is another one, or there would be little but marks in the image.
        let other = noise(seed * 1000 + index as u64 + 500, 1800);
        let start = (at + 100).min(len);
        let end = (start + other.len()).min(len);
        content[start..end].copy_from_slice(&other[..end - start]);
        marks.push(mark);
    }
    (content, marks)
}

/// A file of the tree, and pieces of it that stand somewhere in the image.
struct Known {
    name: &'static str,
    pieces: Vec<Vec<u8>>,
}

/// Files of all kinds: two that get smaller, two that do not, with and without a tail.
fn tree(place: &Place) -> Vec<Known> {
    let mut known = Vec::new();
    for (seed, name) in [(1, "usr/lib/one"), (2, "usr/lib/two")] {
        let (content, marks) = marked(seed, 18 * 4096);
        place.write(&format!("root/{name}"), content);
        known.push(Known {
            name,
            pieces: marks,
        });
    }
    for (seed, name, len) in [(3, "blocks", 5 * 4096), (4, "with a tail", 3 * 4096 + 700)] {
        let content = noise(seed, len);
        let pieces = content.chunks_exact(4096).map(|block| block[..64].into());
        let pieces = pieces.collect();
        place.write(&format!("root/{name}"), &content);
        known.push(Known { name, pieces });
    }
    place.write("root/empty", "");
    place.write("root/init", "#!/bin/sh\n");
    known
}

/// Returns where bytes stand in an image; nothing if that is not one place.
fn find(image: &[u8], piece: &[u8]) -> Option<usize> {
    let mut found = image
        .windows(piece.len())
        .enumerate()
        .filter(|(_, window)| *window == piece);
    let (at, _) = found.next()?;
    found.next().is_none().then_some(at)
}

/// Returns the blocks that hold the pieces of a file; most have to be found.
fn blocks(image: &[u8], known: &Known) -> Vec<usize> {
    let found = known.pieces.iter().filter_map(|piece| find(image, piece));
    let found: Vec<usize> = found.map(|at| at / 4096).collect();
    assert!(
        found.len() * 10 >= known.pieces.len() * 8,
        "{}: {} of {}",
        known.name,
        found.len(),
        known.pieces.len()
    );
    found
}

/// Returns what `layers` has for an image.
fn layer(number: usize, bytes: usize) -> String {
    format!("{number} erofs {bytes} 0 1 1 1\n")
}

/// Returns the files that are listed after a boot that read this block of an image.
fn listed_for(place: &Place, image: &str, len: usize, block: usize) -> BTreeSet<String> {
    debugfs(place, &layer(0, len), &format!("0 {block} {block}\n"));
    listed(place, image)
}

/// Returns the files that the command lists.
fn listed(place: &Place, image: &str) -> BTreeSet<String> {
    let list = place.succeed(&format!("{STATS} --least 0 --files {image}"));
    list.lines().map(str::to_owned).collect()
}

#[test]
fn each_block_leads_to_its_file() {
    let place = Place::new();
    let known = tree(&place);
    for options in [
        "--compression none",
        "--cluster-size 4096",
        "--cluster-size 16384",
        "--cluster-size 65536",
        "--compression lz4 --max-extent 20000",
    ] {
        place.succeed(&format!("create root -o image --force {options}"));
        let image = place.read("image");
        for file in &known {
            for block in blocks(&image, file) {
                let expected = BTreeSet::from([format!("/{}", file.name)]);
                let found = listed_for(&place, "image", image.len(), block);
                assert_eq!(found, expected, "{options}, {block}");
            }
        }
        // All of it, and nothing.
        let all = "/blocks /init /usr/lib/one /usr/lib/two".split(' ');
        let all: BTreeSet<String> = all.chain(["/with a tail"]).map(str::to_owned).collect();
        debugfs(&place, &layer(0, image.len()), "0 0 100000\n");
        assert_eq!(listed(&place, "image"), all, "{options}");
        debugfs(&place, &layer(0, image.len()), "");
        assert!(listed(&place, "image").is_empty());
    }
}

#[test]
fn tails_lie_with_the_inodes() {
    let place = Place::new();
    tree(&place);
    place.succeed("create root -o image");
    let image = place.read("image");
    let tail = &noise(4, 3 * 4096 + 700)[3 * 4096 + 100..];
    for (piece, name) in [(tail, "/with a tail"), (b"#!/bin/sh\n", "/init")] {
        let block = find(&image, piece).expect(name) / 4096;
        debugfs(
            &place,
            &layer(0, image.len()),
            &format!("0 {block} {block}\n"),
        );
        assert!(listed(&place, "image").contains(name), "{name}");
    }
}

/// Makes an image of the tree as `mkfs.erofs` does with options that the command does not use.
fn mkfs(place: &Place, options: &[&str]) -> Vec<u8> {
    let output = Command::new(erofs_tool("MKFS_EROFS"))
        .args(["--quiet", "-T0", "-Uclear"])
        .args(options)
        .args([place.path("other"), place.path("root")])
        .output()
        .expect("mkfs.erofs");
    assert!(output.status.success(), "{output:?}");
    place.read("other")
}

#[test]
fn images_of_other_makers_are_understood() {
    let place = Place::new();
    let known = tree(&place);
    let version = Command::new(erofs_tool("MKFS_EROFS"))
        .arg("--version")
        .output();
    let version = String::from_utf8_lossy(&version.expect("mkfs.erofs").stdout).into_owned();
    for options in [
        &["-b512", "-zlz4hc"][..],
        &["-b512"],
        &["-zlz4hc", "-C16384", "-Eztailpacking"],
        &["-zlz4hc", "-C16384", "-Ededupe"],
        &["-zlz4hc", "-C16384", "-Elegacy-compress"],
        &["-zlz4hc", "-C16384", "-E48bit"],
        &["-Enoinline_data"],
        &["--chunksize=8192"],
    ] {
        // From version 1.9 on.
        if options.contains(&"-E48bit") && version.contains(" 1.8") {
            continue;
        }
        let image = mkfs(&place, options);
        for file in &known {
            for block in blocks(&image, file) {
                let name = format!("/{}", file.name);
                assert!(
                    listed_for(&place, "other", image.len(), block).contains(&name),
                    "{options:?} {name} {block}"
                );
            }
        }
    }
}

#[test]
fn fragments_are_found_in_the_packed_inode() {
    let place = Place::new();
    let known: Vec<Known> = (1..=12)
        .map(|seed| {
            let name: &'static str = format!("usr/lib/{seed}").leak();
            // Whole blocks and a part of one: what -Efragments moves is the last pcluster.
            let (content, pieces) = marked(seed, 5 * 4096 + 517 * seed as usize);
            place.write(&format!("root/{name}"), content);
            Known { name, pieces }
        })
        .collect();
    let version = Command::new(erofs_tool("MKFS_EROFS"))
        .arg("--version")
        .output();
    let version = String::from_utf8_lossy(&version.expect("mkfs.erofs").stdout).into_owned();
    for options in [
        &["-zlz4hc", "-Eall-fragments"][..],
        &["-zlz4hc", "-Efragments"],
        &["-zlz4hc", "-Efragments,dedupe"],
        &["-zlz4hc", "-C16384", "-Eall-fragments"],
        &["-zlz4hc", "-Elegacy-compress", "-Efragments"],
        &["-zlz4hc", "-Eall-fragments,48bit"],
        &["-zlz4hc", "-Efragments,48bit"],
    ] {
        if options.iter().any(|option| option.contains("48bit")) && version.contains(" 1.8") {
            continue;
        }
        let image = mkfs(&place, options);
        let mut tried = 0;
        for file in &known {
            // LZ4 cuts a mark in two where a pcluster ends.
            for at in file.pieces.iter().filter_map(|piece| find(&image, piece)) {
                tried += 1;
                let block = at / 4096;
                let found = listed_for(&place, "other", image.len(), block);
                let name = format!("/{}", file.name);
                assert!(found.contains(&name), "{options:?} {name} {block}");
                // Others may share the pcluster with it, but not all of them.
                assert!(found.len() <= 5, "{options:?} {name} {block}: {found:?}");
            }
        }
        assert!(tried >= 3 * known.len(), "{options:?}: {tried} marks");
        debugfs(&place, &layer(0, image.len()), "0 0 100000\n");
        assert_eq!(listed(&place, "other").len(), known.len(), "{options:?}");
    }
}

#[test]
fn layers_are_told_apart() {
    // Microcode, two images, and an archive that the bootloader has added to the file.
    let place = Place::new();
    let known = tree(&place);
    place.succeed("create root -o lower");
    place.write("upper/usr/lib/one", marked(5, 60_000).0);
    place.succeed("create upper -o above");
    let mut early = newc(&[file("kernel/x86/microcode/GenuineIntel.bin", &[7; 5000])]);
    early.resize(early.len().next_multiple_of(4096), 0);
    let (lower, above) = (place.read("lower"), place.read("above"));
    place.write("initrd", [&early[..], &lower, &above].concat());
    let layers = [
        "# a header\n0 cpio 8192 0 0 0 0\n".to_owned(),
        layer(1, lower.len()),
        layer(2, above.len()),
        "3 cpio 512 0 0 0 0\n".to_owned(),
    ]
    .concat();
    let block = blocks(&lower, &known[1])[3];
    debugfs(&place, &layers, &format!("0 0 100\n1 {block} {block}\n"));
    assert_eq!(
        listed(&place, "initrd"),
        BTreeSet::from(["/usr/lib/two".to_owned()])
    );
    debugfs(&place, &layers, "2 0 1000\n");
    assert_eq!(
        listed(&place, "initrd"),
        BTreeSet::from(["/usr/lib/one".to_owned()])
    );
}

#[test]
fn what_was_not_booted_is_refused() {
    let place = Place::new();
    tree(&place);
    place.succeed("create root -o image");
    let size = place.read("image").len();
    let line = format!("{STATS} --least 0 --files image");
    debugfs(&place, &layer(0, size + 4096), "");
    let said = place.fail(&line);
    assert!(
        said.contains("image: this is not what was booted: its image for layer 0"),
        "{said}"
    );
    debugfs(&place, &[layer(0, size), layer(1, size)].concat(), "");
    assert!(place.fail(&line).contains("it holds 1 EROFS image,"));
    place.write("image", newc(&[node("init", 0o100_755)]));
    assert!(place.fail(&line).contains("it holds 0 EROFS images,"));
}

#[test]
fn files_of_which_little_was_read_are_left_out() {
    let place = Place::new();
    place.write("root/init", noise(1, 10));
    place.write("root/large", noise(2, 100 * 4096));
    place.succeed("create root -o image --compression none");
    let image = place.read("image");
    let start = find(&image, &noise(2, 100 * 4096)).expect("it is there") / 4096;
    let listed = |blocks: usize, more: &str| {
        let touched = format!("0 {start} {}\n", start + blocks - 1);
        debugfs(&place, &layer(0, image.len()), &touched);
        let list = place.succeed(&format!("{STATS} --files image {more}"));
        list.lines().any(|line| line == "/large")
    };
    assert!(!listed(19, ""));
    assert!(listed(20, ""));
    assert!(!listed(49, "--least 50"));
    assert!(listed(50, "--least 50"));
    assert!(listed(1, "--least 0"));
    assert!(!listed(99, "--least 100"));
    assert!(listed(100, "--least 100"));
}

#[test]
fn list_goes_round_through_an_image() {
    let place = Place::new();
    let known = tree(&place);
    let odd = "odd\nname\\n";
    let (content, marks) = marked(9, 50_000);
    place.write(&format!("root/{odd}"), content);
    fs::hard_link(
        place.path("root/usr/lib/one"),
        place.path("root/other name"),
    )
    .expect("a name");
    place.succeed("create root -o image");
    let image = place.read("image");
    let odd_blocks = Known {
        name: "odd",
        pieces: marks,
    };
    let touched: String = [&known[0], &odd_blocks]
        .map(|file| blocks(&image, file)[0])
        .map(|block| format!("0 {block} {block}\n"))
        .concat();
    debugfs(&place, &layer(0, image.len()), &touched);
    let line = format!("{STATS} --least 0 --files image -o list");
    place.succeed(&line);
    let list = String::from_utf8(place.read("list")).expect("text");
    assert_eq!(list, "/odd\\nname\\\\n\n/other name\n/usr/lib/one\n");
    assert!(place.fail(&line).contains("--force replaces it"));
    place.succeed(&format!("{line} --force"));

    let said = place.run("create root -o fast --profile list").err;
    assert!(said.contains("profile: 2 files uncompressed\n"), "{said}");
    assert!(!said.contains("no file of this image"), "{said}");
    let is_compressed = |path: &str| {
        let shown = dump(&place.path("fast"), path);
        !shown.contains("Layout: 0") && !shown.contains("Layout: 2")
    };
    assert!(!is_compressed(odd) && !is_compressed("usr/lib/one") && !is_compressed("other name"));
    assert!(is_compressed("usr/lib/two"));
    assert_eq!(place.succeed("diff image fast"), "");
}
