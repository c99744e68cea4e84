// SPDX-License-Identifier: GPL-2.0-only

//! squashfs images are made by `mksquashfs` of squashfs-tools.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::Path;

use super::staging::{self, Show};
use super::MkfsError;
use crate::programs::MKSQUASHFS;
use crate::tree::Tree;

/// The oldest version that makes the same image of the same files, and that `unsquashfs` is used of.
const OLDEST: (u32, u32) = (4, 5);

/// The usual size of the pieces that are compressed together, in bytes.
pub const BLOCK_SIZE: u32 = 128 << 10;

/// The compression of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// LZ4, taking its time.
    Lz4hc,
    /// LZ4.
    Lz4,
    /// Deflate.
    Gzip,
    /// LZO.
    Lzo,
    /// XZ.
    Xz,
    /// Zstandard.
    Zstd,
    /// None; the kernel wants a decompressor nevertheless, that of gzip.
    None,
}

impl Compression {
    /// Returns what `mksquashfs` is told.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Lz4hc => &["-comp", "lz4", "-Xhc"],
            Self::Lz4 => &["-comp", "lz4"],
            Self::Gzip => &["-comp", "gzip"],
            Self::Lzo => &["-comp", "lzo"],
            Self::Xz => &["-comp", "xz"],
            Self::Zstd => &["-comp", "zstd"],
            Self::None => &["-comp", "gzip", "-noI", "-noId", "-noD", "-noF", "-noX"],
        }
    }

    /// Returns the levels it has, if any.
    pub fn levels(self) -> Option<RangeInclusive<u32>> {
        match self {
            Self::Gzip | Self::Lzo => Some(1..=9),
            Self::Zstd => Some(1..=22),
            Self::Lz4hc | Self::Lz4 | Self::Xz | Self::None => None,
        }
    }
}

/// The options of the image.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The compression.
    pub compression: Compression,
    /// The level, one of [`Compression::levels`].
    pub level: Option<u32>,
    /// Bytes that are compressed together: a power of two from 4096 to 1 MiB.
    pub block_size: u32,
}

/// Returns an error unless there is an `mksquashfs` that will do.
pub(super) fn check_tools() -> Result<(), MkfsError> {
    let text = MKSQUASHFS.version_text("-version")?;
    MKSQUASHFS.check_version(&text, OLDEST)?;
    staging::check_tools()
}

/// Makes an image of a tree; the same tree makes the same image. Returns what it leaves out.
///
/// It would read a tarball, too, but not what that says of the root directory.
pub(super) fn from_tree(
    tree: &Tree,
    image: &Path,
    options: &Options,
    date: u64,
) -> Result<Vec<Vec<u8>>, MkfsError> {
    staging::run(&MKSQUASHFS, tree, Show::All, |stage| {
        let mut arguments = vec![stage.into(), image.into()];
        arguments.extend(self::arguments(options, date));
        arguments
    })
}

fn arguments(options: &Options, date: u64) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["-quiet", "-no-progress", "-noappend", "-exit-on-error"]
        .iter()
        .chain(options.compression.arguments())
        .map(OsString::from)
        .collect();
    arguments.extend(["-b".into(), options.block_size.to_string().into()]);
    arguments.extend(["-mkfs-time".into(), date.to_string().into()]);
    if let Some(level) = options.level {
        arguments.extend(["-Xcompression-level".into(), level.to_string().into()]);
    }
    arguments
}
