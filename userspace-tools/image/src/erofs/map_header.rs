// SPDX-License-Identifier: GPL-2.0-only

//! The header in front of the index of a compressed file: `z_erofs_map_header` of `erofs_fs.h`.

use super::inode::{Layout, Raw};
use super::storage::Storage;
use super::{array, u16_at, u32_at, u64_at, ErofsError, Superblock};

/// Bytes of the header, which starts at a multiple of as many.
pub(super) const HEADER: u64 = 8;

/// Bits of `h_advise`, the first of which has two meanings.
const COMPACTED_2B: u16 = 0x01;
const EXTENTS: u16 = 0x01;
const BIG_PCLUSTER_1: u16 = 0x02;
const BIG_PCLUSTER_2: u16 = 0x04;
const INLINE_PCLUSTER: u16 = 0x08;
const FRAGMENT_PCLUSTER: u16 = 0x20;

/// Set in the header, a number of 64 bits, if the whole file is a fragment: the other bits are its offset.
const FRAGMENT_INODE: u64 = 1 << 63;

/// The place of a file's last pcluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// In blocks, like the others.
    Blocks,
    /// Behind the index, with so many bytes.
    Inline(u64),
    /// In the packed inode, at an offset whose lower 32 bits these are. A list of extents states the offset instead.
    Fragment(u64),
}

/// The facts that all pclusters of a file share.
#[derive(Clone, Copy, Debug)]
pub(super) struct MapHeader {
    /// The algorithms of `HEAD1` and `HEAD2`.
    pub(super) algorithms: [Storage; 2],
    /// The size of an lcluster as a power of two: 9 to 31.
    pub(super) lcluster_bits: u8,
    pub(super) tail: Tail,
    advise: u16,
    extents: u64,
}

/// Returns the offset in the packed inode, in bytes, of a file with a compressed layout that is a fragment as a whole.
///
/// # Errors
///
/// [`ErofsError::Beyond`].
pub(super) fn whole_fragment(image: &[u8], raw: &Raw) -> Result<Option<u64>, ErofsError> {
    let header = u64_at(image, raw.end().next_multiple_of(HEADER))?;
    let is_fragment = header & FRAGMENT_INODE != 0;
    Ok(is_fragment.then_some(header & !FRAGMENT_INODE))
}

impl MapHeader {
    /// Reads the header of an inode with a compressed layout.
    ///
    /// # Errors
    ///
    /// [`ErofsError::Beyond`]; [`ErofsError::Unsupported`] for an unknown algorithm.
    pub(super) fn read(image: &[u8], sb: &Superblock, raw: &Raw) -> Result<Self, ErofsError> {
        let at = raw.end().next_multiple_of(HEADER);
        let [algorithms, cluster_bits] = array(image, at + 6)?;
        let advise = u16_at(image, at + 4)?;
        let mut header = Self {
            algorithms: [Storage::Lz4; 2],
            lcluster_bits: sb.block_bits() + (cluster_bits & 15),
            tail: Tail::Blocks,
            advise,
            extents: 0,
        };
        if advise & FRAGMENT_PCLUSTER != 0 {
            header.tail = Tail::Fragment(u32_at(image, at)?.into());
        }
        if raw.layout == Layout::CompressedFull && advise & EXTENTS != 0 {
            let upper = u16::from_le_bytes([algorithms, cluster_bits]);
            header.extents = u64::from(upper) << 32 | u64::from(u32_at(image, at)?);
            return Ok(header);
        }
        if advise & (FRAGMENT_PCLUSTER | INLINE_PCLUSTER) == INLINE_PCLUSTER {
            header.tail = match u16_at(image, at + 2)? {
                0 => Tail::Blocks,
                len => Tail::Inline(len.into()),
            };
        }
        for (index, algorithm) in header.algorithms.iter_mut().enumerate() {
            let number = algorithms >> (4 * index) & 15;
            let known = Storage::of_algorithm(number.into());
            *algorithm = known.ok_or(ErofsError::Unsupported("the algorithm", at + 6))?;
        }
        Ok(header)
    }

    /// Returns whether the index has entries of 2 bytes, if it is compact.
    pub(super) fn has_2_byte_entries(&self) -> bool {
        self.advise & COMPACTED_2B != 0
    }

    /// Returns whether pclusters of `HEAD1`, and those of the other types, may have more than one block.
    pub(super) fn has_big_pclusters(&self) -> [bool; 2] {
        [BIG_PCLUSTER_1, BIG_PCLUSTER_2].map(|bit| self.advise & bit != 0)
    }

    /// Returns whether a list of extents stands in the place of a full index.
    pub(super) fn has_extents(&self, raw: &Raw) -> bool {
        raw.layout == Layout::CompressedFull && self.advise & EXTENTS != 0
    }

    /// Returns the number of extents, and the bytes of each record: 4, 8, 16 or 32.
    pub(super) fn extents(&self) -> (u64, u64) {
        (self.extents, 4 << (self.advise >> 1 & 3))
    }
}
