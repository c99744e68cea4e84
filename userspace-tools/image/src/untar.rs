// SPDX-License-Identifier: GPL-2.0-only

//! Tarballs become a tree, one over the other, as the layers of a container image do: a file named
//! `.wh.NAME` takes `NAME` of the layers below away, `.wh..wh..opq` all that its directory has there
//! (the layer specification of the Open Container Initiative).

mod names;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, Read};

use tar::{Archive, Entry, EntryType};
use thiserror::Error;

use crate::compression::DecompressError;
use crate::content::{Content, Store, LARGEST};
use crate::pax::Records;
use crate::records::{self, Record};
use crate::tree::{join, split, Inode, Kind, Time, Tree, LONGEST_PATH};
use crate::whole_stream;
use names::{hide, linked, make_parents, place};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Tarballs consist of blocks of this size, in bytes.
const BLOCK: usize = 512;

/// Why a tarball cannot be read. Offsets are in bytes from the start of the tarball, decompressed.
#[derive(Debug, Error)]
pub enum TarError {
    /// Something else.
    #[error("this is no tarball (an image, perhaps, or a cpio archive, which `convert` takes)")]
    NoTarball,
    /// In a compressed format that is not read.
    #[error("it is compressed by {0}, which is not read here: decompress it before")]
    Format(&'static str),
    /// The compressed stream is damaged.
    #[error(transparent)]
    Compressed(#[from] DecompressError),
    /// The file is no tarball, or a damaged one.
    #[error("this is no tarball, or a damaged one")]
    Damaged(#[from] io::Error),
    /// The tarball ends within an entry, or before the two blocks of NUL bytes that end one.
    #[error("the tarball breaks off at offset {0:#x}")]
    BreaksOff(u64),
    /// An entry that cannot be understood.
    #[error("the entry {0:?} at offset {1:#x} is damaged: {2}")]
    Entry(String, u64, io::Error),
    /// A name that leads out of the tree.
    #[error("the entry {0:?} at offset {1:#x} leads out of the tree")]
    Outside(String, u64),
    /// A link to what is not there.
    #[error("the entry {0:?} at offset {1:#x} links to a name that is not there")]
    Link(String, u64),
    /// A kind of file that a tree cannot hold.
    #[error("the entry {0:?} at offset {1:#x} is of a kind that is not supported: {2}")]
    Kind(String, u64, String),
    /// A record of pax whose meaning is not known.
    #[error("the entry {0:?} at offset {1:#x} has an attribute that is not known: {2}")]
    Attribute(String, u64, String),
}

/// Puts a tarball over a tree. It may be compressed.
///
/// # Errors
///
/// [`TarError`].
pub fn cover(tree: &mut Tree, source: &Content) -> Result<(), TarError> {
    if let Some(format) = whole_stream::unknown_format(source.bytes()) {
        return Err(TarError::Format(format));
    }
    let plain = whole_stream::decompress(source)?;
    let bytes = plain.bytes();
    // A block of NULs ends a tarball: an image, and much else, would pass for an empty one.
    let is_empty = bytes.iter().take(BLOCK).all(|byte| *byte == 0);
    if bytes.len() < BLOCK || is_empty && bytes.iter().any(|byte| *byte != 0) {
        return Err(TarError::NoTarball);
    }
    // What this layer itself has put there, which its own whiteouts do not take away.
    let mut own = BTreeSet::new();
    let mut store = Store::default();
    read_entries(bytes, |entry, stated| {
        apply(tree, entry, stated, &mut store, Some(&mut own))
    })
}

/// Reads a tarball in which every name stands for itself.
///
/// # Errors
///
/// As for [`cover`].
pub fn read(bytes: &[u8]) -> Result<Tree, TarError> {
    let mut tree = Tree::new();
    let mut store = Store::default();
    read_entries(bytes, |entry, stated| {
        apply(&mut tree, entry, stated, &mut store, None)
    })?;
    Ok(tree)
}

/// A reader that remembers whether it was read beyond its end.
struct Source<'a> {
    rest: &'a [u8],
    is_exhausted: &'a Cell<bool>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.rest.read(buffer)?;
        if len == 0 && !buffer.is_empty() {
            self.is_exhausted.set(true);
        }
        Ok(len)
    }
}

/// Hands each entry of a tarball to `apply`, with the records that hold for all entries behind them.
fn read_entries(
    bytes: &[u8],
    mut apply: impl FnMut(&mut Entry<'_, Source<'_>>, &Stated<'_>) -> Result<(), TarError>,
) -> Result<(), TarError> {
    let is_exhausted = Cell::new(false);
    let mut archive = Archive::new(Source {
        rest: bytes,
        is_exhausted: &is_exhausted,
    });
    let mut global = Vec::new();
    let mut own = records::of_entries(bytes);
    let breaks_off = || TarError::BreaksOff(bytes.len() as u64);
    for entry in archive.entries()? {
        let mut entry = match entry {
            Err(_) if is_exhausted.get() => return Err(breaks_off()),
            entry => entry?,
        };
        match entry.header().entry_type() {
            EntryType::XGlobalHeader => read_global(&mut entry, &mut global)?,
            // The label of a volume.
            kind if kind.as_byte() == b'V' => {}
            _ => {
                let own = own.remove(&entry.raw_header_position());
                match apply(
                    &mut entry,
                    &Stated {
                        global: &global,
                        own,
                    },
                ) {
                    Err(TarError::Damaged(_) | TarError::Entry(..)) if is_exhausted.get() => {
                        return Err(breaks_off());
                    }
                    applied => applied?,
                }
            }
        }
    }
    if is_exhausted.get() {
        return Err(breaks_off());
    }
    Ok(())
}

/// The records about an entry: those that hold for all, and its own, which win.
struct Stated<'a> {
    global: &'a [Record],
    own: Option<Vec<Record>>,
}

impl Stated<'_> {
    /// Notes them, as far as they were read in the same way by the `tar` crate.
    fn note(&self, entry: &mut Entry<'_, impl Read>, records: &mut Records) -> io::Result<()> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "its records cannot be read");
        for (key, value) in self.global.iter().chain(self.own.iter().flatten()) {
            records.note(key, value)?;
        }
        let is_sparse = entry.header().entry_type() == EntryType::GNUSparse;
        let is_other = |stored| !is_sparse && stored as u64 != entry.size();
        if records.stored.is_some_and(is_other) {
            return Err(damaged());
        }
        if self.own.is_none() && entry.pax_extensions()?.is_some() {
            return Err(damaged());
        }
        Ok(())
    }
}

/// Returns a name for a message, shortened if it is long.
fn shown(name: &[u8]) -> String {
    const MOST: usize = 200;
    let (start, end) = match name.get(..MOST) {
        Some(start) => (start, "..."),
        None => (name, ""),
    };
    format!("{}{end}", String::from_utf8_lossy(start))
}

/// Returns where a link leads.
fn target_of(entry: &Entry<'_, impl Read>, records: &Records) -> Vec<u8> {
    match &records.linkpath {
        Some(target) => target.clone(),
        None => entry.link_name_bytes().unwrap_or_default().into_owned(),
    }
}

/// Reads records that hold for all entries behind them.
fn read_global(entry: &mut Entry<'_, impl Read>, global: &mut Vec<Record>) -> Result<(), TarError> {
    /// Keywords that the `tar` crate carries out before a single entry only.
    const SINGLE: [&[u8]; 5] = [b"gid", b"linkpath", b"path", b"size", b"uid"];
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    for (key, value) in records::parse(&bytes)? {
        if SINGLE.contains(&key.as_slice()) {
            let key = String::from_utf8_lossy(&key).into_owned();
            let offset = entry.raw_header_position();
            return Err(TarError::Attribute("pax_global_header".into(), offset, key));
        }
        global.push((key, value));
    }
    Ok(())
}

/// Puts an entry over a tree, or does what it says if it is a whiteout of a layer, whose own names are
/// `own`.
fn apply(
    tree: &mut Tree,
    entry: &mut Entry<'_, impl Read>,
    stated: &Stated<'_>,
    store: &mut Store,
    own: Option<&mut BTreeSet<Vec<u8>>>,
) -> Result<(), TarError> {
    let offset = entry.raw_header_position();
    let mut records = Records::default();
    let noted = stated.note(entry, &mut records);
    let own_name = match &records.path {
        Some(path) => path.clone(),
        None => entry.path_bytes().into_owned(),
    };
    let damaged = |error| TarError::Entry(shown(&own_name), offset, error);
    noted.map_err(damaged)?;
    let name = records.sparse_name.as_ref().unwrap_or(&own_name);
    let shown = || shown(name);
    if let Some(key) = records.unknown.take() {
        return Err(TarError::Attribute(shown(), offset, key));
    }
    if name.len() >= LONGEST_PATH {
        let text = format!(
            "its name has {} bytes, more than {}",
            name.len(),
            LONGEST_PATH - 1
        );
        return Err(damaged(io::Error::other(text)));
    }
    let path = place(name).ok_or_else(|| TarError::Outside(shown(), offset))?;
    let (directory, file) = split(&path);
    if let Some(own) = &own {
        if let Some(hidden) = file.strip_prefix(WHITEOUT) {
            let Some(directory) = tree.resolve_path(directory) else {
                return Ok(());
            };
            let gone = if file == OPAQUE {
                tree.names_below(&directory)
            } else {
                let hidden = join(&directory, hidden);
                let mut gone = tree.names_below(&hidden);
                gone.push(hidden);
                gone
            };
            hide(tree, &gone, own);
            return Ok(());
        }
    }
    let path = join(&make_parents(tree, directory), file);
    if let Some(own) = own {
        own.insert(path.clone());
    }
    let header = entry.header();
    let kind = match header.entry_type() {
        // GNU tar's list of a directory's members is its content.
        EntryType::Directory => Kind::Directory,
        kind if kind.as_byte() == b'D' => Kind::Directory,
        // As tar wrote directories before there was a type for them.
        EntryType::Regular if name.ends_with(b"/") => Kind::Directory,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            if records.size(entry.size()) > LARGEST {
                let text = format!("it is larger than {} GiB", LARGEST >> 30);
                return Err(damaged(io::Error::other(text)));
            }
            let content = records.expand(&mut *entry, store);
            Kind::Regular(content.map_err(damaged)?)
        }
        EntryType::Symlink => Kind::Symlink(target_of(entry, &records)),
        EntryType::Link => {
            let target = target_of(entry, &records);
            let id = place(&target).and_then(|target| linked(tree, &target));
            let id = id.ok_or_else(|| TarError::Link(shown(), offset))?;
            if tree.id(&path) != Some(id) {
                tree.remove(&path);
                tree.link(&path, id);
            }
            return Ok(());
        }
        EntryType::Char | EntryType::Block => {
            let major = header.device_major().map_err(damaged)?.unwrap_or_default();
            let minor = header.device_minor().map_err(damaged)?.unwrap_or_default();
            let is_block = header.entry_type() == EntryType::Block;
            if is_block {
                Kind::Block(major, minor)
            } else {
                Kind::Character(major, minor)
            }
        }
        EntryType::Fifo => Kind::Fifo,
        other => {
            let kind = match other.as_byte() {
                b'M' => "the continuation of a file from another volume".to_owned(),
                byte => format!("type {:?}", char::from(byte)),
            };
            return Err(TarError::Kind(shown(), offset, kind));
        }
    };
    let inode = inode(entry, kind, records).map_err(damaged)?;
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

/// Returns the file with the attributes that its header and its records state.
fn inode(entry: &Entry<'_, impl Read>, kind: Kind, records: Records) -> io::Result<Inode> {
    let header = entry.header();
    let number = |number: io::Result<u64>| -> io::Result<u32> {
        u32::try_from(number?).map_err(io::Error::other)
    };
    let mtime = match records.mtime {
        Some(time) => time,
        None => Time {
            seconds: seconds(&header.as_old().mtime)
                .map_or_else(|| header.mtime()?.try_into().map_err(io::Error::other), Ok)?,
            nanoseconds: 0,
        },
    };
    Ok(Inode {
        kind,
        mode: header.mode()? & 0o7777,
        uid: records.uid.map_or_else(|| number(header.uid()), Ok)?,
        gid: records.gid.map_or_else(|| number(header.gid()), Ok)?,
        mtime,
        xattrs: records.xattrs,
    })
}

/// Reads a time before 1970 or too late for octal digits: GNU tar's binary number, marked by its first
/// bit, whose second bit is the sign.
fn seconds(field: &[u8; 12]) -> Option<i64> {
    let (front, back) = field.split_last_chunk()?;
    let is_plain = matches!(front, [0x80, 0, 0, 0] | [0xff, 0xff, 0xff, 0xff]);
    is_plain.then(|| i64::from_be_bytes(*back))
}
