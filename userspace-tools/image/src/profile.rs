// SPDX-License-Identifier: GPL-2.0-only

//! Profiles: lists of files that a boot reads, for an image in which these are quick to read.
//!
//! One path a line, written with a slash in front and read with or without. A line feed in a name
//! is written as `\n` and a backslash as `\\`; a backslash before anything else stands for itself.

use std::collections::BTreeSet;
use std::io::{self, Write};

use thiserror::Error;

use crate::tree::{Kind, Tree};

/// Why a list is none.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// A byte that no path can have.
    #[error("line {0} holds a NUL byte: this is no list of files, as `initoverlayfs stats --files` writes it")]
    Nul(usize),
}

/// A list of files: paths from the root, without a slash in front.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile(BTreeSet<Vec<u8>>);

impl FromIterator<Vec<u8>> for Profile {
    fn from_iter<I: IntoIterator<Item = Vec<u8>>>(paths: I) -> Self {
        Self(paths.into_iter().collect())
    }
}

/// The files of a tree that a profile names.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The first name of each file, whichever of its names the profile has.
    pub files: BTreeSet<Vec<u8>>,
    /// The paths of the profile that lead to no regular file of the tree.
    pub missing: Vec<Vec<u8>>,
}

impl Profile {
    /// Reads a list.
    ///
    /// # Errors
    ///
    /// [`ProfileError::Nul`], with the line counted from 1.
    pub fn parse(list: &[u8]) -> Result<Self, ProfileError> {
        let lines = list.split(|byte| *byte == b'\n').enumerate();
        let paths = lines.map(|(index, line)| {
            if line.contains(&0) {
                return Err(ProfileError::Nul(index + 1));
            }
            Ok(unescaped(line))
        });
        let mut paths = paths.collect::<Result<BTreeSet<_>, _>>()?;
        // Empty lines.
        paths.remove(&Vec::new());
        Ok(Self(paths))
    }

    /// Writes the list, in the order of its bytes.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        for path in &self.0 {
            out.write_all(&[b"/", &escaped(path)[..], b"\n"].concat())?;
        }
        Ok(())
    }

    /// Returns how many paths there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Looks for its files in a tree, through symbolic links.
    pub fn select(&self, tree: &Tree) -> Selection {
        let first_names = tree.first_names();
        let mut selection = Selection::default();
        for path in &self.0 {
            let id = tree.resolve_id(path);
            let id = id.filter(|id| matches!(tree.inode(*id).kind, Kind::Regular(_)));
            match id.and_then(|id| first_names.get(&id)) {
                Some(name) => {
                    selection.files.insert(name.to_vec());
                }
                None => selection.missing.push(path.clone()),
            }
        }
        selection
    }
}

fn escaped(path: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b'\n' => line.extend(b"\\n"),
            b'\\' => line.extend(b"\\\\"),
            _ => line.push(*byte),
        }
    }
    line
}

/// Returns the path of a line, without the slashes in front.
fn unescaped(line: &[u8]) -> Vec<u8> {
    let start = line.iter().position(|byte| *byte != b'/');
    let mut rest = line.get(start.unwrap_or(line.len())..).unwrap_or_default();
    let mut path = Vec::with_capacity(rest.len());
    while let Some((byte, behind)) = rest.split_first() {
        let (byte, behind) = match (byte, behind.split_first()) {
            (b'\\', Some((b'n', behind))) => (b'\n', behind),
            (b'\\', Some((b'\\', behind))) => (b'\\', behind),
            _ => (*byte, behind),
        };
        path.push(byte);
        rest = behind;
    }
    path
}
