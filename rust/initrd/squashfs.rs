// SPDX-License-Identifier: GPL-2.0-only

//! Recognising a squashfs image and its size.
//!
//! The layout is [`fs/squashfs/squashfs_fs.h`](srctree/fs/squashfs/squashfs_fs.h), the checks are
//! those of `squashfs_fill_super()` in [`fs/squashfs/super.c`](srctree/fs/squashfs/super.c), as far
//! as they look at nothing but the superblock. It has no checksum: what else can be right or wrong
//! has to do.

use super::filesystem::{
    le16,
    le32,
    le64,
    whole,
    Checksums,
    Geometry,
    SuperblockError, //
};

/// The superblock's offset in an image.
pub const SUPER_OFFSET: usize = 0;

/// `SQUASHFS_MAGIC`, as it stands in the image.
const MAGIC: [u8; 4] = *b"hsqs";

/// The superblock's size.
const SUPER_LEN: usize = 96;

// Offsets within the superblock.
const BLOCK_SIZE_AT: usize = 12;
const FRAGMENTS_AT: usize = 16;
const COMPRESSION_AT: usize = 20;
const BLOCK_LOG_AT: usize = 22;
const MAJOR_AT: usize = 28;
const MINOR_AT: usize = 30;
const BYTES_USED_AT: usize = 40;
const ID_TABLE_AT: usize = 48;
const XATTR_ID_TABLE_AT: usize = 56;
const INODE_TABLE_AT: usize = 64;
const DIRECTORY_TABLE_AT: usize = 72;
const FRAGMENT_TABLE_AT: usize = 80;
const LOOKUP_TABLE_AT: usize = 88;

/// The only version that the kernel reads.
const VERSION: (u16, u16) = (4, 0);

/// Block sizes, as powers of two: 4 KiB to 1 MiB.
const BLOCK_LOG: core::ops::RangeInclusive<u16> = 12..=20;

/// The numbers of compressions, from `ZLIB_COMPRESSION` to `ZSTD_COMPRESSION`.
const COMPRESSION: core::ops::RangeInclusive<u16> = 1..=6;

/// `SQUASHFS_INVALID_BLK`: there is no such table.
const NO_TABLE: u64 = u64::MAX;

/// Returns whether `image` has the squashfs magic where an image has it.
pub fn has_magic(image: &[u8]) -> bool {
    image.starts_with(&MAGIC)
}

/// Checks that the tables lie within the image, behind the superblock.
fn check_tables(superblock: &[u8], size: usize) -> Result<(), SuperblockError> {
    let check = |at, may_be_missing: bool| {
        let start = le64(superblock, at)?;
        let is_within =
            usize::try_from(start).is_ok_and(|start| (SUPER_LEN..size).contains(&start));
        if is_within || (may_be_missing && start == NO_TABLE) {
            Ok(start)
        } else {
            Err(SuperblockError::Table(start))
        }
    };
    let inodes = check(INODE_TABLE_AT, false)?;
    if check(DIRECTORY_TABLE_AT, false)? <= inodes {
        return Err(SuperblockError::Table(inodes));
    }
    check(ID_TABLE_AT, false)?;
    check(XATTR_ID_TABLE_AT, true)?;
    check(LOOKUP_TABLE_AT, true)?;
    if le32(superblock, FRAGMENTS_AT)? != 0 {
        check(FRAGMENT_TABLE_AT, false)?;
    }
    Ok(())
}

/// Reads the superblock of the image that starts where `bytes` does.
///
/// `bytes` may be longer than the image.
///
/// # Errors
///
/// Each [`SuperblockError`] that squashfs can have; a missing magic is
/// [`SuperblockError::NoSuperblock`].
pub fn parse(bytes: &[u8], _: &Checksums) -> Result<Geometry, SuperblockError> {
    let superblock = bytes
        .get(..SUPER_LEN)
        .filter(|superblock| has_magic(superblock))
        .ok_or(SuperblockError::NoSuperblock)?;
    let (major, minor) = (le16(superblock, MAJOR_AT)?, le16(superblock, MINOR_AT)?);
    if (major, minor) != VERSION {
        return Err(SuperblockError::Version { major, minor });
    }
    let compression = le16(superblock, COMPRESSION_AT)?;
    if !COMPRESSION.contains(&compression) {
        return Err(SuperblockError::Compression(compression));
    }

    let log = le16(superblock, BLOCK_LOG_AT)?;
    if !BLOCK_LOG.contains(&log) {
        return Err(SuperblockError::BlockBits(log.into()));
    }
    let block_size = 1usize << log;
    let stated = le32(superblock, BLOCK_SIZE_AT)?;
    if usize::try_from(stated) != Ok(block_size) {
        return Err(SuperblockError::BlockSize(stated));
    }

    let size = whole(le64(superblock, BYTES_USED_AT)?, SUPER_LEN, bytes.len())?;
    check_tables(superblock, size)?;
    Ok(Geometry { block_size, size })
}
