// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs create`: directories and tarballs, one over the other.

mod common;

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::process::Command;

use common::Place;

/// Packs a directory of the place as a tarball.
fn tar(place: &Place, directory: &str, options: &[&str]) -> Vec<u8> {
    let output = Command::new("tar")
        .args([
            "--create",
            "--format=pax",
            "--owner=5",
            "--group=6",
            "--sort=name",
        ])
        .args(options)
        .arg("--directory")
        .arg(place.path(directory))
        .arg(".")
        .output()
        .expect("tar");
    assert!(output.status.success());
    output.stdout
}

#[test]
fn a_directory_becomes_an_image() {
    let place = Place::new();
    place.write("root/init", "#!/bin/sh\n");
    fs::set_permissions(place.path("root/init"), fs::Permissions::from_mode(0o751)).expect("chmod");
    fs::create_dir(place.path("root/bin")).expect("a directory");
    symlink("../init", place.path("root/bin/sh")).expect("a link");
    fs::hard_link(place.path("root/init"), place.path("root/also")).expect("a name");
    // A tmpfs of an older kernel keeps none of this kind.
    let keeps_xattrs = xattr::set(place.path("root/init"), "user.kind", b"script").is_ok();
    place.succeed("create root -o image");
    assert_eq!(
        place.succeed("ls image"),
        "/\n/also\n/bin\n/bin/sh\n/init\n"
    );
    let listed = place.succeed("ls -l image init");
    assert!(listed.starts_with("-0751 2 "), "{listed}");
    assert_eq!(
        listed.contains("user.kind=script"),
        keeps_xattrs,
        "{listed}"
    );
    assert_eq!(place.succeed("cat image bin/sh"), "#!/bin/sh\n");
    place.succeed("create root -o again");
    assert!(place.read("image") == place.read("again"));
}

#[test]
fn a_tarball_becomes_an_image_compressed_or_not() {
    let place = Place::new();
    place.write("root/dir/file", "content");
    let long = "a/".repeat(100) + &"b".repeat(200);
    place.write(&format!("root/{long}"), "deep");
    place.write("plain.tar", tar(&place, "root", &["--mtime=@1234567890.5"]));
    for program in ["cat", "gzip -c", "zstd -c", "xz -c", "bzip2 -c"] {
        place.write("a.tar", place.compress(program, "plain.tar"));
        place.succeed("create --force a.tar -o image");
        assert_eq!(
            place.succeed(&format!("cat image dir/file {long}")),
            "contentdeep"
        );
        let listed = place.succeed("ls -l image dir/file");
        assert_eq!(
            listed, "-0644 1 5:6          7 1234567890.500000000 /dir/file\n",
            "{program}"
        );
    }
}

#[test]
fn layers_cover_each_other_as_in_a_container_image() {
    let place = Place::new();
    for (name, content) in [("gone", "1"), ("kept", "1"), ("changed", "1")] {
        place.write(&format!("lower/dir/{name}"), content);
    }
    place.write("lower/hidden/a", "1");
    place.write("lower/hidden/deep/b", "1");
    place.write("lower/type", "file");
    place.write("upper/dir/.wh.gone", "");
    place.write("upper/dir/changed", "2");
    place.write("upper/hidden/.wh..wh..opq", "");
    place.write("upper/hidden/c", "2");
    place.write("upper/type/inside", "2");
    place.write("lower.tar", tar(&place, "lower", &[]));
    place.write("upper.tar", tar(&place, "upper", &[]));
    place.succeed("create lower.tar upper.tar -o image");
    let expected = "/\n/dir\n/dir/changed\n/dir/kept\n/hidden\n/hidden/c\n/type\n/type/inside\n";
    assert_eq!(place.succeed("ls image"), expected);
    assert_eq!(place.succeed("cat image dir/changed dir/kept"), "21");
}

#[test]
fn a_directory_may_cover_a_tarball() {
    let place = Place::new();
    place.write("lower/etc/name", "lower");
    place.write("lower/etc/other", "lower");
    place.write("upper/etc/name", "upper");
    place.write("lower.tar", tar(&place, "lower", &[]));
    place.succeed("create lower.tar upper -o image");
    assert_eq!(place.succeed("cat image etc/name etc/other"), "upperlower");
}

#[test]
fn hard_links_within_a_tarball_stay_links() {
    let place = Place::new();
    place.write("root/a", "shared");
    fs::hard_link(place.path("root/a"), place.path("root/b")).expect("a name");
    place.write("a.tar", tar(&place, "root", &[]));
    place.succeed("create a.tar -o image");
    assert!(place.succeed("ls -l image b").starts_with("-0644 2 "));
}

#[test]
fn what_is_no_tarball_is_refused() {
    let place = Place::new();
    place.write("a", "not a tarball at all".repeat(100));
    assert!(place
        .fail("create a -o image")
        .contains("this is no tarball"));
    assert!(place
        .fail("create missing -o image")
        .contains("missing: No such file"));
    assert_eq!(place.names(), ["a"]);
}

#[test]
fn what_is_no_tarball_is_not_taken_for_an_empty_one() {
    let place = Place::new();
    place.write("tree/init", "#!/bin/sh\n");
    place.succeed("create tree -o image");
    let before = place.read("image");
    place.write("empty", "");
    for source in ["image", "empty"] {
        let said = place.fail(&format!("create --force {source} -o image"));
        assert!(
            said.contains(&format!("{source}: this is no tarball")),
            "{said}"
        );
    }
    assert!(place.read("image") == before);
}

#[test]
fn output_within_a_source_is_refused() {
    let place = Place::new();
    place.write("tree/init", "#!/bin/sh\n");
    for output in ["tree/image", "tree/../tree/image"] {
        let said = place.fail(&format!("create tree -o {output}"));
        assert!(said.contains("inside of the source"), "{said}");
    }
    assert!(!place.path("tree/image").exists());
}
