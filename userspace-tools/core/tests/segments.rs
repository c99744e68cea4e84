// SPDX-License-Identifier: GPL-2.0-only

//! Which segments a buffer is taken to hold.

mod common;

use common::{archive, scan, shape, Image};
use initoverlayfs_core::initrd::{Damage, ScanError};

#[test]
fn nothing_and_padding_hold_no_segment() {
    assert_eq!(shape(b""), []);
    assert_eq!(shape(&[0; 5000]), []);
}

#[test]
fn an_image_is_one_segment_of_its_own_size() {
    let mut buffer = Image::default().build();
    let len = buffer.len();
    assert_eq!(shape(&buffer), [('E', 0, len)]);
    buffer.extend([0; 777]);
    assert_eq!(shape(&buffer), [('E', 0, len)]);
}

#[test]
fn padding_of_any_length_is_told_from_the_zeroes_an_image_starts_with() {
    let image = Image::default().build();
    for padding in [1, 3, 4, 511, 512, 1023, 1024, 1025, 4096] {
        let buffer = [vec![0; padding], image.clone()].concat();
        assert_eq!(shape(&buffer), [('E', padding, buffer.len())], "{padding}");
    }
}

#[test]
fn boot_code_in_front_of_the_superblock_is_part_of_the_image() {
    let image = Image {
        boot_code: 0xeb,
        ..Image::default()
    }
    .build();
    assert_eq!(shape(&image), [('E', 0, image.len())]);
}

#[test]
fn segments_come_in_the_order_of_the_buffer() {
    let image = Image::default().build();
    let early = archive("kernel/x86/microcode/GenuineIntel.bin", &[7; 100]);
    let late = archive(".extra/credential", b"secret");
    let (a, b, c) = (early.len(), image.len(), late.len());
    let buffer = [early, image.clone(), late, image].concat();
    assert_eq!(
        shape(&buffer),
        [
            ('C', 0, a),
            ('E', a, a + b),
            ('C', a + b, a + b + c),
            ('E', a + b + c, a + 2 * b + c)
        ]
    );
}

#[test]
fn archives_without_a_gap_are_one_run() {
    let buffer = [archive("a", b"1"), archive("b", b"2")].concat();
    assert_eq!(shape(&buffer), [('C', 0, buffer.len())]);
}

#[test]
fn an_image_stored_in_an_archive_is_a_file() {
    let buffer = archive("inner.erofs", &Image::default().build());
    assert_eq!(shape(&buffer), [('C', 0, buffer.len())]);
}

#[test]
fn compressed_data_reaches_to_the_next_sound_image() {
    let image = Image::default().build();
    for len in [2, 700, 4000, 100_001] {
        let packed: Vec<u8> = [0x28, 0xb5, 0x2f, 0xfd]
            .into_iter()
            .chain(1..=255)
            .cycle()
            .take(len)
            .collect();
        let buffer = [packed, image.clone()].concat();
        assert_eq!(
            shape(&buffer),
            [('C', 0, len), ('E', len, buffer.len())],
            "{len}"
        );
    }
}

#[test]
fn compressed_data_starts_where_the_unpacker_counts_from() {
    let packed = [0x1f, 0x8b, 8, 0, 1];
    for (padding, start) in [(0, 0), (1, 0), (3, 0), (4, 4), (6, 4)] {
        let buffer = [&vec![0; padding][..], &packed].concat();
        assert_eq!(shape(&buffer), [('C', start, buffer.len())], "{padding}");
    }
    // What stands in front is not its own.
    let buffer = [&Image::default().build()[..], &[0; 5], &packed].concat();
    let end = buffer.len();
    assert_eq!(shape(&buffer)[1], ('C', end - 6, end));
}

#[test]
fn lz4_archives_say_where_they_end() {
    let block = |len: u32| [&len.to_le_bytes()[..], &vec![7; len as usize]].concat();
    let magic = [0x02, 0x21, 0x4c, 0x18];
    let packed = [&magic[..], &block(5), &magic, &block(300)].concat();
    let len = packed.len();
    assert_eq!(shape(&packed), [('C', 0, len)]);
    let image = Image::default().build();
    for next in [&image[..], &archive("a", b"1"), &[0x1f, 0x8b, 8], &[0; 9]] {
        let buffer = [&packed[..], next].concat();
        assert_eq!(shape(&buffer)[0], ('C', 0, len), "{next:?}");
    }
    let buffer = [&packed[..], &[0], &archive("a", b"1")].concat();
    assert_eq!(shape(&buffer)[1], ('C', len + 1, buffer.len()));
    // A block that reaches past the end is one that the kernel would read.
    let cause = Damage::Cpio { at: len - 304 };
    let error = ScanError { offset: 0, cause };
    assert_eq!(scan(&packed[..len - 1]), Err(error));
}

#[test]
fn what_is_neither_is_unknown_with_all_that_follows() {
    // A legacy ramdisk, whose first block is empty and which has an image among its files.
    let buffer = [vec![0; 1024], vec![7; 3072], Image::default().build()].concat();
    assert_eq!(shape(&buffer), [('?', 1024, buffer.len())]);
    // A trailer that the superblock does not count.
    let image = Image::default().build();
    let buffer = [&image[..], b"verity\0\0 and more"].concat();
    let len = image.len();
    assert_eq!(shape(&buffer), [('E', 0, len), ('?', len, buffer.len())]);
    // The old portable format, which the unpacker refuses.
    assert_eq!(shape(b"070707000000"), [('?', 0, 12)]);
}

#[test]
fn a_stray_magic_in_compressed_data_is_passed_over() {
    let mut buffer = vec![0x1f; 9000];
    buffer[1] = 0x8b;
    buffer[4096..5120].fill(0);
    buffer[5120..5124].copy_from_slice(&0xe0f5_e1e2u32.to_le_bytes());
    assert_eq!(shape(&buffer), [('C', 0, 9000)]);
}

#[test]
fn too_many_strays_in_compressed_data_end_the_search() {
    let image = Image::default().build();
    let mut stray = image.clone();
    stray[1100] ^= 1;
    for (count, last) in [(200, 'E'), (300, 'C')] {
        let buffer = [&[0x1f, 0x8b][..], &stray.repeat(count), &image].concat();
        assert_eq!(shape(&buffer).last().map(|s| s.0), Some(last), "{count}");
    }
}
