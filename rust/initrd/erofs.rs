// SPDX-License-Identifier: GPL-2.0-only

//! Recognising an EROFS image and its size.
//!
//! Only what the claim acts upon is checked (is this an image, is it whole, where does it end); the
//! rest is left to EROFS itself. The layout is
//! [`fs/erofs/erofs_fs.h`](srctree/fs/erofs/erofs_fs.h), the checks are those of
//! `erofs_read_superblock()` in [`fs/erofs/super.c`](srctree/fs/erofs/super.c).

use super::filesystem::{
    field,
    le16,
    le32,
    le64,
    Checksums,
    Geometry,
    SuperblockError, //
};

/// The superblock's offset in an image. The bytes in front of it are free for boot code.
pub const SUPER_OFFSET: usize = 1024;

/// `EROFS_SUPER_MAGIC_V1`, as it stands in the image.
const MAGIC: [u8; 4] = 0xe0f5_e1e2_u32.to_le_bytes();

/// The fixed part of the superblock.
const SUPER_LEN: usize = 128;

// Offsets within the superblock.
const CHECKSUM_AT: usize = 4;
const FEATURE_COMPAT_AT: usize = 8;
const BLOCK_BITS_AT: usize = 12;
const BLOCKS_HI_AT: usize = 14;
const BLOCKS_LO_AT: usize = 36;
const FEATURE_INCOMPAT_AT: usize = 80;
const EXTRA_DEVICES_AT: usize = 86;
const ROOT_NID_8B_AT: usize = 112;

/// `EROFS_FEATURE_COMPAT_SB_CHKSUM`: the checksum field is to be believed.
const COMPAT_CHECKSUM: u32 = 0x1;

/// `EROFS_FEATURE_INCOMPAT_DEVICE_TABLE`: there may be other devices.
const INCOMPAT_DEVICE_TABLE: u32 = 0x8;

/// `EROFS_FEATURE_INCOMPAT_48BIT`: block counts have 48 bits.
const INCOMPAT_48BIT: u32 = 0x80;

/// CRC-32C of the magic and a zero checksum, where the kernel's verification starts from.
const CHECKSUM_SEED: u32 = 0x5045_b54a;

/// Block sizes that some kernel takes, as powers of two: 512 bytes to 64 KiB.
const BLOCK_BITS: core::ops::RangeInclusive<u8> = 9..=16;

/// Returns whether `image` has the EROFS magic where an image has it.
pub fn has_magic(image: &[u8]) -> bool {
    image
        .get(SUPER_OFFSET..)
        .is_some_and(|superblock| superblock.starts_with(&MAGIC))
}

/// Checks the checksum, over the rest of the superblock's block.
fn verify(
    superblock: &[u8],
    block_size: usize,
    checksums: &Checksums,
) -> Result<(), SuperblockError> {
    let len = match block_size.checked_sub(SUPER_OFFSET) {
        None | Some(0) => block_size,
        Some(rest) => rest,
    };
    let covered = superblock
        .get(FEATURE_COMPAT_AT..len)
        .ok_or(SuperblockError::NoSuperblock)?;
    let stored = le32(superblock, CHECKSUM_AT)?;
    let computed = (checksums.crc32c)(CHECKSUM_SEED, covered);
    if stored == computed {
        return Ok(());
    }
    Err(SuperblockError::Checksum {
        stored: stored.into(),
        computed: computed.into(),
    })
}

/// Returns the size of the image in blocks, of 32 bits or 48.
fn blocks(superblock: &[u8]) -> Result<u64, SuperblockError> {
    let low = u64::from(le32(superblock, BLOCKS_LO_AT)?);
    let incompat = le32(superblock, FEATURE_INCOMPAT_AT)?;
    let root_nid = le64(superblock, ROOT_NID_8B_AT)?;
    if incompat & INCOMPAT_48BIT == 0 || root_nid == 0 {
        return Ok(low);
    }
    let high = u64::from(le16(superblock, BLOCKS_HI_AT)?);
    Ok(low | high << 32)
}

/// Reads the superblock of the image that starts where `bytes` does.
///
/// `bytes` may be longer than the image.
///
/// # Errors
///
/// Each [`SuperblockError`] that EROFS can have; a missing magic is
/// [`SuperblockError::NoSuperblock`].
pub fn parse(bytes: &[u8], checksums: &Checksums) -> Result<Geometry, SuperblockError> {
    let superblock = bytes
        .get(SUPER_OFFSET..)
        .filter(|superblock| superblock.len() >= SUPER_LEN && superblock.starts_with(&MAGIC))
        .ok_or(SuperblockError::NoSuperblock)?;
    let [bits] = field(superblock, BLOCK_BITS_AT)?;
    if !BLOCK_BITS.contains(&bits) {
        return Err(SuperblockError::BlockBits(bits.into()));
    }
    let block_size = 1usize << bits;

    let blocks = blocks(superblock)?;
    let need = usize::try_from(blocks)
        .ok()
        .and_then(|blocks| blocks.checked_mul(block_size))
        .filter(|need| *need >= SUPER_OFFSET + SUPER_LEN)
        .ok_or(SuperblockError::Size { blocks })?;
    if need > bytes.len() {
        return Err(SuperblockError::Truncated {
            need,
            have: bytes.len(),
        });
    }

    // Without them, EROFS would mount it all the same, and fail where files are read.
    let devices = le16(superblock, EXTRA_DEVICES_AT)?;
    if le32(superblock, FEATURE_INCOMPAT_AT)? & INCOMPAT_DEVICE_TABLE != 0 && devices != 0 {
        return Err(SuperblockError::Devices(
            u64::from(devices).saturating_add(1),
        ));
    }

    // Last, as it costs most, and `find` tries a lot.
    if le32(superblock, FEATURE_COMPAT_AT)? & COMPAT_CHECKSUM != 0 {
        verify(superblock, block_size, checksums)?;
    }
    Ok(Geometry {
        block_size,
        size: need,
    })
}
