// SPDX-License-Identifier: GPL-2.0-only

//! Names and files, as an image states them, become a tree. An image may state anything: names that lead out of the
//! tree, directories that lie in themselves, paths without end.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::ReadError;
use crate::tree::{join, split, Inode, Time, Tree, LONGEST_PATH};

/// The most names that an image may have here.
const MOST_NAMES: usize = 4_000_000;

/// Names in directories, each with the number of its file, by the number of the directory.
pub(super) type Names<N> = HashMap<N, Vec<(Vec<u8>, N)>>;

/// Returns all paths from a root directory on, each with the number of its file; a directory before what is in it.
///
/// # Errors
///
/// [`ReadError::Senseless`].
pub(super) fn paths<N: Copy + Eq + Hash>(
    root: N,
    names: &Names<N>,
) -> Result<Vec<(Vec<u8>, N)>, ReadError> {
    let mut paths = vec![(Vec::new(), root)];
    let mut seen = HashSet::new();
    let mut at = 0;
    while let Some((path, number)) = paths.get(at).cloned() {
        at += 1;
        let Some(entries) = names.get(&number) else {
            continue;
        };
        if !seen.insert(number) {
            return Err(ReadError::Senseless("a directory has two names"));
        }
        for (name, number) in entries {
            let is_bad = name.is_empty() || name == b"." || name == b"..";
            if is_bad || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
                return Err(ReadError::Senseless("a name leads out of its directory"));
            }
            let path = join(&path, name);
            if path.len() >= LONGEST_PATH || paths.len() >= MOST_NAMES {
                return Err(ReadError::Senseless("its paths have no end"));
            }
            paths.push((path, *number));
        }
    }
    Ok(paths)
}

/// Returns the tree of these paths; `inode` returns the file with a number, which is at this path first.
///
/// # Errors
///
/// Errors of `inode`, and [`ReadError::Senseless`].
pub(super) fn tree_of<N: Copy + Eq + Hash>(
    paths: Vec<(Vec<u8>, N)>,
    mut inode: impl FnMut(&[u8], N) -> Result<Inode, ReadError>,
) -> Result<Tree, ReadError> {
    let mut tree = Tree::new();
    let mut known = HashMap::new();
    for (path, number) in paths {
        if !tree.get(split(&path).0).is_some_and(Inode::is_directory) {
            return Err(ReadError::Senseless("a name is in no directory"));
        }
        match known.get(&number) {
            Some(id) if tree.inode(*id).is_directory() => {
                return Err(ReadError::Senseless("a directory has two names"));
            }
            Some(id) => tree.link(&path, *id),
            None => {
                let inode = inode(&path, number)?;
                known.insert(number, tree.insert(&path, inode));
            }
        }
    }
    Ok(tree)
}

/// Returns a moment.
///
/// # Errors
///
/// [`ReadError::Senseless`] if the nanoseconds make a second or more.
pub(super) fn time(seconds: i64, nanoseconds: u32) -> Result<Time, ReadError> {
    if nanoseconds >= 1_000_000_000 {
        return Err(ReadError::Senseless("a time is none"));
    }
    Ok(Time {
        seconds,
        nanoseconds,
    })
}
