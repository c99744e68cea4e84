// SPDX-License-Identifier: GPL-2.0-only
//! Tree entries and the walk that lists them.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::FileType;
use twox_hash::XxHash3_128;

/// Bytes read at a time: large enough for read-ahead, small enough for a 128 MiB guest.
const CHUNK: usize = 256 << 10;

/// One file system object. As text it is everything an init could notice about it but its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path relative to the walked root, without a leading slash.
    pub path: PathBuf,
    /// Permission bits, including set-id and sticky.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
    /// When it was changed last, in seconds, if that means anything: not a part of the text.
    pub mtime: Option<i64>,
    /// What kind of object it is, with its content.
    pub kind: Kind,
    /// Extended attributes of users and administrators and file capabilities, sorted, as
    /// `name=hex`.
    pub xattrs: Vec<String>,
}

/// Type and content of an [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory; its members are entries of their own.
    Directory,
    /// A regular file.
    File {
        /// Size in bytes.
        size: u64,
        /// Number of hard links.
        links: u64,
        /// Digest of the content, see [`digest`].
        digest: u128,
    },
    /// A symbolic link and its target.
    Symlink(PathBuf),
    /// A device, pipe or socket, with the raw type bits and the device number.
    Special(u32, u64),
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let (uid, gid) = self.owner;
        write!(f, "{path} {:04o} {uid}:{gid} ", self.mode)?;
        match &self.kind {
            Kind::Directory => write!(f, "directory")?,
            Kind::File { size, links, digest } => {
                write!(f, "file size={size} links={links} digest={digest:032x}")?;
            }
            Kind::Symlink(target) => write!(f, "symlink {}", target.display())?,
            Kind::Special(kind, device) => write!(f, "special {kind:o} {device:x}")?,
        }
        for xattr in &self.xattrs {
            write!(f, " {xattr}")?;
        }
        Ok(())
    }
}

/// Digest of everything `reader` yields: XXH3 with 128 bits.
///
/// These tests look for accidents, not for attackers, and on an emulated processor a cryptographic
/// hash of a 1 GiB image would take most of a test's time.
pub fn digest(reader: &mut impl Read) -> io::Result<u128> {
    let mut state = XxHash3_128::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(state.finish_128()),
            count => state.write(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// Lists everything below `root`, sorted by path.
///
/// `skip` names paths below `root` that are listed but not entered: mount points and the like.
pub fn walk(root: &Path, skip: &[&str]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(directory) = pending.pop() {
        let absolute = root.join(&directory);
        let members = fs::read_dir(&absolute)
            .with_context(|| format!("cannot list {}", absolute.display()))?;
        for member in members {
            let member = member.with_context(|| format!("listing {}", absolute.display()))?;
            let path = directory.join(member.file_name());
            let entry = Entry::read(root, &path)?;
            if entry.kind == Kind::Directory && !skip.iter().any(|name| path == Path::new(name)) {
                pending.push(path);
            }
            entries.push(entry);
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

impl Entry {
    /// Describes the object at `root/path`, reading all of it if it is a file.
    pub fn read(root: &Path, path: &Path) -> Result<Self> {
        let absolute = root.join(path);
        let about = || format!("cannot examine {}", absolute.display());
        let metadata = fs::symlink_metadata(&absolute).with_context(about)?;
        let kind = match FileType::from_raw_mode(metadata.mode()) {
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink(fs::read_link(&absolute).with_context(about)?),
            FileType::RegularFile => Kind::File {
                size: metadata.len(),
                links: metadata.nlink(),
                digest: fs::File::open(&absolute)
                    .and_then(|mut file| digest(&mut file))
                    .with_context(about)?,
            },
            other => Kind::Special(other.as_raw_mode(), metadata.rdev()),
        };
        let xattrs = xattrs(&absolute).with_context(about)?;
        Ok(Self {
            path: path.to_owned(),
            mode: metadata.mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
            mtime: Some(metadata.mtime()),
            kind,
            xattrs,
        })
    }
}

/// Returns whether an attribute of this name is compared: not those that a host's security module gives.
fn is_compared(name: &[u8]) -> bool {
    name.starts_with(b"user.") || name.starts_with(b"trusted.") || name == b"security.capability"
}

/// Returns the attributes of a file; none where the file system has no attributes.
fn xattrs(path: &Path) -> io::Result<Vec<String>> {
    let mut names = vec![0_u8; 4096];
    let length = match rustix::fs::llistxattr(path, &mut names[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::PERM) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for name in names[..length].split(|byte| *byte == 0) {
        if !is_compared(name) {
            continue;
        }
        let mut value = vec![0_u8; 4096];
        let name = std::ffi::OsStr::from_bytes(name);
        let length = rustix::fs::lgetxattr(path, name, &mut value[..])?;
        let hex: String = value[..length].iter().map(|byte| format!("{byte:02x}")).collect();
        found.push(format!("{}={hex}", name.to_string_lossy()));
    }
    found.sort();
    Ok(found)
}
