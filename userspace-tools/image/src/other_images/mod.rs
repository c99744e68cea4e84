// SPDX-License-Identifier: GPL-2.0-only

//! Reads images of btrfs, squashfs and ext4 into trees, without mounting them and without root: the tools of each
//! filesystem take the contents out.

mod btrfs;
mod ext4;
mod paths;
mod squashfs;

use std::fs::{self, File};
use std::io::{self, Write};

use initoverlayfs_core::initrd::filesystem::Filesystem;
use thiserror::Error;

use crate::btrfs_trees::TreeError;
use crate::mkfs::MkfsError;
use crate::temporary;
use crate::tree::Tree;
use crate::untar::TarError;

/// Why an image cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The programs that read it.
    #[error(transparent)]
    Programs(#[from] MkfsError),
    /// The tarball of the files cannot be read.
    #[error("the files that unsquashfs took out: {0}")]
    Tarball(#[from] TarError),
    /// A temporary file.
    #[error("a temporary file cannot be used")]
    Temporary(#[from] io::Error),
    /// Structures of the image, or words of a program, that make no sense.
    #[error("it is damaged: {0}")]
    Senseless(&'static str),
}

impl From<TreeError> for ReadError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::File(cause) => Self::Temporary(cause),
            TreeError::Senseless(what) => Self::Senseless(what),
        }
    }
}

impl ReadError {
    /// Returns whether that is no fault of the image's.
    pub fn is_of_this_machine(&self) -> bool {
        match self {
            Self::Programs(error) => matches!(
                error,
                MkfsError::Missing(..) | MkfsError::TooOld(..) | MkfsError::Temporary(_)
            ),
            Self::Temporary(_) => true,
            Self::Tarball(_) | Self::Senseless(_) => false,
        }
    }
}

/// Reads all of an image of another filesystem than EROFS.
///
/// # Errors
///
/// [`ReadError`].
pub fn read(filesystem: Filesystem, image: &[u8]) -> Result<Tree, ReadError> {
    let place = temporary::directory()?;
    let file = place.path().join("image");
    File::create_new(&file)?.write_all(image)?;
    let work = place.path().join("work");
    fs::create_dir(&work)?;
    match filesystem {
        Filesystem::Btrfs => btrfs::read(&file, &work),
        Filesystem::Ext4 => ext4::read(&file, &work),
        Filesystem::Squashfs => squashfs::read(&file, &work),
        Filesystem::Erofs => Err(ReadError::Senseless("it is one of EROFS")),
    }
}
