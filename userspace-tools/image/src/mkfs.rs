// SPDX-License-Identifier: GPL-2.0-only

//! Images are made by `mkfs.erofs` of erofs-utils.

use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;

use tempfile::NamedTempFile;
use thiserror::Error;

use crate::children::Running;
use crate::tree::Tree;
use crate::{hints, tarball, temporary};

/// The oldest version that reads all of a tarball and knows all of the options.
const OLDEST: (u32, u32) = (1, 8);

/// How large the pieces are that are compressed together, in bytes, unless told otherwise. Larger
/// ones make smaller images; a boot that reads here and there decompresses more that it does not need.
pub const CLUSTER_SIZE: u32 = 16 << 10;

/// How the image's files are compressed.
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
    /// The name that `mkfs.erofs` knows it by.
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

    /// The level that is used unless told otherwise.
    fn usual_level(self) -> Option<u32> {
        (self == Self::Lz4hc).then_some(12)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the image is to be like.
#[derive(Clone, Debug)]
pub struct Options {
    /// The compression.
    pub compression: Compression,
    /// Its level, within the limits that `mkfs.erofs --help` gives.
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

/// Why there is no image.
#[derive(Debug, Error)]
pub enum MkfsError {
    /// No `mkfs.erofs`.
    #[error("mkfs.erofs cannot be run ({0}): install erofs-utils 1.8 or newer, or name it in MKFS_EROFS")]
    Missing(io::Error),
    /// An old one.
    #[error(
        "mkfs.erofs is version {0}: install erofs-utils 1.8 or newer, or name it in MKFS_EROFS"
    )]
    TooOld(String),
    /// It was built without the compression asked for.
    #[error(
        "this mkfs.erofs was built without {0}: install one with it, or choose another compression"
    )]
    Lacks(Compression),
    /// It does not like what it got.
    #[error("mkfs.erofs failed: {0}")]
    Failed(String),
    /// `SOURCE_DATE_EPOCH` is no number.
    #[error("SOURCE_DATE_EPOCH is {0:?}: it has to be a number of seconds since 1970")]
    Date(OsString),
    /// The list of files that are not compressed could not be passed on.
    #[error("a temporary file cannot be used")]
    Temporary(#[source] io::Error),
    /// The tarball could not be passed on.
    #[error("mkfs.erofs takes no more input: {0}")]
    Pipe(io::Error),
}

/// An `mkfs.erofs` that will do.
pub struct Mkfs {
    program: OsString,
    date: u64,
}

impl Mkfs {
    /// Looks for one: `MKFS_EROFS` in the environment, or in `PATH`.
    ///
    /// # Errors
    ///
    /// [`MkfsError::Missing`], [`MkfsError::TooOld`], [`MkfsError::Lacks`], [`MkfsError::Date`].
    pub fn find(compression: Compression) -> Result<Self, MkfsError> {
        let program = env::var_os("MKFS_EROFS").filter(|name| !name.is_empty());
        let program = program.unwrap_or_else(|| "mkfs.erofs".into());
        let output = Command::new(&program)
            .arg("--version")
            .output()
            .map_err(MkfsError::Missing)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = version_in(&text).filter(|version| *version >= OLDEST);
        if version.is_none() {
            return Err(MkfsError::TooOld(
                text.lines().next().unwrap_or("unknown").to_owned(),
            ));
        }
        let names = |line: &str| {
            line.split([',', ' '])
                .any(|word| word == compression.name())
        };
        if compression != Compression::None && !text.lines().any(names) {
            return Err(MkfsError::Lacks(compression));
        }
        Ok(Self {
            program,
            date: date()?,
        })
    }

    /// Makes an image of a tree; the same tree makes the same image. Returns what it leaves out:
    /// sockets.
    ///
    /// # Errors
    ///
    /// [`MkfsError::Failed`], [`MkfsError::Temporary`], [`MkfsError::Pipe`].
    pub fn from_tree(
        &self,
        tree: &Tree,
        image: &Path,
        options: &Options,
    ) -> Result<Vec<Vec<u8>>, MkfsError> {
        let hints = hints(options)?;
        let mut command = self.command(options, hints.as_ref());
        command.arg("--tar=f").arg(image).stdin(Stdio::piped());
        let child = Running::start(&mut command).map_err(MkfsError::Missing)?;
        let written = match child.take_input() {
            Some(input) => tarball::write(tree, io::BufWriter::with_capacity(1 << 20, input)),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        // Its own words say more than that it closed the pipe.
        wait(child)?;
        written.map_err(MkfsError::Pipe)
    }

    /// Makes an image of a directory, with the owners that it has.
    ///
    /// # Errors
    ///
    /// [`MkfsError::Failed`], [`MkfsError::Temporary`].
    pub fn from_directory(
        &self,
        directory: &Path,
        image: &Path,
        options: &Options,
    ) -> Result<(), MkfsError> {
        let hints = hints(options)?;
        let mut command = self.command(options, hints.as_ref());
        command.arg(image).arg(directory).stdin(Stdio::null());
        wait(Running::start(&mut command).map_err(MkfsError::Missing)?)
    }

    fn command(&self, options: &Options, hints: Option<&NamedTempFile>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["--quiet", "-Uclear", "--mkfs-time"])
            .arg(format!("-T{}", self.date));
        if options.compression != Compression::None {
            let level = options.level.or(options.compression.usual_level());
            let level = level.map_or_else(String::new, |level| format!(",{level}"));
            command.arg(format!("-z{}{level}", options.compression));
            command.arg(format!("-C{}", options.cluster_size));
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

/// A file that says what is not to be compressed, if anything is.
fn hints(options: &Options) -> Result<Option<NamedTempFile>, MkfsError> {
    if options.uncompressed.is_empty() || options.compression == Compression::None {
        return Ok(None);
    }
    let mut file = temporary::file().map_err(MkfsError::Temporary)?;
    file.write_all(&hints::uncompressed(&options.uncompressed))
        .map_err(MkfsError::Temporary)?;
    Ok(Some(file))
}

/// Waits for it to end well.
fn wait(child: Running) -> Result<(), MkfsError> {
    let output = child.output().map_err(MkfsError::Missing)?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let words = words.trim();
    Err(MkfsError::Failed(if words.is_empty() {
        output.status.to_string()
    } else {
        words.into()
    }))
}

/// The first two numbers of a version: `mkfs.erofs (erofs-utils) 1.8.10`.
fn version_in(text: &str) -> Option<(u32, u32)> {
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let word = text.lines().next()?.split_whitespace().find(is_version)?;
    let mut numbers = word.split(|c: char| !c.is_ascii_digit()).map(u32::from_str);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The time that the image states for its making.
fn date() -> Result<u64, MkfsError> {
    let Some(text) = env::var_os("SOURCE_DATE_EPOCH") else {
        return Ok(0);
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.ok_or(MkfsError::Date(text))
}
