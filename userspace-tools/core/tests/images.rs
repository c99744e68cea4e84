// SPDX-License-Identifier: GPL-2.0-only

//! Images of several filesystems in one buffer.

mod common;

use common::others::{set_btrfs_checksum, set_ext4_checksum, Btrfs, Ext4, Squashfs};
use common::{archive, scan, shape, Image};
use initoverlayfs_core::{
    initrd::{
        filesystem::{Filesystem, Filesystems, SuperblockError},
        find, Damage, Kind, Scanner,
    },
    trailer, CHECKSUMS,
};
use proptest::prelude::*;

/// Returns an image of each filesystem, with the letter of [`shape`].
fn all() -> [(char, Vec<u8>); 4] {
    [
        ('E', Image::default().build()),
        ('B', Btrfs::default().build()),
        ('S', Squashfs::default().build()),
        ('X', Ext4::default().build()),
    ]
}

#[test]
fn images_follow_each_other_in_any_order() {
    let kinds = all();
    for first in &kinds {
        for second in &kinds {
            for padding in [0, 1, 3, 777, 1024, 70000] {
                let buffer = [&first.1[..], &vec![0; padding], &second.1, &[0; 100]].concat();
                let middle = first.1.len();
                let start = middle + padding;
                let expected = [
                    (first.0, 0, middle),
                    (second.0, start, start + second.1.len()),
                ];
                assert_eq!(shape(&buffer), expected, "{padding}");
            }
        }
    }
}

#[test]
fn archives_stand_in_front_and_behind() {
    for (letter, image) in all() {
        let early = archive("early", &[7; 100]);
        let (a, b) = (early.len(), early.len() + image.len());
        let buffer = [&early[..], &image, &early].concat();
        let expected = [('C', 0, a), (letter, a, b), ('C', b, b + a)];
        assert_eq!(shape(&buffer), expected);
        // One without a trailer may end where an image begins.
        let open = common::entry("file", b"body");
        let buffer = [&open[..], &image].concat();
        let end = open.len() + image.len();
        let expected = [('C', 0, open.len()), (letter, open.len(), end)];
        assert_eq!(shape(&buffer), expected);
        // One in an archive is a file.
        let buffer = archive("image", &image);
        assert_eq!(shape(&buffer), [('C', 0, buffer.len())]);
    }
}

#[test]
fn superblocks_may_begin_with_nuls() {
    for inodes in [1u32, 0x100, 0x1_0000, 0x0100_0000] {
        let image = Ext4 {
            inodes,
            ..Ext4::default()
        }
        .build();
        for padding in [0, 1, 2, 3, 2000] {
            let buffer = [&vec![0; padding][..], &image].concat();
            assert_eq!(shape(&buffer), [('X', padding, buffer.len())]);
        }
    }
    // A checksum of btrfs whose first bytes are NUL.
    let mut image = Btrfs::default().build();
    for count in 0u32.. {
        image[0x10400..0x10404].copy_from_slice(&count.to_le_bytes());
        set_btrfs_checksum(&mut image);
        if image[0x10000] == 0 {
            break;
        }
    }
    let buffer = [&[0; 5][..], &image].concat();
    assert_eq!(shape(&buffer), [('B', 5, buffer.len())]);
}

#[test]
fn what_stands_where_an_image_may_begin_has_to_be_sound() {
    for (filesystem, letter, image, at) in [
        (Filesystem::Btrfs, 'B', Btrfs::default().build(), 0x10100),
        (Filesystem::Squashfs, 'S', Squashfs::default().build(), 20),
        (Filesystem::Ext4, 'X', Ext4::default().build(), 1100 + 30),
    ] {
        let early = archive("early", b"");
        let start = early.len() + 12;
        let mut buffer = [&early[..], &[0; 12], &image].concat();
        assert_eq!(shape(&buffer)[1], (letter, start, buffer.len()));
        buffer[start + at] ^= 0x40;
        let error = scan(&buffer).unwrap_err();
        assert_eq!(error.offset, start);
        assert!(matches!(error.cause, Damage::Image(found, _) if found == filesystem));
    }
}

#[test]
fn sixteen_bits_are_no_magic() {
    // A compressed archive behind NULs, with the magic of ext4 where ext4 has it.
    let mut packed = vec![0xa5; 200];
    packed[..2].copy_from_slice(&[0x1f, 0x8b]);
    packed[56..58].copy_from_slice(&[0x53, 0xef]);
    let buffer = [&vec![0; 1024][..], &packed].concat();
    assert_eq!(shape(&buffer), [('C', 1024, buffer.len())]);
}

#[test]
fn images_that_are_not_looked_for_are_unknown() {
    let scan = |buffer: &[u8], kinds| {
        Scanner::new(buffer, &CHECKSUMS, kinds)
            .map(|segment| segment.expect("nothing is broken").kind)
            .collect::<Vec<_>>()
    };
    for filesystem in Filesystem::ALL {
        let only = Filesystems::NONE.with(filesystem);
        for (other, (_, image)) in [
            Filesystem::Erofs,
            Filesystem::Btrfs,
            Filesystem::Squashfs,
            Filesystem::Ext4,
        ]
        .into_iter()
        .zip(all())
        {
            let found = scan(&image, only);
            let is_found = matches!(found[..], [Kind::Image(found, _)] if found == filesystem);
            assert_eq!(is_found, filesystem == other, "{filesystem:?}, {other:?}");
            assert!(is_found || found == [Kind::Unknown]);
            assert_eq!(scan(&image, Filesystems::NONE), [Kind::Unknown]);
            let packed = [&[0x28, 0xb5][..], &vec![0; 2000], &image].concat();
            let found = find(&packed, &CHECKSUMS, only);
            assert_eq!(found.is_some(), is_found);
        }
    }
}

#[test]
fn compressed_data_reaches_to_the_next_sound_image() {
    for (letter, image) in all() {
        for len in [2, 700, 4000, 100_001] {
            for padding in [0, 1, 1023, 1024, 5000] {
                let packed: Vec<u8> = [0x28, 0xb5, 0x2f, 0xfd]
                    .into_iter()
                    .chain(1..=255)
                    .cycle()
                    .take(len)
                    .collect();
                let buffer = [&packed[..], &vec![0; padding], &image].concat();
                let start = len + padding;
                // squashfs has no NULs of its own, and might be what a compressor has stored.
                let expected = match (letter, padding) {
                    ('S', ..1024) => vec![('C', 0, buffer.len())],
                    _ => vec![('C', 0, start), (letter, start, buffer.len())],
                };
                assert_eq!(shape(&buffer), expected, "{len}, {padding}");
            }
        }
    }
}

#[test]
fn too_many_strays_in_compressed_data_end_the_search() {
    let mut btrfs = Btrfs::default().build();
    btrfs[0x10080] ^= 1;
    let mut ext4 = Ext4::default().build();
    ext4[1100 + 30] ^= 1;
    for stray in [btrfs, ext4] {
        for (count, last) in [(200, 'E'), (300, 'C')] {
            let image = Image::default().build();
            let buffer = [&[0x1f, 0x8b][..], &stray.repeat(count), &image].concat();
            assert_eq!(shape(&buffer).last().map(|s| s.0), Some(last), "{count}");
        }
    }
}

#[test]
fn every_image_may_have_a_trailer() {
    for (_, image) in all() {
        let padding = image.len().next_multiple_of(4096) - image.len();
        let mut header = trailer::header(4096, 0).to_vec();
        header.resize(4096, 0);
        let early = archive("early", b"");
        let buffer = [&early[..], &image, &vec![0; padding], &header].concat();
        let segments = scan(&buffer).expect("nothing is broken");
        let start = early.len();
        assert_eq!(segments[1].range, start..start + image.len());
        assert_eq!(segments[1].trailer, buffer.len() - 4096..buffer.len());
    }
}

#[test]
fn a_journal_to_be_replayed_has_a_name() {
    let mut image = Ext4::default().build();
    image[1024 + 0x60] = 0x4;
    set_ext4_checksum(&mut image);
    let cause = Damage::Image(Filesystem::Ext4, SuperblockError::Recovery);
    assert_eq!(scan(&image).unwrap_err().cause, cause);
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        (0usize..3000).prop_map(|len| vec![0; len]),
        (9u8..=13, 4u32..8, any::<bool>(), any::<u8>()).prop_map(
            |(block_bits, blocks, checksum, boot_code)| {
                Image {
                    block_bits,
                    blocks,
                    checksum,
                    boot_code,
                }
                .build()
            }
        ),
        (0x11000usize..0x13000, 0u16..5).prop_map(|(size, checksum)| {
            Btrfs {
                size,
                checksum,
                ..Btrfs::default()
            }
            .build()
        }),
        (12u16..=20, 100usize..5000)
            .prop_map(|(block_log, size)| Squashfs { block_log, size }.build()),
        (0u32..3, 2u32..5, 1u32.., any::<bool>()).prop_map(
            |(log_block_size, blocks, inodes, checksum)| {
                Ext4 {
                    log_block_size,
                    blocks,
                    inodes,
                    checksum,
                }
                .build()
            }
        ),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(|body| archive("file", &body)),
    ]
}

proptest! {
    #[test]
    fn segments_are_disjoint_in_order_and_within_the_buffer(
        pieces in prop::collection::vec(piece(), 0..6),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut buffer = pieces.concat();
        for (index, byte) in flips {
            if !buffer.is_empty() {
                let at = index.index(buffer.len());
                buffer[at] = byte;
            }
        }
        let mut end = 0;
        let scanner = Scanner::new(&buffer, &CHECKSUMS, Filesystems::ALL);
        for segment in scanner.map_while(Result::ok) {
            prop_assert!(segment.range.start >= end);
            prop_assert!(segment.range.end > segment.range.start);
            end = segment.range.end;
        }
        prop_assert!(end <= buffer.len());
    }

    #[test]
    fn an_image_behind_anything_is_found(
        junk in prop::collection::vec(1u8..=255, 0..5000),
        which in 0usize..4,
    ) {
        let (letter, image) = &all()[which];
        let padding = if *letter == 'S' { 1024 } else { 0 };
        let buffer = [&junk[..], &vec![0; padding], image].concat();
        let found = find(&buffer, &CHECKSUMS, Filesystems::ALL);
        prop_assert_eq!(found, Some(junk.len() + padding));
    }
}
