// SPDX-License-Identifier: GPL-2.0-only

//! A tree as a tarball in the pax format, which `mkfs.erofs --tar` reads.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tar::{Builder, EntryType, Header};

use crate::tree::{Id, Inode, Kind, Time, Tree};

/// The namespace in which pax records carry extended attributes.
const XATTR: &str = "SCHILY.xattr.";

/// Writes all of a tree, in the order of its names; returns the paths of sockets, which a tarball
/// cannot hold.
///
/// # Errors
///
/// What `out` says.
pub fn write(tree: &Tree, out: impl Write) -> io::Result<Vec<Vec<u8>>> {
    write_all(tree, out, Xattrs::Kept)
}

/// The same without extended attributes.
///
/// # Errors
///
/// What `out` says.
pub fn write_plain(tree: &Tree, out: impl Write) -> io::Result<Vec<Vec<u8>>> {
    write_all(tree, out, Xattrs::LeftOut)
}

/// What becomes of extended attributes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Xattrs {
    Kept,
    LeftOut,
}

fn write_all(tree: &Tree, out: impl Write, xattrs: Xattrs) -> io::Result<Vec<Vec<u8>>> {
    let mut builder = Builder::new(out);
    let mut first_names: HashMap<Id, &[u8]> = HashMap::new();
    let mut left_out = Vec::new();
    for (path, id) in tree.iter() {
        let inode = tree.inode(id);
        if inode.kind == Kind::Socket {
            left_out.push(path.to_vec());
            continue;
        }
        let first = *first_names.entry(id).or_insert(path);
        let first = (first != path).then_some(first);
        append(&mut builder, path, inode, first, xattrs)?;
    }
    builder.into_inner()?.flush()?;
    Ok(left_out)
}

/// Adds a file, or another name of the file `first`.
fn append(
    builder: &mut Builder<impl Write>,
    path: &[u8],
    inode: &Inode,
    first: Option<&[u8]>,
    xattrs: Xattrs,
) -> io::Result<()> {
    // The root's path is empty.
    let name = if path.is_empty() { b"./" } else { path };
    let name = Path::new(OsStr::from_bytes(name));
    let mut header = Header::new_ustar();
    header.set_mode(inode.mode);
    header.set_uid(inode.uid.into());
    header.set_gid(inode.gid.into());
    header.set_mtime(u64::try_from(inode.mtime.seconds).unwrap_or_default());
    header.set_size(0);
    if let Some(first) = first {
        header.set_entry_type(EntryType::Link);
        return builder.append_link(&mut header, name, Path::new(OsStr::from_bytes(first)));
    }
    append_extensions(builder, inode, xattrs)?;
    match &inode.kind {
        Kind::Regular(content) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(u64::try_from(content.len()).map_err(io::Error::other)?);
            return builder.append_data(&mut header, name, content.reader()?);
        }
        Kind::Symlink(target) => {
            header.set_entry_type(EntryType::Symlink);
            return builder.append_link(&mut header, name, Path::new(OsStr::from_bytes(target)));
        }
        Kind::Directory => header.set_entry_type(EntryType::Directory),
        Kind::Character(major, minor) | Kind::Block(major, minor) => {
            let is_block = matches!(inode.kind, Kind::Block(..));
            header.set_entry_type(if is_block {
                EntryType::Block
            } else {
                EntryType::Char
            });
            header.set_device_major(*major)?;
            header.set_device_minor(*minor)?;
        }
        Kind::Fifo | Kind::Socket => header.set_entry_type(EntryType::Fifo),
    }
    builder.append_data(&mut header, name, io::empty())
}

/// Adds what the header has no room for.
fn append_extensions(
    builder: &mut Builder<impl Write>,
    inode: &Inode,
    xattrs: Xattrs,
) -> io::Result<()> {
    let mut records: Vec<(String, Vec<u8>)> = Vec::new();
    let Time {
        seconds,
        nanoseconds,
    } = inode.mtime;
    if nanoseconds != 0 || seconds < 0 {
        records.push(("mtime".into(), format!("{seconds}.{nanoseconds:09}").into()));
    }
    let kept = inode.xattrs.iter().filter(|_| xattrs == Xattrs::Kept);
    for (name, value) in kept {
        let name = std::str::from_utf8(name).map_err(io::Error::other)?;
        records.push((format!("{XATTR}{name}"), value.clone()));
    }
    if records.is_empty() {
        return Ok(());
    }
    builder.append_pax_extensions(
        records
            .iter()
            .map(|(key, value)| (key.as_str(), &value[..])),
    )
}
