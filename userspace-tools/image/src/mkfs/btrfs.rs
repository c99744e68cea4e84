// SPDX-License-Identifier: GPL-2.0-only

//! btrfs images are made by `mkfs.btrfs` of btrfs-progs.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::Path;

use super::staging::{self, Show};
use super::{attributes, MkfsError};
use crate::btrfs_trees::Image;
use crate::programs::MKFS_BTRFS;
use crate::tree::Tree;

/// The oldest version that compresses the files of a directory, and makes subvolumes of it.
const OLDEST: (u32, u32) = (6, 14);

/// The compression of the image's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Zstandard.
    Zstd,
    /// Deflate.
    Zlib,
    /// LZO.
    Lzo,
    /// None.
    None,
}

impl Compression {
    /// Returns the name that `mkfs.btrfs` knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Zlib => "zlib",
            Self::Lzo => "lzo",
            Self::None => "no",
        }
    }

    /// Returns the levels it has, if any.
    pub fn levels(self) -> Option<RangeInclusive<u32>> {
        match self {
            Self::Zstd => Some(1..=15),
            Self::Zlib => Some(1..=9),
            Self::Lzo | Self::None => None,
        }
    }
}

/// The options of the image.
#[derive(Clone, Debug)]
pub struct Options {
    /// The compression.
    pub compression: Compression,
    /// The level, one of [`Compression::levels`].
    pub level: Option<u32>,
    /// The subvolume that the tree goes into, below the root; into the root without one.
    pub subvolume: Option<String>,
    /// Bytes that are left free at the end for what is written.
    pub reserve: u64,
}

/// Returns an error unless there is an `mkfs.btrfs` that will do, and what it needs.
pub(super) fn check_tools(options: &Options) -> Result<(), MkfsError> {
    let text = MKFS_BTRFS.version_text("--version")?;
    MKFS_BTRFS.check_version(&text, OLDEST)?;
    // What it is built without is listed with a minus sign.
    let lacking = format!("-{}", options.compression.name().to_uppercase());
    if text.split_whitespace().any(|word| word == lacking) {
        return Err(MkfsError::Lacks(&MKFS_BTRFS, options.compression.name()));
    }
    Ok(())
}

/// Makes an image of a tree; returns what it leaves out. It is another one each time: its identity and
/// the time of its making are not for us to choose.
pub(super) fn from_tree(
    tree: &Tree,
    image: &Path,
    options: &Options,
) -> Result<Vec<Vec<u8>>, MkfsError> {
    let subvolume = options.subvolume.as_deref();
    let below = subvolume.map(|name| tree.below(name.as_bytes()));
    let tree = below.as_ref().unwrap_or(tree);
    let left_out = staging::run(&MKFS_BTRFS, tree, Show::Plain, |stage| {
        let mut arguments: Vec<OsString> = ["--quiet", "--metadata", "single", "--data", "single"]
            .map(OsString::from)
            .into();
        let level = options.level.map(|level| format!(":{level}"));
        let compression = options.compression.name();
        arguments.push("--compress".into());
        arguments.push(format!("{compression}{}", level.unwrap_or_default()).into());
        if let Some(name) = subvolume {
            arguments.extend(["--subvol".into(), format!("rw:{name}").into()]);
        }
        arguments.extend(["--rootdir".into(), stage.into()]);
        arguments.extend(["--shrink".into(), image.into()]);
        arguments
    })?;
    let image = Image::open(image)?;
    attributes::set(&image, tree)?;
    if options.reserve > 0 {
        image.grow(options.reserve)?;
    }
    Ok(left_out)
}
