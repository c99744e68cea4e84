// SPDX-License-Identifier: GPL-2.0-only

//! EROFS images are made by `mkfs.erofs` of erofs-utils.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tempfile::NamedTempFile;

use super::{MkfsError, Watch};
use crate::programs::MKFS_EROFS;
use crate::tree::Tree;
use crate::{hints, tarball, temporary};

/// The oldest version that reads all of a tarball and knows all of the options.
const OLDEST: (u32, u32) = (1, 8);

/// The usual size of the pieces that are compressed together, in bytes. Larger
/// ones make smaller images; a boot that reads here and there decompresses more that it does not need.
pub const CLUSTER_SIZE: u32 = 16 << 10;

/// The time between two looks at what the program has read.
const INTERVAL: Duration = Duration::from_millis(100);

/// The compression of the image's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// LZ4, taking its time.
    Lz4hc,
    /// LZ4.
    Lz4,
    /// Zstandard.
    Zstd,
    /// Deflate.
    Deflate,
    /// LZMA.
    Lzma,
    /// None.
    None,
}

impl Compression {
    /// Returns the name that `mkfs.erofs` knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lz4hc => "lz4hc",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
            Self::Lzma => "lzma",
            Self::None => "none",
        }
    }

    /// Returns the level that is used unless told otherwise.
    fn usual_level(self) -> Option<u32> {
        (self == Self::Lz4hc).then_some(12)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Bytes in a block.
const BLOCK: u32 = 4096;

/// Bytes in the largest cluster.
const LARGEST_CLUSTER: u32 = 1 << 20;

/// The options of the image.
#[derive(Clone, Debug)]
pub struct Options {
    /// The compression.
    pub compression: Compression,
    /// The level, within the limits that `mkfs.erofs --help` gives.
    pub level: Option<u32>,
    /// Bytes that pieces are compressed into: a multiple of the block size of 4096, up to 1 MiB.
    pub cluster_size: u32,
    /// Bytes of a file that are compressed together at most: more than a block, or nothing gets
    /// smaller. [`None`] for as many as fit into a cluster.
    pub max_extent: Option<u32>,
    /// Files that are not compressed, by the first of their names in the tree.
    pub uncompressed: BTreeSet<Vec<u8>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            compression: Compression::Lz4hc,
            level: None,
            cluster_size: CLUSTER_SIZE,
            max_extent: None,
            uncompressed: BTreeSet::new(),
        }
    }
}

/// An `mkfs.erofs` that will do.
pub struct Mkfs {
    date: u64,
}

impl Mkfs {
    /// Looks for one: `MKFS_EROFS` in the environment, or in `PATH`.
    ///
    /// # Errors
    ///
    /// [`MkfsError::Missing`], [`MkfsError::TooOld`], [`MkfsError::Lacks`], [`MkfsError::Date`].
    pub fn find(compression: Compression) -> Result<Self, MkfsError> {
        let text = MKFS_EROFS.version_text("--version")?;
        MKFS_EROFS.check_version(&text, OLDEST)?;
        let names = |line: &str| {
            line.split([',', ' '])
                .any(|word| word == compression.name())
        };
        if compression != Compression::None && !text.lines().any(names) {
            return Err(MkfsError::Lacks(&MKFS_EROFS, compression.name()));
        }
        Ok(Self {
            date: super::date()?,
        })
    }

    /// Makes an image of a tree; the same tree makes the same image. Returns what it leaves out:
    /// sockets.
    ///
    /// `mkfs.erofs` reads contents twice: the tarball into a temporary file, and that to compress it. `watch` is told
    /// of the second time, which takes longer.
    ///
    /// # Errors
    ///
    /// [`MkfsError::Failed`], [`MkfsError::Temporary`], [`MkfsError::Pipe`].
    pub fn from_tree(
        &self,
        tree: &Tree,
        image: &Path,
        options: &Options,
        watch: Watch<'_>,
    ) -> Result<Vec<Vec<u8>>, MkfsError> {
        let hints = hints(options)?;
        let mut command = self.command(options, hints.as_ref());
        command.arg("--tar=f").arg(image).stdin(Stdio::piped());
        let child = MKFS_EROFS.start(&mut command)?;
        let (meter, total) = (child.meter(), tree.content_len());
        thread::scope(|scope| {
            let (end, ended) = mpsc::channel::<()>();
            scope.spawn(move || {
                while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    let read = meter.bytes_read().and_then(|read| read.checked_sub(total));
                    if let Some(compressed) = read {
                        watch(compressed.min(total), total);
                    }
                }
            });
            let written = match child.take_input() {
                Some(input) => {
                    let input = io::BufWriter::with_capacity(1 << 20, input);
                    tarball::write_for_mkfs_erofs(tree, input)
                }
                None => Err(io::ErrorKind::BrokenPipe.into()),
            };
            // Its own words say more than that it closed the pipe.
            let output = MKFS_EROFS.wait(child);
            drop(end);
            output?;
            written.map_err(|cause| MkfsError::Pipe(&MKFS_EROFS, cause))
        })
    }

    fn command(&self, options: &Options, hints: Option<&NamedTempFile>) -> Command {
        let mut command = MKFS_EROFS.command();
        command
            .args(["--quiet", "-Uclear", "--mkfs-time"])
            .arg(format!("-T{}", self.date));
        if options.compression != Compression::None {
            let level = options.level.or(options.compression.usual_level());
            let level = level.map_or_else(String::new, |level| format!(",{level}"));
            command.arg(format!("-z{}{level}", options.compression));
            // With hints, mkfs.erofs 1.8.6 fails with the largest clusters, or never ends.
            let largest = if hints.is_some() {
                LARGEST_CLUSTER - BLOCK
            } else {
                LARGEST_CLUSTER
            };
            command.arg(format!("-C{}", options.cluster_size.min(largest)));
            if let Some(most) = options.max_extent {
                command.arg(format!("--max-extent-bytes={most}"));
            }
        }
        if let Some(hints) = hints {
            let mut argument = OsString::from("--compress-hints=");
            argument.push::<&OsStr>(hints.path().as_ref());
            command.arg(argument);
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

/// Returns a file that says what is not to be compressed, if anything is.
fn hints(options: &Options) -> Result<Option<NamedTempFile>, MkfsError> {
    if options.uncompressed.is_empty() || options.compression == Compression::None {
        return Ok(None);
    }
    let mut file = temporary::file().map_err(MkfsError::Temporary)?;
    file.write_all(&hints::uncompressed(&options.uncompressed))
        .map_err(MkfsError::Temporary)?;
    Ok(Some(file))
}
