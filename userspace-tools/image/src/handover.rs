// SPDX-License-Identifier: GPL-2.0-only

//! Tools in an initramfs that hand over to the real root, and refuse to do so from an overlay.
//!
//! klibc's `run-init`, busybox's and toybox's `switch_root` insist that `/` is a ramfs or a tmpfs,
//! since they empty it; Debian's initramfs-tools also asks `run-init -n` whether an init will do.
//! util-linux's `switch_root` works, but what it leaves stays in memory. A replacement that pivots
//! takes their place, under every name that leads to one of them.

use std::collections::BTreeMap;

use crate::elf::Abi;
use crate::tree::{split, Content, Id, Inode, Kind, Tree, Xattrs};

/// Names that tools are called by.
const NAMES: [&[u8]; 2] = [b"run-init", b"switch_root"];

/// The place where busybox itself puts its link when it makes links at boot (`busybox --install`). It leaves alone
/// what is there.
const APPLET_PLACE: &[u8] = b"sbin/switch_root";

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
    /// `switch_root` of busybox, for which there is no name yet.
    UnnamedApplet,
    /// A script that names busybox as the program, and `switch_root` as its argument.
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
            Self::UnnamedApplet => {
                "missing, and busybox would make it at boot: its switch_root refuses a root that is no tmpfs"
            }
            Self::Call => "calls `busybox switch_root`, which refuses a root that is no tmpfs",
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
            Self::Call => Some("have it call /sbin/switch_root by its path"),
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
    if !tree.iter().any(|(path, _)| NAMES.contains(&split(path).1)) {
        let unnamed = tree.iter().find_map(|(_, id)| unnamed_applet(tree, id));
        found.extend(unnamed.map(|one| (APPLET_PLACE.to_vec(), one)));
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

/// Returns the tool that a busybox has and that no name leads to, if this file is such a busybox.
fn unnamed_applet(tree: &Tree, id: Id) -> Option<Found> {
    let Kind::Regular(content) = &tree.inode(id).kind else {
        return None;
    };
    // busybox has a list of its applets' names.
    let has_applet = content.len() <= LARGEST_BUSYBOX
        && has(content, b"BusyBox")
        && has(content, b"\0switch_root\0");
    has_applet.then(|| Found {
        tool: Tool::UnnamedApplet,
        abi: Abi::of(content.bytes()),
    })
}

/// Returns whether a file is a script that has a busybox run `switch_root`.
fn calls_applet(content: &Content) -> bool {
    let text = content.bytes();
    if !text.starts_with(b"#!") || text.len() > LONGEST_SCRIPT {
        return false;
    }
    memchr::memmem::find_iter(text, b"switch_root").any(|at| {
        let line = text[..at].rsplit(|byte| *byte == b'\n').next();
        let before = line.unwrap_or_default().trim_ascii_end();
        let is_comment = before.trim_ascii_start().starts_with(b"#");
        !is_comment && before.ends_with(b"busybox") && before.len() < line.unwrap_or_default().len()
    })
}

/// Returns whether bytes occur in a file.
fn has(content: &Content, wanted: &[u8]) -> bool {
    memchr::memmem::find(content.bytes(), wanted).is_some()
}

/// Puts one of `programs` in the place of each of the tools `found`: the one for its machine, if there is one.
///
/// The other names of a busybox stay what they are.
pub fn replace(tree: &mut Tree, found: &BTreeMap<Vec<u8>, Found>, programs: &[Vec<u8>]) {
    let mut ids: BTreeMap<usize, Id> = BTreeMap::new();
    let is_meant = |one: &Found| one.obstacle(programs).is_none();
    for (path, one) in found.iter().filter(|(_, one)| is_meant(one)) {
        let (Some(path), Some(program)) = (place(tree, path), one.program(programs)) else {
            continue;
        };
        let mtime = tree.get(&path).map(|inode| inode.mtime).unwrap_or_default();
        let inode = Inode {
            kind: Kind::Regular(Content::from(programs[program].clone())),
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime,
            xattrs: Xattrs::new(),
        };
        match ids.get(&program) {
            Some(id) => tree.link(&path, *id),
            None => {
                ids.insert(program, tree.insert(&path, inode));
            }
        }
    }
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
