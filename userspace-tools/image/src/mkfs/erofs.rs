// SPDX-License-Identifier: GPL-2.0-only

//! EROFS images are made by `mkfs.erofs` of erofs-utils.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tempfile::NamedTempFile;

use super::{Made, MkfsError, Watch};
use crate::programs::MKFS_EROFS;
use crate::seldom_read::SeldomRead;
use crate::tree::Tree;
use crate::{hints, tarball, temporary};

/// The oldest version that reads all of a tarball and knows all of the options.
const OLDEST: (u32, u32) = (1, 8);

/// The usual size of the pieces that are compressed together, in bytes. Larger
/// ones make smaller images; a boot that reads here and there decompresses more that it does not need.
pub const CLUSTER_SIZE: u32 = 16 << 10;

/// The usual one of [`Compression::Mixed`].
pub const MIXED_CLUSTER_SIZE: u32 = 64 << 10;

/// The usual one of [`Compression::Small`].
pub const SMALL_CLUSTER_SIZE: u32 = 256 << 10;

/// The version from which on zstd can fill clusters to the byte, in the layout with 48 bits that Linux 6.15 and later
/// read. It packs the ends of files together, the same each time, which 1.8 does not.
const HAS_48BIT: (u32, u32) = (1, 9);

/// The number of the signal.
const SEGMENTATION_FAULT: i32 = 11;

/// Hints for the second algorithm of [`Compression::Mixed`]: the line for all files that none before it names, and the start
/// of a line.
const IN_LARGE_CLUSTERS: &str = "131072 1 .\n";
const IN_SINGLE_BLOCKS: &str = "4096 1";

/// The time between two looks at what the program has read.
const INTERVAL: Duration = Duration::from_millis(100);

/// The compression of the image's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// LZ4, taking its time, for what is [quick](Options::quick); and Zstandard for all else.
    Mixed,
    /// Zstandard, taking its time, for all files: the smallest image.
    Small,
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
    /// Returns what `mkfs.erofs` has to know.
    fn first_algorithm(self) -> &'static str {
        match self {
            Self::Mixed | Self::Lz4hc => "lz4hc",
            Self::Lz4 => "lz4",
            Self::Small | Self::Zstd => "zstd",
            Self::Deflate => "deflate",
            Self::Lzma => "lzma",
            Self::None => "none",
        }
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
    /// The level, within the limits that `mkfs.erofs --help` gives. [`Compression::Mixed`] and [`Compression::Small`] have none to choose.
    pub level: Option<u32>,
    /// Bytes that pieces are compressed into: a multiple of the block size of 4096, up to 1 MiB.
    pub cluster_size: u32,
    /// Bytes of a file that are compressed together at most: more than a block, or nothing gets
    /// smaller. [`None`] for as many as fit into a cluster.
    pub max_extent: Option<u32>,
    /// Files that are not compressed, by the first of their names in the tree.
    pub uncompressed: BTreeSet<Vec<u8>>,
    /// Files that most boots read, by the same name: [`Compression::Mixed`] compresses no others by LZ4.
    pub quick: BTreeSet<Vec<u8>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            compression: Compression::Mixed,
            level: None,
            cluster_size: MIXED_CLUSTER_SIZE,
            max_extent: None,
            uncompressed: BTreeSet::new(),
            quick: BTreeSet::new(),
        }
    }
}

/// An `mkfs.erofs` that will do.
pub struct Mkfs {
    date: u64,
    has_48bit: bool,
    has_zstd: bool,
}

impl Mkfs {
    /// Looks for one: `MKFS_EROFS` in the environment, or in `PATH`.
    ///
    /// # Errors
    ///
    /// [`MkfsError::Missing`], [`MkfsError::TooOld`], [`MkfsError::Lacks`], [`MkfsError::Date`].
    pub fn find(compression: Compression) -> Result<Self, MkfsError> {
        let text = MKFS_EROFS.version_text("--version")?;
        let version = MKFS_EROFS.check_version(&text, OLDEST)?;
        let knows = |name: &str| text.split([',', ' ', '\n']).any(|word| word == name);
        if compression != Compression::None && !knows(compression.first_algorithm()) {
            return Err(MkfsError::Lacks(&MKFS_EROFS, compression.first_algorithm()));
        }
        Ok(Self {
            date: super::date()?,
            has_48bit: version >= HAS_48BIT,
            has_zstd: knows(Compression::Zstd.first_algorithm()),
        })
    }

    /// Makes an image of a tree; the same tree makes the same image. Sockets are left out.
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
    ) -> Result<Made, MkfsError> {
        let seldom_read = match options.compression {
            Compression::Mixed => SeldomRead::of(tree, &[&options.uncompressed, &options.quick]),
            _ => SeldomRead::default(),
        };
        let wants_to_mix = seldom_read.is_worth_it();
        let is_mixed = wants_to_mix && self.has_zstd && takes_numbers()?;
        let hints = hints(options, Some(seldom_read).filter(|_| is_mixed).as_ref())?;
        let mut command = self.command(options, hints.as_ref(), is_mixed);
        command.arg("--tar=f").arg(image).stdin(Stdio::piped());
        let child = MKFS_EROFS.start(&mut command)?;
        let (meter, total) = (child.meter(), tree.content_len());
        let left_out = thread::scope(|scope| {
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
        })?;
        Ok(Made {
            left_out,
            lacks_zstd: wants_to_mix && !is_mixed,
        })
    }

    fn command(&self, options: &Options, hints: Option<&NamedTempFile>, is_mixed: bool) -> Command {
        let mut command = MKFS_EROFS.command();
        command
            .args(["--quiet", "-Uclear", "--mkfs-time"])
            .arg(format!("-T{}", self.date));
        if options.compression != Compression::None {
            command.arg(format!("-z{}", algorithms(options, is_mixed)));
            match options.compression {
                // Its small inodes would lose nanoseconds.
                Compression::Small if self.has_48bit => {
                    command.arg("-E48bit,fragments,force-inode-extended")
                }
                Compression::Small | Compression::Mixed => command.arg("-Eztailpacking"),
                _ => &mut command,
            };
            let size = if hints.is_some() {
                with_hints(options.cluster_size)
            } else {
                options.cluster_size
            };
            command.arg(format!("-C{size}"));
            if let Some(most) = options.max_extent {
                command.arg(format!("--max-extent-bytes={most}"));
            }
        }
        if let Some(hints) = hints {
            command.arg(hints_argument(hints));
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

/// Returns the size of clusters beside hints, with which `mkfs.erofs` 1.8.6 fails with the largest ones, or never ends.
fn with_hints(cluster_size: u32) -> u32 {
    cluster_size.min(LARGEST_CLUSTER - BLOCK)
}

/// Returns the argument of `-z`.
fn algorithms(options: &Options, is_mixed: bool) -> String {
    match (options.compression, options.level) {
        (Compression::Mixed, _) if is_mixed => "lz4hc,12:zstd,9".into(),
        (Compression::Lz4hc, None) | (Compression::Mixed, _) => "lz4hc,12".into(),
        (Compression::Small, _) => "zstd,19".into(),
        (other, None) => other.first_algorithm().into(),
        (other, Some(level)) => format!("{},{level}", other.first_algorithm()),
    }
}

/// Returns a file that says which files are compressed in another way than most, if any are.
fn hints(
    options: &Options,
    seldom_read: Option<&SeldomRead>,
) -> Result<Option<NamedTempFile>, MkfsError> {
    let mut hints = hints::lines("0", &options.uncompressed);
    if let Some(found) = seldom_read {
        let usual = with_hints(options.cluster_size).to_string();
        hints.extend(hints::lines(&usual, &options.quick));
        hints.extend(hints::lines(IN_SINGLE_BLOCKS, &found.large));
        hints.extend(IN_LARGE_CLUSTERS.bytes());
    }
    if hints.is_empty() || options.compression == Compression::None {
        return Ok(None);
    }
    let mut file = temporary::file().map_err(MkfsError::Temporary)?;
    file.write_all(&hints).map_err(MkfsError::Temporary)?;
    Ok(Some(file))
}

/// Returns whether hints may state the number of an algorithm, by a trial with an empty tarball. Version 1.9.4 ends
/// with a segmentation fault; it is not to leave a core.
fn takes_numbers() -> Result<bool, MkfsError> {
    let file = |content: &[u8]| -> io::Result<NamedTempFile> {
        let mut file = temporary::file()?;
        file.write_all(content)?;
        Ok(file)
    };
    let hints = file(&hints::lines(IN_SINGLE_BLOCKS, &[b"any".to_vec()]));
    let hints = hints.map_err(MkfsError::Temporary)?;
    let tarball = file(&[0; 1024]).and_then(|file| file.reopen());
    let tarball = tarball.map_err(MkfsError::Temporary)?;
    let image = file(&[]).map_err(MkfsError::Temporary)?;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -c 0 && exec \"$0\" \"$@\""])
        .arg(MKFS_EROFS.command().get_program())
        .args(["--quiet", "-zlz4hc:zstd"])
        .arg(hints_argument(&hints))
        .arg("--tar=f")
        .arg(image.path())
        .stdin(tarball)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let ended = shell.status();
    let ended = ended.map_err(|cause| MkfsError::Missing(&MKFS_EROFS, cause))?;
    // Whatever else goes wrong, the image itself will meet, and say.
    Ok(ended.signal() != Some(SEGMENTATION_FAULT))
}

fn hints_argument(hints: &NamedTempFile) -> OsString {
    let mut argument = OsString::from("--compress-hints=");
    argument.push::<&OsStr>(hints.path().as_ref());
    argument
}
