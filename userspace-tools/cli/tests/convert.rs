// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs convert`: what is in an archive is in the image.

mod common;

use common::{file, newc, node, other_kinds, Entry, Place};

/// One of everything.
fn everything() -> Vec<Entry<'static>> {
    let mut entries = vec![
        Entry {
            mtime: 1_100_000_000,
            ..node(".", 0o040_755)
        },
        node("init", 0o100_755),
        Entry {
            owner: (1000, 100),
            ..node("dir", 0o041_777)
        },
        Entry {
            owner: (65_536, 4_000_000_000),
            mode: 0o104_755,
            ..file("dir/suid", b"program")
        },
    ];
    entries.extend(other_kinds(b"dir/suid"));
    entries.extend([file("name with spaces", b"x"), file("n\u{e4}me", b"y")]);
    entries
}

const EVERYTHING: &str = "\
d0755 1 0:0          - 1100000000.000000000 /
d0755 1 0:0          - 0.000000000 /dev
c0600 1 0:0        5,1 1000000000.000000000 /dev/console
d1777 1 1000:100          - 1000000000.000000000 /dir
-4755 1 65536:4000000000          7 1000000000.000000000 /dir/suid
b0660 1 0:0 259,300000 1000000000.000000000 /disk
-0644 2 0:0          6 1000000000.000000000 /first
-0755 1 0:0          0 1000000000.000000000 /init
l0777 1 0:0          - 1000000000.000000000 /link -> dir/suid
-0644 1 0:0          1 1000000000.000000000 /name with spaces
-0644 1 0:0          1 1000000000.000000000 /n\u{e4}me
p0640 1 0:0          - 1000000000.000000000 /pipe
-0644 2 0:0          6 1000000000.000000000 /second
";

#[test]
fn everything_that_an_archive_states_is_kept() {
    let place = Place::new();
    place.write("a", newc(&everything()));
    place.succeed("convert a -o image");
    assert_eq!(place.succeed("ls -l image"), EVERYTHING);
    assert_eq!(place.succeed("ls -l a"), EVERYTHING);
    assert_eq!(
        place.succeed("cat image /link first /second"),
        "programsharedshared"
    );
    assert_eq!(place.succeed("diff a image"), "");
}

#[test]
fn modes_that_keep_their_owner_out_are_no_obstacle() {
    // To root they are none; to others, when the image is read back.
    let place = Place::new();
    let entries = [
        node("closed", 0o040_000),
        Entry {
            mode: 0o100_000,
            ..file("closed/shadow", b"secret")
        },
        node("read-only", 0o040_555),
        file("read-only/file", b"x"),
    ];
    place.write("a", newc(&entries));
    place.succeed("convert a -o image");
    assert_eq!(
        place.succeed("cat image closed/shadow read-only/file"),
        "secretx"
    );
    assert!(place
        .succeed("ls -l image closed/shadow")
        .starts_with("-0000 "));
}

#[test]
fn archives_of_every_compression_are_read() {
    let place = Place::new();
    let plain = newc(&everything());
    place.write("plain", &plain);
    for program in [
        "gzip -c",
        "bzip2 -c",
        "xz --check=crc32 -c",
        "xz --format=lzma -c",
        "lzop -c",
        "lz4 -l -c",
        "zstd -c",
    ] {
        // The same again behind it, so that it shows where each ends.
        let compressed = place.compress(program, "plain");
        let mut twice = compressed.clone();
        twice.extend(&compressed);
        place.write(
            "a",
            if program.starts_with("lz4") {
                &compressed
            } else {
                &twice
            },
        );
        place.succeed("convert --force a -o image");
        assert_eq!(place.succeed("ls -l image"), EVERYTHING, "{program}");
    }
}

#[test]
fn images_of_every_compression_hold_the_same() {
    let place = Place::new();
    let text: String = (0..50_000)
        .map(|line: u32| format!("line {line}\n"))
        .collect();
    place.write(
        "a",
        newc(&[node("init", 0o100_755), file("text", text.as_bytes())]),
    );
    let mut sizes = Vec::new();
    for method in ["none", "lz4", "lz4hc", "zstd", "deflate", "lzma"] {
        place.succeed(&format!(
            "convert --force --compression {method} a -o image"
        ));
        assert_eq!(place.succeed("cat image text"), text, "{method}");
        sizes.push(place.read("image").len());
    }
    assert!(
        sizes[1..].iter().all(|size| *size < sizes[0] / 2),
        "{sizes:?}"
    );
    place.succeed("convert --force --compression zstd --level 1 --cluster-size 65536 a -o image");
    assert_eq!(place.succeed("cat image text"), text);
}

#[test]
fn later_archives_win_as_in_the_kernel() {
    let place = Place::new();
    let first = newc(&[
        node("etc", 0o040_755),
        file("etc/both", b"first"),
        Entry {
            content: b"etc",
            ..node("to-etc", 0o120_777)
        },
        file("becomes-link", b"x"),
        Entry {
            content: b"nowhere",
            ..node("becomes-file", 0o120_777)
        },
        node("empty", 0o040_700),
        node("full", 0o040_700),
        file("full/x", b"x"),
        Entry {
            links: (7, 2),
            ..file("one", b"old")
        },
        Entry {
            links: (7, 2),
            ..file("two", b"")
        },
    ]);
    let second = newc(&[
        file("to-etc/both", b"second"),
        file("missing/parent", b"x"),
        Entry {
            content: b"etc/both",
            ..node("becomes-link", 0o120_777)
        },
        file("becomes-file", b"file"),
        file("empty", b"was a directory"),
        file("full", b"cannot be"),
        file("one", b"new"),
        file("/slash", b"x"),
        file("./dot//dots/../x", b"x"),
    ]);
    place.write("a", [first, vec![0; 512], second].concat());
    let said = place.run("convert a -o image").err;
    assert!(
        said.contains("missing/parent") && said.contains("full"),
        "{said}"
    );
    let expected = "\
        / becomes-file becomes-link empty etc etc/both full full/x one slash to-etc two";
    let found = place.succeed("ls image");
    let found: Vec<&str> = found
        .lines()
        .map(|l| l.strip_prefix('/').unwrap())
        .collect();
    assert_eq!(
        found[1..],
        expected.split_whitespace().collect::<Vec<_>>()[1..]
    );
    let content = place.succeed("cat image etc/both becomes-link becomes-file empty one two");
    // The file is overwritten, not replaced: its other name shows it.
    assert_eq!(content, "secondsecondfilewas a directorynewnew");
}

#[test]
fn names_that_the_kernel_passes_over_are_listed() {
    let place = Place::new();
    let names: Vec<String> = (0..8).map(|number| format!("missing/{number}")).collect();
    let entries: Vec<Entry<'_>> = names.iter().map(|name| file(name, b"x")).collect();
    place.write("a", newc(&entries));
    let said = place.run("convert a -o image").err;
    for name in &names[..5] {
        let line = format!("  passed over, as the kernel would: {name}\n");
        assert!(said.contains(&line), "{said}");
    }
    let rest = "  passed over, as the kernel would: 3 more\n";
    assert!(said.contains(rest) && !said.contains("missing/5"), "{said}");
}

#[test]
fn sums_count_for_files_that_are_written() {
    let place = Place::new();
    let with_sums = |name| {
        let archive = newc(&[node("dir", 0o040_755), file(name, b"of another sum")]);
        let magic = archive.chunks(6).next().expect("an archive").to_vec();
        let entry = archive.windows(6).rposition(|bytes| bytes == magic);
        let mut archive = archive[..entry.expect("a trailer")].to_vec();
        let file = archive.windows(6).rposition(|bytes| bytes == magic);
        archive[file.expect("the file") + 5] = b'2';
        archive
    };
    place.write("a", with_sums("missing/file"));
    place.succeed("convert a -o image");
    place.write("a", with_sums("dir/file"));
    assert!(place
        .fail("convert a -o image --force")
        .contains("checksum"));
}

#[test]
fn archives_start_at_multiples_of_four_in_what_is_compressed() {
    let place = Place::new();
    let (one, two) = (newc(&[file("a", b"")]), newc(&[file("b", b"")]));
    for (padding, in_front, expected) in [
        (4, "", None),
        (1, "", Some("no multiple of 4")),
        (0, "\0\0\0\0", Some("no cpio header")),
    ] {
        let all = [in_front.as_bytes(), &one, &vec![0; padding], &two].concat();
        place.write("plain", all);
        place.write("a", place.compress("gzip -c", "plain"));
        match expected {
            None => drop(place.succeed("convert a -o image")),
            Some(words) => {
                let said = place.fail("convert a -o image --force");
                assert!(said.contains(words), "{said}");
            }
        }
    }
    // Between what is compressed, they stand anywhere.
    place.write("one", one);
    let gzip = place.compress("gzip -c", "one");
    place.write("a", [&[0][..], &gzip, &[0; 3], &gzip].concat());
    place.succeed("convert a -o image --force");
}

#[test]
fn links_do_not_reach_into_the_next_archive() {
    let place = Place::new();
    let one = newc(&[Entry {
        links: (7, 2),
        ..file("a", b"one")
    }]);
    let two = newc(&[Entry {
        links: (7, 2),
        ..file("b", b"two")
    }]);
    place.write("a", [one, two].concat());
    place.succeed("convert a -o image");
    assert_eq!(place.succeed("cat image a b"), "onetwo");
}

#[test]
fn microcode_stays_in_front_byte_for_byte() {
    let place = Place::new();
    let early = newc(&[
        node(".", 0o040_755),
        node("kernel", 0o040_755),
        node("kernel/x86", 0o040_755),
        node("kernel/x86/microcode", 0o040_755),
        file("kernel/x86/microcode/GenuineIntel.bin", &[7; 5000]),
    ]);
    let main = newc(&[node("init", 0o100_755), node("kernel", 0o040_700)]);
    place.write("main", main);
    let main = place.compress("zstd -c", "main");
    place.write("a", [&early[..], &[0; 100], &main].concat());
    place.succeed("convert a -o image");
    let image = place.read("image");
    assert!(image.starts_with(&early));
    assert!(image[early.len()..early.len().next_multiple_of(4096)]
        .iter()
        .all(|byte| *byte == 0));
    let shown = place.succeed("inspect --json image");
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["boot"], "in-place");
    assert_eq!(shown["segments"][0]["archives"][0]["early"], true);
    assert_eq!(
        shown["segments"][1]["offset"],
        early.len().next_multiple_of(4096)
    );
    assert_eq!(shown["segments"][1]["kind"], "erofs");
    assert_eq!(place.succeed("ls --layer 1 image"), "/\n/init\n/kernel\n");
}

#[test]
fn modules_in_front_are_no_microcode() {
    // As Debian's initramfs-tools put them.
    let place = Place::new();
    let modules = newc(&[node("usr", 0o040_755), file("usr/module.ko.xz", b"x")]);
    let main = newc(&[node("init", 0o100_755), node("usr", 0o040_700)]);
    place.write("a", [modules, main].concat());
    place.succeed("convert a -o image");
    assert_eq!(
        place.succeed("ls image"),
        "/\n/init\n/usr\n/usr/module.ko.xz\n"
    );
}

#[test]
fn the_same_input_makes_the_same_bytes() {
    let place = Place::new();
    place.write("a", newc(&everything()));
    place.succeed("convert a -o one");
    place.succeed("convert a -o two");
    assert!(place.read("one") == place.read("two"));
    let mut dated = place.command();
    dated
        .args(["convert", "a", "-o", "dated"])
        .env("SOURCE_DATE_EPOCH", "1234567890");
    assert!(dated.status().expect("the command").success());
    let shown = place.succeed("inspect --json dated");
    assert!(shown.contains("\"build_time\": 1234567890"), "{shown}");
    assert_eq!(place.succeed("diff one dated"), "");
}

#[test]
fn what_is_converted_already_is_left_alone_and_its_original_named() {
    let place = Place::new();
    let early = newc(&[node("kernel", 0o040_755), node("kernel/x86", 0o040_755)]);
    let main = newc(&[node("init", 0o100_755)]);
    place.write("initrd.img.cpio", [early, main].concat());
    place.succeed("convert initrd.img.cpio -o initrd.img");
    let before = place.read("initrd.img");
    // An archive behind it, as of systemd-stub, changes nothing.
    place.write("other", [&before[..], &newc(&[file("more", b"")])].concat());
    for (source, remedy) in [
        ("initrd.img", "its original is initrd.img.cpio\n"),
        ("other", "the hooks keep that in /var/lib/initoverlayfs\n"),
    ] {
        let said = place.fail(&format!("convert --force {source} -o initrd.img"));
        let words =
            "it is converted already, with an image of erofs at offset 0x1000, and stays as it is: ";
        assert!(said.contains(&format!("{source}: {words}")), "{said}");
        assert!(said.ends_with(remedy), "{said}");
        assert!(place.read("initrd.img") == before);
    }
}
