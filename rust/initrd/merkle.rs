// SPDX-License-Identifier: GPL-2.0-only

//! fs-verity's Merkle tree, and how a block of the data is checked against it.
//!
//! The data are blocks of 4096 bytes, the last one padded with NULs. Level 0 of the tree holds
//! their digests, level 1 those of the blocks of level 0, and so on up to a level of a single
//! block, whose digest is the root hash. The levels are stored from the root down, as
//! `fsverity_init_merkle_tree_params()` in [`fs/verity/open.c`](srctree/fs/verity/open.c) lays them
//! out. Data of one block have no tree: the root hash is their digest.

use core::ops::Range;

use super::digest::{
    Algorithm,
    Digest,
    Hash, //
};

/// The size of the blocks of data and tree, in bytes.
pub const BLOCK: usize = 4096;

/// The size of the longest salt, in bytes.
pub const MAX_SALT: usize = 32;

/// More levels than the data of a 64-bit machine can make: with 64 digests in a block, the
/// 2^52 blocks of data need 9.
const MAX_LEVELS: usize = 9;

/// Zeroes to pad salts and the last block with.
static NULS: [u8; BLOCK] = [0; BLOCK];

/// The layout of a tree, and its root hash.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    data_len: usize,
    /// The digest of the root's block.
    pub root_hash: Digest,
    salt: [u8; MAX_SALT],
    salt_len: usize,
    /// For each level, from the leaves on, the number of its first block in the tree, and how many
    /// blocks it has.
    levels: [(usize, usize); MAX_LEVELS],
    level_count: usize,
}

/// A record of the blocks that have been found right: those of the tree by their number there, then
/// those of the data.
pub trait Seen {
    /// Returns whether this one has.
    fn has(&self, block: usize) -> bool;
    /// From now on it has.
    fn mark(&self, block: usize);
}

/// A block that is not what the tree says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The place of the block, in bytes from the start of the data, or of the tree.
    pub offset: usize,
    /// The level if it is one of the tree, 0 for the leaves.
    pub level: Option<usize>,
    /// The digest, which the tree does not have there.
    pub found: Digest,
}

impl Shape {
    /// Returns the tree of `data_len` bytes; [`None`] if they are 0, or the salt is too long.
    pub fn new(data_len: usize, root_hash: Digest, salt: &[u8]) -> Option<Self> {
        if data_len == 0 || salt.len() > MAX_SALT {
            return None;
        }
        let mut padded = [0; MAX_SALT];
        padded.get_mut(..salt.len())?.copy_from_slice(salt);

        let mut levels = [(0, 0); MAX_LEVELS];
        let mut level_count = 0;
        let mut blocks = data_len.div_ceil(BLOCK);
        let fanout = BLOCK / root_hash.algorithm().digest_len();
        while blocks > 1 {
            blocks = blocks.div_ceil(fanout);
            *levels.get_mut(level_count)? = (0, blocks);
            level_count += 1;
        }
        let mut first = 0usize;
        for (start, count) in levels.get_mut(..level_count)?.iter_mut().rev() {
            *start = first;
            first = first.checked_add(*count)?;
        }
        Some(Self {
            data_len,
            root_hash,
            salt: padded,
            salt_len: salt.len(),
            levels,
            level_count,
        })
    }

    /// Returns the hash algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.root_hash.algorithm()
    }

    /// Returns the salt, without padding.
    pub fn salt(&self) -> &[u8] {
        self.salt.get(..self.salt_len).unwrap_or(&[])
    }

    /// Returns the size of the data, in bytes.
    pub fn data_len(&self) -> usize {
        self.data_len
    }

    /// Returns the number of the data's blocks.
    pub fn data_blocks(&self) -> usize {
        self.data_len.div_ceil(BLOCK)
    }

    /// Returns the number of the tree's blocks.
    pub fn tree_blocks(&self) -> usize {
        self.levels()
            .iter()
            .fold(0, |sum: usize, (_, count)| sum.saturating_add(*count))
    }

    /// Returns the size of the tree, in bytes.
    pub fn tree_len(&self) -> usize {
        self.tree_blocks().saturating_mul(BLOCK)
    }

    /// Returns the levels from the leaves on: the number of the first block, and how many there
    /// are.
    pub fn levels(&self) -> &[(usize, usize)] {
        self.levels.get(..self.level_count).unwrap_or(&[])
    }

    /// Returns how many digests a block of the tree holds: a power of two.
    pub fn fanout(&self) -> usize {
        BLOCK / self.algorithm().digest_len()
    }

    /// Returns the digest of a block, which is padded if it is the last one and short.
    pub fn hash_block(&self, block: &[u8], hash: Hash) -> Digest {
        let nuls = |count| NULS.get(..count).unwrap_or(&[]);
        let salt = self.salt();
        // Padded to what the algorithm works on at a time.
        let prefix_len = salt.len().next_multiple_of(self.algorithm().input_block());
        let salt_padding = nuls(prefix_len.saturating_sub(salt.len()));
        let padding = nuls(BLOCK.saturating_sub(block.len()));
        hash(self.algorithm(), &[salt, salt_padding, block, padding])
    }

    /// Checks one block of the data, and what is above it in the tree up to what was checked
    /// before.
    ///
    /// Never hashes a block that `seen` has. Blocks behind the data's end are fine.
    ///
    /// # Errors
    ///
    /// The first [`Mismatch`] on the way down from the root.
    pub fn check(
        &self,
        data: &[u8],
        tree: &[u8],
        block: usize,
        seen: &impl Seen,
        hash: Hash,
    ) -> Result<(), Mismatch> {
        let data_bit = self.tree_blocks().saturating_add(block);
        if block >= self.data_blocks() || seen.has(data_bit) {
            return Ok(());
        }
        // Up, to the lowest level whose block is known to be right; above the highest is the root
        // hash.
        let is_known = |(level, start): (usize, usize)| {
            let at = self.position(level, block);
            seen.has(start.saturating_add(at.block))
        };
        let starts = self.levels().iter().map(|(start, _)| *start);
        let known = starts
            .clone()
            .enumerate()
            .position(|(level, start)| is_known((level, start)));
        let mut expected = match known {
            Some(level) => self.entry(tree, level, block),
            None => Some(self.root_hash),
        };
        // Down again.
        for level in (0..known.unwrap_or(self.level_count)).rev() {
            let (number, bytes) = self.tree_block(tree, level, block);
            let offset = number.saturating_mul(BLOCK);
            self.compare(bytes, expected, Some(level), offset, hash)?;
            seen.mark(number);
            expected = self.entry(tree, level, block);
        }
        let offset = block.saturating_mul(BLOCK);
        let bytes = piece(data, offset..offset.saturating_add(BLOCK));
        self.compare(bytes, expected, None, offset, hash)?;
        seen.mark(data_bit);
        Ok(())
    }

    /// Compares a block's digest with what it should be.
    fn compare(
        &self,
        bytes: &[u8],
        expected: Option<Digest>,
        level: Option<usize>,
        offset: usize,
        hash: Hash,
    ) -> Result<(), Mismatch> {
        let found = self.hash_block(bytes, hash);
        if Some(found) == expected {
            return Ok(());
        }
        Err(Mismatch {
            offset,
            level,
            found,
        })
    }

    /// Returns where the digest is that leads to a block of the data.
    fn position(&self, level: usize, block: usize) -> Position {
        let below = (0..level).fold(block, |block, _| block / self.fanout());
        Position {
            block: below / self.fanout(),
            entry: below % self.fanout(),
        }
    }

    /// Returns the tree's block above a block of the data: its number in the tree, and its bytes.
    fn tree_block<'a>(&self, tree: &'a [u8], level: usize, block: usize) -> (usize, &'a [u8]) {
        let start = self.levels().get(level).map_or(0, |(start, _)| *start);
        let number = start.saturating_add(self.position(level, block).block);
        let offset = number.saturating_mul(BLOCK);
        (number, piece(tree, offset..offset.saturating_add(BLOCK)))
    }

    /// Returns the digest in it that leads down.
    fn entry(&self, tree: &[u8], level: usize, block: usize) -> Option<Digest> {
        let size = self.algorithm().digest_len();
        let offset = self.position(level, block).entry.checked_mul(size)?;
        let (_, bytes) = self.tree_block(tree, level, block);
        Digest::new(self.algorithm(), bytes.get(offset..)?)
    }
}

/// The place of a digest in a level.
struct Position {
    /// The block's number in the level.
    block: usize,
    /// The digest's number in the block.
    entry: usize,
}

/// These bytes, as far as they are there.
fn piece(bytes: &[u8], range: Range<usize>) -> &[u8] {
    let end = range.end.min(bytes.len());
    bytes.get(range.start..end).unwrap_or(&[])
}
