// SPDX-License-Identifier: GPL-2.0-only

//! The place in an image where the data of each file lies.

use std::collections::BTreeMap;
use std::ops::Range;

use super::fragments::Packed;
use super::inode::{Details, Raw};
use super::pieces::{self, Place};
use super::steps::Steps;
use super::{bytes_at, walk, ErofsError, Superblock};

/// A regular file, and where its data lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileExtents {
    /// The names.
    pub paths: Vec<Vec<u8>>,
    /// In bytes from the start of the image, in the order of the file. Of an empty file there is none. Those of a
    /// fragment hold the ends of other files, too.
    pub extents: Vec<Range<u64>>,
}

/// Finds the data of all regular files of an image, in the order of their inodes. The time that this takes is limited
/// by the size of the image.
///
/// # Errors
///
/// [`ErofsError::Beyond`], [`ErofsError::Damaged`], [`ErofsError::Unsupported`], [`ErofsError::Endless`].
pub fn extents(image: &[u8]) -> Result<Vec<FileExtents>, ErofsError> {
    let superblock = Superblock::parse(image)?;
    let steps = Steps::of(image);
    let packed = Packed::read(image, &superblock, &steps)?;
    let finder = Finder {
        image,
        superblock: &superblock,
        packed,
        steps,
    };
    let mut files: BTreeMap<u64, FileExtents> = BTreeMap::new();
    walk::walk(image, &superblock, |path, nid, raw| {
        if raw.details != Details::Regular {
            return Ok(());
        }
        if let Some(file) = files.get_mut(&nid) {
            file.paths.push(path.to_vec());
            return Ok(());
        }
        let paths = vec![path.to_vec()];
        let extents = finder.file(raw)?;
        files.insert(nid, FileExtents { paths, extents });
        Ok(())
    })?;
    Ok(files.into_values().collect())
}

/// Finds the data of files.
struct Finder<'a> {
    image: &'a [u8],
    superblock: &'a Superblock,
    packed: Option<Packed>,
    steps: Steps,
}

impl Finder<'_> {
    /// Returns the extents of a regular file.
    fn file(&self, raw: &Raw) -> Result<Vec<Range<u64>>, ErofsError> {
        let mut extents = Vec::new();
        let mut add = |extent: Range<u64>| {
            let len = extent.end.saturating_sub(extent.start);
            bytes_at(self.image, extent.start, len)?;
            if len > 0 {
                extents.push(extent);
            }
            Ok(())
        };
        let (image, sb, steps) = (self.image, self.superblock, &self.steps);
        pieces::of(image, sb, raw, steps, |piece| match piece.place {
            Place::Blocks(extent) | Place::Inline(extent) => add(extent),
            Place::Hole => Ok(()),
            Place::Fragment(start) => {
                let damaged = || ErofsError::Damaged("the fragment of the inode", raw.offset);
                let end = start.checked_add(piece.len).ok_or_else(damaged)?;
                let packed = self.packed.as_ref().ok_or_else(damaged)?;
                packed.places(&(start..end), steps, &mut add)
            }
        })?;
        Ok(extents)
    }
}
