// SPDX-License-Identifier: GPL-2.0-only

//! Programs in the place of tools that refuse to hand over.

use std::collections::BTreeMap;

use super::{is_ours, listed, Found, Tool, NAMES};
use crate::elf::Abi;
use crate::tree::{join, split, Content, Id, Inode, Kind, Tree, Xattrs};

/// The last byte of the names in [`NAMES`] when busybox is not to find them. Its list is sorted, and remains so.
const HIDDEN: u8 = b'_';

/// The extended attribute by which IMA knows a file.
const APPRAISED: &[u8] = b"security.ima";

/// The directory where busybox itself puts its links when it makes them at boot (`busybox --install`).
const APPLETS: &[u8] = b"sbin";

/// The outcome for a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A program is in its place.
    Replaced,
    /// The tool has another name in busybox, and there is a program of its own.
    Renamed,
    /// There is no place for a program: something else has the name.
    NoPlace,
}

/// The result of [`replace`].
#[derive(Debug, Default)]
pub struct Done {
    /// The outcome for each tool for which there was a program, by its path.
    pub outcomes: BTreeMap<Vec<u8>, Outcome>,
    /// Files that were changed or replaced, and that IMA knew by a digest or a signature (`security.ima`).
    pub appraised: Vec<Vec<u8>>,
}

/// Puts one of `programs` in the place of each of the tools `found`: the one for its machine, if there is one.
///
/// The other names of a busybox stay what they are. Its own tools are renamed, so that its shell looks for a program. There
/// is one beside busybox, and one where busybox would make its links at boot.
pub fn replace(tree: &mut Tree, found: &BTreeMap<Vec<u8>, Found>, programs: &[Vec<u8>]) -> Done {
    let mut done = Done::default();
    let mut shelf = Shelf::new(programs);
    // The tools that are files come first: a busybox looks at what is then there.
    let (built_in, files): (Vec<_>, Vec<_>) = found
        .iter()
        .filter(|(_, one)| one.obstacle(programs).is_none())
        .partition(|(_, one)| one.tool == Tool::BuiltIn);
    for (path, one) in files.into_iter().chain(built_in) {
        let Some(program) = one.program(programs) else {
            continue;
        };
        let is_appraised = tree
            .resolve(path)
            .is_some_and(|inode| inode.xattrs.contains_key(APPRAISED));
        let outcome = if one.tool == Tool::BuiltIn {
            hide_tools(tree, path, &mut shelf, program)
        } else if shelf.put(tree, path, program) {
            Outcome::Replaced
        } else {
            Outcome::NoPlace
        };
        done.outcomes.insert(path.clone(), outcome);
        if is_appraised && outcome != Outcome::NoPlace {
            done.appraised.push(path.clone());
        }
    }
    done
}

/// The programs, each of which is one file in the tree, whatever its names are.
struct Shelf<'a> {
    programs: &'a [Vec<u8>],
    ids: BTreeMap<usize, Id>,
}

impl<'a> Shelf<'a> {
    fn new(programs: &'a [Vec<u8>]) -> Self {
        Self {
            programs,
            ids: BTreeMap::new(),
        }
    }

    /// Gives a program this name, and the modification time of the file that had it. Returns whether that is possible.
    fn put(&mut self, tree: &mut Tree, path: &[u8], program: usize) -> bool {
        let Some(path) = place(tree, path) else {
            return false;
        };
        if let Some(id) = self.ids.get(&program) {
            tree.link(&path, *id);
            return true;
        }
        let mtime = tree.get(&path).map(|inode| inode.mtime).unwrap_or_default();
        let inode = Inode {
            kind: Kind::Regular(Content::from(self.programs[program].clone())),
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime,
            xattrs: Xattrs::new(),
        };
        self.ids.insert(program, tree.insert(&path, inode));
        true
    }

    /// Gives a program this name if nothing has it. Returns whether a program of ours for the same machine has it then.
    fn put_if_free(&mut self, tree: &mut Tree, path: &[u8], program: usize) -> bool {
        match tree.resolve(path).map(|inode| &inode.kind) {
            Some(Kind::Regular(content)) => {
                is_ours(content) && Abi::of(content.bytes()) == Abi::of(&self.programs[program])
            }
            Some(_) => false,
            None => {
                place(tree, path).is_some_and(|path| tree.get(&path).is_none())
                    && self.put(tree, path, program)
            }
        }
    }
}

/// Renames the tools in a busybox for which a program is beside it.
fn hide_tools(tree: &mut Tree, path: &[u8], shelf: &mut Shelf<'_>, program: usize) -> Outcome {
    let (Some(id), (directory, _)) = (tree.id(path), split(path)) else {
        return Outcome::NoPlace;
    };
    let Kind::Regular(content) = &tree.inode(id).kind else {
        return Outcome::NoPlace;
    };
    let mut bytes = content.bytes().to_vec();
    // A busybox may be there for programs of another machine.
    let is_for_shell = match tree.resolve(b"bin/sh").map(|inode| &inode.kind) {
        Some(Kind::Regular(shell)) => Abi::of(shell.bytes()) == Abi::of(&bytes),
        _ => true,
    };
    let mut outcome = Outcome::Renamed;
    for name in NAMES {
        let spots: Vec<usize> = memchr::memmem::find_iter(&bytes, &listed(name)).collect();
        if spots.is_empty() {
            continue;
        }
        if !shelf.put_if_free(tree, &join(directory, name), program) {
            outcome = Outcome::NoPlace;
            continue;
        }
        if is_for_shell {
            shelf.put_if_free(tree, &join(APPLETS, name), program);
        }
        for spot in spots {
            bytes[spot + name.len()] = HIDDEN;
        }
    }
    tree.inode_mut(id).kind = Kind::Regular(Content::from(bytes));
    outcome
}

/// Returns where a name is to be put: in the directory that its own leads to, which is made if there is
/// none. [`None`] if something else is in the way.
fn place(tree: &mut Tree, path: &[u8]) -> Option<Vec<u8>> {
    let (directory, name) = split(path);
    if tree.get(directory).is_none() {
        tree.insert(directory, Inode::directory(0o755));
    }
    let directory = tree.resolve_path(directory)?;
    let is_directory = tree.get(&directory)?.is_directory();
    is_directory.then(|| join(&directory, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handover::find;

    /// Inserts a program that IMA knows, if `is_appraised`.
    fn insert(tree: &mut Tree, path: &[u8], text: &[u8], is_appraised: bool) {
        let digest = is_appraised.then(|| (APPRAISED.to_vec(), vec![4, 4]));
        let inode = Inode {
            kind: Kind::Regular(Content::from(text.to_vec())),
            xattrs: digest.into_iter().collect(),
            ..Inode::directory(0o755)
        };
        tree.insert(path, inode);
    }

    #[test]
    fn changed_files_that_ima_knows_are_named() {
        let programs = [b"initoverlayfs-handover".to_vec()];
        for (busybox, run_init) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut tree = Tree::new();
            tree.insert(b"bin", Inode::directory(0o755));
            let list = b"\x7fELF BusyBox\0run-init\0";
            insert(&mut tree, b"bin/busybox", list, busybox);
            insert(
                &mut tree,
                b"bin/run-init",
                b"not a ramfs or tmpfs",
                run_init,
            );
            insert(&mut tree, b"bin/other", b"", true);
            let found = find(&tree);
            let done = replace(&mut tree, &found, &programs);
            let expected = [(busybox, &b"bin/busybox"[..]), (run_init, b"bin/run-init")];
            let expected = expected.iter().filter(|(is_appraised, _)| *is_appraised);
            let mut appraised = done.appraised;
            appraised.sort();
            assert!(appraised.iter().eq(expected.map(|(_, path)| path)));
            assert_eq!(done.outcomes[&b"bin/busybox"[..]], Outcome::Renamed);
        }
    }
}
