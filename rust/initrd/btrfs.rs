// SPDX-License-Identifier: GPL-2.0-only

//! Recognising a btrfs image and its size.
//!
//! The layout is `struct btrfs_super_block` in
//! [`include/uapi/linux/btrfs_tree.h`](srctree/include/uapi/linux/btrfs_tree.h), the checks are
//! some of `btrfs_validate_super()` in [`fs/btrfs/disk-io.c`](srctree/fs/btrfs/disk-io.c), and that
//! the image is all there is of the filesystem. Only the first superblock is read, as the kernel
//! does.

use super::filesystem::{
    field,
    le16,
    le32,
    le64,
    whole,
    Checksums,
    Geometry,
    SuperblockError, //
};

/// The superblock's offset in an image: `BTRFS_SUPER_INFO_OFFSET`. The bytes in front of it are for
/// boot loaders, and NUL.
pub const SUPER_OFFSET: usize = 0x1_0000;

/// The NULs that a superblock can begin with: not more than what is in front of its magic.
pub const LEADING_NULS: usize = MAGIC_AT;

/// `BTRFS_MAGIC`, as it stands in the image.
const MAGIC: [u8; 8] = *b"_BHRfS_M";

/// The superblock's size: `BTRFS_SUPER_INFO_SIZE`.
const SUPER_LEN: usize = 4096;

// Offsets within the superblock, which starts with the checksum.
const CHECKSUMMED_AT: usize = 0x20;
const ADDRESS_AT: usize = 0x30;
const FLAGS_AT: usize = 0x38;
const MAGIC_AT: usize = 0x40;
const TOTAL_BYTES_AT: usize = 0x70;
const NUM_DEVICES_AT: usize = 0x88;
const SECTOR_SIZE_AT: usize = 0x90;
const CHECKSUM_TYPE_AT: usize = 0xc4;
/// `total_bytes` of the `dev_item` at 0xc9.
const DEVICE_BYTES_AT: usize = 0xd1;

/// Sector sizes that some kernel takes, in bytes.
const SECTOR_SIZES: core::ops::RangeInclusive<u32> = 4096..=65536;

/// `BTRFS_SUPER_FLAG_CHANGING_` with `FSID`, `FSID_V2`, `BG_TREE`, `DATA_CSUM` and `META_CSUM`:
/// what `btrfstune` has begun, it has to end. The kernel mounts none of these.
///
/// A seed (`BTRFS_SUPER_FLAG_SEEDING`) is mounted, read-only.
const CHANGING: u64 = 1 << 35 | 1 << 36 | 1 << 38 | 1 << 39 | 1 << 40;

/// Returns whether `image` has the btrfs magic where an image has it.
pub fn has_magic(image: &[u8]) -> bool {
    image
        .get(SUPER_OFFSET + MAGIC_AT..)
        .is_some_and(|rest| rest.starts_with(&MAGIC))
}

/// Checks the checksum, over the rest of the superblock.
fn verify(superblock: &[u8], checksums: &Checksums) -> Result<(), SuperblockError> {
    let covered = superblock
        .get(CHECKSUMMED_AT..SUPER_LEN)
        .ok_or(SuperblockError::NoSuperblock)?;
    let (is_right, stored, computed) = match le16(superblock, CHECKSUM_TYPE_AT)? {
        0 => {
            let stored = le32(superblock, 0)?;
            let computed = !(checksums.crc32c)(!0, covered);
            (stored == computed, stored.into(), computed.into())
        }
        1 => {
            let stored = le64(superblock, 0)?;
            let computed = (checksums.xxh64)(covered);
            (stored == computed, stored, computed)
        }
        2 => compare(superblock, &(checksums.sha256)(covered))?,
        3 => compare(superblock, &(checksums.blake2b)(covered))?,
        other => return Err(SuperblockError::ChecksumType(other)),
    };
    if is_right {
        return Ok(());
    }
    Err(SuperblockError::Checksum { stored, computed })
}

/// Returns whether the superblock has this digest, and the first 8 bytes of the one it has and of
/// this one.
fn compare(superblock: &[u8], digest: &[u8; 32]) -> Result<(bool, u64, u64), SuperblockError> {
    let stored: [u8; 32] = field(superblock, 0)?;
    let first = |bytes: &[u8]| field(bytes, 0).map(u64::from_be_bytes);
    Ok((stored == *digest, first(&stored)?, first(digest)?))
}

/// Reads the superblock of the image that starts where `bytes` does.
///
/// `bytes` may be longer than the image.
///
/// # Errors
///
/// Each [`SuperblockError`] that btrfs can have; a missing magic is
/// [`SuperblockError::NoSuperblock`].
pub fn parse(bytes: &[u8], checksums: &Checksums) -> Result<Geometry, SuperblockError> {
    let superblock = bytes
        .get(SUPER_OFFSET..)
        .filter(|superblock| superblock.len() >= SUPER_LEN && has_magic(bytes))
        .ok_or(SuperblockError::NoSuperblock)?;
    let sector_size = le32(superblock, SECTOR_SIZE_AT)?;
    let block_size = usize::try_from(sector_size)
        .ok()
        .filter(|_| sector_size.is_power_of_two() && SECTOR_SIZES.contains(&sector_size))
        .ok_or(SuperblockError::BlockSize(sector_size))?;
    let total = le64(superblock, TOTAL_BYTES_AT)?;
    let size = whole(total, SUPER_OFFSET + SUPER_LEN, bytes.len())?;

    verify(superblock, checksums)?;
    // Behind the checksum, as they say what somebody has made of it, not that it is broken.
    let address = le64(superblock, ADDRESS_AT)?;
    if usize::try_from(address) != Ok(SUPER_OFFSET) {
        return Err(SuperblockError::Address(address));
    }
    if le64(superblock, FLAGS_AT)? & CHANGING != 0 {
        return Err(SuperblockError::Unfinished);
    }
    let devices = le64(superblock, NUM_DEVICES_AT)?;
    if devices != 1 {
        return Err(SuperblockError::Devices(devices));
    }
    let device = le64(superblock, DEVICE_BYTES_AT)?;
    if device != total {
        return Err(SuperblockError::DeviceSize { device, total });
    }
    Ok(Geometry { block_size, size })
}
