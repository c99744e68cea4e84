// SPDX-License-Identifier: GPL-2.0-only

//! The blocks of an image that were counted, so that none is counted twice.

use std::ops::Range;

use super::steps::Steps;
use super::{ErofsError, Superblock};

/// A bit for each block, set if it was counted.
pub(super) struct BlockMap {
    words: Vec<u64>,
    blocks: u64,
    block_size: u64,
}

impl BlockMap {
    /// Returns that of an image of which no block was counted.
    pub(super) fn new(image: &[u8], sb: &Superblock) -> Self {
        let blocks = u64::try_from(image.len()).unwrap_or(u64::MAX) / sb.block_size();
        let words = usize::try_from(blocks.div_ceil(64)).unwrap_or(usize::MAX);
        Self {
            words: vec![0; words],
            blocks,
            block_size: sb.block_size(),
        }
    }

    /// Counts the blocks at a place, given in bytes from the start of the image. Returns the bytes of those that were
    /// not counted before.
    ///
    /// # Errors
    ///
    /// [`ErofsError::Beyond`] for a place outside of the image. Errors of [`Steps::take`].
    pub(super) fn count(
        &mut self,
        place: Range<u64>,
        steps: &Steps,
        inode: u64,
    ) -> Result<u64, ErofsError> {
        if place.is_empty() {
            return Ok(0);
        }
        let (first, end) = (
            place.start / self.block_size,
            place.end.div_ceil(self.block_size),
        );
        if end > self.blocks {
            return Err(ErofsError::Beyond(place.start));
        }
        let words = first / 64..end.div_ceil(64);
        steps.take(words.end - words.start, inode)?;
        let mut new = 0;
        for number in words {
            let from = first.saturating_sub(number * 64).min(63);
            let to = (end - number * 64).min(64);
            let mask = (u64::MAX << from) & (u64::MAX >> (64 - to));
            let index = usize::try_from(number).unwrap_or(usize::MAX);
            let word = self.words.get_mut(index);
            let word = word.ok_or(ErofsError::Beyond(place.start))?;
            new += u64::from((mask & !*word).count_ones());
            *word |= mask;
        }
        // No more than the image has.
        Ok(new * self.block_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(blocks: u64) -> BlockMap {
        BlockMap {
            words: vec![0; 8],
            blocks,
            block_size: 4096,
        }
    }

    #[test]
    fn blocks_are_counted_once() {
        let (mut map, steps) = (map(200), Steps::of(&[0; 64]));
        let mut count = |range: Range<u64>| {
            let place = range.start * 4096..range.end * 4096;
            map.count(place, &steps, 0).expect("it is inside") / 4096
        };
        assert_eq!(count(10..10), 0);
        assert_eq!(count(63..65), 2);
        assert_eq!(count(0..64), 63);
        assert_eq!(count(0..128), 63);
        assert_eq!(count(127..200), 72);
        assert_eq!(count(0..200), 0);
    }

    #[test]
    fn parts_of_blocks_count_as_a_whole() {
        let (mut map, steps) = (map(200), Steps::of(&[0; 64]));
        assert_eq!(map.count(4095..4097, &steps, 0).expect("inside"), 8192);
        assert!(map.count(0..200 * 4096 + 1, &steps, 0).is_err());
    }
}
