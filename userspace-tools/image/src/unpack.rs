// SPDX-License-Identifier: GPL-2.0-only

//! Archives become a tree, as `init/initramfs.c` of Linux 7.3 unpacks them into a tmpfs.
//!
//! Later entries win; directories merge; what cannot be created (its directory is missing, say) is
//! passed over without a word. Times are kept, as with `CONFIG_INITRAMFS_PRESERVE_MTIME`.

use std::collections::{BTreeSet, HashMap};

use crate::cpio::{self, CpioError, Entries, Entry};
use crate::place::{Ending, Place};
use crate::stack;
use crate::tree::{Content, Inode, Kind, Time, Tree, Xattrs, LONGEST_PATH};

/// The key that names of one file share: its identity and its type.
type LinkKey = ((u32, u32, u32), u32);

/// Returns what the kernel's built-in initramfs holds unless told otherwise (`usr/default_cpio_list`):
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
    /// First names of files that may get further ones, until the archive ends. The kernel looks them up
    /// when a further one is listed.
    links: HashMap<LinkKey, Vec<u8>>,
    /// Names of directories in the order in which they are listed, with the time stated.
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
                match self.apply(&entry, name, buffer) {
                    Some(()) => check_sum(&entry, buffer.bytes())?,
                    // The kernel sums up what it writes to a file only.
                    None => self.passed_over.push(name.to_vec()),
                }
            }
        }
        Ok(())
    }

    /// Returns the tree, without what is the kernel's own, and the names that the kernel would pass over.
    pub fn finish(mut self) -> (Tree, Vec<Vec<u8>>) {
        // The kernel sets the times last, of whatever has the name by then, and the first listing of a
        // directory as the very last.
        for (name, time) in std::mem::take(&mut self.times).into_iter().rev() {
            if let Some(id) =
                Place::of(&name, &self.tree).and_then(|place| self.tree.id(&place.path))
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
        let place = Place::of(name, &self.tree);
        if let Some(place) = &place {
            self.named.insert(place.path.clone());
        }
        match entry.kind() {
            cpio::REGULAR => self.regular(entry, name, place, buffer),
            // The kernel passes over it before it looks at the name.
            cpio::SYMLINK if entry.content.len() <= LONGEST_PATH => {
                self.symlink(entry, &place?, buffer)
            }
            cpio::DIRECTORY if entry.content.is_empty() => {
                self.times.push((name.to_vec(), time(entry)));
                self.directory(entry, &place?)
            }
            cpio::BLOCK | cpio::CHARACTER | cpio::FIFO | cpio::SOCKET
                if entry.content.is_empty() =>
            {
                self.special(entry, name, place)
            }
            // Of a type that is not known, it still takes away what is in its way.
            cpio::SYMLINK => None,
            kind if entry.content.is_empty() => {
                self.clean(&place?, kind);
                None
            }
            _ => None,
        }
    }

    /// Takes away what is in the way of a file of type `kind`, as `clean_path()`. A directory that
    /// holds something stays.
    fn clean(&mut self, place: &Place, kind: u32) {
        let Some(inode) = self.tree.get(&place.path) else {
            return;
        };
        if kind_bits(&inode.kind) == kind || place.ending == Ending::Directory {
            return;
        }
        if !inode.is_directory() || self.tree.is_empty_directory(&place.path) {
            self.tree.remove(&place.path);
        }
    }

    /// Makes a name a further one of a file that has been listed, as `maybe_link()`: whether it is
    /// one. Nothing if it cannot be made.
    fn link(&mut self, entry: &Entry<'_>, name: &[u8], place: Option<&Place>) -> Option<bool> {
        if entry.links < 2 {
            return Some(false);
        }
        let key = (entry.identity, entry.kind());
        let Some(old) = self.links.get(&key).cloned() else {
            self.links.insert(key, name.to_vec());
            return Some(false);
        };
        let place = place?;
        self.clean(place, 0);
        let old = Place::of(&old, &self.tree)?;
        let id = self
            .tree
            .id(&old.path)
            .filter(|id| !self.tree.inode(*id).is_directory())?;
        if place.ending != Ending::Name || self.tree.get(&place.path).is_some() {
            return None;
        }
        self.tree.link(&place.path, id);
        Some(true)
    }

    /// Opens a file, new or not, and writes it.
    fn regular(
        &mut self,
        entry: &Entry<'_>,
        name: &[u8],
        place: Option<Place>,
        buffer: &Content,
    ) -> Option<()> {
        if let Some(place) = &place {
            self.clean(place, entry.kind());
        }
        let is_link = self.link(entry, name, place.as_ref())?;
        let path = place.filter(|place| place.ending == Ending::Name)?.path;
        let content = buffer.part(entry.content.clone())?;
        match self.tree.id(&path) {
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
                self.tree
                    .insert(&path, inode(entry, Kind::Regular(content)));
            }
        }
        Some(())
    }

    fn directory(&mut self, entry: &Entry<'_>, place: &Place) -> Option<()> {
        self.clean(place, entry.kind());
        let id = match self.tree.id(&place.path) {
            Some(id) => id,
            None => self.tree.insert(&place.path, inode(entry, Kind::Directory)),
        };
        set_attributes(self.tree.inode_mut(id), entry);
        Some(())
    }

    fn symlink(&mut self, entry: &Entry<'_>, place: &Place, buffer: &Content) -> Option<()> {
        self.clean(place, 0);
        if let Some(id) = self.tree.id(&place.path) {
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
        let can_be_made = place.ending == Ending::Name && !target.is_empty();
        (can_be_made && target.len() < LONGEST_PATH)
            .then(|| self.tree.insert(&place.path, made))
            .map(drop)
    }

    fn special(&mut self, entry: &Entry<'_>, name: &[u8], place: Option<Place>) -> Option<()> {
        if let Some(place) = &place {
            self.clean(place, entry.kind());
        }
        if self.link(entry, name, place.as_ref())? {
            return Some(());
        }
        let (major, minor) = device(entry.device);
        let kind = match entry.kind() {
            cpio::BLOCK => Kind::Block(major, minor),
            cpio::CHARACTER => Kind::Character(major, minor),
            cpio::FIFO => Kind::Fifo,
            _ => Kind::Socket,
        };
        let Place { path, ending } = place?;
        match self.tree.id(&path) {
            // It cannot be made a second time, nor in the place of a directory that holds something,
            // but what is there is given other attributes.
            Some(id) => {
                let inode = self.tree.inode_mut(id);
                set_attributes(inode, entry);
                inode.kind.is_like(&kind).then_some(())
            }
            None if ending == Ending::Name => {
                self.tree.insert(&path, inode(entry, kind));
                Some(())
            }
            None => None,
        }
    }
}

/// Puts a major and a minor into the 32 bits that the kernel has for them (`MKDEV()`), and takes them out.
fn device((major, minor): (u32, u32)) -> (u32, u32) {
    const MINOR_BITS: u32 = 20;
    let number = major << MINOR_BITS | minor;
    (number >> MINOR_BITS, number & ((1 << MINOR_BITS) - 1))
}

/// Returns an error if the bytes do not add up to what the entry of a `crc` archive states.
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
