// SPDX-License-Identifier: GPL-2.0-only

//! No bytes lead to a panic, whatever they are taken for.

#[path = "common/elf.rs"]
mod elf;

use initoverlayfs_image::compression::Method;
use initoverlayfs_image::cpio::Entries;
use initoverlayfs_image::erofs::Superblock;
use initoverlayfs_image::startup::Startup;
use initoverlayfs_image::tree::{Inode, Kind, Tree};
use initoverlayfs_image::unpack::Unpacker;
use initoverlayfs_image::{initrd, untar};
use proptest::prelude::*;

/// Returns an entry of an archive, whose fields may lie.
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

/// Returns a tree in which a program needs a library, and that another.
fn linked() -> [(&'static str, Vec<u8>); 4] {
    let program = elf::Elf {
        interpreter: Some("/lib/ld.so"),
        needed: &["liba.so", "lib/libb.so"],
        rpath: Some("$ORIGIN/lib:/usr/lib"),
        ..elf::Elf::default()
    };
    let library = elf::Elf {
        needed: &["libb.so", "liba.so"],
        runpath: Some("${ORIGIN}:$ORIGIN/.."),
        ..elf::Elf::default()
    };
    [
        ("init", program.bytes(b"init")),
        ("lib/liba.so", library.bytes(b"liba.so")),
        ("lib/libb.so", library.bytes(b"libb.so")),
        ("lib/ld.so", b"linker".to_vec()),
    ]
}

fn tree_of(files: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Tree {
    let mut tree = Tree::new();
    tree.insert(b"lib", Inode::directory(0o755));
    for (path, bytes) in files {
        let kind = Kind::Regular(bytes.into());
        let inode = Inode {
            kind,
            ..Inode::directory(0o755)
        };
        tree.insert(path.as_bytes(), inode);
    }
    tree
}

#[test]
fn what_a_program_needs_is_found() {
    let startup = Startup::of(&tree_of(linked()));
    assert_eq!(startup.files.len(), 4, "{startup:?}");
}

#[test]
fn much_that_is_asked_for_in_vain_takes_no_time() {
    let long = vec!["x".repeat(200); 1_000].join("/");
    let list = vec!["$ORIGIN/d"; 100_000].join(":");
    let started = std::time::Instant::now();
    for (needed, rpath) in [
        (vec![long.as_str(); 100], &list[..]),
        (vec!["y"; 1_000_000], &list[..60_000]),
    ] {
        let program = elf::Elf {
            interpreter: Some("/lib/ld.so"),
            needed: &needed,
            rpath: Some(rpath),
            ..elf::Elf::default()
        };
        let startup = Startup::of(&tree_of([("init", program.bytes(b""))]));
        assert_eq!(startup.files.len(), 1);
    }
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_programs_are_read_or_passed_over(
        which in 0_usize..3,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut files = linked();
        let bytes = &mut files[which].1;
        for (index, byte) in flips {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let startup = Startup::of(&tree_of(files));
        prop_assert!(startup.files.len() <= 4);
        prop_assert_eq!(startup.files.contains(&b"init"[..]), startup.bytes > 0);
    }
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
        let _ = unpacker.unpack(&bytes.clone().into());
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
        let _ = untar::cover(&mut tree, &bytes.into());
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
