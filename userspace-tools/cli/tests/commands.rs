// SPDX-License-Identifier: GPL-2.0-only

//! The commands that look at an initrd, and how all of them fail.

mod common;

use std::process::Command;

use common::{ended, file, newc, node, Entry, Place};

/// A kernel that has all that the images here need.
const KERNEL: &str = "\
CONFIG_INITOVERLAYFS=y\nCONFIG_EROFS_FS=y\nCONFIG_OVERLAY_FS=y\nCONFIG_EROFS_FS_ZIP=y\nCONFIG_RD_GZIP=y\n";

fn usual() -> Place {
    let place = Place::new();
    let main = [
        node("init", 0o100_755),
        node("etc", 0o040_755),
        file("etc/name", b"image\n"),
    ];
    place.write("a", newc(&main));
    place.write("config", KERNEL);
    place.succeed("convert a -o image");
    place
}

/// Puts a compressed archive behind the image.
fn append(place: &Place, entries: &[Entry<'_>]) {
    place.write("behind", newc(entries));
    let behind = place.compress("gzip -c", "behind");
    place.write("image", [place.read("image"), behind].concat());
}

#[test]
fn layers_are_shown_together_or_alone() {
    let place = usual();
    append(&place, &[file("etc/name", b"archive\n"), file("more", b"")]);
    assert_eq!(place.succeed("cat image etc/name"), "archive\n");
    assert_eq!(place.succeed("cat --layer 0 image etc/name"), "image\n");
    assert_eq!(
        place.succeed("ls image"),
        "/\n/etc\n/etc/name\n/init\n/more\n"
    );
    assert_eq!(place.succeed("ls --layer 0 image etc"), "/etc\n/etc/name\n");
    assert!(place
        .fail("ls --layer 2 image")
        .contains("there is no layer 2"));
    let shown = place.succeed("inspect image");
    assert!(
        shown.contains("gzip, 2 entries") && shown.contains("EROFS, 4 files"),
        "{shown}"
    );
}

#[test]
fn check_names_what_the_kernel_lacks() {
    let place = usual();
    append(&place, &[file("more", b"")]);
    assert_eq!(
        place.succeed("check image --kernel-config config"),
        "image: boots in place\n"
    );
    for (option, reason) in [
        ("INITOVERLAYFS", "nothing is mounted in place"),
        ("EROFS_FS_ZIP", "the image at 0x0 uses lz4"),
        ("RD_GZIP", "uses gzip"),
    ] {
        place.write("less", KERNEL.replace(&format!("CONFIG_{option}=y\n"), ""));
        let ended = place.run("check image --kernel-config less");
        assert_eq!(ended.status, 1);
        let expected = format!("the kernel has no CONFIG_{option}=y, and ");
        assert!(
            ended.out.contains(&expected) && ended.out.contains(reason),
            "{}",
            ended.out
        );
    }
}

#[test]
fn check_names_what_will_not_boot() {
    let place = usual();
    let ended = place.run("check a");
    assert_eq!(
        (ended.status, ended.out.contains("it holds no image")),
        (1, true),
        "{}",
        ended.out
    );
    place.write("empty", newc(&[node("etc", 0o040_755)]));
    place.succeed("convert empty -o no-init");
    let ended = place.run("check no-init");
    assert_eq!(
        (ended.status, ended.out.contains("there is no /init")),
        (1, true)
    );
    place.write("cut", &place.read("image")[..3000]);
    let ended = place.run("check cut");
    assert_eq!(
        (ended.status, ended.out.contains("offset 0x0 is truncated")),
        (1, true)
    );
}

#[test]
fn what_is_broken_without_an_image_is_left_to_the_stock_unpacker() {
    let place = usual();
    let (archive, image) = (place.read("a"), place.read("image"));
    let compressed = place.compress("gzip -c", "a");
    let cut = &archive[..archive.len() - 300];
    for (bytes, boot) in [
        (cut.to_vec(), "stock"),
        ([&compressed[..], b"junk"].concat(), "stock"),
        (compressed[..90].to_vec(), "stock"),
        ([cut, &[0; 1024], &image].concat(), "refused"),
        ([&image[..], cut].concat(), "refused"),
        // The kernel does not notice before it unpacks.
        ([&image[..], &compressed[..90]].concat(), "in-place"),
    ] {
        place.write("broken", bytes);
        let shown = place.run("inspect --json broken").out;
        assert!(shown.contains(&format!("\"boot\": \"{boot}\"")), "{shown}");
        let ended = place.run("check broken");
        assert_eq!(ended.status, 1, "{}", ended.err);
    }
}

#[test]
fn differences_are_named_and_set_the_exit_status() {
    let place = Place::new();
    let old = [
        node("init", 0o100_755),
        file("a", b"1"),
        file("b", b"1"),
        node("c", 0o010_600),
    ];
    let new = [
        node("init", 0o100_700),
        Entry {
            mtime: 5,
            ..file("a", b"2")
        },
        Entry {
            owner: (1, 2),
            ..node("c", 0o040_600)
        },
        file("d", b""),
    ];
    place.write("old", newc(&old));
    place.write("new", newc(&new));
    let ended = place.run("diff old new");
    assert_eq!(ended.status, 1);
    let expected = "\
        /a: content, time\n\
        /b: only in the old one\n\
        /c: type p -> d, owner 0:0 -> 1:2\n\
        /d: only in the new one\n\
        /init: mode 0755 -> 0700\n";
    assert_eq!(ended.out, expected);
    assert_eq!(place.run("diff old old").status, 0);
    place.write("later", newc(&old.map(|entry| Entry { mtime: 9, ..entry })));
    assert_eq!(place.run("diff old later").status, 1);
    assert_eq!(place.run("diff --ignore-times old later").status, 0);
}

#[test]
fn errors_name_the_offset_and_the_remedy() {
    let place = usual();
    let image = place.read("image");
    let archive = place.read("a");
    for (name, bytes, words) in [
        (
            "twice",
            image,
            "twice: it is converted already, with an image of erofs at offset 0x0, and stays as it is: convert what",
        ),
        (
            "odc",
            b"070707".repeat(100),
            "offset 0x0: an old binary or odc header at offset 0x0: make the archive with `cpio -H newc`",
        ),
        (
            "cut",
            archive[..archive.len() - 300].to_vec(),
            "breaks off at offset 0x",
        ),
        ("nothing", vec![0; 100], "nothing to convert"),
    ] {
        place.write(name, bytes);
        let said = place.fail(&format!("convert {name} -o out"));
        assert!(
            said.contains(words) && said.contains(name),
            "{name}: {said}"
        );
    }
    place.write(
        "gzip",
        [&[0; 4][..], &place.compress("gzip -c", "a")[..90]].concat(),
    );
    assert!(place
        .fail("convert gzip -o out")
        .contains("offset 0x4: gzip data"));
}

#[test]
fn a_missing_or_old_mkfs_is_named_with_the_remedy() {
    let place = usual();
    place.write("old", "#!/bin/sh\necho 'mkfs.erofs 1.5'\n");
    Command::new("chmod")
        .arg("+x")
        .arg(place.path("old"))
        .status()
        .expect("chmod");
    for (program, words) in [("/nowhere", "cannot be run"), ("./old", "mkfs.erofs 1.5")] {
        let mut command = place.command();
        command
            .args(["convert", "a", "-o", "out"])
            .env("MKFS_EROFS", program);
        let ended = ended(command.output().expect("the command"));
        assert_eq!(ended.status, 2);
        assert!(ended.err.contains(words), "{}", ended.err);
        assert!(
            ended.err.contains("install erofs-utils 1.8 or newer"),
            "{}",
            ended.err
        );
    }
}

#[test]
fn what_holds_nothing_that_is_known_is_an_error() {
    let place = usual();
    place.write("junk", "hello");
    for line in [
        "ls junk",
        "cat junk init",
        "diff junk image",
        "extract junk -C out",
    ] {
        let said = place.fail(line);
        assert!(
            said.contains("junk: there is no image and no archive"),
            "{said}"
        );
    }
}

#[test]
fn links_are_followed_within_the_tree() {
    let place = Place::new();
    let parts = [
        node("usr", 0o040_755),
        node("usr/bin", 0o040_755),
        file("usr/bin/sh", b"shell"),
        Entry {
            content: b"usr/bin",
            ..node("bin", 0o120_777)
        },
        Entry {
            content: b"/bin/../bin/sh",
            ..node("init", 0o120_777)
        },
        Entry {
            content: b"loop",
            ..node("loop", 0o120_777)
        },
    ];
    place.write("a", newc(&parts));
    assert_eq!(place.succeed("cat a /bin/sh"), "shell");
    assert_eq!(place.succeed("cat a init"), "shell");
    assert!(place.fail("cat a loop").contains("there is no /loop"));
}

#[test]
fn init_has_to_be_what_can_run() {
    let place = Place::new();
    let link = Entry {
        content: b"nowhere",
        ..node("init", 0o120_777)
    };
    let cases = [
        (node("init", 0o100_644), "/init is not executable"),
        (node("init", 0o040_755), "/init is no regular file"),
        (link, "/init leads nowhere"),
        (node("other", 0o100_755), "there is no /init"),
    ];
    for (entry, words) in cases {
        place.write("a", newc(&[entry]));
        place.succeed("convert --force a -o image");
        let ended = place.run("check image");
        assert_eq!(ended.status, 1);
        assert!(ended.out.contains(words), "{}", ended.out);
    }
}

#[test]
fn configurations_may_be_compressed_and_nothing_else_is_one() {
    let place = usual();
    let packed = place.compress("gzip -c", "config");
    place.write("config.gz", packed);
    place.succeed("check image --kernel-config config.gz");
    let said = place.fail("check image --kernel-config a");
    assert!(said.contains("a: this is no configuration"), "{said}");
}
