// SPDX-License-Identifier: GPL-2.0-only

//! Images as the filesystems' own tools make them, as far as these are installed.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{archive, shape};

/// A directory that is gone afterwards, with a small tree in it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("initoverlayfs-{name}-{}", std::process::id());
        let place = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(place.0.join("tree/etc")).expect("a directory");
        std::fs::write(place.0.join("tree/init"), "#!/bin/sh\n").expect("a file");
        place
    }

    /// Returns what the tool writes to `image`; nothing if there is no such tool.
    fn make(&self, tool: &str, arguments: &[&str]) -> Option<Vec<u8>> {
        let image = self.0.join("image");
        let _ = std::fs::remove_file(&image);
        if tool.starts_with("mkfs") {
            let file = std::fs::File::create(&image).expect("a file");
            file.set_len(128 << 20).expect("room");
        }
        let places = ["/usr/sbin", "/sbin", "/usr/bin"].map(|place| Path::new(place).join(tool));
        let found = places.into_iter().find(|tool| tool.exists());
        let Some(tool) = set_up(tool).or(found) else {
            // Where scripts/setup has run, there is one.
            assert!(settings().is_none(), "there is no {tool}");
            eprintln!("skipped: there is no {tool}");
            return None;
        };
        let out = Command::new(tool)
            .args(arguments)
            .current_dir(&self.0)
            .output();
        let out = out.expect("it can be run");
        assert!(out.status.success(), "{arguments:?}: {out:?}");
        Some(std::fs::read(image).expect("an image"))
    }
}

/// Returns what scripts/setup has written down.
fn settings() -> Option<String> {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../build");
    std::fs::read_to_string(build.join("tools.env")).ok()
}

/// Returns the tool that it has found or built, if it is one that may be too old.
fn set_up(tool: &str) -> Option<PathBuf> {
    let name = tool.to_uppercase().replace('.', "_");
    let settings = settings()?;
    let mut lines = settings.lines();
    let value = lines.find_map(|line| line.strip_prefix(&name)?.strip_prefix('='))?;
    Some(value.trim_matches(['"', '\'']).into())
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Checks that it is one image, with only padding behind `len` bytes, wherever it stands.
fn check(image: &[u8], letter: char, len: usize) {
    assert!(image[len..].iter().all(|byte| *byte == 0));
    assert_eq!(shape(image), [(letter, 0, len)]);
    let early = archive("early", b"");
    let (start, end) = (early.len() + 512, early.len() + 512 + len);
    let buffer = [&early[..], &[0; 512], image].concat();
    let expected = [('C', 0, early.len()), (letter, start, end)];
    assert_eq!(shape(&buffer), expected);
}

#[test]
fn btrfs_by_its_own_tool() {
    let place = Place::new("btrfs");
    for checksum in ["crc32c", "xxhash", "sha256", "blake2"] {
        let arguments = ["--rootdir", "tree", "--csum", checksum, "-f", "image"];
        if let Some(image) = place.make("mkfs.btrfs", &arguments) {
            check(&image, 'B', image.len());
        }
    }
}

#[test]
fn squashfs_by_its_own_tool() {
    let place = Place::new("squashfs");
    for options in [
        &["-comp", "zstd"][..],
        &["-comp", "gzip", "-b", "4096", "-no-fragments"],
        &["-comp", "xz", "-b", "1048576", "-no-xattrs", "-no-exports"],
        &["-noI", "-noD", "-nopad"],
    ] {
        let arguments = [&["tree", "image", "-noappend", "-quiet"], options].concat();
        if let Some(image) = place.make("mksquashfs", &arguments) {
            let len = u64::from_le_bytes(image[40..48].try_into().expect("8 bytes"));
            let len = usize::try_from(len).expect("a small size");
            assert!(image.len() - len < 4096);
            check(&image, 'S', len);
        }
    }
}

#[test]
fn ext4_by_its_own_tool() {
    let place = Place::new("ext4");
    for (options, size) in [
        (&["-t", "ext4"][..], "8M"),
        (&["-t", "ext4", "-b", "1024", "-O", "^has_journal"], "2M"),
        (&["-t", "ext4", "-O", "^64bit,^metadata_csum"], "8M"),
        (&["-t", "ext4", "-b", "65536", "-F"], "64M"),
        (&["-t", "ext3"], "8M"),
        (&["-t", "ext2", "-O", "none", "-I", "128"], "300K"),
    ] {
        let arguments = [&["-q", "-F", "-d", "tree"], options, &["image", size]].concat();
        if let Some(mut image) = place.make("mke2fs", &arguments) {
            check(&image, 'X', image.len());
            if options.contains(&"none") {
                // The first revision, which had no features. Newer tools do not make it.
                image[1024 + 0x4C..][..4].fill(0);
                check(&image, 'X', image.len());
            }
        }
    }
}
