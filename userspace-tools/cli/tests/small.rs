// SPDX-License-Identifier: GPL-2.0-only

//! `--small`: the smallest image of erofs.

mod common;

use common::{lines_of_text, Place};

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
