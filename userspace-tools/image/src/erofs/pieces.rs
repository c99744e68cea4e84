// SPDX-License-Identifier: GPL-2.0-only

//! The pieces that a regular file consists of, and where each lies, whatever the layout of its inode is.

use std::ops::Range;

use super::inode::{Layout, Raw};
use super::steps::Steps;
use super::storage::Storage;
use super::{chunks, pclusters, ErofsError, Superblock};

/// The place of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In blocks of its own, or shared with the same piece of another file. In bytes from the start of the image.
    Blocks(Range<u64>),
    /// Behind the inode, in bytes from the start of the image.
    Inline(Range<u64>),
    /// At this offset in the packed inode, in bytes.
    Fragment(u64),
    /// Nowhere: it is all NUL.
    Hole,
}

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Bytes of the file.
    pub(super) len: u64,
    /// The way in which it is stored; of no use for a fragment, where the packed inode states it.
    pub(super) storage: Storage,
    pub(super) place: Place,
}

impl Piece {
    /// Returns a fragment, of a length and at an offset in the packed inode, both in bytes.
    pub(super) fn of_fragment(len: u64, offset: u64) -> Self {
        Self {
            len,
            storage: Storage::Incompressible,
            place: Place::Fragment(offset),
        }
    }
}

/// Calls `each` with the pieces of a regular file, in its order. Together they are as long as the file.
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
    let uncompressed = |len, place| Piece {
        len,
        storage: Storage::Uncompressed,
        place,
    };
    if let Some([in_blocks, tail]) = raw.places(sb)? {
        let len = |place: &Range<u64>| place.end.saturating_sub(place.start);
        if !in_blocks.is_empty() {
            each(uncompressed(len(&in_blocks), Place::Blocks(in_blocks)))?;
        }
        if !tail.is_empty() {
            each(uncompressed(len(&tail), Place::Inline(tail)))?;
        }
        return Ok(());
    }
    match raw.layout {
        Layout::Hole => each(uncompressed(raw.size, Place::Hole)),
        Layout::ChunkBased => chunks::of(image, sb, raw, steps, |len, blocks| {
            each(uncompressed(len, blocks.map_or(Place::Hole, Place::Blocks)))
        }),
        _ => pclusters::of(image, sb, raw, steps, each),
    }
}
