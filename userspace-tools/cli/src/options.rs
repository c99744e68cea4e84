// SPDX-License-Identifier: GPL-2.0-only

//! Options that several commands have: what the image is like, where it goes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use initoverlayfs_image::mkfs::{self, CLUSTER_SIZE};
use initoverlayfs_image::output::Output;
use initoverlayfs_image::profile::Profile;

use crate::quick::Quick;
use crate::sizes::Size;
use crate::streams::{self, Target};

/// How the image is compressed.
#[derive(Clone, Copy, ValueEnum)]
enum Compression {
    Lz4hc,
    Lz4,
    Zstd,
    Deflate,
    Lzma,
    None,
}

/// What the image is to be like.
#[derive(Args)]
pub struct ImageOptions {
    /// Compression; the kernel must have it too
    #[arg(long, value_enum, default_value = "lz4hc", value_name = "METHOD")]
    compression: Compression,
    /// Level of the compression, as `mkfs.erofs --help` lists them [default: 12 for lz4hc, else that of
    /// `mkfs.erofs`]
    #[arg(long)]
    level: Option<u32>,
    /// Bytes compressed together, K and M for 1024 and 1024K: larger is smaller, and slower where little is
    /// read
    #[arg(long, value_name = "SIZE", default_value_t = Size(CLUSTER_SIZE), value_parser = cluster_size)]
    cluster_size: Size,
    /// Bytes of a file that are compressed together at most: more than 4K; a small limit makes a larger
    /// image [default: whatever fits into a cluster]
    #[arg(long, value_name = "SIZE", value_parser = max_extent)]
    max_extent: Option<Size>,
    /// Files to leave uncompressed, as `initoverlayfs stats --files` lists what a boot has read
    #[arg(long, value_name = "LIST")]
    profile: Option<PathBuf>,
    /// Compress what starts /init as well: the image gets smaller, and init starts later
    #[arg(long)]
    compress_init: bool,
}

impl ImageOptions {
    /// In the words of the library.
    pub fn mkfs(&self) -> mkfs::Options {
        let compression = match self.compression {
            Compression::Lz4hc => mkfs::Compression::Lz4hc,
            Compression::Lz4 => mkfs::Compression::Lz4,
            Compression::Zstd => mkfs::Compression::Zstd,
            Compression::Deflate => mkfs::Compression::Deflate,
            Compression::Lzma => mkfs::Compression::Lzma,
            Compression::None => mkfs::Compression::None,
        };
        mkfs::Options {
            compression,
            level: self.level,
            cluster_size: self.cluster_size.0,
            max_extent: self.max_extent.map(|size| size.0),
            uncompressed: BTreeSet::new(),
        }
    }

    /// What is to be quick to read.
    pub fn quick(&self) -> Result<Quick> {
        let profile = self
            .profile
            .as_ref()
            .map(|list| Profile::parse(&read(list)?).with_context(|| list.display().to_string()));
        Ok(Quick {
            profile: profile.transpose()?,
            startup: !self.compress_init,
        })
    }
}

/// Bytes in a block.
const BLOCK: u32 = 4096;

fn cluster_size(text: &str) -> Result<Size, String> {
    const LARGEST: Size = Size(1 << 20);
    let size: Size = text.parse()?;
    if size.0 % BLOCK != 0 || !(Size(BLOCK)..=LARGEST).contains(&size) {
        return Err(format!("a multiple of {BLOCK} up to {LARGEST} is wanted"));
    }
    Ok(size)
}

fn max_extent(text: &str) -> Result<Size, String> {
    let size: Size = text.parse()?;
    // What is no larger than a block never gets smaller by a block.
    if size <= Size(BLOCK) {
        return Err(format!("more than a block of {BLOCK} bytes is wanted"));
    }
    Ok(size)
}

/// Where the result goes.
#[derive(Args)]
pub struct OutputOptions {
    /// The file to make, which appears whole or not at all; `-` for standard output
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// Leave tools alone that cannot hand over from this root, instead of replacing them
    #[arg(long)]
    pub no_handover_shim: bool,
}

impl OutputOptions {
    /// Starts the result.
    pub fn create(&self) -> Result<Target> {
        if streams::is_output(&self.output) {
            return Target::standard();
        }
        create(&self.output, self.force).map(Target::File)
    }

    /// Puts the result in its place; returns its size in bytes.
    pub fn finish(&self, target: Target) -> Result<u64> {
        target.finish().with_context(|| self.name())
    }

    /// What the user is told that it is.
    pub fn name(&self) -> String {
        if streams::is_output(&self.output) {
            "standard output".into()
        } else {
            self.output.display().to_string()
        }
    }
}

/// Starts a file that appears whole, and takes the place of another with `force` only.
pub fn create(path: &Path, force: bool) -> Result<Output> {
    Output::create(path, force).map_err(|error| {
        let is_there = error.kind() == std::io::ErrorKind::AlreadyExists;
        let remedy = if is_there {
            ": --force replaces it"
        } else {
            ""
        };
        anyhow::Error::new(error).context(format!("{}{remedy}", path.display()))
    })
}

/// Reads a file, naming it in the error.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}
