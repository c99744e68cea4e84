// SPDX-License-Identifier: GPL-2.0-only

//! A tree as a tarball in the pax format, which `tar` and `mkfs.erofs --tar` read.

use std::collections::HashMap;
use std::io::{self, Write};

use tar::{Builder, EntryType, Header};

use crate::records;
use crate::tree::{Id, Inode, Kind, Time, Tree};

/// The namespace in which pax records carry extended attributes.
const XATTR: &[u8] = b"SCHILY.xattr.";

/// Writes all of a tree, in the order of its names; returns the paths of sockets, which a tarball
/// cannot hold.
///
/// # Errors
///
/// Those of `out`, and `InvalidInput` for an attribute with a "=" in its name, which no tarball can hold.
pub fn write(tree: &Tree, out: impl Write) -> io::Result<Vec<Vec<u8>>> {
    write_all(tree, out, Reader::Tar)
}

/// Writes the tree for `mkfs.erofs`, which does not read all times as `tar` does.
///
/// # Errors
///
/// Those of `out`, and `InvalidInput` for an attribute with a "=" in its name, which no tarball can hold.
pub fn write_for_mkfs_erofs(tree: &Tree, out: impl Write) -> io::Result<Vec<Vec<u8>>> {
    write_all(tree, out, Reader::MkfsErofs)
}

/// Writes the tree without extended attributes.
///
/// # Errors
///
/// Those of `out`.
pub fn write_plain(tree: &Tree, out: impl Write) -> io::Result<Vec<Vec<u8>>> {
    write_all(tree, out, Reader::TarWithoutXattrs)
}

/// The program that reads the tarball.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Tar,
    TarWithoutXattrs,
    MkfsErofs,
}

fn write_all(tree: &Tree, out: impl Write, reader: Reader) -> io::Result<Vec<Vec<u8>>> {
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
        append(&mut builder, path, inode, first, reader)?;
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
    reader: Reader,
) -> io::Result<()> {
    // The root's path is empty.
    let name = if path.is_empty() { b"./" } else { path };
    let mut text = Vec::new();
    let mut header = Header::new_ustar();
    header.set_mode(inode.mode);
    header.set_uid(inode.uid.into());
    header.set_gid(inode.gid.into());
    header.set_mtime(u64::try_from(inode.mtime.seconds).unwrap_or_default());
    header.set_size(0);
    if let Some(first) = first {
        header.set_entry_type(EntryType::Link);
        put(&mut header.as_old_mut().name, b"path", name, &mut text);
        put(
            &mut header.as_old_mut().linkname,
            b"linkpath",
            first,
            &mut text,
        );
        return append_entry(builder, &mut header, &text, io::empty());
    }
    put(&mut header.as_old_mut().name, b"path", name, &mut text);
    state(inode, reader, &mut text)?;
    match &inode.kind {
        Kind::Regular(content) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(u64::try_from(content.len()).map_err(io::Error::other)?);
            return append_entry(builder, &mut header, &text, content.reader()?);
        }
        Kind::Symlink(target) => {
            header.set_entry_type(EntryType::Symlink);
            put(
                &mut header.as_old_mut().linkname,
                b"linkpath",
                target,
                &mut text,
            );
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
    append_entry(builder, &mut header, &text, io::empty())
}

/// Puts bytes into a field of the header as they are, or into a record of pax if they are too long for it.
fn put(field: &mut [u8], key: &[u8], bytes: &[u8], text: &mut Vec<u8>) {
    match field.get_mut(..bytes.len()) {
        Some(start) => start.copy_from_slice(bytes),
        None => text.extend(records::record(key, bytes)),
    }
}

/// Adds the records `text`, a header and what belongs to it.
fn append_entry(
    builder: &mut Builder<impl Write>,
    header: &mut Header,
    text: &[u8],
    contents: impl io::Read,
) -> io::Result<()> {
    if !text.is_empty() {
        let mut before = Header::new_ustar();
        before.set_entry_type(EntryType::XHeader);
        before.set_size(text.len() as u64);
        before.set_cksum();
        builder.append(&before, text)?;
    }
    header.set_cksum();
    builder.append(header, contents)
}

/// Puts into records what the header has no room for.
fn state(inode: &Inode, reader: Reader, text: &mut Vec<u8>) -> io::Result<()> {
    if inode.mtime.nanoseconds != 0 || inode.mtime.seconds < 0 {
        let time = time_text(inode.mtime, reader);
        text.extend(records::record(b"mtime", time.as_bytes()));
    }
    let kept = inode
        .xattrs
        .iter()
        .filter(|_| reader != Reader::TarWithoutXattrs);
    for (name, value) in kept {
        if name.contains(&b'=') {
            let name = String::from_utf8_lossy(name);
            let text = format!("no tarball can hold the attribute {name:?}, for its \"=\"");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        text.extend(records::record(&[XATTR, name].concat(), value));
    }
    Ok(())
}

/// Returns the time as a decimal number of seconds.
fn time_text(time: Time, reader: Reader) -> String {
    let Time {
        seconds,
        nanoseconds,
    } = time;
    if seconds >= 0 || nanoseconds == 0 {
        return format!("{seconds}.{nanoseconds:09}");
    }
    match reader {
        // Version 1.8 adds the fraction of a negative time. Version 1.9 takes it away, but only where the sign is
        // the first byte: the blank has both add it.
        Reader::MkfsErofs => format!(" {seconds}.{nanoseconds:09}"),
        Reader::Tar | Reader::TarWithoutXattrs => {
            let (seconds, rest) = (-1 - seconds, 1_000_000_000 - nanoseconds);
            format!("-{seconds}.{rest:09}")
        }
    }
}
