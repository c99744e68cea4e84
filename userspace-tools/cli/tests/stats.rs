// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs stats`: what the kernel shows, and the files that it means.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{symlink, MetadataExt};
use std::process::Command;

use common::{dump, erofs_tool, file, newc, node, Place};

const PHASES: &str = "claim 41230\nwait 0\nsegments 1599999\nimage0 19336000\n";
const LAYERS: &str = "\
# layer kind bytes held reads served touched
0 cpio 1234 0 3 1234 1
1 erofs 40960 40960 17 123456 5
";

/// The kernel's directory, as it is after a boot.
fn debugfs(place: &Place, layers: &str, touched: &str) {
    place.write("debug/initoverlayfs/phases", PHASES);
    place.write("debug/initoverlayfs/layers", layers);
    place.write("debug/initoverlayfs/touched", touched);
}

const STATS: &str = "stats --debugfs debug/initoverlayfs";

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
                debugfs(
                    &place,
                    &layer(0, image.len()),
                    &format!("0 {block} {block}\n"),
                );
                let expected = BTreeSet::from([format!("/{}", file.name)]);
                assert_eq!(listed(&place, "image"), expected, "{options}, {block}");
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
    for options in [
        &["-b512", "-zlz4hc"][..],
        &["-b512"],
        &["-zlz4hc", "-C16384", "-Eztailpacking"],
        &["-zlz4hc", "-C16384", "-Ededupe"],
        &["-zlz4hc", "-C16384", "-Elegacy-compress"],
        &["-Enoinline_data"],
        &["--chunksize=8192"],
    ] {
        let image = mkfs(&place, options);
        for file in &known {
            for block in blocks(&image, file) {
                debugfs(
                    &place,
                    &layer(0, image.len()),
                    &format!("0 {block} {block}\n"),
                );
                let name = format!("/{}", file.name);
                assert!(
                    listed(&place, "other").contains(&name),
                    "{options:?} {name} {block}"
                );
            }
        }
    }
    let image = mkfs(&place, &["-zlz4hc", "-Eall-fragments"]);
    debugfs(&place, &layer(0, image.len()), "");
    let said = place.fail(&format!("{STATS} --least 0 --files other"));
    assert!(said.contains("not supported here"), "{said}");
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
