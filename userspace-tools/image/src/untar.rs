// SPDX-License-Identifier: GPL-2.0-only

//! Tarballs become a tree, one over the other, as the layers of a container image do: a file named
//! `.wh.NAME` takes `NAME` of the layers below away, `.wh..wh..opq` all that its directory has there
//! (the layer specification of the Open Container Initiative).

use std::collections::HashSet;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use tar::{Archive, Entry, EntryType};
use thiserror::Error;

use crate::compression::{DecompressError, Method};
use crate::tree::{join, split, Inode, Kind, Time, Tree, Xattrs};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const XATTR: &str = "SCHILY.xattr.";

/// Tarballs consist of blocks of this size, in bytes.
const BLOCK: usize = 512;

/// Why a tarball cannot be read.
#[derive(Debug, Error)]
pub enum TarError {
    /// Something else.
    #[error("this is no tarball (an image, perhaps, or a cpio archive, which `convert` takes)")]
    NoTarball,
    /// It is compressed and damaged.
    #[error(transparent)]
    Compressed(#[from] DecompressError),
    /// It is no tarball, or damaged.
    #[error("this is no tarball")]
    Damaged(#[from] io::Error),
    /// A name that leads out of the tree.
    #[error("the entry {0:?} at offset {1:#x} leads out of the tree")]
    Outside(String, u64),
    /// A link to what is not there.
    #[error("the entry {0:?} at offset {1:#x} links to a name that is not there")]
    Link(String, u64),
    /// A kind of file that a tree cannot hold.
    #[error("the entry {0:?} at offset {1:#x} is of a kind that is not supported")]
    Kind(String, u64),
}

/// Puts a tarball over a tree. It may be compressed.
///
/// # Errors
///
/// [`TarError`]; offsets are in bytes from the start of the tarball, decompressed.
pub fn cover(tree: &mut Tree, bytes: &[u8]) -> Result<(), TarError> {
    let decompressed = Method::of(bytes)
        .map(|method| method.decompress(bytes))
        .transpose()?;
    let bytes = decompressed.as_ref().map_or(bytes, |(bytes, _)| bytes);
    // A block of NULs ends a tarball: an image, and much else, would pass for an empty one.
    let is_empty = bytes.iter().take(BLOCK).all(|byte| *byte == 0);
    if bytes.len() < BLOCK || is_empty && bytes.iter().any(|byte| *byte != 0) {
        return Err(TarError::NoTarball);
    }
    // What this layer itself has put there, which its own whiteouts do not take away.
    let mut own = HashSet::new();
    for entry in Archive::new(bytes).entries()? {
        apply(tree, entry?, Some(&mut own))?;
    }
    Ok(())
}

/// Reads a tarball in which every name stands for itself.
///
/// # Errors
///
/// As for [`cover`].
pub fn read(bytes: &[u8]) -> Result<Tree, TarError> {
    let mut tree = Tree::new();
    for entry in Archive::new(bytes).entries()? {
        apply(&mut tree, entry?, None)?;
    }
    Ok(tree)
}

/// Puts an entry over a tree, or does what it says if it is a whiteout of a layer, whose own names are
/// `own`.
fn apply(
    tree: &mut Tree,
    mut entry: Entry<'_, impl Read>,
    own: Option<&mut HashSet<Vec<u8>>>,
) -> Result<(), TarError> {
    let offset = entry.raw_header_position();
    let name = entry.path()?.into_owned();
    let shown = || name.display().to_string();
    let path = place(&name).ok_or_else(|| TarError::Outside(shown(), offset))?;
    let (directory, file) = split(&path);
    if let Some(own) = own {
        if file == OPAQUE {
            hide(tree, &below(tree, directory), own);
            return Ok(());
        }
        if let Some(hidden) = file.strip_prefix(WHITEOUT) {
            let hidden = join(directory, hidden);
            let mut gone = below(tree, &hidden);
            gone.push(hidden);
            hide(tree, &gone, own);
            return Ok(());
        }
        own.insert(path.clone());
    }
    make_parents(tree, directory);
    let header = entry.header();
    let kind = match header.entry_type() {
        EntryType::Directory => Kind::Directory,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            Kind::Regular(content.into())
        }
        EntryType::Symlink => {
            let target = entry.link_name_bytes().unwrap_or_default();
            Kind::Symlink(target.into_owned())
        }
        EntryType::Link => {
            let target = entry.link_name()?.unwrap_or_default();
            let id = place(&target).and_then(|target| tree.id(&target));
            let id = id.ok_or_else(|| TarError::Link(shown(), offset))?;
            if tree.id(&path) != Some(id) {
                tree.remove(&path);
                tree.link(&path, id);
            }
            return Ok(());
        }
        EntryType::Char | EntryType::Block => {
            let major = header.device_major()?.unwrap_or_default();
            let minor = header.device_minor()?.unwrap_or_default();
            let is_block = header.entry_type() == EntryType::Block;
            if is_block {
                Kind::Block(major, minor)
            } else {
                Kind::Character(major, minor)
            }
        }
        EntryType::Fifo => Kind::Fifo,
        EntryType::XGlobalHeader => return Ok(()),
        _ => return Err(TarError::Kind(shown(), offset)),
    };
    let inode = inode(&mut entry, kind)?;
    match tree.id(&path) {
        Some(id) if inode.is_directory() && tree.inode(id).is_directory() => {
            *tree.inode_mut(id) = inode;
        }
        _ => {
            tree.remove(&path);
            tree.insert(&path, inode);
        }
    }
    Ok(())
}

/// Attributes from the header and from what pax adds to it.
fn inode(entry: &mut Entry<'_, impl Read>, kind: Kind) -> io::Result<Inode> {
    let mut xattrs = Xattrs::new();
    let mut time = None;
    if let Some(records) = entry.pax_extensions()? {
        for record in records {
            let record = record?;
            let key = record.key().map_err(io::Error::other)?;
            if let Some(name) = key.strip_prefix(XATTR) {
                xattrs.insert(name.as_bytes().to_vec(), record.value_bytes().to_vec());
            } else if key == "mtime" {
                time = record.value().ok().and_then(parse_time);
            }
        }
    }
    let header = entry.header();
    let number = |number: io::Result<u64>| -> io::Result<u32> {
        u32::try_from(number?).map_err(io::Error::other)
    };
    let seconds = i64::try_from(header.mtime()?).map_err(io::Error::other)?;
    Ok(Inode {
        kind,
        mode: header.mode()? & 0o7777,
        uid: number(header.uid())?,
        gid: number(header.gid())?,
        mtime: time.unwrap_or(Time {
            seconds,
            nanoseconds: 0,
        }),
        xattrs,
    })
}

/// Seconds as a decimal fraction.
fn parse_time(text: &str) -> Option<Time> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let (seconds, nanoseconds) = (whole.parse().ok()?, digits.parse().ok()?);
    // A negative time counts down to its fraction.
    if whole.starts_with('-') && nanoseconds > 0 {
        return Some(Time {
            seconds: seconds - 1,
            nanoseconds: 1_000_000_000 - nanoseconds,
        });
    }
    Some(Time {
        seconds,
        nanoseconds,
    })
}

/// Where a name is in the tree; nothing if it leads out.
fn place(name: &Path) -> Option<Vec<u8>> {
    let mut path = Vec::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => path = join(&path, part.as_bytes()),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// All names below a directory.
fn below(tree: &Tree, directory: &[u8]) -> Vec<Vec<u8>> {
    let start = if directory.is_empty() {
        Vec::new()
    } else {
        join(directory, b"")
    };
    let is_below = |path: &&[u8]| !path.is_empty() && path.starts_with(&start);
    tree.iter()
        .map(|(path, _)| path)
        .filter(is_below)
        .map(<[u8]>::to_vec)
        .collect()
}

/// Takes names away, but not those of this layer, nor the directories that these are in.
fn hide(tree: &mut Tree, paths: &[Vec<u8>], own: &HashSet<Vec<u8>>) {
    for path in paths {
        let start = join(path, b"");
        if !own.iter().any(|own| own == path || own.starts_with(&start)) {
            tree.remove(path);
        }
    }
}

/// Tarballs may leave directories out.
fn make_parents(tree: &mut Tree, directory: &[u8]) {
    if directory.is_empty() || tree.get(directory).is_some_and(Inode::is_directory) {
        return;
    }
    make_parents(tree, split(directory).0);
    tree.remove(directory);
    tree.insert(directory, Inode::directory(0o755));
}
