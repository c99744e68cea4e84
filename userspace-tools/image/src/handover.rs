// SPDX-License-Identifier: GPL-2.0-only

//! Tools in an initramfs that hand over to the real root, and refuse to do so from an overlay.
//!
//! klibc's `run-init`, busybox's and toybox's `switch_root` insist that `/` is a ramfs or a tmpfs,
//! since they empty it; Debian's initramfs-tools also asks `run-init -n` whether an init will do.
//! util-linux's `switch_root` works, but what it leaves stays in memory. A replacement that pivots
//! takes their place.

use std::collections::BTreeMap;

use crate::tree::{Content, Id, Inode, Kind, Tree, Xattrs};

/// Where tools are looked for.
const DIRECTORIES: [&[u8]; 6] = [
    b"bin",
    b"sbin",
    b"usr/bin",
    b"usr/sbin",
    b"usr/lib/klibc/bin",
    b"lib/klibc/bin",
];

/// What an unsuited tool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// `run-init` of klibc.
    RunInit,
    /// `switch_root` of busybox or toybox.
    Applet,
    /// `switch_root` of util-linux.
    UtilLinux,
    /// booster's `/init`, which does it itself.
    Booster,
}

impl Tool {
    /// What goes wrong, for a message.
    pub fn trouble(self) -> &'static str {
        match self {
            Self::RunInit => "klibc's run-init refuses a root that is no tmpfs",
            Self::Applet => "switch_root of busybox or toybox refuses a root that is no tmpfs",
            Self::UtilLinux => "switch_root of util-linux leaves the image in memory",
            Self::Booster => "booster's init refuses a root that is no tmpfs",
        }
    }

    /// Whether the replacement can take its place.
    pub fn is_replaceable(self) -> bool {
        self != Self::Booster
    }
}

/// The tools in a tree that need attention, by path.
pub fn find(tree: &Tree) -> BTreeMap<Vec<u8>, Tool> {
    let mut found = BTreeMap::new();
    for directory in DIRECTORIES {
        for name in [&b"run-init"[..], b"switch_root"] {
            let path = [directory, b"/", name].concat();
            if let Some(tool) = tree
                .get(&path)
                .and_then(|inode| tool_of(tree, inode, &path))
            {
                found.insert(path, tool);
            }
        }
    }
    let init = tree.get(b"init").map(|inode| &inode.kind);
    if matches!(init, Some(Kind::Regular(content)) if has(content, b"github.com/anatol/booster")) {
        found.insert(b"init".to_vec(), Tool::Booster);
    }
    // systemd hands over by itself; its image may bring util-linux's tool without calling it.
    if is_systemd(tree) {
        found.retain(|_, tool| *tool != Tool::UtilLinux);
    }
    found
}

/// Whether systemd is the tree's init.
fn is_systemd(tree: &Tree) -> bool {
    match tree.get(b"init").map(|inode| &inode.kind) {
        Some(Kind::Symlink(target)) => target.ends_with(b"systemd/systemd"),
        _ => false,
    }
}

/// What stands behind the name of a tool, if it is unsuited.
fn tool_of(tree: &Tree, inode: &Inode, path: &[u8]) -> Option<Tool> {
    match &inode.kind {
        // busybox and toybox are links to one program; their names say what is to be done.
        Kind::Symlink(target) => {
            let name = target
                .rsplit(|byte| *byte == b'/')
                .next()
                .unwrap_or_default();
            let is_applet = name.starts_with(b"busybox") || name.starts_with(b"toybox");
            if is_applet {
                return Some(Tool::Applet);
            }
            // Debian's usr merge and the like: the file itself has a place of its own.
            let (directory, _) = crate::tree::split(path);
            let beside = [directory, b"/", target].concat();
            let target = tree.get(target.strip_prefix(b"/").unwrap_or(&beside))?;
            match target.kind {
                Kind::Symlink(_) => None,
                _ => tool_of(tree, target, path),
            }
        }
        Kind::Regular(content) if has(content, b"initoverlayfs-handover") => None,
        Kind::Regular(content) if path.ends_with(b"/run-init") => {
            has(content, b"ramfs or tmpfs").then_some(Tool::RunInit)
        }
        Kind::Regular(content) if has(content, b"BusyBox") || has(content, b"toybox") => {
            Some(Tool::Applet)
        }
        Kind::Regular(content) if has(content, b"util-linux") => Some(Tool::UtilLinux),
        _ => None,
    }
}

/// Whether bytes occur in a file.
fn has(content: &Content, wanted: &[u8]) -> bool {
    memchr::memmem::find(content.bytes(), wanted).is_some()
}

/// Puts the program `replacement` in the place of the tools `found`.
///
/// The other names of a busybox stay what they are.
pub fn replace(tree: &mut Tree, found: &BTreeMap<Vec<u8>, Tool>, replacement: Vec<u8>) {
    let mut program: Option<Id> = None;
    let content = Content::from(replacement);
    for (path, _) in found.iter().filter(|(_, tool)| tool.is_replaceable()) {
        let mtime = tree.get(path).map(|inode| inode.mtime).unwrap_or_default();
        let inode = Inode {
            kind: Kind::Regular(content.clone()),
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime,
            xattrs: Xattrs::new(),
        };
        match program {
            Some(id) => tree.link(path, id),
            None => program = Some(tree.insert(path, inode)),
        }
    }
}
