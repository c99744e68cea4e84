// SPDX-License-Identifier: GPL-2.0-only

//! Tools in an initramfs that hand over to the real root, and refuse to do so from an overlay.
//!
//! klibc's `run-init`, busybox's and toybox's `switch_root` insist that `/` is a ramfs or a tmpfs,
//! since they empty it; Debian's initramfs-tools also asks `run-init -n` whether an init will do.
//! util-linux's `switch_root` works, but what it leaves stays in memory. A replacement that pivots
//! takes their place, under every name that leads to one of them.
//!
//! The shell of a busybox that is built with `FEATURE_SH_STANDALONE`, as Debian's is, runs the tools in itself
//! instead of what PATH leads to. So they get other names there.

use std::collections::BTreeMap;

use crate::elf::Abi;
use crate::tree::{split, Content, Id, Inode, Kind, Tree, Xattrs};

/// Names that tools are called by.
const NAMES: [&[u8]; 2] = [b"run-init", b"switch_root"];

/// The last byte of the names in [`NAMES`] when busybox is not to find them. Its list is sorted, and remains so.
const HIDDEN: u8 = b'_';

/// The extended attribute by which IMA knows a file.
const APPRAISED: &[u8] = b"security.ima";

/// The directory where busybox itself puts its links when it makes them at boot (`busybox --install`).
const APPLETS: &[u8] = b"sbin";

/// Bytes of a script that are looked at. Inits are smaller.
const LONGEST_SCRIPT: usize = 1 << 20;

/// A file that is larger, in bytes, is no busybox.
const LARGEST_BUSYBOX: usize = 64 << 20;

/// The kind of an unsuited tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// `run-init` of klibc.
    RunInit,
    /// `switch_root` of busybox or toybox.
    Applet,
    /// `run-init` or `switch_root` in a busybox, for its own shell.
    BuiltIn,
    /// A script that names busybox as the program, and one of the tools as its argument.
    Call,
    /// `switch_root` of util-linux.
    UtilLinux,
    /// booster's `/init`, which does it itself.
    Booster,
}

impl Tool {
    /// Returns what goes wrong, for a message.
    pub fn trouble(self) -> &'static str {
        match self {
            Self::RunInit => "klibc's run-init refuses a root that is no tmpfs",
            Self::Applet => "busybox's or toybox's program of this name refuses a root that is no tmpfs",
            Self::BuiltIn => {
                "busybox's shell may run its own run-init or switch_root, which refuse a root that is no tmpfs"
            }
            Self::Call => "calls `busybox switch_root` or `busybox run-init`, which cannot leave a root that is no tmpfs",
            Self::UtilLinux => "switch_root of util-linux leaves the image in memory",
            Self::Booster => "booster's init refuses a root that is no tmpfs",
        }
    }

    /// Returns what to do, for a message.
    pub fn cure(self) -> &'static str {
        const CONVERT: &str =
            "convert the initramfs without --no-handover-shim (for a machine without a hand-over \
             program, have init call pivot_root and umount -l instead)";
        self.remedy().unwrap_or(CONVERT)
    }

    /// Returns what to do where no replacement can help, for a message.
    fn remedy(self) -> Option<&'static str> {
        match self {
            Self::Booster => Some("build the image with another generator"),
            Self::Call => Some("have it call /sbin/switch_root or /sbin/run-init by its path"),
            _ => None,
        }
    }
}

/// A tool at some path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The kind.
    pub tool: Tool,
    /// For which machine; [`None`] if it is no ELF file.
    abi: Option<Abi>,
}

impl Found {
    /// Returns whether there is a replacement for tools of this kind.
    pub fn has_replacement(&self) -> bool {
        self.tool.remedy().is_none()
    }

    /// Returns why none of these programs can take its place, with what to do instead; [`None`] if one can.
    pub fn obstacle(&self, programs: &[Vec<u8>]) -> Option<&'static str> {
        const OTHER_MACHINE: &str = "it is for another machine than the hand-over programs here: \
             have init call pivot_root and umount -l instead, or build one, as in image.rst, \"Handing over to the real root\"";
        let is_for_others = self.program(programs).is_none();
        self.tool
            .remedy()
            .or(is_for_others.then_some(OTHER_MACHINE))
    }

    /// Returns which of these programs is for its machine.
    fn program(&self, programs: &[Vec<u8>]) -> Option<usize> {
        programs.iter().position(|one| Abi::of(one) == self.abi)
    }
}

/// Returns the tools in a tree that need attention, by path.
pub fn find(tree: &Tree) -> BTreeMap<Vec<u8>, Found> {
    let mut found = BTreeMap::new();
    for (path, _) in tree.iter() {
        if let Some(one) = tool_of(tree, path) {
            found.insert(path.to_vec(), one);
        }
    }
    if is_systemd(tree) {
        // systemd hands over by itself; its image may bring util-linux's tool without calling it.
        found.retain(|_, one| one.tool != Tool::UtilLinux);
        return found;
    }
    for id in tree.first_names().into_keys() {
        let busybox = busybox_with_tools(tree, id);
        if let (Some(abi), Some(path)) = (busybox, name_of_busybox(tree, id)) {
            let tool = Tool::BuiltIn;
            found.insert(path.to_vec(), Found { tool, abi });
        }
    }
    for (path, id) in tree.iter() {
        if let Kind::Regular(content) = &tree.inode(id).kind {
            let tool = if path == b"init" && has(content, b"github.com/anatol/booster") {
                Tool::Booster
            } else if calls_applet(content) {
                Tool::Call
            } else {
                continue;
            };
            found.insert(path.to_vec(), Found { tool, abi: None });
        }
    }
    found
}

/// Returns whether systemd is the tree's init.
fn is_systemd(tree: &Tree) -> bool {
    match tree.get(b"init").map(|inode| &inode.kind) {
        Some(Kind::Symlink(target)) => target.ends_with(b"systemd/systemd"),
        _ => false,
    }
}

/// Returns what is called by this name, if it is an unsuited tool.
fn tool_of(tree: &Tree, path: &[u8]) -> Option<Found> {
    let (_, name) = split(path);
    if !NAMES.contains(&name) {
        return None;
    }
    let Kind::Regular(content) = &tree.resolve(path)?.kind else {
        return None;
    };
    let tool = if has(content, b"initoverlayfs-handover") {
        return None;
    } else if has(content, b"ramfs or tmpfs") && name == b"run-init" {
        Tool::RunInit
    } else if has(content, b"BusyBox") || has(content, b"toybox") {
        Tool::Applet
    } else if has(content, b"util-linux") {
        Tool::UtilLinux
    } else {
        return None;
    };
    let abi = Abi::of(content.bytes());
    Some(Found { tool, abi })
}

/// Returns for which machine a file is, if it is a busybox that has one of the tools.
fn busybox_with_tools(tree: &Tree, id: Id) -> Option<Option<Abi>> {
    let Kind::Regular(content) = &tree.inode(id).kind else {
        return None;
    };
    let has_tools = content.bytes().starts_with(b"\x7fELF")
        && content.len() <= LARGEST_BUSYBOX
        && has(content, b"BusyBox")
        && NAMES.iter().any(|name| has(content, &listed(name)));
    has_tools.then(|| Abi::of(content.bytes()))
}

/// Returns an applet's name as it is in busybox's list of them.
fn listed(name: &[u8]) -> Vec<u8> {
    [b"\0", name, b"\0"].concat()
}

/// Returns a name of a busybox that is none of its tools', its own if it has it.
fn name_of_busybox(tree: &Tree, id: Id) -> Option<&[u8]> {
    let names = tree.iter().filter(|(_, other)| *other == id);
    let others = names.filter(|(path, _)| !NAMES.contains(&split(path).1));
    others
        .map(|(path, _)| path)
        .min_by_key(|path| split(path).1 != b"busybox")
}

/// Returns whether a file is a script that has a busybox run one of the tools.
fn calls_applet(content: &Content) -> bool {
    let text = content.bytes();
    if !text.starts_with(b"#!") || text.len() > LONGEST_SCRIPT {
        return false;
    }
    let is_call = |at: usize| {
        let line = text[..at].rsplit(|byte| *byte == b'\n').next();
        let before = line.unwrap_or_default().trim_ascii_end();
        let is_comment = before.trim_ascii_start().starts_with(b"#");
        !is_comment && before.ends_with(b"busybox") && before.len() < line.unwrap_or_default().len()
    };
    NAMES
        .iter()
        .any(|name| memchr::memmem::find_iter(text, name).any(is_call))
}

/// Returns whether bytes occur in a file.
fn has(content: &Content, wanted: &[u8]) -> bool {
    memchr::memmem::find(content.bytes(), wanted).is_some()
}

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

    /// Gives a program this name, and the time of what had it. Returns whether that is possible.
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

    /// Returns whether a program has this name at last. It gets it if nothing else has it.
    fn put_if_free(&mut self, tree: &mut Tree, path: &[u8], program: usize) -> bool {
        match tree.resolve(path).map(|inode| &inode.kind) {
            Some(Kind::Regular(content)) => content.bytes() == self.programs[program],
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
        if !shelf.put_if_free(tree, &crate::tree::join(directory, name), program) {
            outcome = Outcome::NoPlace;
            continue;
        }
        if is_for_shell {
            shelf.put_if_free(tree, &crate::tree::join(APPLETS, name), program);
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
    is_directory.then(|| crate::tree::join(&directory, name))
}
