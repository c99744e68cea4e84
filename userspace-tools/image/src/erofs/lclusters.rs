// SPDX-License-Identifier: GPL-2.0-only

//! The index of a compressed file: an entry for each lcluster, which is a block of the file or several.
//!
//! As `z_erofs_load_full_lcluster()` and `z_erofs_load_compact_lcluster()` in `fs/erofs/zmap.c` of Linux 7.3 read it.

use super::inode::{Layout, Raw};
use super::map_header::{MapHeader, HEADER};
use super::{bytes_at, u16_at, u32_at, ErofsError, Superblock};

/// Types of entries, in two bits.
const PLAIN: u32 = 0;
const HEAD1: u32 = 1;
const NONHEAD: u32 = 2;

/// Bits of an entry of a full index.
const TYPE: u16 = 3;
const HOLE: u16 = 1 << 14;

/// Set in an entry behind a head: the other bits are the pcluster's number of blocks.
const CBLKCNT: u32 = 1 << 11;

/// Bytes of an entry of a full index. As many are left free between the header and the first entry.
const FULL_ENTRY: u64 = 8;

/// Bytes of a pack of 2-byte entries, at a multiple of which these start.
const PACK_2B: u64 = 32;

/// Limits of `lcluster_bits` in a compact index: with any entries, and with 2-byte entries.
const MOST_BITS: u8 = 14;
const MOST_BITS_2B: u8 = 12;

/// Bits of an entry of a compact index below its type, at least.
const LEAST_LOW_BITS: u8 = 12;

/// The type of a pcluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadType {
    /// Stored as it was.
    Plain,
    /// Compressed by the first algorithm of the file.
    Head1,
    /// Compressed by the second.
    Head2,
}

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lcluster {
    /// A pcluster starts in this lcluster.
    Head {
        kind: HeadType,
        /// Bytes from the start of the lcluster, of which it has more.
        offset: u64,
        /// The first block; nothing for a hole.
        block: Option<u32>,
    },
    /// The pcluster before goes on.
    Nonhead {
        /// The number of its blocks, if this entry states it.
        blocks: Option<u64>,
    },
}

/// The index of a file.
pub(super) struct Index<'a> {
    image: &'a [u8],
    /// The place where the header ends, in bytes from the start of the image.
    start: u64,
    layout: Layout,
    lcluster_bits: u8,
    has_big_pclusters: bool,
    /// The number of entries.
    count: u64,
    /// In a compact index: the entries of 4 bytes in front, and those of 2 bytes behind them.
    compact: (u64, u64),
}

impl<'a> Index<'a> {
    /// Returns the index of an inode with a compressed layout, not yet read.
    ///
    /// # Errors
    ///
    /// [`ErofsError::Unsupported`] for lclusters that a compact index does not have.
    pub(super) fn new(
        image: &'a [u8],
        sb: &Superblock,
        raw: &Raw,
        header: &MapHeader,
    ) -> Result<Self, ErofsError> {
        let start = raw.end().next_multiple_of(HEADER) + HEADER;
        let has_2b = raw.layout == Layout::CompressedCompact && header.has_2_byte_entries();
        let most = if has_2b { MOST_BITS_2B } else { MOST_BITS };
        if raw.layout == Layout::CompressedCompact && header.lcluster_bits > most {
            return Err(ErofsError::Unsupported("the size of lclusters", start - 1));
        }
        let blocks = raw.size.div_ceil(sb.block_size());
        // As many as end at a multiple of a pack's size: an even number.
        let front = ((PACK_2B - start % PACK_2B) / 4) & 7;
        let compact = match blocks.checked_sub(front) {
            Some(rest) if has_2b => (front, rest / 16 * 16),
            _ => (front, 0),
        };
        Ok(Self {
            image,
            start,
            layout: raw.layout,
            lcluster_bits: header.lcluster_bits,
            has_big_pclusters: header.has_big_pclusters().contains(&true),
            count: raw.size.div_ceil(1 << header.lcluster_bits),
            compact,
        })
    }

    /// Returns the number of entries.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Reads the entries that stand in one pack, from the one with the number `lcn`: the first of all, or the one
    /// behind those of the last call. Returns where the pack ends, in bytes from the start of the image.
    ///
    /// # Errors
    ///
    /// [`ErofsError::Beyond`], [`ErofsError::Damaged`].
    pub(super) fn pack(&self, lcn: u64, into: &mut Vec<Lcluster>) -> Result<u64, ErofsError> {
        into.clear();
        match self.layout {
            Layout::CompressedCompact => self.compact_pack(lcn, into),
            _ => self.full_entry(lcn, into),
        }
    }

    fn full_entry(&self, lcn: u64, into: &mut Vec<Lcluster>) -> Result<u64, ErofsError> {
        // The first entry is not used.
        let at = lcn.checked_add(1).and_then(|n| n.checked_mul(FULL_ENTRY));
        let at = at.and_then(|distance| self.start.checked_add(distance));
        let at = at.ok_or(ErofsError::Beyond(u64::MAX))?;
        let advise = u16_at(self.image, at)?;
        let kind = u32::from(advise & TYPE);
        let entry = if kind == NONHEAD {
            self.nonhead(u16_at(self.image, at + 4)?.into(), at)?
        } else {
            let block = match advise & HOLE {
                0 => Some(u32_at(self.image, at + 4)?),
                _ => None,
            };
            self.head(kind, u16_at(self.image, at + 2)?.into(), block, at)?
        };
        into.push(entry);
        // Inside of the image, or next to its end: the fields were read.
        Ok(at.saturating_add(FULL_ENTRY))
    }

    /// Reads a pack: entries of some bits each, then the number of a block.
    fn compact_pack(&self, lcn: u64, into: &mut Vec<Lcluster>) -> Result<u64, ErofsError> {
        let (front, middle) = self.compact;
        let is_2b = lcn >= front && lcn - front < middle;
        let (width, entries) = if is_2b { (2, 16) } else { (4, 2) };
        let distance = if lcn < front {
            lcn.checked_mul(4)
        } else if is_2b {
            (lcn - front)
                .checked_mul(2)
                .and_then(|n| n.checked_add(front * 4))
        } else {
            let behind = (lcn - front - middle).checked_mul(4);
            behind.and_then(|n| {
                n.checked_add(front * 4)?
                    .checked_add(middle.checked_mul(2)?)
            })
        };
        let at = distance.and_then(|distance| self.start.checked_add(distance));
        let at = at.ok_or(ErofsError::Beyond(u64::MAX))?;
        let pack = bytes_at(self.image, at, width * entries)?;
        let Some((packed, base)) = pack.split_last_chunk::<4>() else {
            return Err(ErofsError::Beyond(at));
        };
        let low_bits = u32::from(self.lcluster_bits.max(LEAST_LOW_BITS));
        let bits = packed.len() * 8 / usize::try_from(entries).unwrap_or(usize::MAX);
        // All pclusters that start in a pack lie behind each other, and in front of them the rest of the one before.
        let mut block = u32::from_le_bytes(*base);
        if !self.has_big_pclusters {
            block = block.wrapping_add(1);
        }
        for number in 0..entries.min(self.count - lcn) {
            let first = usize::try_from(number).unwrap_or(usize::MAX) * bits;
            let word = pack.get(first / 8..).and_then(|rest| rest.first_chunk());
            let word = word.ok_or(ErofsError::Beyond(at))?;
            let value = u32::from_le_bytes(*word) >> (first % 8);
            let low = value & ((1 << low_bits) - 1);
            let kind = value >> low_bits & 3;
            let entry = if kind == NONHEAD {
                // The last entry of a pack states a distance that is of no use here.
                self.nonhead(low, at)?
            } else {
                self.head(kind, low.into(), Some(block), at)?
            };
            match entry {
                Lcluster::Head { .. } => block = block.wrapping_add(1),
                Lcluster::Nonhead { blocks: Some(_) } => {
                    // Its head has counted one of them already, unless that is in the pack before.
                    let rest = (low & !CBLKCNT).wrapping_sub(u32::from(number > 0));
                    block = block.wrapping_add(rest);
                }
                Lcluster::Nonhead { blocks: None } => {}
            }
            into.push(entry);
        }
        // All of it is inside of the image.
        Ok(at.saturating_add(width * entries))
    }

    fn head(
        &self,
        kind: u32,
        offset: u64,
        block: Option<u32>,
        at: u64,
    ) -> Result<Lcluster, ErofsError> {
        if offset >> self.lcluster_bits != 0 {
            return Err(ErofsError::Damaged("the index", at));
        }
        let kind = match kind {
            PLAIN => HeadType::Plain,
            HEAD1 => HeadType::Head1,
            _ => HeadType::Head2,
        };
        Ok(Lcluster::Head {
            kind,
            offset,
            block,
        })
    }

    fn nonhead(&self, value: u32, at: u64) -> Result<Lcluster, ErofsError> {
        let blocks = match value & CBLKCNT {
            0 => None,
            _ if !self.has_big_pclusters => return Err(ErofsError::Damaged("the index", at)),
            _ => Some(u64::from(value & !CBLKCNT)),
        };
        Ok(Lcluster::Nonhead { blocks })
    }
}
