// SPDX-License-Identifier: GPL-2.0-only

//! SELinux labels for the files of a tree, as a file of contexts states them.
//!
//! How such a file is read differs between versions of libselinux, so a program of libselinux reads it. `mkfs.erofs`
//! 1.8.6 ignores its own option `--file-contexts` when it reads a tarball, even if it is built with libselinux.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::mkfs::MkfsError;
use crate::programs::MATCHPATHCON;
use crate::tree::{Id, Kind, Tree};

/// The attribute that is a file's label.
pub const LABEL: &[u8] = b"security.selinux";

/// The word that stands for no label.
const NONE: &[u8] = b"<<none>>";

/// The most names for one call of the program. Each has less than 4096 bytes, and the kernel takes 2 MiB.
const MOST: usize = 256;

/// Why there are no labels.
#[derive(Debug, Error)]
pub enum LabelError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] io::Error),
    /// A directory or a device, which has no contexts.
    #[error("it is no file")]
    NoFile,
    /// The program is missing, or refuses the file of contexts.
    #[error(transparent)]
    Program(#[from] MkfsError),
    /// The file of contexts has nothing to say.
    #[error("it has a label for none of the files")]
    Useless,
    /// The program printed more or fewer lines than it was given names.
    #[error("{name} printed {0} labels for {1} names", name = MATCHPATHCON.name)]
    Senseless(usize, usize),
}

/// A file of contexts, which was found to be one.
pub struct Labels {
    contexts: PathBuf,
}

impl Labels {
    /// Looks at the file, and for the program that reads it: `MATCHPATHCON` in the environment, or `matchpathcon` in
    /// `PATH`.
    ///
    /// # Errors
    ///
    /// [`LabelError::File`], [`LabelError::NoFile`], [`LabelError::Program`].
    pub fn read(contexts: PathBuf) -> Result<Self, LabelError> {
        if !std::fs::metadata(&contexts)?.is_file() {
            return Err(LabelError::NoFile);
        }
        let labels = Self { contexts };
        labels.of("dir", &[b""])?;
        Ok(labels)
    }

    /// Returns the path of the file.
    pub fn contexts(&self) -> &Path {
        &self.contexts
    }

    /// Gives each file the label of its first name. A file for which the contexts have none, or `<<none>>`, stays as
    /// it is. Returns how many files got a label.
    ///
    /// # Errors
    ///
    /// [`LabelError::Program`], [`LabelError::Useless`], [`LabelError::Senseless`].
    pub fn set(&self, tree: &mut Tree) -> Result<usize, LabelError> {
        let mut kinds: BTreeMap<&str, Vec<(Id, Vec<u8>)>> = BTreeMap::new();
        for (id, path) in tree.first_names() {
            let kind = kinds.entry(word(&tree.inode(id).kind)).or_default();
            kind.push((id, path.to_vec()));
        }
        let mut count = 0;
        for (kind, files) in kinds {
            for some in files.chunks(MOST) {
                let paths: Vec<&[u8]> = some.iter().map(|(_, path)| path.as_slice()).collect();
                for ((id, _), label) in some.iter().zip(self.of(kind, &paths)?) {
                    if label != NONE {
                        tree.inode_mut(*id).xattrs.insert(LABEL.to_vec(), label);
                        count += 1;
                    }
                }
            }
        }
        if count == 0 {
            return Err(LabelError::Useless);
        }
        Ok(count)
    }

    /// Returns the labels of files of one kind.
    fn of(&self, kind: &str, paths: &[&[u8]]) -> Result<Vec<Vec<u8>>, LabelError> {
        // Neither translations of this system, nor the names again.
        let mut arguments: Vec<OsString> = ["-N", "-n", "-m", kind, "-f"].map(Into::into).into();
        arguments.push(self.contexts.clone().into());
        let paths_in_root = paths.iter().map(|path| [b"/", *path].concat());
        arguments.extend(paths_in_root.map(OsString::from_vec));
        let output = MATCHPATHCON.run(arguments, &[])?;
        let lines = output.stdout.split(|byte| *byte == b'\n');
        let mut labels: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
        labels.pop();
        if labels.len() != paths.len() {
            return Err(LabelError::Senseless(labels.len(), paths.len()));
        }
        Ok(labels)
    }
}

/// Returns the word by which the program knows a kind of file.
fn word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Directory => "dir",
        Kind::Regular(_) => "file",
        Kind::Symlink(_) => "lnk_file",
        Kind::Character(..) => "chr_file",
        Kind::Block(..) => "blk_file",
        Kind::Fifo => "pipe",
        Kind::Socket => "sock_file",
    }
}
