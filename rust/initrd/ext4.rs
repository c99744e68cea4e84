// SPDX-License-Identifier: GPL-2.0-only

//! Recognising an ext4 image and its size.
//!
//! The layout is `struct ext4_super_block` in [`fs/ext4/ext4.h`](srctree/fs/ext4/ext4.h), the
//! checks are those of `ext4_load_super()` in [`fs/ext4/super.c`](srctree/fs/ext4/super.c).

use super::filesystem::{
    field,
    le16,
    le32,
    Checksums,
    Geometry,
    SuperblockError, //
};

/// The superblock's offset in an image. The bytes in front of it are for a boot sector, and NUL.
pub const SUPER_OFFSET: usize = 1024;

/// The NULs that a superblock can begin with: not all of its first field, the number of inodes.
pub const LEADING_NULS: usize = 3;

/// `EXT4_SUPER_MAGIC`.
const MAGIC: u16 = 0xef53;

/// The superblock's size.
const SUPER_LEN: usize = 1024;

// Offsets within the superblock.
const BLOCKS_LO_AT: usize = 0x4;
const LOG_BLOCK_SIZE_AT: usize = 0x18;
const MAGIC_AT: usize = 0x38;
const REVISION_AT: usize = 0x4c;
const COMPAT_AT: usize = 0x5c;
const INCOMPAT_AT: usize = 0x60;
const RO_COMPAT_AT: usize = 0x64;
const JOURNAL_INODE_AT: usize = 0xe0;
const BLOCKS_HI_AT: usize = 0x150;
const CHECKSUM_TYPE_AT: usize = 0x175;
const CHECKSUM_AT: usize = 0x3fc;

/// `EXT4_MAX_SUPP_REV`.
const MAX_REVISION: u32 = 1;

/// The smallest block size, as a power of two.
const MIN_BLOCK_BITS: u32 = 10;

/// The largest one, as a power of two.
const MAX_BLOCK_BITS: u32 = 16;

/// `EXT4_FEATURE_COMPAT_HAS_JOURNAL`.
const COMPAT_JOURNAL: u32 = 0x4;

/// `EXT4_FEATURE_INCOMPAT_RECOVER`: the journal holds what has to be replayed.
const INCOMPAT_RECOVER: u32 = 0x4;

/// `EXT4_FEATURE_INCOMPAT_JOURNAL_DEV`: it is nothing but a journal.
const INCOMPAT_JOURNAL_DEV: u32 = 0x8;

/// `EXT4_FEATURE_INCOMPAT_64BIT`: block counts have 64 bits.
const INCOMPAT_64BIT: u32 = 0x80;

/// `EXT4_FEATURE_RO_COMPAT_METADATA_CSUM`: the checksum field is to be believed.
const RO_COMPAT_CHECKSUM: u32 = 0x400;

/// `EXT4_CRC32C_CHKSUM`, the only kind of checksum there is.
const CRC32C: u8 = 1;

/// Returns whether `image` has the ext4 magic where an image has it. As 16 bits turn up by chance,
/// the revision has to be one that exists, too.
pub fn has_magic(image: &[u8]) -> bool {
    image.get(SUPER_OFFSET..).is_some_and(|superblock| {
        le16(superblock, MAGIC_AT) == Ok(MAGIC)
            && le32(superblock, REVISION_AT).is_ok_and(|revision| revision <= MAX_REVISION)
    })
}

/// Checks the checksum, over all that is in front of it.
fn verify(superblock: &[u8], checksums: &Checksums) -> Result<(), SuperblockError> {
    let [kind] = field(superblock, CHECKSUM_TYPE_AT)?;
    if kind != CRC32C {
        return Err(SuperblockError::ChecksumType(kind.into()));
    }
    let covered = superblock
        .get(..CHECKSUM_AT)
        .ok_or(SuperblockError::NoSuperblock)?;
    let stored = le32(superblock, CHECKSUM_AT)?;
    let computed = (checksums.crc32c)(!0, covered);
    if stored == computed {
        return Ok(());
    }
    Err(SuperblockError::Checksum {
        stored: stored.into(),
        computed: computed.into(),
    })
}

/// Reads the superblock of the image that starts where `bytes` does.
///
/// `bytes` may be longer than the image.
///
/// # Errors
///
/// Each [`SuperblockError`] that ext4 can have; a missing magic is
/// [`SuperblockError::NoSuperblock`].
pub fn parse(bytes: &[u8], checksums: &Checksums) -> Result<Geometry, SuperblockError> {
    let superblock = bytes
        .get(SUPER_OFFSET..)
        .filter(|superblock| superblock.len() >= SUPER_LEN && has_magic(bytes))
        .ok_or(SuperblockError::NoSuperblock)?;
    let bits = le32(superblock, LOG_BLOCK_SIZE_AT)?.saturating_add(MIN_BLOCK_BITS);
    if bits > MAX_BLOCK_BITS {
        return Err(SuperblockError::BlockBits(bits));
    }
    let block_size = 1usize << bits;

    let incompat = le32(superblock, INCOMPAT_AT)?;
    let low = u64::from(le32(superblock, BLOCKS_LO_AT)?);
    let high = match incompat & INCOMPAT_64BIT {
        0 => 0,
        _ => u64::from(le32(superblock, BLOCKS_HI_AT)?),
    };
    let blocks = low | high << 32;
    let size = usize::try_from(blocks)
        .ok()
        .and_then(|blocks| blocks.checked_mul(block_size))
        .filter(|size| *size >= SUPER_OFFSET + SUPER_LEN)
        .ok_or(SuperblockError::Size { blocks })?;
    if size > bytes.len() {
        return Err(SuperblockError::Truncated {
            need: size,
            have: bytes.len(),
        });
    }

    if le32(superblock, RO_COMPAT_AT)? & RO_COMPAT_CHECKSUM != 0 {
        verify(superblock, checksums)?;
    }
    // Behind the checksum, as they say what somebody has made of it, not that it is broken.
    if incompat & INCOMPAT_JOURNAL_DEV != 0 {
        return Err(SuperblockError::JournalDevice);
    }
    let has_journal = le32(superblock, COMPAT_AT)? & COMPAT_JOURNAL != 0;
    if has_journal && le32(superblock, JOURNAL_INODE_AT)? == 0 {
        return Err(SuperblockError::ExternalJournal);
    }
    if incompat & INCOMPAT_RECOVER != 0 {
        return Err(SuperblockError::Recovery);
    }
    Ok(Geometry { block_size, size })
}
