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
#[derive(Debug, Default)]
pub struct SeldomRead {
    /// The first name of each large file that lies elsewhere.
    pub large: BTreeSet<Vec<u8>>,
    /// Set if there are files in these directories.
    has_others: bool,
}

impl SeldomRead {
    /// Finds them in a tree, without those of these names.
    pub fn of(tree: &Tree, without: &[&BTreeSet<Vec<u8>>]) -> Self {
        let mut found = Self::default();
        for (id, name) in tree.first_names() {
            let len = match &tree.inode(id).kind {
                Kind::Regular(content) => content.len(),
                _ => 0,
            };
            if len == 0 || without.iter().any(|names| names.contains(name)) {
                continue;
            }
            let place = name.strip_prefix(b"usr/").unwrap_or(name);
            if PLACES.iter().any(|one| place.starts_with(one.as_bytes())) {
                found.has_others = true;
            } else if len >= LARGE {
                found.large.insert(name.to_vec());
            }
        }
        found
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.large.is_empty() && !self.has_others
    }

    /// Returns an expression for those that are not in [`large`](Self::large), as `mkfs.erofs` takes it.
    pub fn expression() -> String {
        format!("^(usr/)?({})", PLACES.join("|"))
    }
}
