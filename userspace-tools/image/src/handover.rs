// SPDX-License-Identifier: GPL-2.0-only

//! Tools in an initramfs that hand over to the real root, and refuse to do so from an overlay.
//!
//! klibc's `run-init`, busybox's and toybox's `switch_root` insist that `/` is a ramfs or a tmpfs,
//! since they empty it; Debian's initramfs-tools also asks `run-init -n` whether an init will do.
//! util-linux's `switch_root` works, but what it leaves stays in memory. A replacement that pivots
//! takes their place, under every name that leads to one of them.
//!
//! The shell of a busybox that is built with `FEATURE_SH_STANDALONE`, as Debian's is, runs the tools in itself
//! instead of those that PATH leads to. In such a busybox, they get other names.

mod replace;

use std::collections::BTreeMap;

pub use self::replace::{replace, Done, Outcome};
use crate::elf::Abi;
use crate::tree::{split, Content, Id, Kind, Tree};

/// Names that tools are called by.
const NAMES: [&[u8]; 2] = [b"run-init", b"switch_root"];

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
        let Kind::Regular(content) = &tree.inode(id).kind else {
            continue;
        };
        if !is_busybox_with_tools(content) {
            continue;
        }
        if let Some(path) = name_of_busybox(tree, id) {
            let (tool, abi) = (Tool::BuiltIn, Abi::of(content.bytes()));
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
    let tool = if is_ours(content) {
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

/// Returns whether a file is a busybox that has one of the tools.
fn is_busybox_with_tools(content: &Content) -> bool {
    content.bytes().starts_with(b"\x7fELF")
        && content.len() <= LARGEST_BUSYBOX
        && has(content, b"BusyBox")
        && NAMES.iter().any(|name| has(content, &listed(name)))
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

/// Returns whether a file is a program of ours, of this version or another.
fn is_ours(content: &Content) -> bool {
    has(content, b"initoverlayfs-handover")
}

/// Returns whether bytes occur in a file.
fn has(content: &Content, wanted: &[u8]) -> bool {
    memchr::memmem::find(content.bytes(), wanted).is_some()
}
