// SPDX-License-Identifier: GPL-2.0-only

//! Any bytes that a tarball has for names, targets, attributes, owners and times: an image made of it has the
//! same. The tarballs are written here, byte by byte.

use std::collections::BTreeMap;

use initoverlayfs_image::erofs;
use initoverlayfs_image::mkfs::erofs::{Mkfs, Options};
use initoverlayfs_image::tree::{Inode, Kind, Time, Tree, Xattrs};
use initoverlayfs_image::untar;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// Bytes without any of `forbidden`.
fn bytes(forbidden: &'static [u8], most: usize) -> impl Strategy<Value = Vec<u8>> {
    let allowed: Vec<u8> = (1..=u8::MAX).filter(|b| !forbidden.contains(b)).collect();
    vec(prop::sample::select(allowed), 1..=most)
}

/// Names that stand for themselves: none of a layer's whiteouts.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let is_plain = |name: &Vec<u8>| name != b"." && name != b".." && !name.starts_with(b".wh.");
    bytes(b"/", 255).prop_filter("a name", is_plain)
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Directory),
        Just(Kind::Fifo),
        vec(any::<u8>(), 0..2000).prop_map(|bytes| Kind::Regular(bytes.into())),
        bytes(b"", 1000).prop_map(Kind::Symlink),
        // mkfs.erofs 1.8.6 writes larger minors of a tarball wrong.
        (0_u32..4096, 0_u32..1 << 19).prop_map(|(major, minor)| Kind::Character(major, minor)),
        (0_u32..4096, 0_u32..1 << 19).prop_map(|(major, minor)| Kind::Block(major, minor)),
    ]
}

fn xattrs() -> impl Strategy<Value = Xattrs> {
    // A record's keyword ends with "=".
    let name = bytes(b"=", 100).prop_map(|name| [b"user.", &name[..]].concat());
    btree_map(name, vec(any::<u8>(), 0..100), 0..3)
}

prop_compose! {
    fn inode()(
        kind in kind(),
        mode in 0_u32..0o10000,
        uid in any::<u32>(),
        gid in any::<u32>(),
        seconds in -(1_i64 << 40)..1 << 40,
        nanoseconds in prop_oneof![Just(0), 0_u32..1_000_000_000],
        xattrs in xattrs(),
    ) -> Inode {
        Inode { kind, mode, uid, gid, mtime: Time { seconds, nanoseconds }, xattrs }
    }
}

/// Returns a record of pax, whose length counts its own digits.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key, b"=", value, b"\n"].concat();
    let mut len = rest.len() + 1;
    while len.to_string().len() + rest.len() != len {
        len += 1;
    }
    [len.to_string().as_bytes(), &rest].concat()
}

/// Returns a time as pax writes it: with a sign in front of all of it.
fn decimal(time: Time) -> String {
    let nanoseconds = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds);
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let (whole, part) = (
        nanoseconds.unsigned_abs() / 1_000_000_000,
        nanoseconds.unsigned_abs() % 1_000_000_000,
    );
    format!("{sign}{whole}.{part:09}")
}

/// Returns a header, and what follows it up to the next block.
fn entry(kind: u8, mode: u32, device: (u32, u32), contents: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    let mut put =
        |at: usize, text: String| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, "name".into());
    put(100, format!("{mode:07o}"));
    put(108, format!("{:07o}", 0));
    put(116, format!("{:07o}", 0));
    put(124, format!("{:011o}", contents.len()));
    put(136, format!("{:011o}", 0));
    put(148, " ".repeat(8));
    put(156, char::from(kind).into());
    put(257, "ustar\x0000".into());
    put(329, format!("{:07o}", device.0));
    put(337, format!("{:07o}", device.1));
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    header[154] = 0;
    let mut bytes = [&header, contents].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn tarball(files: &BTreeMap<Vec<u8>, Inode>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, inode) in files {
        let mut records = vec![
            record(b"path", name),
            record(b"uid", inode.uid.to_string().as_bytes()),
            record(b"gid", inode.gid.to_string().as_bytes()),
            record(b"mtime", decimal(inode.mtime).as_bytes()),
        ];
        let (kind, device, contents) = match &inode.kind {
            Kind::Regular(content) => (b'0', (0, 0), content.bytes()),
            Kind::Symlink(target) => {
                records.push(record(b"linkpath", target));
                (b'2', (0, 0), &[][..])
            }
            Kind::Character(major, minor) => (b'3', (*major, *minor), &[][..]),
            Kind::Block(major, minor) => (b'4', (*major, *minor), &[][..]),
            Kind::Directory => (b'5', (0, 0), &[][..]),
            Kind::Fifo | Kind::Socket => (b'6', (0, 0), &[][..]),
        };
        for (name, value) in &inode.xattrs {
            records.push(record(&[b"SCHILY.xattr.", &name[..]].concat(), value));
        }
        bytes.extend(entry(b'x', 0o644, (0, 0), &records.concat()));
        bytes.extend(entry(kind, inode.mode, device, contents));
    }
    bytes.extend([0; 1024]);
    bytes
}

/// Returns the files of a tree, without its root.
fn files(tree: &Tree) -> BTreeMap<Vec<u8>, Inode> {
    let files = tree.iter().filter(|(path, _)| !path.is_empty());
    files
        .map(|(path, id)| (path.to_vec(), tree.inode(id).clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn all_bytes_of_a_tarball_reach_the_image(wanted in btree_map(name(), inode(), 1..20)) {
        let mut tree = Tree::new();
        untar::cover(&mut tree, &tarball(&wanted).into()).expect("a tarball");
        prop_assert_eq!(&files(&tree), &wanted);

        let options = Options::default();
        let image = tempfile::NamedTempFile::new().expect("a file");
        let mkfs = Mkfs::find(options.compression).expect("mkfs.erofs");
        mkfs.from_tree(&tree, image.path(), &options, &|_, _| {}).expect("an image");
        let image = std::fs::read(image.path()).expect("the image");
        let read = erofs::read(&image).expect("an image");
        prop_assert_eq!(&files(&read), &wanted);
    }
}
