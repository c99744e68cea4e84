// SPDX-License-Identifier: GPL-2.0-only

//! Which superblocks are believed, and how much of them.

mod common;

use common::{archive, scan, set_checksum, shape, Image};
use initoverlayfs_core::{
    initrd::{
        erofs::parse,
        filesystem::{Filesystem::Erofs, SuperblockError},
        Damage, ScanError,
    },
    CHECKSUMS,
};

#[test]
fn a_broken_image_where_one_may_start_is_an_error() {
    let image = Image::default().build();
    let mut flipped = image.clone();
    flipped[1100] ^= 1;
    let error = scan(&flipped).unwrap_err();
    assert!(
        matches!(
            error.cause,
            Damage::Image(Erofs, SuperblockError::Checksum { .. })
        ),
        "{error:?}"
    );

    let early = archive("a", b"");
    let cut = [&early[..], &image[..image.len() - 1]].concat();
    let cause = Damage::Image(
        Erofs,
        SuperblockError::Truncated {
            need: image.len(),
            have: image.len() - 1,
        },
    );
    assert_eq!(
        scan(&cut),
        Err(ScanError {
            offset: early.len(),
            cause
        })
    );
}

#[test]
fn every_field_that_is_believed_is_checked() {
    let plain = Image {
        checksum: false,
        ..Image::default()
    }
    .build();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut image = plain.clone();
        change(&mut image);
        parse(&image, &CHECKSUMS).map(|geometry| geometry.size)
    };
    assert_eq!(with(&|_| ()), Ok(plain.len()));
    assert_eq!(
        with(&|image| image[1036] = 8),
        Err(SuperblockError::BlockBits(8))
    );
    assert_eq!(
        with(&|image| image[1036] = 17),
        Err(SuperblockError::BlockBits(17))
    );
    assert_eq!(
        with(&|image| image[1036] = 255),
        Err(SuperblockError::BlockBits(255))
    );
    assert_eq!(
        with(&|image| image[1060..1064].fill(0)),
        Err(SuperblockError::Size { blocks: 0 })
    );
    assert_eq!(
        with(&|image| image.truncate(1151)),
        Err(SuperblockError::NoSuperblock)
    );
    assert_eq!(
        with(&|image| image[1060..1064].fill(0xff)),
        Err(SuperblockError::Truncated {
            need: 0xffff_ffff << 12,
            have: plain.len()
        })
    );
}

#[test]
fn other_devices_are_refused_where_the_image_says_that_it_has_some() {
    let image = Image {
        checksum: false,
        ..Image::default()
    };
    let mut image = image.build();
    image[1110] = 2;
    assert!(
        parse(&image, &CHECKSUMS).is_ok(),
        "without the feature, it is no number of devices"
    );
    image[1104] = 0x8;
    assert_eq!(parse(&image, &CHECKSUMS), Err(SuperblockError::Devices(3)));
    image[1110] = 0;
    assert!(parse(&image, &CHECKSUMS).is_ok(), "there are none");
}

#[test]
fn block_counts_have_48_bits_only_where_the_image_says_so() {
    let mut image = Image {
        checksum: false,
        ..Image::default()
    }
    .build();
    image[1038..1040].copy_from_slice(&1u16.to_le_bytes());
    assert!(
        parse(&image, &CHECKSUMS).is_ok(),
        "without the feature, it is the root's number"
    );
    image[1104] = 0x80;
    assert!(
        parse(&image, &CHECKSUMS).is_ok(),
        "without a 64-bit root number, it still is"
    );
    image[1136] = 36;
    let have = image.len();
    let need = (1usize << 44) + 3 * 4096;
    assert_eq!(
        parse(&image, &CHECKSUMS),
        Err(SuperblockError::Truncated { need, have })
    );
    image[1038..1040].fill(0xff);
    image[1036] = 16;
    let error = parse(&image, &CHECKSUMS).unwrap_err();
    assert!(
        matches!(error, SuperblockError::Truncated { .. }),
        "{error:?}"
    );
}

#[test]
#[cfg(target_pointer_width = "64")]
fn images_may_be_larger_than_4_gib_and_lie_behind_them() {
    let small = Image::default().build();
    let mut large = Image {
        checksum: false,
        ..Image::default()
    }
    .build();
    let blocks = (5u32 << 18).to_le_bytes();
    large[1060..1064].copy_from_slice(&blocks);
    // Zeroes that nobody reads take no memory.
    let len = (5usize << 30) + small.len();
    let mut buffer = vec![0; len];
    buffer[..large.len()].copy_from_slice(&large);
    buffer[5 << 30..].copy_from_slice(&small);
    assert_eq!(shape(&buffer), [('E', 0, 5 << 30), ('E', 5 << 30, len)]);
}

#[test]
fn all_block_sizes_are_checksummed_as_erofs_does() {
    for block_bits in 9..=16 {
        let mut image = Image {
            block_bits,
            blocks: 5,
            ..Image::default()
        }
        .build();
        assert!(parse(&image, &CHECKSUMS).is_ok(), "{block_bits}");
        image[1040] ^= 0x80;
        assert!(parse(&image, &CHECKSUMS).is_err(), "{block_bits}");
        set_checksum(&mut image);
        assert!(parse(&image, &CHECKSUMS).is_ok(), "{block_bits}");
    }
}
