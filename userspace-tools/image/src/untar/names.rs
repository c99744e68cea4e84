// SPDX-License-Identifier: GPL-2.0-only

//! Places of a tarball's names in a tree, and the names that its whiteouts take away there.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use crate::tree::{join, split, Id, Inode, Tree};

/// Returns where a name is in the tree; nothing if it leads out.
pub(super) fn place(name: &[u8]) -> Option<Vec<u8>> {
    let mut path = Vec::new();
    for component in Path::new(OsStr::from_bytes(name)).components() {
        match component {
            Component::Normal(part) => path = join(&path, part.as_bytes()),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Returns the file that a hard link names, through symbolic links on the way to its directory.
pub(super) fn linked(tree: &Tree, target: &[u8]) -> Option<Id> {
    let (directory, file) = split(target);
    tree.id(&join(&tree.resolve_path(directory)?, file))
}

/// Takes names away, but not those of this layer, nor the directories that these are in.
pub(super) fn hide(tree: &mut Tree, paths: &[Vec<u8>], own: &BTreeSet<Vec<u8>>) {
    for path in paths {
        // What lies below begins with this: the path and a slash.
        let start = join(path, b"");
        let is_above_own = || {
            let next = own.range(start.clone()..).next();
            next.is_some_and(|own| own.starts_with(&start))
        };
        if !own.contains(path) && !is_above_own() {
            tree.remove(path);
        }
    }
}

/// Returns where a directory is, through symbolic links to directories, as `tar` and container engines find it.
/// Makes what is missing, as tarballs may leave directories out.
pub(super) fn make_parents(tree: &mut Tree, directory: &[u8]) -> Vec<u8> {
    let mut place = Vec::new();
    let parts = directory.split(|byte| *byte == b'/');
    for part in parts.filter(|part| !part.is_empty()) {
        let next = join(&place, part);
        let is_directory = |path: &Vec<u8>| tree.get(path).is_some_and(Inode::is_directory);
        if is_directory(&next) {
            place = next;
        } else if let Some(path) = tree.resolve_path(&next).filter(is_directory) {
            place = path;
        } else {
            tree.remove(&next);
            tree.insert(&next, Inode::directory(0o755));
            place = next;
        }
    }
    place
}
