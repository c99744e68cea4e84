// SPDX-License-Identifier: GPL-2.0-only

//! Recognising an EROFS image and its size.
//!
//! Only what the claim acts upon is checked (is this an image, is it whole, where does it end); the
//! rest is left to EROFS itself. The layout is `fs/erofs/erofs_fs.h`, the checks are those of
//! `erofs_read_superblock()` in `fs/erofs/super.c`.

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
const ROOT_NID_8B_AT: usize = 112;

/// `EROFS_FEATURE_COMPAT_SB_CHKSUM`: the checksum field is to be believed.
const COMPAT_CHECKSUM: u32 = 0x1;

/// `EROFS_FEATURE_INCOMPAT_48BIT`: block counts have 48 bits.
const INCOMPAT_48BIT: u32 = 0x80;

/// CRC-32C of the magic and a zero checksum, where the kernel's verification starts from.
const CHECKSUM_SEED: u32 = 0x5045_b54a;

/// Block sizes that some kernel takes, as powers of two: 512 bytes to 64 KiB.
const BLOCK_BITS: core::ops::RangeInclusive<u8> = 9..=16;

/// How far apart [`find`] probes. Every run of [`SUPER_OFFSET`] NULs holds a probed word.
const PROBE_STEP: usize = 512;

/// How many superblocks with a wrong checksum [`find`] puts up with, so that a hostile buffer full
/// of them does not take minutes. Chance makes none.
const MAX_STRAYS: usize = 256;

/// The shape of an image whose superblock was found sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The block size in bytes, a power of two from 512 to 65536.
    pub block_size: usize,
    /// The size of the image in bytes: at least its superblock, at most what the buffer holds.
    pub size: usize,
}

/// What can be wrong with a superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuperblockError {
    /// The buffer ends before the superblock does.
    NoSuperblock,
    /// The block size is none that EROFS has: its power of two.
    BlockBits(u8),
    /// The superblock does not match its own checksum.
    Checksum {
        /// What the superblock says.
        stored: u32,
        /// What its bytes amount to.
        computed: u32,
    },
    /// The image ends before its superblock does, or its size does not fit the machine.
    Size {
        /// The size that the superblock states, in blocks.
        blocks: u64,
    },
    /// The buffer ends before the image does.
    Truncated {
        /// The size that the superblock states, in bytes.
        need: usize,
        /// What is left of the buffer, in bytes.
        have: usize,
    },
}

/// Whether `image` has the EROFS magic where an image has it.
pub fn has_magic(image: &[u8]) -> bool {
    image
        .get(SUPER_OFFSET..)
        .is_some_and(|superblock| superblock.starts_with(&MAGIC))
}

/// A little-endian field of the superblock.
fn field<const N: usize>(superblock: &[u8], at: usize) -> Option<[u8; N]> {
    superblock.get(at..)?.first_chunk::<N>().copied()
}

/// Checks the checksum, over the rest of the superblock's block.
fn verify(
    superblock: &[u8],
    block_size: usize,
    crc32c: super::Crc32c,
) -> Option<Result<(), (u32, u32)>> {
    let len = if block_size > SUPER_OFFSET {
        block_size.checked_sub(SUPER_OFFSET)?
    } else {
        block_size
    };
    let stored = u32::from_le_bytes(field(superblock, CHECKSUM_AT)?);
    let computed = crc32c(CHECKSUM_SEED, superblock.get(FEATURE_COMPAT_AT..len)?);
    Some(if stored == computed {
        Ok(())
    } else {
        Err((stored, computed))
    })
}

/// The size of the image in blocks, of 32 bits or 48.
fn blocks(superblock: &[u8]) -> Option<u64> {
    let low = u64::from(u32::from_le_bytes(field(superblock, BLOCKS_LO_AT)?));
    let incompat = u32::from_le_bytes(field(superblock, FEATURE_INCOMPAT_AT)?);
    let root_nid = u64::from_le_bytes(field(superblock, ROOT_NID_8B_AT)?);
    if incompat & INCOMPAT_48BIT == 0 || root_nid == 0 {
        return Some(low);
    }
    let high = u64::from(u16::from_le_bytes(field(superblock, BLOCKS_HI_AT)?));
    Some(low | high << 32)
}

/// Reads the superblock of the image that starts where `bytes` does.
///
/// `bytes` may be longer than the image.
///
/// # Errors
///
/// Each [`SuperblockError`]; a missing magic is [`SuperblockError::NoSuperblock`].
pub fn parse(bytes: &[u8], crc32c: super::Crc32c) -> Result<Geometry, SuperblockError> {
    let superblock = bytes
        .get(SUPER_OFFSET..)
        .filter(|superblock| superblock.len() >= SUPER_LEN && superblock.starts_with(&MAGIC))
        .ok_or(SuperblockError::NoSuperblock)?;
    let bits = superblock
        .get(BLOCK_BITS_AT)
        .copied()
        .ok_or(SuperblockError::NoSuperblock)?;
    if !BLOCK_BITS.contains(&bits) {
        return Err(SuperblockError::BlockBits(bits));
    }
    let block_size = 1usize << bits;

    let blocks = blocks(superblock).ok_or(SuperblockError::NoSuperblock)?;
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

    // Last, as it costs most, and `find` tries a lot.
    let compat = field(superblock, FEATURE_COMPAT_AT).map_or(0, u32::from_le_bytes);
    if compat & COMPAT_CHECKSUM != 0 {
        verify(superblock, block_size, crc32c)
            .ok_or(SuperblockError::NoSuperblock)?
            .map_err(|(stored, computed)| SuperblockError::Checksum { stored, computed })?;
    }
    Ok(Geometry {
        block_size,
        size: need,
    })
}

/// Finds the first sound image that starts with [`SUPER_OFFSET`] NUL bytes; returns its offset.
///
/// Meant for skipping over compressed data, where the magic may turn up by chance and every cache
/// line costs: one word in [`PROBE_STEP`] bytes is looked at, and only where it is zero, more.
pub fn find(bytes: &[u8], crc32c: super::Crc32c) -> Option<usize> {
    let mut strays = 0usize;
    let mut at = 0usize;
    while let Some(word) = bytes.get(at..)?.first_chunk::<8>() {
        if *word == [0; 8] {
            let nul_from = bytes
                .get(..at)?
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last_set| last_set.saturating_add(1));
            let nul_to = at.checked_add(bytes.get(at..)?.iter().position(|byte| *byte != 0)?)?;
            if let Some(start) = nul_to.checked_sub(SUPER_OFFSET) {
                if start >= nul_from {
                    match parse(bytes.get(start..)?, crc32c) {
                        Ok(_) => return Some(start),
                        Err(SuperblockError::Checksum { .. }) if strays == MAX_STRAYS => {
                            return None
                        }
                        Err(SuperblockError::Checksum { .. }) => strays = strays.saturating_add(1),
                        Err(_) => (),
                    }
                }
            }
            at = nul_to;
        }
        at = at.checked_add(PROBE_STEP)?;
    }
    None
}
