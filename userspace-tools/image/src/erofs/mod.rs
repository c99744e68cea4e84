// SPDX-License-Identifier: GPL-2.0-only

//! Reads an EROFS image into a tree, without mounting it.
//!
//! Names and attributes are read here, as `fs/erofs/erofs_fs.h` of Linux 7.3 lays them out; what
//! files hold, which may be compressed in many ways, `fsck.erofs` of erofs-utils takes out. Where it
//! lies, and how many bytes it takes, is read here, from the indexes.

mod block_map;
mod chunks;
mod contents;
mod extents;
mod fragments;
mod inode;
mod lclusters;
mod map_header;
mod pclusters;
mod pieces;
mod sizes;
mod steps;
mod storage;
mod superblock;
mod walk;
mod xattr;

use std::collections::HashMap;
use std::env;
use std::io;

use thiserror::Error;

use self::contents::Contents;
pub use self::extents::{extents, FileExtents};
use self::inode::Details;
pub use self::sizes::{FileSize, Share, Sizes};
pub use self::storage::{Amounts, Storage};
pub use self::superblock::Superblock;
use crate::disk_space;
use crate::programs::Program;
use crate::tree::{Id, Inode, Kind, Tree};

/// Why an image cannot be read. Offsets are in bytes from its start.
#[derive(Debug, Error)]
pub enum ErofsError {
    /// A structure that lies outside of the image.
    #[error("what should stand at offset {0:#x} lies beyond the end of the image")]
    Beyond(u64),
    /// A structure that makes no sense.
    #[error("{0} at offset {1:#x} makes no sense")]
    Damaged(&'static str, u64),
    /// Something that only newer tools know.
    #[error("{0} at offset {1:#x} is not supported here")]
    Unsupported(&'static str, u64),
    /// A directory that contains itself, or too many names.
    #[error("the directories at {0:?} do not end")]
    Endless(String),
    /// No such program.
    #[error("{name} cannot be run ({1}): install {package}, or name it in {variable}",
        name = .0.name, package = .0.package, variable = .0.variable)]
    Missing(&'static Program, io::Error),
    /// There is no room for what has to be unpacked.
    #[error("{0}: the disk is full: TMPDIR names another place for what is unpacked")]
    Full(String),
    /// `fsck.erofs` could not take the files out.
    #[error("fsck.erofs cannot read the image: {0}: install a newer erofs-utils, 1.8 at least and 1.9 for the feature 48bit, or name one in FSCK_EROFS")]
    Fsck(String),
    /// A temporary file.
    #[error("a temporary file cannot be used: {0}")]
    Temporary(io::Error),
}

impl From<io::Error> for ErofsError {
    fn from(error: io::Error) -> Self {
        if disk_space::is_lack_of_room(&error) {
            Self::full()
        } else {
            Self::Temporary(error)
        }
    }
}

impl ErofsError {
    fn full() -> Self {
        Self::Full(env::temp_dir().display().to_string())
    }

    /// Returns whether it is this machine that is at fault, so that nothing is known about the image.
    pub fn is_of_this_machine(&self) -> bool {
        matches!(self, Self::Missing(..) | Self::Full(_) | Self::Temporary(_))
    }
}

/// Reads all of an image.
///
/// # Errors
///
/// [`ErofsError`].
pub fn read(image: &[u8]) -> Result<Tree, ErofsError> {
    let superblock = Superblock::parse(image)?;
    let contents = Contents::extract(image)?;
    let mut tree = Tree::new();
    // Files that have a name already, by their number.
    let mut known: HashMap<u64, Id> = HashMap::new();
    walk::walk(image, &superblock, |path, nid, raw| {
        if let Some(id) = known.get(&nid) {
            tree.link(path, *id);
            return Ok(());
        }
        let kind = match raw.details {
            Details::Directory => Kind::Directory,
            Details::Regular => Kind::Regular(contents.of(path, raw.size)?.into()),
            Details::Symlink => Kind::Symlink(raw.data(image, &superblock)?),
            Details::Character(major, minor) => Kind::Character(major, minor),
            Details::Block(major, minor) => Kind::Block(major, minor),
            Details::Fifo => Kind::Fifo,
            Details::Socket => Kind::Socket,
        };
        let inode = Inode {
            kind,
            mode: raw.mode,
            uid: raw.uid,
            gid: raw.gid,
            mtime: raw.mtime,
            xattrs: xattr::read(image, &superblock, raw)?,
        };
        known.insert(nid, tree.insert(path, inode));
        Ok(())
    })?;
    Ok(tree)
}

/// `len` bytes at an offset.
fn bytes_at(image: &[u8], offset: u64, len: u64) -> Result<&[u8], ErofsError> {
    let beyond = ErofsError::Beyond(offset);
    let range = || {
        let end = offset.checked_add(len)?;
        Some(usize::try_from(offset).ok()?..usize::try_from(end).ok()?)
    };
    range().and_then(|range| image.get(range)).ok_or(beyond)
}

/// Returns a little-endian number of `N` bytes at an offset.
fn array<const N: usize>(image: &[u8], offset: u64) -> Result<[u8; N], ErofsError> {
    let beyond = || ErofsError::Beyond(offset);
    let at = usize::try_from(offset).map_err(|_| beyond())?;
    image
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .ok_or_else(beyond)
}

fn u16_at(image: &[u8], offset: u64) -> Result<u16, ErofsError> {
    array(image, offset).map(u16::from_le_bytes)
}

fn u32_at(image: &[u8], offset: u64) -> Result<u32, ErofsError> {
    array(image, offset).map(u32::from_le_bytes)
}

fn u64_at(image: &[u8], offset: u64) -> Result<u64, ErofsError> {
    array(image, offset).map(u64::from_le_bytes)
}
