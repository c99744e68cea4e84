// SPDX-License-Identifier: GPL-2.0-only

//! The packed inode, in which fragments are stored together: the ends of files, or all of them.

use std::ops::Range;

use super::inode::Raw;
use super::pieces::{self, Place};
use super::steps::Steps;
use super::storage::Storage;
use super::{ErofsError, Superblock};

/// A piece of the packed inode.
struct Part {
    /// The place in the packed inode, in bytes.
    bytes: Range<u64>,
    storage: Storage,
    /// In bytes from the start of the image; empty for a hole.
    stored: Range<u64>,
}

/// The packed inode of an image.
pub(super) struct Packed {
    /// The place of the inode, in bytes from the start of the image.
    offset: u64,
    /// In the order of the packed inode. Each starts where the one before ends.
    parts: Vec<Part>,
}

impl Packed {
    /// Finds the data of the packed inode; nothing if the image has none.
    ///
    /// # Errors
    ///
    /// [`ErofsError::Beyond`], [`ErofsError::Damaged`], [`ErofsError::Unsupported`].
    pub(super) fn read(
        image: &[u8],
        sb: &Superblock,
        steps: &Steps,
    ) -> Result<Option<Self>, ErofsError> {
        let Some(nid) = sb.packed_inode() else {
            return Ok(None);
        };
        let raw = Raw::read(image, sb, nid)?;
        let damaged = || ErofsError::Damaged("the packed inode", raw.offset);
        let (mut parts, mut start) = (Vec::new(), 0_u64);
        pieces::of(image, sb, &raw, steps, |piece| {
            let end = start.checked_add(piece.len).ok_or_else(damaged)?;
            let stored = match piece.place {
                Place::Blocks(stored) | Place::Inline(stored) => stored,
                Place::Hole => 0..0,
                Place::Fragment(_) => return Err(damaged()),
            };
            parts.push(Part {
                bytes: start..end,
                storage: piece.storage,
                stored,
            });
            start = end;
            Ok(())
        })?;
        let offset = raw.offset;
        Ok(Some(Self { offset, parts }))
    }

    /// Calls `each` with the places that hold a fragment, given by its place in the packed inode in bytes. These are in
    /// bytes from the start of the image. Of a compressed piece, all of its place is needed.
    ///
    /// # Errors
    ///
    /// [`ErofsError::Damaged`] for a fragment that is not inside, and if the steps are used up; errors of `each`.
    pub(super) fn places(
        &self,
        fragment: &Range<u64>,
        steps: &Steps,
        mut each: impl FnMut(Range<u64>) -> Result<(), ErofsError>,
    ) -> Result<(), ErofsError> {
        let end = self.parts.last().map_or(0, |part| part.bytes.end);
        if fragment.end > end {
            return Err(ErofsError::Damaged(
                "a fragment in the packed inode",
                self.offset,
            ));
        }
        let first = self
            .parts
            .partition_point(|part| part.bytes.end <= fragment.start);
        let parts = self.parts.iter().skip(first);
        for part in parts.take_while(|part| part.bytes.start < fragment.end) {
            steps.take(1, self.offset)?;
            let mut stored = part.stored.clone();
            if part.storage == Storage::Uncompressed {
                let skipped = fragment.start.saturating_sub(part.bytes.start);
                let left = part.bytes.end.saturating_sub(fragment.end);
                let len = part.bytes.end - part.bytes.start;
                let (start, end) = (
                    stored.start,
                    stored.end.min(stored.start.saturating_add(len)),
                );
                stored = start.saturating_add(skipped).min(end)..end.saturating_sub(left);
            }
            each(stored)?;
        }
        Ok(())
    }
}
