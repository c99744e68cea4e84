// SPDX-License-Identifier: GPL-2.0-only

//! `scripts/graft --check-config` on made-up configurations, with the configurator of the tree that `make setup` has found.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{ended, kernel_source, Ended, Place};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs the script in the place. An empty name of the tree is none.
fn check(script: &Path, place: &Place, kdir: &Path, arguments: &[&str]) -> Ended {
    let output = Command::new(script)
        .arg("--check-config")
        .args(arguments)
        .current_dir(place.path("."))
        .env("KDIR", kdir)
        .output();
    ended(output.expect("the script"))
}

#[test]
fn the_tree_takes_the_fragment() {
    let place = Place::new();
    let names = "X86_64 64BIT X86 SMP CC_IS_CLANG RANDSTRUCT_FULL RANDSTRUCT";
    let names = names.split_whitespace();
    let mut text: String = names.map(|name| format!("CONFIG_{name}=y\n")).collect();
    text += "CONFIG_OVERLAY_FS=y\nCONFIG_OVERLAY_FS=m\n# CONFIG_RANDSTRUCT_NONE is not set\n";
    place.write("config", text);
    place.write("config.gz", place.compress("gzip -c", "config"));
    let script = root().join("scripts/graft");
    let ended = check(
        &script,
        &place,
        &kernel_source(),
        &["config.gz", "fragment"],
    );
    assert_eq!((ended.status, ended.out.as_str()), (0, ""), "{}", ended.err);
    for line in [
        "  missing   RUST=y (is n)",
        "  missing   OVERLAY_FS=y (is m)",
        "  conflict  RANDSTRUCT_NONE=y (is n)",
    ] {
        let is_said = ended.err.lines().any(|other| other == line);
        assert!(is_said, "{line}: {}", ended.err);
    }
    let fragment = String::from_utf8(place.read("fragment")).expect("text");
    for line in [
        "CONFIG_INITOVERLAYFS=y",
        "CONFIG_OVERLAY_FS=y",
        "CONFIG_RANDSTRUCT_NONE=y",
    ] {
        let is_there = fragment.lines().any(|other| other == line);
        assert!(is_there, "{line}: {fragment}");
    }
    // What ends other conflicts is left out.
    for name in ["MODVERSIONS", "LTO", "GENDWARFKSYMS", "KASAN"] {
        assert!(!fragment.contains(name), "{name}: {fragment}");
    }
}

#[test]
fn what_the_tree_does_not_take_is_explained() {
    let place = Place::new();
    let text = "CONFIG_RISCV=y\nCONFIG_NONPORTABLE=y\nCONFIG_ARCH_RV32I=y\nCONFIG_CC_IS_CLANG=y\n";
    place.write("config", text);
    let script = root().join("scripts/graft");
    let ended = check(&script, &place, &kernel_source(), &["config", "fragment"]);
    assert_eq!(ended.status, 1, "{}", ended.err);
    for text in [
        "config RUST\n\tdepends on ",
        "config INITOVERLAYFS\n\tdepends on X86_64 || ARM64 || (RISCV && 64BIT)\n",
        "make rustavailable",
    ] {
        assert!(ended.err.contains(text), "{text}: {}", ended.err);
    }
    assert!(!place.path("fragment").exists());
}

#[test]
fn what_cannot_be_asked_is_refused() {
    // A copy of the project that no set-up has run in.
    let place = Place::new();
    for name in ["scripts", "Kconfig", "Kbuild"] {
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(root().join(name)).arg(place.path("."));
        assert!(copy.status().expect("cp").success());
    }
    place.write("rust/file", "");
    place.write("text", "no configuration\n");
    place.write("arm", "CONFIG_ARM=y\n");
    place.write("broken.gz", "not compressed\n");
    let script = place.path("scripts/graft");
    let kdir = kernel_source();
    for (kdir, name, said) in [
        (&*kdir, "text", "is no configuration of a kernel"),
        (&*kdir, "arm", "a machine that initoverlayfs does not know"),
        (&*kdir, "broken.gz", "cannot be unpacked"),
        (&*kdir, "absent", "is not a file that can be read"),
        (&*kdir, "scripts", "is not a file that can be read"),
        (Path::new(""), "arm", "no Linux tree to ask"),
        (Path::new("rust"), "arm", "is not a Linux source tree"),
    ] {
        let ended = check(&script, &place, kdir, &[name]);
        assert_eq!((ended.status, ended.out.as_str()), (1, ""), "{name}");
        assert!(ended.err.contains(said), "{name}: {}", ended.err);
    }
    // The fragment does not take the place of something else.
    place.write("both", "CONFIG_X86_64=y\n");
    for fragment in ["both", "scripts"] {
        let ended = check(&script, &place, &kdir, &["both", fragment]);
        assert_eq!(ended.status, 1, "{fragment}: {}", ended.err);
        assert!(
            ended.err.contains("cannot become the fragment"),
            "{}",
            ended.err
        );
    }
    assert_eq!(place.read("both"), b"CONFIG_X86_64=y\n");
    for arguments in [&[][..], &["one", "two", "three"]] {
        let ended = check(&script, &place, &kdir, arguments);
        assert_eq!(ended.status, 2, "{arguments:?}");
    }
}
