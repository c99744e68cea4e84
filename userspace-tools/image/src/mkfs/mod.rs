// SPDX-License-Identifier: GPL-2.0-only

//! Images are made of trees, by the tools of their filesystems.
//!
//! None of them runs as root. `mkfs.erofs` reads a tarball; `mksquashfs` a directory to which `fakeroot`
//! lends owners and devices; `mkfs.btrfs` one of plain files, which become what they should be afterwards;
//! `mke2fs` makes an empty filesystem, which `debugfs` fills.

mod attributes;
pub mod btrfs;
pub mod erofs;
pub mod ext4;
mod program;
pub mod squashfs;
mod staging;

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use initoverlayfs_core::initrd::filesystem::Filesystem;
use thiserror::Error;

pub(crate) use self::ext4::debugfs;
pub(crate) use self::staging::faked_shell;
use crate::btrfs_trees::TreeError;
use crate::programs::{Program, MKFS_BTRFS};
use crate::tree::Tree;

/// The options of an image.
#[derive(Clone, Debug)]
pub enum Format {
    /// An EROFS image.
    Erofs(erofs::Options),
    /// A btrfs image.
    Btrfs(btrfs::Options),
    /// A squashfs image.
    Squashfs(squashfs::Options),
    /// An ext4 image, which has nothing to choose.
    Ext4,
}

impl Format {
    /// Whose image it is.
    pub fn filesystem(&self) -> Filesystem {
        match self {
            Self::Erofs(_) => Filesystem::Erofs,
            Self::Btrfs(_) => Filesystem::Btrfs,
            Self::Squashfs(_) => Filesystem::Squashfs,
            Self::Ext4 => Filesystem::Ext4,
        }
    }
}

/// Why there is no image.
#[derive(Debug, Error)]
pub enum MkfsError {
    /// No such program.
    #[error("{name} cannot be run ({1}): install {package}, or name it in {variable}",
        name = .0.name, package = .0.package, variable = .0.variable)]
    Missing(&'static Program, io::Error),
    /// An old one.
    #[error("{name} is version {1}: install {package}, or name it in {variable}",
        name = .0.name, package = .0.package, variable = .0.variable)]
    TooOld(&'static Program, String),
    /// The program was built without the compression asked for.
    #[error(
        "this {name} was built without {1}: install one with it, or choose another compression",
        name = .0.name
    )]
    Lacks(&'static Program, &'static str),
    /// The program failed, with this message.
    #[error("{name} failed: {1}", name = .0.name)]
    Failed(&'static Program, String),
    /// `SOURCE_DATE_EPOCH` is no number.
    #[error("SOURCE_DATE_EPOCH is {0:?}: it has to be a number of seconds since 1970")]
    Date(OsString),
    /// The input of a program could not be written to a temporary file.
    #[error("a temporary file cannot be used")]
    Temporary(#[source] io::Error),
    /// The tarball could not be passed on.
    #[error("{name} takes no more input: {1}", name = .0.name)]
    Pipe(&'static Program, io::Error),
    /// A name that no command of a tool can state.
    #[error("/{0}: {name} takes no names with line feeds: choose another --type", name = .1.name)]
    LineFeed(String, &'static Program),
    /// The program made another image than it should.
    #[error("{name} made an image that makes no sense: {1}", name = .0.name)]
    Senseless(&'static Program, &'static str),
}

/// An image that was made, as far as it is not what it should be.
#[derive(Debug)]
pub struct Made {
    /// The names of sockets, which are left out.
    pub left_out: Vec<Vec<u8>>,
    /// Set if this `mkfs.erofs` could use LZ4 only, where [`erofs::Compression::Mixed`] promises Zstandard, too.
    pub lacks_zstd: bool,
}

/// A function that another thread calls from time to time, with the number of bytes that the program has compressed, and of those that it
/// will.
pub type Watch<'a> = &'a (dyn Fn(u64, u64) + Sync);

impl From<TreeError> for MkfsError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::File(cause) => Self::Temporary(cause),
            TreeError::Senseless(what) => Self::Senseless(&MKFS_BTRFS, what),
        }
    }
}

/// The tools for a format, found and new enough.
pub struct Maker {
    erofs: Option<erofs::Mkfs>,
    date: u64,
}

impl Maker {
    /// Looks for the tools: each in the environment, in a variable of its name, or in `PATH`.
    ///
    /// # Errors
    ///
    /// [`MkfsError::Missing`], [`MkfsError::TooOld`], [`MkfsError::Lacks`], [`MkfsError::Date`].
    pub fn find(format: &Format) -> Result<Self, MkfsError> {
        let mut maker = Self {
            erofs: None,
            date: date()?,
        };
        match format {
            Format::Erofs(options) => maker.erofs = Some(erofs::Mkfs::find(options.compression)?),
            Format::Btrfs(options) => btrfs::check_tools(options)?,
            Format::Squashfs(_) => squashfs::check_tools()?,
            Format::Ext4 => ext4::check_tools()?,
        }
        Ok(maker)
    }

    /// Makes an image of a tree, in an empty file that is there. `watch` is told of EROFS images only.
    ///
    /// # Errors
    ///
    /// [`MkfsError`].
    pub fn from_tree(
        &self,
        tree: &Tree,
        image: &Path,
        format: &Format,
        watch: Watch<'_>,
    ) -> Result<Made, MkfsError> {
        let left_out = match format {
            Format::Erofs(options) => {
                return match &self.erofs {
                    Some(mkfs) => mkfs.from_tree(tree, image, options, watch),
                    None => {
                        let mkfs = erofs::Mkfs::find(options.compression)?;
                        mkfs.from_tree(tree, image, options, watch)
                    }
                }
            }
            Format::Btrfs(options) => btrfs::from_tree(tree, image, options)?,
            Format::Squashfs(options) => squashfs::from_tree(tree, image, options, self.date)?,
            Format::Ext4 => ext4::from_tree(tree, image, self.date)?,
        };
        Ok(Made {
            left_out,
            lacks_zstd: false,
        })
    }
}

/// Returns the time that the image states for its making.
fn date() -> Result<u64, MkfsError> {
    let Some(text) = env::var_os("SOURCE_DATE_EPOCH") else {
        return Ok(0);
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.ok_or(MkfsError::Date(text))
}
