// SPDX-License-Identifier: GPL-2.0-only

//! No bytes lead to a panic, whatever they are taken for.

use std::sync::Arc;

use initoverlayfs_image::compression::Method;
use initoverlayfs_image::cpio::Entries;
use initoverlayfs_image::erofs::Superblock;
use initoverlayfs_image::tree::Tree;
use initoverlayfs_image::unpack::Unpacker;
use initoverlayfs_image::{initrd, untar};
use proptest::prelude::*;

/// An entry of an archive, whose fields may lie.
fn entry() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof!["[ab./]{0,8}", Just("TRAILER!!!".to_owned()), "dev/console"];
    let kind = prop::sample::select(vec![
        0o100_000_u32,
        0o040_000,
        0o120_000,
        0o020_000,
        0o060_000,
        0o010_000,
        0o140_000,
        0,
    ]);
    let numbers = (
        1_u32..4,
        0_u32..4,
        prop::option::of(any::<u32>()),
        any::<u8>(),
    );
    let content = prop::collection::vec(prop::sample::select(b"ab./\0".to_vec()), 0..20);
    (name, kind, numbers, content).prop_map(|(name, kind, numbers, content)| {
        let (ino, links, lie, at) = numbers;
        let size = content.len() as u32;
        let name_len = name.len() as u32 + 1;
        let mut fields = [
            ino,
            kind | 0o644,
            0,
            0,
            links,
            0,
            size,
            0,
            0,
            1,
            2,
            name_len,
            0,
        ];
        if let Some(lie) = lie.filter(|_| at > 200) {
            fields[usize::from(at) % fields.len()] = lie;
        }
        let mut bytes = b"070701".to_vec();
        bytes.extend(
            fields
                .iter()
                .flat_map(|field| format!("{field:08x}").into_bytes()),
        );
        bytes.extend(name.bytes().chain([0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    })
}

/// Every name has a directory to be in.
fn is_whole(tree: &Tree) -> bool {
    tree.iter().all(|(path, _)| {
        let (directory, _) = initoverlayfs_image::tree::split(path);
        tree.get(directory)
            .is_some_and(|inode| inode.is_directory())
    })
}

proptest! {
    #[test]
    fn archives_of_any_entries_make_whole_trees(
        entries in prop::collection::vec(entry(), 0..30),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut bytes = entries.concat();
        for (index, byte) in flips {
            if !bytes.is_empty() {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let mut unpacker = Unpacker::new();
        let _ = unpacker.unpack(&Arc::new(bytes.clone()));
        prop_assert!(is_whole(&unpacker.finish().0));
        if let Ok(layers) = initrd::read(&bytes) {
            let archives = layers.iter().filter_map(|layer| match &layer.part {
                initrd::Part::Archives(archives) => Some(archives),
                _ => None,
            });
            if let Ok((tree, _)) = initrd::merge(archives.flatten()) {
                prop_assert!(is_whole(&tree));
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let entries = Entries::new(&bytes).count();
        prop_assert!(entries <= bytes.len() + 1);
        let _ = initrd::read(&bytes);
        let _ = Superblock::parse(&bytes);
        let mut tree = Tree::new();
        let _ = untar::cover(&mut tree, &bytes);
        prop_assert!(is_whole(&tree));
    }

    #[test]
    fn damaged_compressed_data_is_refused_or_read(
        magic in prop::sample::select(vec![
            &b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..], b"BZh91AY&SY", b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xfd7zXZ\0\0\x01", b"\x89LZO\0\r\n\x1a\n\x10\x30\x20\xa0\x09\x40\x01\x05\x03\0\0\x01", b"\x02\x21\x4c\x18",
            b"\x28\xb5\x2f\xfd",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..500),
    ) {
        let bytes = [magic, &rest].concat();
        let method = Method::of(&bytes).expect("a magic");
        if let Ok((_, used)) = method.decompress(&bytes) {
            prop_assert!(used <= bytes.len());
        }
    }
}
