// SPDX-License-Identifier: GPL-2.0-only

//! Archives become a tree, as `init/initramfs.c` of Linux 7.3 unpacks them into a tmpfs.
//!
//! Later entries win; directories merge; what cannot be created (its directory is missing, say) is
//! passed over without a word. Times are kept, as with `CONFIG_INITRAMFS_PRESERVE_MTIME`.

use std::collections::{BTreeSet, HashMap};

use crate::cpio::{self, CpioError, Entries, Entry};
use crate::stack;
use crate::tree::{join, split, Content, Inode, Kind, Time, Tree, Xattrs, LONGEST_PATH};

/// How many symbolic links a path may lead through: `MAXSYMLINKS` of the kernel.
const MOST_LINKS: usize = 40;

/// Bytes that a name in a directory may have: `NAME_MAX`.
const LONGEST_PART: usize = 255;

/// What names of one file have in common: its identity and its type.
type LinkKey = ((u32, u32, u32), u32);

/// What the kernel's built-in initramfs holds unless told otherwise (`usr/default_cpio_list`):
/// archives count on it.
fn builtin() -> Tree {
    let mut tree = Tree::new();
    tree.insert(b"dev", Inode::directory(0o755));
    let console = Inode {
        kind: Kind::Character(5, 1),
        ..Inode::directory(0o600)
    };
    tree.insert(b"dev/console", console);
    tree.insert(b"root", Inode::directory(0o700));
    tree
}

/// Unpacks archives, one after the other.
pub struct Unpacker {
    tree: Tree,
    /// Paths that an entry has named: the rest is the kernel's.
    named: BTreeSet<Vec<u8>>,
    /// First names of files that may get further ones, until the archive ends.
    links: HashMap<LinkKey, Vec<u8>>,
    /// Directories in the order in which they are listed, with the time stated.
    times: Vec<(Vec<u8>, Time)>,
    passed_over: Vec<Vec<u8>>,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self::new()
    }
}

impl Unpacker {
    /// Starts with what a kernel has in its built-in initramfs.
    pub fn new() -> Self {
        Self::onto(Tree::new())
    }

    /// Starts with a tree, and below it what a kernel has in its built-in initramfs.
    pub fn onto(upper: Tree) -> Self {
        let mut tree = builtin();
        let named = upper.iter().map(|(path, _)| path.to_vec()).collect();
        stack::cover(&mut tree, &upper);
        Self {
            tree,
            named,
            links: HashMap::new(),
            times: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    /// Unpacks the plain archives in `buffer`.
    ///
    /// # Errors
    ///
    /// Where the kernel would stop with a message: [`CpioError`]. What came before is unpacked.
    pub fn unpack(&mut self, buffer: &Content) -> Result<(), CpioError> {
        for entry in Entries::new(buffer.bytes()) {
            let entry = entry?;
            if entry.is_trailer() {
                self.links.clear();
            } else if let Some(name) = entry.name {
                let done = self.apply(&entry, name, buffer);
                if done.is_none() {
                    self.passed_over.push(name.to_vec());
                }
                check_sum(&entry, buffer.bytes())?;
            }
        }
        Ok(())
    }

    /// The tree, without what is the kernel's own, and the names that the kernel would pass over.
    pub fn finish(mut self) -> (Tree, Vec<Vec<u8>>) {
        // The kernel sets the times last, and the first listing of a directory as the very last.
        for (path, time) in self.times.into_iter().rev() {
            if let Some(id) = self
                .tree
                .id(&path)
                .filter(|id| self.tree.inode(*id).is_directory())
            {
                self.tree.inode_mut(id).mtime = time;
            }
        }
        for path in [&b"dev/console"[..], b"dev", b"root"] {
            if !self.named.contains(path) && self.tree.is_empty_directory(path) {
                self.tree.remove(path);
            }
        }
        (self.tree, self.passed_over)
    }

    /// Does what an entry says. Nothing if it cannot be done.
    fn apply(&mut self, entry: &Entry<'_>, name: &[u8], buffer: &Content) -> Option<()> {
        let path = self.place(name)?;
        let done = match entry.kind() {
            cpio::REGULAR => self.regular(entry, &path, buffer),
            cpio::DIRECTORY if entry.content.is_empty() => self.directory(entry, &path),
            cpio::SYMLINK => self.symlink(entry, &path, buffer),
            cpio::BLOCK | cpio::CHARACTER | cpio::FIFO | cpio::SOCKET
                if entry.content.is_empty() =>
            {
                self.special(entry, &path)
            }
            _ => None,
        };
        self.named.insert(path);
        done
    }

    /// Where the last part of a name is: its directory exists, whatever links lead there.
    fn place(&self, name: &[u8]) -> Option<Vec<u8>> {
        let mut left = MOST_LINKS;
        let mut parts: Vec<Vec<u8>> = components(name).collect();
        parts.reverse();
        let mut path = Vec::new();
        while let Some(part) = parts.pop() {
            if part.len() > LONGEST_PART {
                return None;
            }
            match part.as_slice() {
                b"." => continue,
                b".." => {
                    path.truncate(split(&path).0.len());
                    continue;
                }
                _ => {}
            }
            let next = join(&path, &part);
            let is_last = parts.is_empty();
            match self.tree.get(&next).map(|inode| &inode.kind) {
                _ if is_last => path = next,
                Some(Kind::Directory) => path = next,
                Some(Kind::Symlink(target)) => {
                    left = left.checked_sub(1)?;
                    if target.starts_with(b"/") {
                        path.clear();
                    }
                    let mut target: Vec<_> = components(target).collect();
                    target.reverse();
                    parts.append(&mut target);
                }
                _ => return None,
            }
        }
        Some(path)
    }

    /// Takes away what is in the way of a file of type `kind`, as `clean_path()`. A directory that
    /// holds something stays.
    fn clean(&mut self, path: &[u8], kind: u32) {
        let Some(inode) = self.tree.get(path) else {
            return;
        };
        if kind_bits(&inode.kind) == kind || path.is_empty() {
            return;
        }
        if !inode.is_directory() || self.tree.is_empty_directory(path) {
            self.tree.remove(path);
        }
    }

    /// Makes `path` a further name of a file that has been listed, as `maybe_link()`: whether it is
    /// one. Nothing if it cannot be made.
    fn link(&mut self, entry: &Entry<'_>, path: &[u8]) -> Option<bool> {
        if entry.links < 2 {
            return Some(false);
        }
        let key = (entry.identity, entry.kind());
        let Some(old) = self.links.get(&key).cloned() else {
            self.links.insert(key, path.to_vec());
            return Some(false);
        };
        self.clean(path, 0);
        let id = self
            .tree
            .id(&old)
            .filter(|id| !self.tree.inode(*id).is_directory())?;
        if self.tree.get(path).is_some() {
            return None;
        }
        self.tree.link(path, id);
        Some(true)
    }

    fn regular(&mut self, entry: &Entry<'_>, path: &[u8], buffer: &Content) -> Option<()> {
        self.clean(path, entry.kind());
        let is_link = self.link(entry, path)?;
        let content = buffer.part(entry.content.clone())?;
        match self.tree.id(path) {
            // Further names bring the content only if they bring any.
            Some(id) if matches!(self.tree.inode(id).kind, Kind::Regular(_)) => {
                let inode = self.tree.inode_mut(id);
                set_attributes(inode, entry);
                if !is_link || !entry.content.is_empty() {
                    inode.kind = Kind::Regular(content);
                }
            }
            Some(_) => return None,
            None => {
                self.tree.insert(path, inode(entry, Kind::Regular(content)));
            }
        }
        Some(())
    }

    fn directory(&mut self, entry: &Entry<'_>, path: &[u8]) -> Option<()> {
        self.clean(path, entry.kind());
        let id = match self.tree.id(path) {
            Some(id) => id,
            None => self.tree.insert(path, inode(entry, Kind::Directory)),
        };
        let found: &mut Inode = self.tree.inode_mut(id);
        set_attributes(found, entry);
        self.times.push((path.to_vec(), time(entry)));
        Some(())
    }

    fn symlink(&mut self, entry: &Entry<'_>, path: &[u8], buffer: &Content) -> Option<()> {
        self.clean(path, 0);
        if let Some(id) = self.tree.id(path) {
            // A directory that holds something stays, but is given away all the same.
            let inode = self.tree.inode_mut(id);
            give(inode, entry);
            inode.mtime = time(entry);
            return None;
        }
        let target = buffer.bytes().get(entry.content.clone())?;
        let target = target.split(|byte| *byte == 0).next().unwrap_or_default();
        let mut made = inode(entry, Kind::Symlink(target.to_vec()));
        made.mode = 0o777;
        (!target.is_empty() && target.len() < LONGEST_PATH)
            .then(|| self.tree.insert(path, made))
            .map(drop)
    }

    fn special(&mut self, entry: &Entry<'_>, path: &[u8]) -> Option<()> {
        self.clean(path, entry.kind());
        if self.link(entry, path)? {
            return Some(());
        }
        let (major, minor) = entry.device;
        let kind = match entry.kind() {
            cpio::BLOCK => Kind::Block(major, minor),
            cpio::CHARACTER => Kind::Character(major, minor),
            cpio::FIFO => Kind::Fifo,
            _ => Kind::Socket,
        };
        match self.tree.id(path) {
            // It cannot be made a second time, nor in the place of a directory that holds something,
            // but what is there is given other attributes.
            Some(id) => {
                let inode = self.tree.inode_mut(id);
                set_attributes(inode, entry);
                inode.kind.is_like(&kind).then_some(())
            }
            None => {
                self.tree.insert(path, inode(entry, kind));
                Some(())
            }
        }
    }
}

/// An error if the bytes do not add up to what the entry of a `crc` archive states.
fn check_sum(entry: &Entry<'_>, buffer: &[u8]) -> Result<(), CpioError> {
    let Some(stated) = entry.checksum.filter(|_| entry.kind() == cpio::REGULAR) else {
        return Ok(());
    };
    let content = buffer.get(entry.content.clone()).unwrap_or_default();
    let sum = content
        .iter()
        .fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    if sum == stated {
        Ok(())
    } else {
        Err(CpioError::Checksum(entry.offset))
    }
}

/// The parts of a path between its slashes.
fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    path.split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
        .map(<[u8]>::to_vec)
}

fn kind_bits(kind: &Kind) -> u32 {
    match kind {
        Kind::Directory => cpio::DIRECTORY,
        Kind::Regular(_) => cpio::REGULAR,
        Kind::Symlink(_) => cpio::SYMLINK,
        Kind::Character(..) => cpio::CHARACTER,
        Kind::Block(..) => cpio::BLOCK,
        Kind::Fifo => cpio::FIFO,
        Kind::Socket => cpio::SOCKET,
    }
}

fn time(entry: &Entry<'_>) -> Time {
    Time {
        seconds: entry.mtime.into(),
        nanoseconds: 0,
    }
}

fn set_attributes(inode: &mut Inode, entry: &Entry<'_>) {
    inode.mode = entry.mode & 0o7777;
    give(inode, entry);
    inode.mtime = time(entry);
}

fn inode(entry: &Entry<'_>, kind: Kind) -> Inode {
    let mut inode = Inode {
        kind,
        mode: entry.mode & 0o7777,
        uid: 0,
        gid: 0,
        mtime: time(entry),
        xattrs: Xattrs::new(),
    };
    give(&mut inode, entry);
    inode
}

/// Gives a file to the owner that an entry states; -1 leaves it as it is, as for `chown()`.
fn give(inode: &mut Inode, entry: &Entry<'_>) {
    if entry.uid != u32::MAX {
        inode.uid = entry.uid;
    }
    if entry.gid != u32::MAX {
        inode.gid = entry.gid;
    }
}
