// SPDX-License-Identifier: GPL-2.0-only

//! The pclusters of a compressed file: pieces of the image, each of which holds a piece of the file.
//!
//! As `z_erofs_map_blocks_fo()` and `z_erofs_map_blocks_ext()` in `fs/erofs/zmap.c` of Linux 7.3 find them.

use super::inode::{Layout, Raw};
use super::lclusters::{HeadType, Index, Lcluster};
use super::map_header::{whole_fragment, MapHeader, Tail, HEADER};
use super::pieces::{Piece, Place};
use super::steps::Steps;
use super::storage::Storage;
use super::{u32_at, u64_at, ErofsError, Superblock};

/// Bytes of the image that a pcluster has at most: `Z_EROFS_PCLUSTER_MAX_SIZE`.
const LARGEST: u64 = 1 << 20;

/// The bits of `plen` in an extent that state its bytes; the algorithm stands above the others.
const PLEN: u32 = (1 << 21) - 1;
const ALGORITHM_SHIFT: u32 = 28;

/// Calls `each` with the pclusters of an inode that has a compressed layout, in the order of the file.
///
/// # Errors
///
/// [`ErofsError::Beyond`], [`ErofsError::Damaged`], [`ErofsError::Unsupported`]; those of `each`.
pub(super) fn of(
    image: &[u8],
    sb: &Superblock,
    raw: &Raw,
    steps: &Steps,
    mut each: impl FnMut(Piece) -> Result<(), ErofsError>,
) -> Result<(), ErofsError> {
    if raw.size == 0 {
        return Ok(());
    }
    if let Some(offset) = whole_fragment(image, raw)? {
        return each(Piece::of_fragment(raw.size, offset));
    }
    let header = MapHeader::read(image, sb, raw)?;
    if header.has_extents(raw) {
        return listed(image, raw, &header, steps, each);
    }
    let index = Index::new(image, sb, raw, &header)?;
    steps.take(index.count(), raw.offset)?;
    let damaged = || ErofsError::Damaged("the index of the inode", raw.offset);
    let mut open: Option<Open> = None;
    let mut pack = Vec::new();
    let (mut lcn, mut end) = (0, 0);
    'index: while lcn < index.count() {
        end = index.pack(lcn, &mut pack)?;
        for entry in &pack {
            match (entry, &mut open) {
                (
                    Lcluster::Head {
                        kind,
                        offset,
                        block,
                    },
                    _,
                ) => {
                    let start = (lcn << header.lcluster_bits).saturating_add(*offset);
                    if start >= raw.size {
                        // It only says where the file ends.
                        break 'index;
                    }
                    let next = Open {
                        start,
                        lcn,
                        kind: *kind,
                        block: *block,
                        blocks: None,
                    };
                    match open.replace(next) {
                        Some(last) => each(last.close(start, sb, &header).ok_or_else(damaged)?)?,
                        None if start == 0 => {}
                        None => return Err(damaged()),
                    }
                }
                (Lcluster::Nonhead { blocks: None }, Some(_)) => {}
                (Lcluster::Nonhead { blocks }, Some(open)) if open.lcn + 1 == lcn => {
                    open.blocks = *blocks;
                }
                (Lcluster::Nonhead { .. }, _) => return Err(damaged()),
            }
            lcn += 1;
        }
    }
    let last = open.ok_or_else(damaged)?;
    let upper = match raw.layout {
        Layout::CompressedFull => u64::from(last.block.unwrap_or(u32::MAX)) << 32,
        _ => 0,
    };
    let mut pcluster = last.close(raw.size, sb, &header).ok_or_else(damaged)?;
    match header.tail {
        Tail::Blocks => {}
        Tail::Inline(len) => {
            let tail_end = end.checked_add(len).ok_or_else(damaged)?;
            pcluster.place = Place::Inline(end..tail_end);
        }
        Tail::Fragment(lower) => pcluster = Piece::of_fragment(pcluster.len, upper | lower),
    }
    each(pcluster)
}

/// A pcluster whose end is not known yet.
struct Open {
    /// Bytes from the start of the file.
    start: u64,
    /// The number of its first entry.
    lcn: u64,
    kind: HeadType,
    block: Option<u32>,
    blocks: Option<u64>,
}

impl Open {
    /// Returns the whole; nothing if it is larger than a pcluster can be.
    fn close(self, end: u64, sb: &Superblock, header: &MapHeader) -> Option<Piece> {
        let [first_is_big, others_are_big] = header.has_big_pclusters();
        let (storage, is_big) = match self.kind {
            HeadType::Plain => (Storage::Incompressible, others_are_big),
            HeadType::Head1 => (header.algorithms[0], first_is_big),
            HeadType::Head2 => (header.algorithms[1], others_are_big),
        };
        let blocks = self.blocks.filter(|_| is_big).unwrap_or(1);
        let len = blocks.checked_mul(sb.block_size())?;
        let place = match self.block {
            Some(block) if len > 0 => {
                let start = u64::from(block).checked_mul(sb.block_size())?;
                Place::Blocks(start..start.checked_add(len)?)
            }
            _ => Place::Hole,
        };
        let pcluster = Piece {
            len: end.checked_sub(self.start)?,
            storage,
            place,
        };
        (len <= LARGEST).then_some(pcluster)
    }
}

/// Does the work of [`of`] for a list of extents in the place of an index.
fn listed(
    image: &[u8],
    raw: &Raw,
    header: &MapHeader,
    steps: &Steps,
    mut each: impl FnMut(Piece) -> Result<(), ErofsError>,
) -> Result<(), ErofsError> {
    let damaged = || ErofsError::Damaged("the extents of the inode", raw.offset);
    let (stated, record) = header.extents();
    let mut at = (raw.end().next_multiple_of(HEADER) + HEADER).next_multiple_of(record);
    // Short records are those of one lcluster each. The shortest follow each other in the image, too.
    let has_starts = record >= 16;
    let mut next = None;
    if record == 4 {
        next = Some(u64_at(image, at)?);
        at += 8;
    }
    let lcluster = 1_u64 << header.lcluster_bits;
    let count = if has_starts {
        stated
    } else {
        raw.size.div_ceil(lcluster)
    };
    steps.take(count, raw.offset)?;
    let start_of = |number: u64| -> Result<u64, ErofsError> {
        if number == count {
            return Ok(raw.size);
        }
        if !has_starts {
            return number.checked_mul(lcluster).ok_or_else(damaged);
        }
        let at = at + number * record;
        let upper = if record > 16 {
            u32_at(image, at + 16)?
        } else {
            0
        };
        Ok(u64::from(upper) << 32 | u64::from(u32_at(image, at + 12)?))
    };
    if count == 0 || start_of(0)? != 0 {
        return Err(damaged());
    }
    for number in 0..count {
        let len = start_of(number + 1)?.checked_sub(start_of(number)?);
        let len = len.filter(|len| *len > 0).ok_or_else(damaged)?;
        let at = at + number * record;
        let plen = u32_at(image, at)?;
        if number + 1 == count && matches!(header.tail, Tail::Fragment(_)) {
            let upper = match next {
                Some(_) => 0,
                None => u64::from(u32_at(image, at + 4)?) << 32,
            };
            return each(Piece::of_fragment(len, upper | u64::from(plen)));
        }
        let stored = u64::from(plen & PLEN);
        let storage = match plen >> ALGORITHM_SHIFT {
            0 => Storage::Incompressible,
            algorithm => Storage::of_algorithm(algorithm - 1)
                .ok_or(ErofsError::Unsupported("the algorithm", at))?,
        };
        let start = match next {
            Some(start) => start,
            None => {
                let upper = if has_starts {
                    u32_at(image, at + 8)?
                } else {
                    0
                };
                u64::from(upper) << 32 | u64::from(u32_at(image, at + 4)?)
            }
        };
        let end = start.checked_add(stored).ok_or_else(damaged)?;
        next = next.map(|_| end);
        let place = match stored {
            0 => Place::Hole,
            _ if stored > LARGEST => return Err(damaged()),
            _ => Place::Blocks(start..end),
        };
        each(Piece {
            len,
            storage,
            place,
        })?;
    }
    Ok(())
}
