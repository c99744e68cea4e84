// SPDX-License-Identifier: GPL-2.0-only

//! A tree of files in memory, with everything that an initial root may state about them.

use std::collections::{BTreeMap, HashMap};

pub use crate::content::Content;

/// Extended attributes: full name (`security.capability`) and value.
pub type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// A moment, in seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds, negative before 1970.
    pub seconds: i64,
    /// Nanoseconds, below a thousand million.
    pub nanoseconds: u32,
}

/// The kind of a file, with what only that kind has.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    Regular(Content),
    /// A symbolic link, and where it leads.
    Symlink(Vec<u8>),
    /// A character device, with its numbers.
    Character(u32, u32),
    /// A block device, with its numbers.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl Kind {
    /// Returns whether both are directories, both regular files, and so on.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Returns the letter that `ls -l` shows.
    pub fn letter(&self) -> char {
        match self {
            Self::Directory => 'd',
            Self::Regular(_) => '-',
            Self::Symlink(_) => 'l',
            Self::Character(..) => 'c',
            Self::Block(..) => 'b',
            Self::Fifo => 'p',
            Self::Socket => 's',
        }
    }
}

/// A file of any kind. Several names may stand for the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Inode {
    /// The kind.
    pub kind: Kind,
    /// Permissions, with the set-user-id, set-group-id and sticky bits: 0 to 0o7777.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The time of its last change.
    pub mtime: Time,
    /// The extended attributes.
    pub xattrs: Xattrs,
}

impl Inode {
    /// Returns a directory as `mkdir()` would make it for root.
    pub fn directory(mode: u32) -> Self {
        Self {
            kind: Kind::Directory,
            mode,
            uid: 0,
            gid: 0,
            mtime: Time::default(),
            xattrs: Xattrs::new(),
        }
    }

    /// Returns whether it is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory)
    }
}

/// Identifies a file in its tree; names with the same are hard links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(usize);

/// Paths are relative to the root, without `.` and `..`: `usr/bin/sh`; the root itself is empty.
#[derive(Clone, Debug)]
pub struct Tree {
    inodes: Vec<Inode>,
    names: BTreeMap<Vec<u8>, Id>,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

/// The most links that a path may lead through, as in the kernel.
const MOST_LINKS: usize = 40;

/// The length from which on a path is too long for the kernel, in bytes.
pub const LONGEST_PATH: usize = 4096;

/// The most parts that a path may have, with those of the links that it leads through. The kernel would take more.
const MOST_PARTS: usize = 1024;

/// Returns the parts of a path that lead somewhere.
fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = Vec<u8>> + '_ {
    let parts = path.split(|byte| *byte == b'/');
    parts
        .filter(|part| !part.is_empty() && *part != b".")
        .map(<[u8]>::to_vec)
}

impl Tree {
    /// Returns a tree with nothing but a root directory of mode 0755.
    pub fn new() -> Self {
        let names = BTreeMap::from([(Vec::new(), Id(0))]);
        Self {
            inodes: vec![Inode::directory(0o755)],
            names,
        }
    }

    /// Returns which file a path names.
    pub fn id(&self, path: &[u8]) -> Option<Id> {
        self.names.get(path).copied()
    }

    /// Returns a file.
    pub fn inode(&self, id: Id) -> &Inode {
        &self.inodes[id.0]
    }

    /// Returns a file, to be changed under all of its names.
    pub fn inode_mut(&mut self, id: Id) -> &mut Inode {
        &mut self.inodes[id.0]
    }

    /// Returns the file that a path names.
    pub fn get(&self, path: &[u8]) -> Option<&Inode> {
        self.id(path).map(|id| self.inode(id))
    }

    /// Returns what a path leads to, through links on the way and at its end, as in a root of its own.
    /// [`None`] if that is nowhere, or goes round in circles.
    pub fn resolve(&self, path: &[u8]) -> Option<&Inode> {
        self.resolve_id(path).map(|id| self.inode(id))
    }

    /// Returns which file [`resolve`](Self::resolve) leads to.
    pub fn resolve_id(&self, path: &[u8]) -> Option<Id> {
        self.resolve_path(path).and_then(|path| self.id(&path))
    }

    /// Returns where [`resolve`](Self::resolve) leads to: a name of the tree with no link on the way.
    pub fn resolve_path(&self, path: &[u8]) -> Option<Vec<u8>> {
        let mut links = 0;
        let mut seen = 0;
        let mut rest: Vec<Vec<u8>> = parts(path).rev().collect();
        let mut place: Vec<u8> = Vec::new();
        while let Some(part) = rest.pop() {
            seen += 1;
            if seen > MOST_PARTS {
                return None;
            }
            if part == b".." {
                place = split(&place).0.to_vec();
                continue;
            }
            let next = join(&place, &part);
            match &self.get(&next)?.kind {
                Kind::Symlink(target) => {
                    links += 1;
                    if links > MOST_LINKS || target.len() >= LONGEST_PATH {
                        return None;
                    }
                    if target.starts_with(b"/") {
                        place.clear();
                    }
                    rest.extend(parts(target).rev());
                }
                _ => place = next,
            }
        }
        Some(place)
    }

    /// Returns how many bytes the regular files hold together.
    pub fn content_len(&self) -> u64 {
        let files = self.first_names();
        let lens = files.keys().map(|id| match &self.inode(*id).kind {
            Kind::Regular(content) => content.len() as u64,
            _ => 0,
        });
        lens.sum()
    }

    /// Returns the name that comes first in the order of [`iter`](Self::iter), of each file.
    pub fn first_names(&self) -> HashMap<Id, &[u8]> {
        let mut names = HashMap::new();
        for (path, id) in self.iter() {
            names.entry(id).or_insert(path);
        }
        names
    }

    /// Returns all names in order, so that a directory comes before what is in it; the root is first.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Id)> {
        self.names.iter().map(|(path, id)| (path.as_slice(), *id))
    }

    /// Returns how many names there are, the root's included.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns whether there is nothing but the root.
    pub fn is_empty(&self) -> bool {
        self.names.len() == 1
    }

    /// Gives a name to a new file; what had that name loses it. Returns the file.
    pub fn insert(&mut self, path: &[u8], inode: Inode) -> Id {
        let id = Id(self.inodes.len());
        self.inodes.push(inode);
        self.names.insert(path.to_vec(), id);
        id
    }

    /// Gives another name to a file; what had that name loses it.
    pub fn link(&mut self, path: &[u8], id: Id) {
        self.names.insert(path.to_vec(), id);
    }

    /// Returns the same tree in a directory of a new root, which has mode 0755.
    pub fn below(&self, directory: &[u8]) -> Self {
        let mut tree = Self::new();
        let first = tree.inodes.len();
        tree.inodes.extend(self.inodes.iter().cloned());
        let names = self.names.iter().map(|(path, id)| {
            let path = if path.is_empty() {
                directory.to_vec()
            } else {
                join(directory, path)
            };
            (path, Id(first + id.0))
        });
        tree.names.extend(names);
        tree
    }

    /// Takes a name away, and with a directory's all names below it.
    pub fn remove(&mut self, path: &[u8]) {
        self.names.remove(path);
        self.remove_below(path);
    }

    /// Takes all names below a directory away.
    pub fn remove_below(&mut self, path: &[u8]) {
        for name in self.names_below(path) {
            self.names.remove(&name);
        }
    }

    /// Returns all names below a directory, in order.
    pub fn names_below(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let start = join(path, b"");
        let names = self.names.range(start.clone()..).map(|(name, _)| name);
        names
            .filter(|name| !name.is_empty())
            .take_while(|name| name.starts_with(&start))
            .cloned()
            .collect()
    }

    /// Returns whether a directory holds nothing.
    pub fn is_empty_directory(&self, path: &[u8]) -> bool {
        let start = join(path, b"");
        let next = self
            .names
            .range(start.clone()..)
            .find(|(name, _)| !name.is_empty());
        !next.is_some_and(|(name, _)| name.starts_with(&start))
    }
}

/// Returns the directory that a path is in, and its last part. The root is in itself.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// Returns the path of `name` in `directory`.
pub fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() {
        name.to_vec()
    } else {
        [directory, b"/", name].concat()
    }
}
