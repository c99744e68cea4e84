// SPDX-License-Identifier: GPL-2.0-only

//! `--small`: the smallest image of erofs.

mod common;

use common::{file, lines_of_text, newc, noise, Place};

#[test]
fn is_smaller_and_holds_the_same() {
    let place = Place::new();
    place.write("root/init", "#!/bin/sh\n");
    for name in ["bin/tool", "usr/lib/modules/7.3/a.ko"] {
        place.write(&format!("root/{name}"), lines_of_text(1 << 19));
    }
    let said = place.run("create root -o small --small").err;
    assert!(!said.contains("uncompressed: "), "{said}");
    place.succeed("create root -o usual");
    place.succeed("create root -o again --small");
    assert!(place.read("small").len() < place.read("usual").len());
    assert!(place.read("small") == place.read("again"));
    let seen = place.succeed("inspect small");
    assert!(seen.contains("compression  zstd\n"), "{seen}");
    for name in ["bin/tool", "usr/lib/modules/7.3/a.ko"] {
        assert_eq!(
            place.succeed(&format!("cat small {name}")),
            lines_of_text(1 << 19)
        );
    }
    place.succeed("diff small usual");
}

#[test]
fn goes_with_no_other_choice() {
    let place = Place::new();
    place.write("root/init", "#!/bin/sh\n");
    place.write("list", "init\n");
    for option in [
        "--compression zstd",
        "--level 3",
        "--cluster-size 16K",
        "--max-extent 16K",
        "--profile list",
        "--compress-init",
    ] {
        let said = place.fail(&format!("create root -o image --small {option}"));
        assert!(said.contains("cannot be used with"), "{option}: {said}");
    }
    let said = place.fail("create root -o image --small --type squashfs");
    assert!(
        said.contains("--small is of no use with --type squashfs"),
        "{said}"
    );
}

/// Files that have all in common get small in an archive, which is one stream, and not in an image.
#[test]
fn is_named_where_an_image_is_large() {
    let place = Place::new();
    let content = noise(5000);
    let names: Vec<String> = (0..100).map(|number| format!("file{number}")).collect();
    let entries: Vec<_> = names.iter().map(|name| file(name, &content)).collect();
    place.write("plain", newc(&entries));
    let initramfs = place.compress("gzip -9c", "plain");
    place.write("initramfs", initramfs);
    let says_so = |options: &str| {
        let line = format!("convert initramfs -o image --force {options}");
        place.run(&line).err.contains("smaller with --small")
    };
    assert!(says_so(""));
    for options in ["--small", "--quiet", "--compression zstd", "--type ext4"] {
        assert!(!says_so(options), "{options}");
    }
    // Nor where the image is not.
    place.write("initramfs", newc(&[file("init", &noise(100_000))]));
    assert!(!says_so(""));
}
