// SPDX-License-Identifier: GPL-2.0-only

//! Reads an EROFS image into a tree, without mounting it.
//!
//! Names and attributes are read here, as `fs/erofs/erofs_fs.h` of Linux 7.3 lays them out; what
//! files hold, which may be compressed in many ways, `fsck.erofs` of erofs-utils takes out.

mod contents;
mod inode;
mod superblock;
mod xattr;

use std::collections::HashMap;
use std::io;

use thiserror::Error;

use self::contents::Contents;
use self::inode::{Details, Raw};
pub use self::superblock::Superblock;
use crate::tree::{Content, Id, Inode, Kind, Tree};

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
    /// `fsck.erofs` could not take the files out.
    #[error("fsck.erofs cannot read the image: {0}: is erofs-utils 1.8 or newer installed? FSCK_EROFS names another one")]
    Fsck(String),
    /// A temporary file.
    #[error("a temporary file cannot be used")]
    Temporary(#[from] io::Error),
}

/// As many names as an image may have here.
const MOST_NAMES: usize = 4_000_000;

/// As deep as directories may lie in each other; no path is longer than 4096 bytes.
const DEEPEST: usize = 2048;

/// Reads all of an image.
///
/// # Errors
///
/// [`ErofsError`].
pub fn read(image: &[u8]) -> Result<Tree, ErofsError> {
    let superblock = Superblock::parse(image)?;
    let mut walk = Walk {
        image,
        contents: Contents::extract(image)?,
        known: HashMap::new(),
        tree: Tree::new(),
        superblock,
    };
    walk.visit(&[], walk.superblock.root, 0)?;
    Ok(walk.tree)
}

/// The way through the directories.
struct Walk<'a> {
    image: &'a [u8],
    superblock: Superblock,
    contents: Contents,
    /// Files that have a name already, by their number.
    known: HashMap<u64, Id>,
    tree: Tree,
}

impl Walk<'_> {
    fn visit(&mut self, path: &[u8], nid: u64, depth: usize) -> Result<(), ErofsError> {
        let endless = || ErofsError::Endless(String::from_utf8_lossy(path).into_owned());
        if let Some(id) = self.known.get(&nid).copied() {
            if self.tree.inode(id).is_directory() {
                return Err(endless());
            }
            self.tree.link(path, id);
            return Ok(());
        }
        if self.tree.len() > MOST_NAMES || depth > DEEPEST {
            return Err(endless());
        }
        let raw = Raw::read(self.image, &self.superblock, nid)?;
        let kind = match raw.details {
            Details::Directory => Kind::Directory,
            Details::Regular => Kind::Regular(self.content(path)?),
            Details::Symlink => Kind::Symlink(raw.data(self.image, &self.superblock)?),
            Details::Character(major, minor) => Kind::Character(major, minor),
            Details::Block(major, minor) => Kind::Block(major, minor),
            Details::Fifo => Kind::Fifo,
            Details::Socket => Kind::Socket,
        };
        let is_directory = kind == Kind::Directory;
        let inode = Inode {
            kind,
            mode: raw.mode,
            uid: raw.uid,
            gid: raw.gid,
            mtime: raw.mtime,
            xattrs: xattr::read(self.image, &self.superblock, &raw)?,
        };
        let id = self.tree.insert(path, inode);
        self.known.insert(nid, id);
        if is_directory {
            for (name, nid) in raw.entries(self.image, &self.superblock)? {
                let below = if path.is_empty() {
                    name
                } else {
                    [path, b"/", &name[..]].concat()
                };
                self.visit(&below, nid, depth + 1)?;
            }
        }
        Ok(())
    }

    fn content(&self, path: &[u8]) -> Result<Content, ErofsError> {
        Ok(self.contents.of(path)?.into())
    }
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

/// A little-endian number of `N` bytes at an offset.
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
