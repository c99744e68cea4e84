// SPDX-License-Identifier: GPL-2.0-only

//! Layers become one tree, as overlayfs shows them (`Documentation/filesystems/overlayfs.rst`).

use crate::tree::{Inode, Kind, Tree};

/// Names of attributes that are overlayfs's own.
const OWN_XATTRS: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];
const OPAQUE: &[u8] = b"trusted.overlay.opaque";

/// Returns whether it hides what has its name in the layers below.
fn is_whiteout(inode: &Inode) -> bool {
    inode.kind == Kind::Character(0, 0)
}

/// Returns whether a directory hides all that is in its namesakes below.
fn is_opaque(inode: &Inode) -> bool {
    inode.xattrs.get(OPAQUE).is_some_and(|value| value == b"y")
}

/// Puts `upper` over `lower`.
pub fn cover(lower: &mut Tree, upper: &Tree) {
    let mut made = std::collections::HashMap::new();
    for (path, id) in upper.iter() {
        let inode = upper.inode(id);
        if is_whiteout(inode) {
            lower.remove(path);
            continue;
        }
        let mut inode = inode.clone();
        inode
            .xattrs
            .retain(|name, _| !OWN_XATTRS.iter().any(|own| name.starts_with(own)));
        match lower.id(path) {
            Some(below) if inode.is_directory() && lower.inode(below).is_directory() => {
                if is_opaque(upper.inode(id)) {
                    lower.remove_below(path);
                }
                *lower.inode_mut(below) = inode;
            }
            _ => {
                lower.remove(path);
                match made.get(&id) {
                    Some(first) => lower.link(path, *first),
                    None => {
                        let new = lower.insert(path, inode);
                        made.insert(id, new);
                    }
                }
            }
        }
    }
}
