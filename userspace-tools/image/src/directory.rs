// SPDX-License-Identifier: GPL-2.0-only

//! A directory becomes a tree, with the owners that its files have.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::content::{self, Content};
use crate::tree::{Id, Inode, Kind, Time, Tree, Xattrs};

/// A file that cannot be read.
#[derive(Debug, Error)]
#[error("{}: {cause}", path.display())]
pub struct DirectoryError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub cause: io::Error,
}

/// Reads a directory and all below it, without following links. Large files are read when their contents are.
///
/// # Errors
///
/// [`DirectoryError`] for the first file that cannot be read.
pub fn read(directory: &Path) -> Result<Tree, DirectoryError> {
    let mut tree = Tree::new();
    let mut links = HashMap::new();
    visit(&mut tree, &mut links, directory, &[])?;
    Ok(tree)
}

fn visit(
    tree: &mut Tree,
    links: &mut HashMap<(u64, u64), Id>,
    place: &Path,
    path: &[u8],
) -> Result<(), DirectoryError> {
    let fail = |cause| DirectoryError {
        path: place.to_owned(),
        cause,
    };
    // The source itself may be given by a link.
    let read = if path.is_empty() {
        fs::metadata
    } else {
        fs::symlink_metadata
    };
    let metadata = read(place).map_err(fail)?;
    let identity = (metadata.dev(), metadata.ino());
    if let Some(id) = links.get(&identity) {
        tree.link(path, *id);
        return Ok(());
    }
    let inode = Inode {
        kind: kind(place, &metadata).map_err(fail)?,
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: Time {
            seconds: metadata.mtime(),
            nanoseconds: u32::try_from(metadata.mtime_nsec()).unwrap_or_default(),
        },
        xattrs: xattrs(place).map_err(fail)?,
    };
    let id = tree.insert(path, inode);
    if !metadata.is_dir() {
        if metadata.nlink() > 1 {
            links.insert(identity, id);
        }
        return Ok(());
    }
    for entry in fs::read_dir(place).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name();
        let below = match path {
            [] => name.as_bytes().to_vec(),
            path => [path, b"/", name.as_bytes()].concat(),
        };
        visit(tree, links, &place.join(name), &below)?;
    }
    Ok(())
}

fn kind(place: &Path, metadata: &Metadata) -> io::Result<Kind> {
    let file_type = metadata.file_type();
    let (major, minor) = (major(metadata.rdev()), minor(metadata.rdev()));
    Ok(if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_file() {
        Kind::Regular(content(place, metadata.len())?)
    } else if file_type.is_symlink() {
        Kind::Symlink(fs::read_link(place)?.as_os_str().as_bytes().to_vec())
    } else if file_type.is_char_device() {
        Kind::Character(major, minor)
    } else if file_type.is_block_device() {
        Kind::Block(major, minor)
    } else if file_type.is_fifo() {
        Kind::Fifo
    } else {
        Kind::Socket
    })
}

/// Returns what a file holds, which has to be readable now.
fn content(place: &Path, len: u64) -> io::Result<Content> {
    if len < content::LARGE {
        return Ok(fs::read(place)?.into());
    }
    File::open(place)?;
    let len = usize::try_from(len).map_err(io::Error::other)?;
    Ok(Content::named(place.to_owned(), len))
}

/// Returns the major number of a device as `stat()` of the C library returns it.
fn major(device: u64) -> u32 {
    u32::try_from((device >> 8 & 0xfff) | (device >> 32 & 0xffff_f000)).unwrap_or_default()
}

fn minor(device: u64) -> u32 {
    u32::try_from((device & 0xff) | (device >> 12 & 0xffff_ff00)).unwrap_or_default()
}

fn xattrs(place: &Path) -> io::Result<Xattrs> {
    let mut xattrs = Xattrs::new();
    let names = match xattr::list(place) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(xattrs),
        Err(error) => return Err(error),
    };
    for name in names {
        if let Some(value) = xattr::get(place, &name)? {
            xattrs.insert(name.as_bytes().to_vec(), value);
        }
    }
    Ok(xattrs)
}
