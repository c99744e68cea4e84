// SPDX-License-Identifier: GPL-2.0-only

//! Files that a boot seldom reads, or of which it reads little, and which an image may therefore pack tightly.
//!
//! They are told by where they lie, and by their size. Of 1086 files in a dracut image of Debian 13, a boot on a
//! machine whose drivers are built in read 275, and 783 of the others were modules.

use std::collections::BTreeSet;

use crate::tree::{Kind, Tree};

/// The directories of kernel modules, of firmware, and of data of programs; each may be in `usr`, too.
const PLACES: [&str; 3] = ["lib/modules/", "lib/firmware/", "share/"];

/// Bytes from which on a file is large. A database like udev's `hwdb.bin` (13 MB) is read here and there.
const LARGE: usize = 5 << 20;

/// Files that a boot seldom reads.
pub struct SeldomRead {
    /// The first name of each large file.
    pub large: BTreeSet<Vec<u8>>,
    /// Set if there are others.
    has_others: bool,
}

impl SeldomRead {
    /// Looks for them in a tree.
    pub fn of(tree: &Tree) -> Self {
        let mut found = Self {
            large: BTreeSet::new(),
            has_others: false,
        };
        for (id, name) in tree.first_names() {
            let Kind::Regular(content) = &tree.inode(id).kind else {
                continue;
            };
            let place = name.strip_prefix(b"usr/").unwrap_or(name);
            if content.len() >= LARGE {
                found.large.insert(name.to_vec());
            } else if PLACES.iter().any(|one| place.starts_with(one.as_bytes())) {
                found.has_others = true;
            }
        }
        found
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.large.is_empty() && !self.has_others
    }

    /// Returns an expression that those match which are not large, as `mkfs.erofs` takes it.
    pub fn expression() -> String {
        format!("^(usr/)?({})", PLACES.join("|"))
    }
}
