// SPDX-License-Identifier: GPL-2.0-only

//! Checks what is read of a sealed image, block by block, the first time each is read.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

use crate::{
    initrd::merkle::{
        Mismatch,
        Seen,
        Shape,
        BLOCK, //
    },
    sys::digest, //
};

/// The tree of an image that was found authentic, and which blocks have been found right.
pub(crate) struct Guard {
    /// The number of its layer, to be named in an error.
    layer: usize,
    shape: Shape,
    /// The place of the tree, in bytes from the start of the image.
    tree: Range<usize>,
    seen: Bitmap,
    /// Set once a mismatch has been reported: the first one is enough to know.
    has_complained: Atomic<bool>,
}

impl Guard {
    /// Nothing of the image has been read yet. Its tree is at `tree`, behind it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(layer: usize, shape: Shape, tree: Range<usize>) -> Result<Self> {
        let blocks = shape.tree_blocks().saturating_add(shape.data_blocks());
        Ok(Self {
            layer,
            shape,
            tree,
            seen: Bitmap::new(blocks)?,
            has_complained: Atomic::new(false),
        })
    }

    /// Checks what is about to be read at `range`; `memory` is the image with its tree behind it.
    ///
    /// Does not sleep. A block is checked once, unless two read it at the same moment.
    ///
    /// # Errors
    ///
    /// `EIO` if a block is not what the tree says.
    pub(crate) fn check(&self, memory: &[u8], range: Range<usize>) -> Result {
        let data = memory.get(..self.shape.data_len()).ok_or(EIO)?;
        let tree = memory.get(self.tree.clone()).ok_or(EIO)?;
        let end = range.end.min(data.len()).div_ceil(BLOCK);
        (range.start / BLOCK..end).try_for_each(|block| {
            let checked = self
                .shape
                .check(data, tree, block, &self.seen, digest::hash);
            checked.map_err(|mismatch| self.complain(&mismatch))
        })
    }

    /// Says what is wrong, once.
    fn complain(&self, mismatch: &Mismatch) -> Error {
        let Mismatch {
            offset,
            level,
            found,
        } = mismatch;
        if !self.has_complained.xchg(true, Relaxed) {
            let layer = self.layer;
            match level {
                None => pr_err!(
                    "layer {layer}: the block at offset {offset:#x} is not authentic: its digest \
                     is {found:x}\n"
                ),
                Some(level) => pr_err!(
                    "layer {layer}: the block at offset {offset:#x} of its tree, level {level}, \
                     is not authentic: its digest is {found:x}\n"
                ),
            }
        }
        EIO
    }
}

/// A bit for each block that has been found right. Nothing else depends on it, so no order is
/// needed.
struct Bitmap(KVVec<Atomic<u64>>);

impl Bitmap {
    fn new(bits: usize) -> Result<Self> {
        let words = bits.div_ceil(64);
        let mut map = KVVec::with_capacity(words, GFP_KERNEL)?;
        for _ in 0..words {
            map.push(Atomic::new(0), GFP_KERNEL)?;
        }
        Ok(Self(map))
    }
}

impl Seen for Bitmap {
    fn has(&self, block: usize) -> bool {
        let word = self.0.get(block / 64).map_or(0, |word| word.load(Relaxed));
        word & 1 << (block % 64) != 0
    }

    fn mark(&self, block: usize) {
        let Some(word) = self.0.get(block / 64) else {
            return;
        };
        let mut old = word.load(Relaxed);
        while let Err(now) = word.cmpxchg(old, old | 1 << (block % 64), Relaxed) {
            old = now;
        }
    }
}
