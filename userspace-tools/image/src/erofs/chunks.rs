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

/// Stands in the place of the number of a block if the chunk is all NUL.
const HOLE: u32 = u32::MAX;

/// Calls `each` with the length of each piece of the file, in bytes, and with its blocks, in bytes from the start of
/// the image: none if it is a hole.
///
/// # Errors
///
/// [`ErofsError::Beyond`]; [`ErofsError::Unsupported`] for data on another device; those of `each`.
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
        let (block, upper) = if entry == 4 {
            (u32_at(image, at)?, 0)
        } else {
            if u16_at(image, at + 2)? != 0 {
                return Err(ErofsError::Unsupported("data on another device", at));
            }
            let upper = if format & HAS_48BIT != 0 {
                u16_at(image, at)?
            } else {
                0
            };
            (u32_at(image, at + 4)?, upper)
        };
        let len = chunk.min(raw.size - number * chunk);
        if block == HOLE {
            each(len, None)?;
            continue;
        }
        let stored = len.checked_next_multiple_of(sb.block_size());
        let stored = stored.ok_or(ErofsError::Beyond(at))?;
        let place = u64::from(upper) << 32 | u64::from(block);
        let place = place.checked_mul(sb.block_size());
        let place = place.and_then(|start| Some(start..start.checked_add(stored)?));
        each(len, Some(place.ok_or(ErofsError::Beyond(at))?))?;
    }
    Ok(())
}
