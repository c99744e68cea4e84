// SPDX-License-Identifier: GPL-2.0-only

//! The place that a name in an archive leads to, as the kernel's system calls look it up.

use crate::tree::{join, split, Kind, Tree};

/// The most symbolic links that a path may lead through: `MAXSYMLINKS` of the kernel.
const MOST_LINKS: usize = 40;

/// Bytes that a name in a directory may have: `NAME_MAX`.
const LONGEST_PART: usize = 255;

/// The place that a name leads to.
pub struct Place {
    /// From the root, without links in the directories.
    pub path: Vec<u8>,
    /// The ending of the name.
    pub ending: Ending,
}

/// The ending of a name. It decides what the kernel's system calls do with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a name: the kernel follows no link there.
    Name,
    /// With a slash behind the name of a directory, or of what could become one.
    Slash,
    /// In a directory that can be neither made nor removed by this name: `.`, `..`, the root, and a
    /// slash behind a symbolic link.
    Directory,
}

impl Place {
    /// Looks a name up. Nothing if the directory of its last part is missing, or if it has a slash behind what is
    /// no directory.
    pub fn of(name: &[u8], tree: &Tree) -> Option<Self> {
        let path = resolve(name, tree, false)?;
        let ending = match name
            .rsplit(|byte| *byte == b'/')
            .find(|part| !part.is_empty())
        {
            None | Some(b"." | b"..") => Ending::Directory,
            Some(_) if !name.ends_with(b"/") => Ending::Name,
            Some(_) => match tree.get(&path).map(|inode| &inode.kind) {
                None | Some(Kind::Directory) => Ending::Slash,
                Some(Kind::Symlink(_)) => {
                    let path = resolve(name, tree, true)?;
                    let is_directory = tree.get(&path)?.is_directory();
                    let ending = Ending::Directory;
                    return is_directory.then_some(Self { path, ending });
                }
                Some(_) => return None,
            },
        };
        Some(Self { path, ending })
    }
}

/// Follows links, those in the last part only if `all`, as far as the directory of the last part.
fn resolve(name: &[u8], tree: &Tree, all: bool) -> Option<Vec<u8>> {
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
        match tree.get(&next).map(|inode| &inode.kind) {
            Some(Kind::Symlink(target)) if all || !is_last => {
                left = left.checked_sub(1)?;
                if target.starts_with(b"/") {
                    path.clear();
                }
                let mut target: Vec<_> = components(target).collect();
                target.reverse();
                parts.append(&mut target);
            }
            Some(Kind::Directory) => path = next,
            _ if is_last => path = next,
            _ => return None,
        }
    }
    Some(path)
}

/// Returns the parts of a path between its slashes.
fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    path.split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
        .map(<[u8]>::to_vec)
}
