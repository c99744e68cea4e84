// SPDX-License-Identifier: GPL-2.0-only

//! Sealing an image: the trailer with which the kernel can check what it reads
//! (`Documentation/image-format.rst`).

use initoverlayfs_core::initrd::digest::{Algorithm, Digest};
use initoverlayfs_core::initrd::merkle::{Mismatch, Seen, Shape, BLOCK};
use initoverlayfs_core::initrd::seal::{
    Seal, SealError, DESCRIPTOR_AT, DESCRIPTOR_LEN, HEADER_BLOCK, MAX_SIGNATURE,
};
use initoverlayfs_core::initrd::Segment;
use initoverlayfs_core::{hash, trailer};
use thiserror::Error;

use crate::initrd::{self, InitrdError};

/// Why an image cannot be sealed.
#[derive(Debug, Error)]
pub enum SealingError {
    /// The trailer that it has is of no use.
    #[error("its trailer {0}")]
    Damaged(#[from] SealError),
    /// The new one cannot be made.
    #[error(transparent)]
    Trailer(#[from] TrailerError),
}

/// Why a trailer cannot be made.
#[derive(Debug, Error)]
pub enum TrailerError {
    /// A salt that fs-verity has no room for.
    #[error("a salt of {0} bytes: at most 32 are possible")]
    Salt(usize),
    /// A signature that is longer than fs-verity's own limit.
    #[error("a signature of {0} bytes: at most {MAX_SIGNATURE} are possible")]
    Signature(usize),
    /// Nothing to seal.
    #[error("the image is empty")]
    Empty,
}

/// A Merkle tree that was built from an image.
pub struct Built {
    shape: Shape,
    tree: Vec<u8>,
}

impl Built {
    /// Hashes an image.
    ///
    /// # Errors
    ///
    /// [`TrailerError::Salt`] and [`TrailerError::Empty`].
    pub fn of(image: &[u8], algorithm: Algorithm, salt: &[u8]) -> Result<Self, TrailerError> {
        let none = Digest::new(algorithm, &[0; 64]).expect("the largest size");
        if image.is_empty() {
            return Err(TrailerError::Empty);
        }
        let mut shape =
            Shape::new(image.len(), none, salt).ok_or(TrailerError::Salt(salt.len()))?;
        let mut tree = vec![0; shape.tree_len()];
        let mut below = image;
        let mut level_bytes: Vec<u8>;
        for (start, _) in shape.levels() {
            level_bytes = digests(&shape, below);
            let at = start * BLOCK;
            tree[at..at + level_bytes.len()].copy_from_slice(&level_bytes);
            below = &level_bytes;
        }
        shape.root_hash = shape.hash_block(below, hash);
        Ok(Self { shape, tree })
    }

    /// Returns the fs-verity digest of the image: what `fsverity digest` prints.
    pub fn digest(&self) -> Digest {
        let descriptor = trailer::descriptor(&self.shape);
        hash(self.shape.algorithm(), &[&descriptor])
    }

    /// Returns the trailer, with a signature or an empty one.
    ///
    /// # Errors
    ///
    /// [`TrailerError::Signature`].
    pub fn trailer(&self, signature: &[u8]) -> Result<Vec<u8>, TrailerError> {
        let descriptor = trailer::descriptor(&self.shape);
        assemble(&descriptor, &self.tree, signature)
    }
}

/// Returns the digests of the blocks of some bytes, one after the other.
fn digests(shape: &Shape, bytes: &[u8]) -> Vec<u8> {
    let blocks = bytes.chunks(BLOCK);
    let digests = blocks.map(|block| shape.hash_block(block, hash));
    digests.flat_map(|digest| digest.bytes().to_vec()).collect()
}

/// Returns a trailer of its parts.
fn assemble(descriptor: &[u8], tree: &[u8], signature: &[u8]) -> Result<Vec<u8>, TrailerError> {
    if signature.len() > MAX_SIGNATURE {
        return Err(TrailerError::Signature(signature.len()));
    }
    let len = HEADER_BLOCK + tree.len() + signature.len().next_multiple_of(BLOCK);
    let mut trailer = trailer::header(len, signature.len()).to_vec();
    trailer.extend_from_slice(descriptor);
    trailer.resize(HEADER_BLOCK, 0);
    trailer.extend_from_slice(tree);
    trailer.extend_from_slice(signature);
    trailer.resize(len, 0);
    Ok(trailer)
}

/// Returns the same trailer with another signature.
///
/// # Errors
///
/// [`TrailerError::Signature`].
pub fn with_signature(
    trailer: &[u8],
    signature: &[u8],
    image_len: usize,
) -> Result<Vec<u8>, SealingError> {
    let seal = Seal::parse(trailer, image_len)?;
    let descriptor = &trailer[DESCRIPTOR_AT..DESCRIPTOR_AT + DESCRIPTOR_LEN];
    Ok(assemble(descriptor, seal.tree, signature)?)
}

/// Returns the images in an initrd, without a look at anything else.
///
/// # Errors
///
/// [`InitrdError`] if a segment is damaged.
pub fn images(initrd: &[u8]) -> Result<Vec<Segment>, InitrdError> {
    let segments = initrd::segments(initrd)?.into_iter();
    Ok(segments.filter(|segment| segment.kind.is_image()).collect())
}

/// Returns an initrd in which each of these images has the trailer that stands at its place in `trailers`.
pub fn with_trailers(initrd: &[u8], images: &[Segment], trailers: &[Vec<u8>]) -> Vec<u8> {
    let mut sealed =
        Vec::with_capacity(initrd.len() + trailers.iter().map(Vec::len).sum::<usize>());
    let mut done = 0;
    for (image, trailer) in images.iter().zip(trailers) {
        sealed.extend_from_slice(&initrd[done..image.range.end]);
        let padding = image.range.len().next_multiple_of(BLOCK) - image.range.len();
        sealed.resize(sealed.len() + padding, 0);
        sealed.extend_from_slice(trailer);
        done = image.trailer.end;
    }
    sealed.extend_from_slice(&initrd[done..]);
    sealed
}

/// Checks all of an image against its trailer.
///
/// # Errors
///
/// The first block that is not what the tree says.
pub fn check(image: &[u8], seal: &Seal<'_>) -> Result<(), Mismatch> {
    let blocks = seal.shape.data_blocks() + seal.shape.tree_blocks();
    let seen = Marks(vec![false.into(); blocks]);
    (0..seal.shape.data_blocks())
        .try_for_each(|block| seal.shape.check(image, seal.tree, block, &seen, hash))
}

/// Which blocks have been found right.
struct Marks(Vec<std::cell::Cell<bool>>);

impl Seen for Marks {
    fn has(&self, block: usize) -> bool {
        self.0[block].get()
    }

    fn mark(&self, block: usize) {
        self.0[block].set(true);
    }
}
