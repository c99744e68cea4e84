// SPDX-License-Identifier: GPL-2.0-only

//! The way through the directories of an image.

use std::collections::HashSet;

use super::inode::{Details, Raw};
use super::{ErofsError, Superblock};
use crate::tree::join;

/// The most names that an image may have here.
const MOST_NAMES: usize = 4_000_000;

/// The most directories that may lie in each other; no path is longer than 4096 bytes.
const DEEPEST: usize = 2048;

/// Calls `each` with every path, the number of its file and the inode, a directory before what is in
/// it. The root is first; its path is empty.
pub(super) fn walk<'a>(
    image: &'a [u8],
    superblock: &'a Superblock,
    each: impl FnMut(&[u8], u64, &Raw) -> Result<(), ErofsError>,
) -> Result<(), ErofsError> {
    let mut walk = Walk {
        image,
        superblock,
        directories: HashSet::new(),
        names: 0,
        each,
    };
    walk.visit(&[], superblock.root, 0)
}

struct Walk<'a, F> {
    image: &'a [u8],
    superblock: &'a Superblock,
    /// The directories that were met, by their number.
    directories: HashSet<u64>,
    names: usize,
    each: F,
}

impl<F: FnMut(&[u8], u64, &Raw) -> Result<(), ErofsError>> Walk<'_, F> {
    fn visit(&mut self, path: &[u8], nid: u64, depth: usize) -> Result<(), ErofsError> {
        let raw = Raw::read(self.image, self.superblock, nid)?;
        let is_directory = raw.details == Details::Directory;
        self.names += 1;
        let is_met = is_directory && !self.directories.insert(nid);
        if is_met || self.names > MOST_NAMES || depth > DEEPEST {
            return Err(ErofsError::Endless(
                String::from_utf8_lossy(path).into_owned(),
            ));
        }
        (self.each)(path, nid, &raw)?;
        if is_directory {
            for (name, nid) in raw.entries(self.image, self.superblock)? {
                self.visit(&join(path, &name), nid, depth + 1)?;
            }
        }
        Ok(())
    }
}
