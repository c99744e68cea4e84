// SPDX-License-Identifier: GPL-2.0-only

//! The files that start `/init` are stored uncompressed, and no others.

mod common;
#[path = "../../image/tests/common/elf.rs"]
mod elf;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use common::{file, is_compressed, newc, node, text, Entry, Place};
use elf::Elf;

const LINKER: &str = "/lib64/ld.so";

/// Returns a program that needs libraries.
fn program<'a>(needed: &'a [&'a str]) -> Elf<'a> {
    Elf {
        interpreter: Some(LINKER),
        needed,
        ..Elf::default()
    }
}

fn library<'a>(needed: &'a [&'a str]) -> Elf<'a> {
    Elf {
        needed,
        ..Elf::default()
    }
}

/// A file, by its name in the tree.
type Named<'a> = (&'a str, Elf<'a>);

/// Returns a tree of ELF files, with a linker and with `other`, which nothing needs.
fn tree(files: &[Named]) -> Place {
    let place = Place::new();
    place.write("root/other", library(&[]).bytes(&text("other")));
    place.write("root/lib64/ld.so", library(&[]).bytes(&text("ld.so")));
    for (name, elf) in files {
        place.write(&format!("root/{name}"), elf.bytes(&text(name)));
    }
    place
}

/// Returns the names of regular files below a directory of the place.
fn files(place: &Place, directory: &str) -> BTreeSet<String> {
    fn visit(root: &Path, path: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(path).expect("a directory") {
            let path = entry.expect("an entry").path();
            let metadata = path.symlink_metadata().expect("it is there");
            if metadata.is_dir() {
                visit(root, &path, names);
            } else if metadata.is_file() {
                let name = path.strip_prefix(root).expect("it is below");
                names.insert(name.to_str().expect("text").to_owned());
            }
        }
    }
    let root = place.path(directory);
    let mut names = BTreeSet::new();
    visit(&root, &root, &mut names);
    names
}

/// Returns the files of `root` that an image of it stores as they are.
fn uncompressed(place: &Place, options: &str) -> BTreeSet<String> {
    place.succeed(&format!("create root -o image --force {options}"));
    let mut names = files(place, "root");
    names.retain(|name| !is_compressed(place, "image", name));
    names
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_static_init() {
    let place = tree(&[("init", library(&["libneeded.so"]))]);
    place.write("root/lib/libneeded.so", library(&[]).bytes(&text("needed")));
    // Without a linker there is nobody to look for libraries.
    assert_eq!(uncompressed(&place, ""), set(&["init"]));
    let said = place.run("create root -o image --force").err;
    let words = "  uncompressed: 1 file to start /init, 18.";
    assert!(said.contains(words), "{said}");
    let first = place.read("image");
    place.succeed("create root -o image --force");
    assert!(place.read("image") == first);
    assert_eq!(uncompressed(&place, "--compress-init"), set(&[]));
    let said = place
        .run("create root -o image --force --compress-init")
        .err;
    assert!(!said.contains("uncompressed"), "{said}");
}

#[test]
fn a_script_brings_its_interpreters() {
    let place = tree(&[
        ("usr/bin/busybox", program(&["libc.so"])),
        ("lib/libc.so", library(&[])),
    ]);
    let script = |first: &str| [format!("#!{first}\n").into_bytes(), text("script")].concat();
    place.write("root/init", script(" /usr/bin/shell -e"));
    place.write("root/usr/bin/shell", script("\t/bin/sh"));
    symlink("busybox", place.path("root/usr/bin/sh")).expect("a link");
    symlink("usr/bin", place.path("root/bin")).expect("a link");
    assert_eq!(
        uncompressed(&place, ""),
        set(&[
            "init",
            "lib/libc.so",
            "lib64/ld.so",
            "usr/bin/busybox",
            "usr/bin/shell"
        ])
    );
    // A script that is its own interpreter, and one that names nothing.
    for first in ["/init", "", "/nowhere"] {
        place.write("root/init", script(first));
        assert_eq!(uncompressed(&place, ""), set(&["init"]), "{first}");
    }
}

#[test]
fn libraries_are_looked_for_as_the_linker_does() {
    let at = |list| Elf {
        runpath: Some(list),
        ..library(&["libdeep.so"])
    };
    let cases: [(&str, Elf, &[Named]); 8] = [
        (
            "the usual directories, one through another",
            program(&["libone.so"]),
            &[
                ("lib/x86_64-linux-gnu/libone.so", library(&["libtwo.so"])),
                ("usr/lib64/libtwo.so", library(&["libone.so"])),
            ],
        ),
        (
            "a run path, relative to the program",
            Elf {
                runpath: Some("/nowhere:$ORIGIN/../private"),
                ..program(&["libone.so"])
            },
            &[("usr/private/libone.so", library(&[]))],
        ),
        (
            "a run path, relative to a library",
            program(&["libone.so"]),
            &[
                ("usr/lib/libone.so", at("${ORIGIN}/deep")),
                ("usr/lib/deep/libdeep.so", library(&[])),
            ],
        ),
        (
            "DT_RPATH, which libraries inherit",
            Elf {
                rpath: Some("/opt/lib"),
                ..program(&["libone.so"])
            },
            &[
                ("opt/lib/libone.so", library(&["libtwo.so"])),
                ("opt/lib/libtwo.so", library(&[])),
            ],
        ),
        (
            "a library for another machine in front",
            Elf {
                runpath: Some("/usr/bin"),
                ..program(&["libone.so"])
            },
            &[("usr/lib/libone.so", library(&[]))],
        ),
        (
            "a path",
            program(&["/opt/libone.so", "opt/libtwo.so"]),
            &[
                ("opt/libone.so", library(&[])),
                ("opt/libtwo.so", library(&[])),
            ],
        ),
        (
            "ld.so.conf",
            program(&["libone.so", "libtwo.so"]),
            &[
                ("opt/one/libone.so", library(&[])),
                ("opt/two/libtwo.so", library(&[])),
            ],
        ),
        (
            "libraries that are not there",
            program(&["libmissing.so", "libone.so", ""]),
            &[("lib/libone.so", library(&["libmissing.so"]))],
        ),
    ];
    for (what, init, libraries) in cases {
        let place = tree(libraries);
        place.write("root/usr/bin/init", init.bytes(&text("init")));
        symlink("/bin/init", place.path("root/init")).expect("a link");
        symlink("usr/bin", place.path("root/bin")).expect("a link");
        let foreign = Elf {
            machine: 183,
            ..library(&[])
        };
        place.write("root/usr/bin/libone.so", foreign.bytes(&text("foreign")));
        place.write(
            "root/etc/ld.so.conf",
            "# comment\n/opt/one # comment\ninclude ld.so.conf.d/*.conf\n",
        );
        place.write("root/etc/ld.so.conf.d/two.conf", "\n/opt/two/\n");
        place.write("root/etc/ld.so.cache", text("cache"));
        let mut expected = set(&["etc/ld.so.cache", "lib64/ld.so", "usr/bin/init"]);
        expected.extend(libraries.iter().map(|(name, _)| (*name).to_owned()));
        let mut found = uncompressed(&place, "");
        // Smaller than a block, these are never compressed.
        found.retain(|name| !name.contains("ld.so.conf"));
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn a_program_of_the_host() {
    let place = Place::new();
    let ldd = Command::new("ldd").arg("/bin/ls").output().expect("ldd");
    let text = String::from_utf8(ldd.stdout).expect("text");
    let libraries = text.split_whitespace().filter(|word| word.starts_with('/'));
    let mut expected = BTreeSet::from(["init".to_owned()]);
    place.write("root/init", fs::read("/bin/ls").expect("ls"));
    for path in libraries {
        place.write(&format!("root{path}"), fs::read(path).expect(path));
        expected.insert(path[1..].to_owned());
    }
    assert!(expected.len() > 2, "{text}");
    place.write("root/bin/ls", fs::read("/bin/ls").expect("ls"));
    assert_eq!(uncompressed(&place, ""), expected);
}

#[test]
fn links_in_circles_and_what_is_no_program() {
    let place = tree(&[]);
    assert_eq!(uncompressed(&place, ""), set(&[]));
    for target in ["init", "nowhere", "/../..", "other/init"] {
        symlink(target, place.path("root/init")).expect("a link");
        assert_eq!(uncompressed(&place, ""), set(&[]), "{target}");
        fs::remove_file(place.path("root/init")).expect("it is there");
    }
    fs::create_dir(place.path("root/init")).expect("a directory");
    assert_eq!(uncompressed(&place, ""), set(&[]));
    fs::remove_dir(place.path("root/init")).expect("it is there");
    // Whatever it is, the kernel reads it to find out.
    place.write("root/init", text("init"));
    assert_eq!(uncompressed(&place, ""), set(&["init"]));
}

#[test]
fn libraries_that_are_links_in_circles() {
    let place = tree(&[("init", program(&["liba.so", "libb.so", "libc.so"]))]);
    place.write("root/lib/libc.so.6", library(&[]).bytes(&text("c")));
    for (name, target) in [("a", "libb.so"), ("b", "liba.so"), ("c", "libc.so.6")] {
        let link = place.path(&format!("root/lib/lib{name}.so"));
        symlink(target, link).expect("a link");
    }
    assert_eq!(
        uncompressed(&place, ""),
        set(&["init", "lib/libc.so.6", "lib64/ld.so"])
    );
}

#[test]
fn broken_headers_are_no_errors() {
    let place = tree(&[("lib/libone.so", library(&[]))]);
    let good = program(&["libone.so"]).bytes(&text("init"));
    // The class, where program headers are, how large and how many, where the sections are.
    for (at, bytes) in [
        (4, &b"\x01"[..]),
        (32, &[0xff; 8]),
        (54, &[0xff; 2]),
        (56, &[0xff; 2]),
        (40, &[0xff; 8]),
        (64 + 8, &[0xff; 8]),
        (64 + 56 + 8, &[0xff; 16]),
        (64 + 56 * 2 + 8, &[0xff; 8]),
    ] {
        let mut broken = good.clone();
        broken[at..at + bytes.len()].copy_from_slice(bytes);
        place.write("root/init", &broken);
        let found = uncompressed(&place, "");
        assert!(found.contains("init") && !found.contains("other"), "{at}");
    }
    place.write("root/init", &good[..100]);
    let found = uncompressed(&place, "");
    assert!(!found.contains("lib/libone.so"), "{found:?}");
}

#[test]
fn any_name_will_do_and_a_profile_adds_to_it() {
    let place = tree(&[("usr/sbin/init", program(&[]))]);
    fs::hard_link(place.path("root/usr/sbin/init"), place.path("root/init")).expect("a name");
    fs::hard_link(place.path("root/usr/sbin/init"), place.path("root/a name")).expect("a name");
    place.write("root/listed", text("listed"));
    place.write("list", "listed\n");
    let init = ["a name", "init", "lib64/ld.so", "usr/sbin/init"];
    assert_eq!(uncompressed(&place, ""), set(&init));
    let mut both = set(&init);
    both.insert("listed".to_owned());
    assert_eq!(uncompressed(&place, "--profile list"), both);
    assert_eq!(
        uncompressed(&place, "--profile list --compress-init"),
        set(&["listed"])
    );
    let said = place.run("create root -o image --force --profile list").err;
    assert!(said.contains("profile: 1 file uncompressed\n"), "{said}");
    assert!(said.contains("uncompressed: 2 files to start"), "{said}");
    let said = place
        .run("create root -o image --force --compression none")
        .err;
    assert!(!said.contains("to start /init"), "{said}");
}

#[test]
fn converted_and_sealed_images_too() {
    let place = Place::new();
    let linker = library(&[]).bytes(&text("ld.so"));
    let other = text("other");
    // As long as this, the next one does not start at a multiple of 8 bytes.
    for name in ["pad", "pad4567"] {
        let init = program(&["libone.so"]).bytes(&text("init"));
        let one = library(&[]).bytes(&text("one"));
        let parts = [
            file(name, b"1234"),
            node("usr", 0o040_755),
            node("usr/lib", 0o040_755),
            file("usr/lib/libone.so", &one),
            node("lib64", 0o040_755),
            file("lib64/ld.so", &linker),
            file("other", &other),
            Entry {
                mode: 0o100_755,
                ..file("init", &init)
            },
        ];
        place.write("a", newc(&parts));
        for options in ["", "--seal"] {
            let line = format!("convert a -o image --force {options}");
            let said = place.run(&line).err;
            assert!(said.contains("uncompressed: 3 files to start"), "{said}");
            for path in ["init", "usr/lib/libone.so", "lib64/ld.so"] {
                assert!(!is_compressed(&place, "image", path), "{path}");
            }
            assert!(is_compressed(&place, "image", "other"));
            assert_eq!(place.succeed("diff a image"), "");
        }
        place.succeed("convert a -o image --force --compress-init");
        assert!(is_compressed(&place, "image", "init"));
    }
}
