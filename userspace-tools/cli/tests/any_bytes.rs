// SPDX-License-Identifier: GPL-2.0-only

//! Any bytes that an archive has for names, targets, modes, owners, times and devices go through
//! `convert`, `ls`, `extract` and `create` unchanged.

mod common;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use common::{newc, node, Entry, Place};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

const TYPE: u32 = 0o170_000;
const SYMLINK: u32 = 0o120_000;
const REGULAR: u32 = 0o100_000;
const BLOCK: u32 = 0o060_000;
const DIRECTORY: u32 = 0o040_000;
const CHARACTER: u32 = 0o020_000;
const FIFO: u32 = 0o010_000;

/// A file, without its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    mode: u32,
    owner: (u32, u32),
    mtime: u32,
    content: Vec<u8>,
    device: (u32, u32),
}

/// Returns a name that stands for itself.
fn name() -> impl Strategy<Value = Vec<u8>> {
    vec(1..=u8::MAX, 1..=255).prop_filter("a name", |name: &Vec<u8>| {
        !name.contains(&b'/') && ![&b"."[..], b"..", b"dev", b"root"].contains(&&name[..])
    })
}

prop_compose! {
    fn wanted()(
        kind in prop::sample::select(vec![SYMLINK, REGULAR, BLOCK, DIRECTORY, CHARACTER, FIFO]),
        permissions in 0_u32..0o10000,
        // -1 means that a file stays as it is.
        owner in (0..u32::MAX, 0..u32::MAX),
        mtime in any::<u32>(),
        target in vec(1..=u8::MAX, 1..1000),
        content in vec(any::<u8>(), 0..9000),
        // 0:0 is the mark of what is deleted, and mkfs.erofs 1.8.6 writes larger minors wrong.
        device in (0_u32..1 << 12, 1_u32..1 << 19),
    ) -> Wanted {
        let content = match kind {
            SYMLINK => target,
            REGULAR => content,
            _ => Vec::new(),
        };
        let device = if [BLOCK, CHARACTER].contains(&kind) { device } else { (0, 0) };
        let permissions = if kind == SYMLINK { 0o777 } else { permissions };
        Wanted { mode: kind | permissions, owner, mtime, content, device }
    }
}

/// Returns what is in a directory that `extract` has made.
fn found(directory: &Path) -> BTreeMap<Vec<u8>, Wanted> {
    let entries = fs::read_dir(directory).expect("a directory");
    let file = |entry: fs::DirEntry| {
        let path = entry.path();
        let metadata = fs::symlink_metadata(&path).expect("metadata");
        let content = match metadata.mode() & TYPE {
            SYMLINK => {
                let target = fs::read_link(&path).expect("a link");
                target.as_os_str().as_bytes().to_vec()
            }
            REGULAR => fs::read(&path).expect("a file"),
            _ => Vec::new(),
        };
        let device = metadata.rdev();
        let wanted = Wanted {
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
            mtime: u32::try_from(metadata.mtime()).expect("a time of an archive"),
            content,
            device: (rustix::fs::major(device), rustix::fs::minor(device)),
        };
        (entry.file_name().as_bytes().to_vec(), wanted)
    };
    entries
        .map(|entry| file(entry.expect("an entry")))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn all_bytes_of_an_archive_come_out_again(files in btree_map(name(), wanted(), 1..15)) {
        // Nobody else can make devices, or give files away.
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let place = Place::new();
        let mut entries = vec![node(".", 0o040_755)];
        entries.extend(files.iter().map(|(name, wanted)| Entry {
            name,
            mode: wanted.mode,
            owner: wanted.owner,
            mtime: wanted.mtime,
            content: &wanted.content,
            device: wanted.device,
            links: (0, 1),
        }));
        place.write("archive", newc(&entries));
        place.succeed("convert archive -o image");
        place.succeed("extract image -C out");
        prop_assert_eq!(&found(&place.path("out")), &files);

        let listed = place.succeed("ls --json archive");
        prop_assert_eq!(&place.succeed("ls --json image"), &listed);
        place.succeed("create out -o again");
        prop_assert_eq!(&place.succeed("ls --json again"), &listed);
        place.succeed("extract image --tar tarball");
        place.succeed("create tarball -o again --force");
        prop_assert_eq!(&place.succeed("ls --json again"), &listed);
        for name in files.keys() {
            prop_assert!(place.path("out").join(OsStr::from_bytes(name)).symlink_metadata().is_ok());
        }
    }
}
