// SPDX-License-Identifier: GPL-2.0-only

//! Which superblocks of btrfs, squashfs and ext4 are believed, and how much of them.

mod common;

use common::others::{set_btrfs_checksum, set_ext4_checksum, Btrfs, Ext4, Squashfs};
use initoverlayfs_core::{
    initrd::{
        filesystem::{Filesystem, Geometry, SuperblockError},
        parse,
    },
    CHECKSUMS,
};

/// Returns what is made of an image of which some bytes are others.
fn changed(
    filesystem: Filesystem,
    image: &[u8],
    at: usize,
    bytes: &[u8],
) -> Result<Geometry, SuperblockError> {
    let mut image = image.to_vec();
    image[at..at + bytes.len()].copy_from_slice(bytes);
    match filesystem {
        Filesystem::Btrfs => set_btrfs_checksum(&mut image),
        Filesystem::Ext4 => set_ext4_checksum(&mut image),
        Filesystem::Erofs | Filesystem::Squashfs => (),
    }
    parse(filesystem, &image, &CHECKSUMS)
}

#[test]
fn the_checksums_are_those_of_the_kernel() {
    assert_eq!(!(CHECKSUMS.crc32c)(!0, b"123456789"), 0xe306_9283);
    assert_eq!((CHECKSUMS.xxh64)(b""), 0xef46_db37_51d8_e999);
    assert_eq!((CHECKSUMS.sha256)(b"")[..4], [0xe3, 0xb0, 0xc4, 0x42]);
    assert_eq!((CHECKSUMS.blake2b)(b"")[..4], [0x0e, 0x57, 0x51, 0xc0]);
}

#[test]
fn names_are_those_of_mount() {
    for filesystem in Filesystem::ALL {
        let name = filesystem.name();
        assert_eq!(Filesystem::from_name(name.as_bytes()), Some(filesystem));
    }
    for name in ["", "EROFS", "ext2", "erofs "] {
        assert_eq!(Filesystem::from_name(name.as_bytes()), None, "{name}");
    }
}

#[test]
fn images_have_the_size_that_they_state() {
    for (filesystem, image, block_size) in [
        (Filesystem::Btrfs, Btrfs::default().build(), 4096),
        (Filesystem::Squashfs, Squashfs::default().build(), 131_072),
        (Filesystem::Ext4, Ext4::default().build(), 1024),
    ] {
        let size = image.len();
        let geometry = Geometry { block_size, size };
        assert_eq!(parse(filesystem, &image, &CHECKSUMS), Ok(geometry));
        let longer = [&image[..], b"and more"].concat();
        assert_eq!(parse(filesystem, &longer, &CHECKSUMS), Ok(geometry));
        let (need, have) = (size, size - 1);
        assert_eq!(
            parse(filesystem, &image[..have], &CHECKSUMS),
            Err(SuperblockError::Truncated { need, have })
        );
    }
}

#[test]
fn superblocks_that_are_cut_are_none() {
    for (filesystem, image, end) in [
        (Filesystem::Btrfs, Btrfs::default().build(), 0x11000),
        (Filesystem::Squashfs, Squashfs::default().build(), 96),
        (Filesystem::Ext4, Ext4::default().build(), 2048),
    ] {
        for len in [0, 1, end / 2, end - 1] {
            let found = parse(filesystem, &image[..len], &CHECKSUMS);
            assert_eq!(found, Err(SuperblockError::NoSuperblock), "{len}");
        }
        let found = parse(filesystem, &image[..end], &CHECKSUMS);
        assert!(matches!(found, Err(SuperblockError::Truncated { .. })));
    }
}

#[test]
fn all_that_is_believed_of_btrfs_is_checked() {
    let image = Btrfs::default().build();
    let with = |at: usize, bytes: &[u8]| changed(Filesystem::Btrfs, &image, 0x10000 + at, bytes);
    let size = image.len() as u64;
    for sector_size in [0u32, 1, 2048, 4095, 5000, 131_072, u32::MAX] {
        let bad = SuperblockError::BlockSize(sector_size);
        assert_eq!(with(0x90, &sector_size.to_le_bytes()), Err(bad));
    }
    for sector_size in [4096u32, 8192, 16384, 32768, 65536] {
        let found = with(0x90, &sector_size.to_le_bytes()).map(|found| found.block_size);
        assert_eq!(found, Ok(sector_size as usize));
    }
    for bytes in [0u64, 1, 0x10fff] {
        let bad = SuperblockError::Bytes { bytes };
        assert_eq!(with(0x70, &bytes.to_le_bytes()), Err(bad));
    }
    let found = with(0x70, &[0xff; 8]);
    assert!(matches!(
        found,
        Err(SuperblockError::Truncated { .. } | SuperblockError::Bytes { .. })
    ));
    let elsewhere = 0x400_0000u64;
    let bad = SuperblockError::Address(elsewhere);
    assert_eq!(with(0x30, &elsewhere.to_le_bytes()), Err(bad));
    for devices in [0u64, 2, u64::MAX] {
        let bad = SuperblockError::Devices(devices);
        assert_eq!(with(0x88, &devices.to_le_bytes()), Err(bad));
    }
    for device in [0, size - 4096, size + 4096] {
        let total = size;
        let bad = SuperblockError::DeviceSize { device, total };
        assert_eq!(with(0xd1, &device.to_le_bytes()), Err(bad));
    }
    for bit in [35, 36, 38, 39, 40] {
        let found = with(0x38, &(1u64 << bit).to_le_bytes());
        assert_eq!(found, Err(SuperblockError::Unfinished), "{bit}");
    }
    assert!(with(0x38, &(1u64 << 32).to_le_bytes()).is_ok(), "a seed");
    let bad = SuperblockError::ChecksumType(4);
    assert_eq!(with(0xc4, &[4]), Err(bad));
}

#[test]
fn all_checksums_of_btrfs_are_checked() {
    for (checksum, len) in [(0, 4), (1, 8), (2, 32), (3, 32)] {
        let image = Btrfs {
            checksum,
            ..Btrfs::default()
        }
        .build();
        assert!(parse(Filesystem::Btrfs, &image, &CHECKSUMS).is_ok());
        for at in [0, len - 1, 0x20, 0x4b, 0xfff] {
            let mut image = image.clone();
            image[0x10000 + at] ^= 1;
            let found = parse(Filesystem::Btrfs, &image, &CHECKSUMS);
            let is_checksum = matches!(found, Err(SuperblockError::Checksum { .. }));
            assert!(is_checksum, "{checksum}, {at}: {found:?}");
        }
        // What the checksum does not fill and does not cover.
        if len < 32 {
            let mut image = image.clone();
            image[0x10000 + len] ^= 1;
            assert!(parse(Filesystem::Btrfs, &image, &CHECKSUMS).is_ok());
        }
    }
}

#[test]
fn all_that_is_believed_of_squashfs_is_checked() {
    let image = Squashfs::default().build();
    let with = |at: usize, bytes: &[u8]| changed(Filesystem::Squashfs, &image, at, bytes);
    for (major, minor) in [(3, 1), (4, 1), (5, 0), (0, 4)] {
        let bytes = [major, 0, minor, 0];
        let (major, minor) = (major.into(), minor.into());
        let bad = SuperblockError::Version { major, minor };
        assert_eq!(with(28, &bytes), Err(bad));
    }
    for compression in [0u16, 7, 0x100] {
        let bad = SuperblockError::Compression(compression);
        assert_eq!(with(20, &compression.to_le_bytes()), Err(bad));
    }
    for log in [0u16, 11, 21, 64, u16::MAX] {
        let bad = SuperblockError::BlockBits(log.into());
        assert_eq!(with(22, &log.to_le_bytes()), Err(bad));
    }
    for size in [0u32, 4096, 131_073, u32::MAX] {
        let bad = SuperblockError::BlockSize(size);
        assert_eq!(with(12, &size.to_le_bytes()), Err(bad));
    }
    for bytes in [0u64, 1, 95] {
        let bad = SuperblockError::Bytes { bytes };
        assert_eq!(with(40, &bytes.to_le_bytes()), Err(bad));
    }
    for at in [48, 56, 64, 72, 88] {
        for start in [0u64, 95, 300, u64::MAX - 1] {
            let found = with(at, &start.to_le_bytes());
            assert_eq!(found, Err(SuperblockError::Table(start)), "{at}");
        }
    }
    for at in [48, 64, 72] {
        let bad = SuperblockError::Table(u64::MAX);
        assert_eq!(with(at, &[0xff; 8]), Err(bad), "{at}: it has to be there");
    }
    assert_eq!(with(72, &[96]), Err(SuperblockError::Table(96)));
    // Where there are no fragments, it does not matter where their table would be.
    assert!(with(80, &[0; 8]).is_ok());
    assert_eq!(with(16, &[1]), Err(SuperblockError::Table(u64::MAX)));
    for block_log in 12..=20 {
        let size = 4000;
        let image = Squashfs { block_log, size }.build();
        let found = parse(Filesystem::Squashfs, &image, &CHECKSUMS);
        let block_size = 1 << block_log;
        assert_eq!(found, Ok(Geometry { block_size, size }));
    }
}

#[test]
fn all_that_is_believed_of_ext4_is_checked() {
    let image = Ext4::default().build();
    let with = |at: usize, bytes: &[u8]| changed(Filesystem::Ext4, &image, 1024 + at, bytes);
    for log in [7u32, 22, 64, u32::MAX] {
        let bad = SuperblockError::BlockBits(log.saturating_add(10));
        assert_eq!(with(0x18, &log.to_le_bytes()), Err(bad));
    }
    for blocks in [0u64, 1] {
        let bad = SuperblockError::Size { blocks };
        assert_eq!(with(0x4, &blocks.to_le_bytes()[..4]), Err(bad));
    }
    // The upper half counts only where there is one.
    assert!(with(0x150, &[1]).is_ok());
    let bits64 = changed(Filesystem::Ext4, &image, 1024 + 0x60, &[0x80]);
    assert!(bits64.is_ok());
    let mut large = image.clone();
    large[1024 + 0x60] = 0x80;
    large[1024 + 0x150..1024 + 0x154].fill(0xff);
    set_ext4_checksum(&mut large);
    let found = parse(Filesystem::Ext4, &large, &CHECKSUMS);
    let blocks = 0xffff_ffff_0000_0003;
    assert_eq!(found, Err(SuperblockError::Size { blocks }));

    assert_eq!(with(0x60, &[0x4]), Err(SuperblockError::Recovery));
    assert_eq!(with(0x60, &[0x8]), Err(SuperblockError::JournalDevice));
    // A journal of its own has an inode.
    assert_eq!(with(0x5c, &[0x4]), Err(SuperblockError::ExternalJournal));
    let mut own = image.clone();
    (own[1024 + 0x5c], own[1024 + 0xe0]) = (0x4, 8);
    set_ext4_checksum(&mut own);
    assert!(parse(Filesystem::Ext4, &own, &CHECKSUMS).is_ok());
    assert_eq!(with(0x175, &[2]), Err(SuperblockError::ChecksumType(2)));
    for at in [0x0, 0x68, 0x3fb, 0x3fc, 0x3ff] {
        let mut image = image.clone();
        image[1024 + at] ^= 1;
        let found = parse(Filesystem::Ext4, &image, &CHECKSUMS);
        let is_checksum = matches!(found, Err(SuperblockError::Checksum { .. }));
        assert!(is_checksum, "{at}: {found:?}");
    }
    // ext2 has neither checksum nor its kind.
    let plain = Ext4 {
        checksum: false,
        ..Ext4::default()
    }
    .build();
    for bytes in [[0; 4], [0xff; 4]] {
        let mut plain = plain.clone();
        plain[2044..2048].copy_from_slice(&bytes);
        plain[1024 + 0x175] = 0;
        assert!(parse(Filesystem::Ext4, &plain, &CHECKSUMS).is_ok());
    }
    for log_block_size in 0..=6 {
        let image = Ext4 {
            log_block_size,
            ..Ext4::default()
        }
        .build();
        let found = parse(Filesystem::Ext4, &image, &CHECKSUMS);
        let block_size = 1024 << log_block_size;
        let size = 3 * block_size;
        assert_eq!(found, Ok(Geometry { block_size, size }));
    }
}
