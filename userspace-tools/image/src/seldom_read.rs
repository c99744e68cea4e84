// SPDX-License-Identifier: GPL-2.0-only

//! Files that a boot seldom reads, or of which it reads little, and which an image may therefore pack tightly.
//!
//! These are all but the files that are known to be quick: a boot of Debian's dracut image reads 275 of 1086 files.
//! Of mkosi-initrd's 115 MB it needs 30.

use std::collections::BTreeSet;

use crate::tree::{Kind, Tree};

/// Directories whose large files are read as a whole: kernel modules, firmware, data of programs; each may be in
/// `usr`, too.
const WHOLE: [&str; 3] = ["lib/modules/", "lib/firmware/", "share/"];

/// Bytes from which on a file is large. A database like udev's `hwdb.bin` (13 MB) is read here and there.
const LARGE: usize = 5 << 20;

/// Bytes from which on it pays to pack them tightly: a few hundred kilobytes are saved. Less is not worth an algorithm
/// that the kernel may lack.
const WORTH_IT: usize = 2 << 20;

/// Files that a boot seldom reads.
#[derive(Debug, Default)]
pub struct SeldomRead {
    /// The first name of each large file that is read here and there.
    pub large: BTreeSet<Vec<u8>>,
    /// Bytes of these and all others.
    len: usize,
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
            let is_whole = WHOLE.iter().any(|one| place.starts_with(one.as_bytes()));
            if len >= LARGE && !is_whole {
                found.large.insert(name.to_vec());
            }
            found.len = found.len.saturating_add(len);
        }
        found
    }

    /// Returns whether they are enough for an algorithm of their own.
    pub fn is_worth_it(&self) -> bool {
        self.len >= WORTH_IT
    }
}
