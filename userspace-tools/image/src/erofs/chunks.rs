// SPDX-License-Identifier: GPL-2.0-only

//! The chunks of a chunk-based file: uncompressed pieces of one size, which files may share.

use std::ops::Range;

use super::inode::Raw;
use super::steps::Steps;
use super::{u16_at, u32_at, ErofsError, Superblock};

/// Bits of the format: the size of a chunk as a power of two, in blocks; and whether an entry has 8 bytes instead of 4,
/// with an upper part of the number of the block.
const BLOCK_BITS: u64 = 0x1f;
const INDEXES: u64 = 0x20;
const HAS_48BIT: u64 = 0x40;

/// Calls `each` with the length of each piece of the file, in bytes, and with its blocks, in bytes from the start of
/// the image: none if it is a hole.
///
/// # Errors
///
/// [`ErofsError::Beyond`]; those of `each`.
pub(super) fn of(
    image: &[u8],
    sb: &Superblock,
    raw: &Raw,
    steps: &Steps,
    mut each: impl FnMut(u64, Option<Range<u64>>) -> Result<(), ErofsError>,
) -> Result<(), ErofsError> {
    let format = raw.chunk_format();
    let entry = if format & INDEXES != 0 { 8 } else { 4 };
    let start = raw.end().next_multiple_of(entry);
    // A chunk of 2^47 bytes at most.
    let chunk = sb.block_size() << (format & BLOCK_BITS);
    let count = raw.size.div_ceil(chunk);
    steps.take(count, raw.offset)?;
    for number in 0..count {
        let at = start + number * entry;
        // As `erofs_map_blocks()` reads it. Images with other devices are no images here, so an entry's number of a
        // device does not count.
        let (block, all_ones) = match (entry, format & HAS_48BIT) {
            (4, _) => (u32_at(image, at)?.into(), u32::MAX.into()),
            (_, 0) => (u32_at(image, at + 4)?.into(), u32::MAX.into()),
            _ => {
                let upper = u64::from(u16_at(image, at)?) << 32;
                (upper | u64::from(u32_at(image, at + 4)?), (1_u64 << 48) - 1)
            }
        };
        let len = chunk.min(raw.size - number * chunk);
        if block == all_ones {
            each(len, None)?;
            continue;
        }
        let stored = len.checked_next_multiple_of(sb.block_size());
        let stored = stored.ok_or(ErofsError::Beyond(at))?;
        let place = block.checked_mul(sb.block_size());
        let place = place.and_then(|start| Some(start..start.checked_add(stored)?));
        each(len, Some(place.ok_or(ErofsError::Beyond(at))?))?;
    }
    Ok(())
}
