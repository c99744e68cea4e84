// SPDX-License-Identifier: GPL-2.0-only

//! Recognising an image, and finding one.

#![no_main]

use initoverlayfs_core::initrd::filesystem::Filesystem;
use initoverlayfs_fuzz::{
    pieces::FuzzedOther,
    promises::{check_find, check_superblock},
    reference::images::{set_checksum, Format},
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
    /// Another filesystem instead, of which only the front counts.
    other: Option<FuzzedOther<'a>>,
    /// The superblock.
    fields: &'a [u8],
}

/// Returns a length; those around a superblock and around blocks matter.
fn image_len(u: &mut Unstructured<'_>) -> Result<usize> {
    u.choose(&[
        1024, 1027, 1151, 1152, 1153, 1535, 1536, 1537, 2047, 2048, 2049, 3072, 4096, 5120, 8192,
        16384, 32768, 65536,
    ])
    .copied()
}

fuzz_target!(|input: Input<'_>| match &input.other {
    Some(other) => check(input.front, other.filesystem(), &other.build()),
    None => check(input.front, Filesystem::Erofs, &input.build()),
});

impl Input<'_> {
    fn build(&self) -> Vec<u8> {
        // Around 1024, mostly.
        let boot_len = match self.boot_len {
            len @ 0..=1100 => usize::from(len),
            _ => 1024,
        };
        let mut image = vec![self.boot_code; boot_len];
        if self.has_magic {
            image.extend(Format::of(Filesystem::Erofs).magic);
        }
        image.extend(self.fields);
        image.resize(self.len, 0xa5);
        if self.is_sealed {
            set_checksum(&mut image);
        }
        image
    }
}

fn check(front: &[u8], filesystem: Filesystem, image: &[u8]) {
    for filesystem in Filesystem::ALL {
        check_superblock(filesystem, image);
    }
    let alone = check_find(image);
    let buffer = [front, image].concat();
    check_superblock(filesystem, &buffer);
    let found = check_find(&buffer);
    // What stands in front can hide nothing, but may hold another one, or lend it NULs.
    if let Some(at) = alone {
        assert!(found.is_some_and(|found| found <= front.len() + at));
    }
}
