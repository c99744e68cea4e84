// SPDX-License-Identifier: GPL-2.0-only

//! Recognising an EROFS image, and finding one.

#![no_main]

use initoverlayfs_fuzz::{
    promises::{check_find, check_superblock},
    reference,
};
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary, Result, Unstructured},
    fuzz_target,
};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// What stands in front of the image.
    front: &'a [u8],
    /// What stands in front of its superblock, and how much of that.
    boot_code: u8,
    boot_len: u16,
    has_magic: bool,
    is_sealed: bool,
    #[arbitrary(with = image_len)]
    len: usize,
    /// The superblock.
    fields: &'a [u8],
}

/// The lengths that matter are those around a superblock and around blocks.
fn image_len(u: &mut Unstructured<'_>) -> Result<usize> {
    u.choose(&[
        1024, 1027, 1151, 1152, 1153, 1535, 1536, 1537, 2047, 2048, 2049, 3072, 4096, 5120, 8192,
        16384, 32768, 65536,
    ])
    .copied()
}

fuzz_target!(|input: Input<'_>| {
    // Around 1024, mostly.
    let boot_len = match input.boot_len {
        len @ 0..=1100 => usize::from(len),
        _ => 1024,
    };
    let mut image = vec![input.boot_code; boot_len];
    if input.has_magic {
        image.extend(reference::EROFS_MAGIC);
    }
    image.extend(input.fields);
    image.resize(input.len, 0xa5);
    if input.is_sealed {
        reference::set_checksum(&mut image);
    }
    check_superblock(&image);

    let alone = check_find(&image);
    let buffer = [input.front, &image].concat();
    check_superblock(&buffer);
    let found = check_find(&buffer);
    // What stands in front can hide nothing, but may hold another one, or lend it NULs.
    if let Some(at) = alone {
        assert!(found.is_some_and(|found| found <= input.front.len() + at));
    }
});
