// SPDX-License-Identifier: GPL-2.0-only

//! The parts of an image's size: how many bytes each file takes, and how these are stored.
//!
//! All of it stands in the inodes and in the indexes of files. Nothing is decompressed.

use std::collections::HashSet;
use std::ops::Range;

use super::block_map::BlockMap;
use super::inode::{Details, Raw};
use super::pieces::{self, Place};
use super::steps::Steps;
use super::storage::{Amounts, Storage};
use super::{bytes_at, walk, ErofsError, Superblock};

/// A file, and the bytes that it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSize {
    /// The first name, without a slash in front.
    pub path: Vec<u8>,
    /// Bytes of the file.
    pub contents: Amounts,
    /// Bytes of the image. A block counts as a whole. What several files share counts for the first of them. Of the
    /// packed inode, in which ends of files (fragments) are stored together, each has a share by its length.
    pub stored: Amounts,
}

/// All that makes up the size of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The regular files that have contents.
    pub files: Vec<FileSize>,
    /// Bytes of the image that are not the contents of files: the superblock, inodes, directories, links, attributes,
    /// indexes, and the padding between them.
    pub metadata: u64,
}

/// The files, or pieces of them, that are stored in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The number of files that have such bytes.
    pub files: u64,
    /// Bytes of these files that are stored so.
    pub contents: u64,
    /// Bytes of the image that these take.
    pub stored: u64,
}

impl Sizes {
    /// Counts the bytes of an image. The time that this takes is limited by the size of the image.
    ///
    /// # Errors
    ///
    /// [`ErofsError::Beyond`], [`ErofsError::Damaged`], [`ErofsError::Unsupported`], [`ErofsError::Endless`].
    pub fn of(image: &[u8]) -> Result<Self, ErofsError> {
        let superblock = Superblock::parse(image)?;
        let mut counter = Counter {
            image,
            superblock: &superblock,
            map: BlockMap::new(image, &superblock),
            steps: Steps::of(image),
        };
        let (mut files, mut known) = (Vec::new(), HashSet::new());
        // Files that have a fragment, and its bytes.
        let mut fragments = Vec::new();
        walk::walk(image, &superblock, |path, nid, raw| {
            if raw.details != Details::Regular || raw.size == 0 || !known.insert(nid) {
                return Ok(());
            }
            let (file, fragment) = counter.file(path, raw)?;
            if fragment > 0 {
                fragments.push((files.len(), fragment));
            }
            files.push(file);
            Ok(())
        })?;
        if let Some(nid) = superblock.packed_inode() {
            let raw = Raw::read(image, &superblock, nid)?;
            let (packed, _) = counter.file(&[], &raw)?;
            share_out(&packed, &fragments, &mut files)?;
        } else if !fragments.is_empty() {
            return Err(ErofsError::Damaged("the number of the packed inode", 1120));
        }
        let mut stored = files.iter().map(|file| file.stored.total());
        let stored = stored.try_fold(0_u64, u64::checked_add);
        let size = u64::try_from(image.len()).unwrap_or(u64::MAX);
        let metadata = stored.and_then(|stored| size.checked_sub(stored));
        let metadata = metadata.ok_or(ErofsError::Damaged("the size of all files together", 0))?;
        Ok(Self { files, metadata })
    }

    /// Returns the share of each way of storing that occurs.
    pub fn shares(&self) -> impl Iterator<Item = (Storage, Share)> + '_ {
        let share = |storage| {
            let mut share = Share::default();
            for file in &self.files {
                let (contents, stored) = (file.contents.of(storage), file.stored.of(storage));
                share.files += u64::from(contents > 0);
                share.contents = share.contents.saturating_add(contents);
                share.stored = share.stored.saturating_add(stored);
            }
            (storage, share)
        };
        let shares = Storage::ALL.into_iter().map(share);
        shares.filter(|(_, share)| *share != Share::default())
    }
}

/// Counts files, one after the other.
struct Counter<'a> {
    image: &'a [u8],
    superblock: &'a Superblock,
    /// The blocks of the files before.
    map: BlockMap,
    steps: Steps,
}

impl Counter<'_> {
    /// Counts a regular file. Returns the bytes of its fragment, too, which are not part of the counts.
    fn file(&mut self, path: &[u8], raw: &Raw) -> Result<(FileSize, u64), ErofsError> {
        let (image, sb, steps) = (self.image, self.superblock, &self.steps);
        let map = &mut self.map;
        let (mut contents, mut stored) = (Amounts::default(), Amounts::default());
        let mut fragment = 0;
        pieces::of(image, sb, raw, steps, |piece| {
            let bytes = match piece.place {
                Place::Blocks(place) => map.count(place, steps, raw.offset)?,
                Place::Inline(place) => inline(image, place)?,
                Place::Hole => 0,
                Place::Fragment(_) => {
                    fragment = piece.len;
                    return Ok(());
                }
            };
            contents.add(piece.storage, piece.len)?;
            stored.add(piece.storage, bytes)
        })?;
        let path = path.to_vec();
        let file = FileSize {
            path,
            contents,
            stored,
        };
        Ok((file, fragment))
    }
}

/// Adds the packed inode to the files that have fragments, which are given by their place in `files` and their bytes.
/// All of its bytes are shared out, and none twice; without fragments, none.
fn share_out(
    packed: &FileSize,
    fragments: &[(usize, u64)],
    files: &mut [FileSize],
) -> Result<(), ErofsError> {
    let all: u128 = fragments.iter().map(|(_, len)| u128::from(*len)).sum();
    let main = packed.contents.main();
    // The part of an amount that belongs to the first so many bytes of all fragments.
    let part = |amount: u64, bytes: u128| {
        let part = u128::from(amount).saturating_mul(bytes).checked_div(all);
        u64::try_from(part.unwrap_or(0)).unwrap_or(u64::MAX)
    };
    let contents_len = u128::from(packed.contents.total());
    let mut before = 0;
    for (index, len) in fragments {
        let until = before + u128::from(*len);
        let mut left = *len;
        for storage in Storage::ALL {
            let amount = packed.stored.of(storage);
            let bytes = part(amount, until) - part(amount, before);
            files[*index].stored.add(storage, bytes)?;
            if storage == main {
                continue;
            }
            let bytes = u128::from(packed.contents.of(storage)) * u128::from(*len);
            let bytes = bytes.checked_div(contents_len).unwrap_or(0);
            let bytes = u64::try_from(bytes).unwrap_or(left).min(left);
            files[*index].contents.add(storage, bytes)?;
            left -= bytes;
        }
        files[*index].contents.add(main, left)?;
        before = until;
    }
    Ok(())
}

/// Returns the bytes of a place that does not consist of blocks.
fn inline(image: &[u8], place: Range<u64>) -> Result<u64, ErofsError> {
    let len = place.end.saturating_sub(place.start);
    bytes_at(image, place.start, len).map(|_| len)
}
