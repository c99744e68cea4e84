// SPDX-License-Identifier: GPL-2.0-only

//! Options for what the image is like: of whichever filesystem, and only what that one can be.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use anyhow::{bail, ensure, Context, Result};
use clap::{Args, ValueEnum};
use initoverlayfs_image::labels::Labels;
use initoverlayfs_image::mkfs::{btrfs, erofs, squashfs, Format};
use initoverlayfs_image::profile::Profile;

use crate::make::size_argument::Size;
use crate::make::uncompressed_files::Quick;
use crate::terminal::files::read;

/// The filesystem of the image.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Type {
    Erofs,
    Btrfs,
    Squashfs,
    Ext4,
}

/// The compression of the image.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compression {
    Mixed,
    Lz4hc,
    Lz4,
    Zstd,
    Deflate,
    Lzma,
    Gzip,
    Zlib,
    Lzo,
    Xz,
    None,
}

/// The options of the image.
#[derive(Args)]
#[command(next_help_heading = "Image")]
pub struct ImageOptions {
    /// Filesystem of the image; the kernel must have it too
    #[arg(
        long = "type",
        value_enum,
        default_value = "erofs",
        value_name = "TYPE"
    )]
    kind: Type,
    /// Compression, which the kernel must have too: erofs has mixed (lz4hc for what most boots read, zstd
    /// for the rest), lz4hc, lz4, zstd, deflate, lzma and none; squashfs lz4hc, lz4, gzip, lzo, xz, zstd and
    /// none; btrfs zstd, zlib, lzo and none; ext4 none [default: mixed, of squashfs lz4hc, of btrfs zstd]
    #[arg(
        help_heading = "Compression",
        long,
        value_enum,
        value_name = "METHOD",
        hide_possible_values = true
    )]
    compression: Option<Compression>,
    /// Make the smallest image of erofs: zstd for all files, which takes minutes with mkfs.erofs 1.8; a boot
    /// reads it more slowly
    #[arg(
        help_heading = "Compression",
        long,
        conflicts_with_all = ["compression", "level", "cluster_size", "max_extent", "profile", "compress_init"]
    )]
    small: bool,
    /// Level of the compression: as `mkfs.erofs --help` lists them, mixed has none; for btrfs 1 to 15 with
    /// zstd, 1 to 9 with zlib; for squashfs 1 to 9 with gzip and lzo, 1 to 22 with zstd [default: 12 for
    /// lz4hc of erofs, else the tool's]
    #[arg(help_heading = "Compression", long)]
    level: Option<u32>,
    /// Bytes compressed together, K and M for 1024 and 1024K: larger is smaller, and slower where little is
    /// read; mixed leaves those of zstd as they are; for squashfs a power of two, 128K unless told otherwise
    /// [default: 64K if mixed, else 16K]
    #[arg(help_heading = "Compression", long, value_name = "SIZE", value_parser = cluster_size)]
    cluster_size: Option<Size>,
    /// Bytes of a file that are compressed together at most, for erofs: more than 4K; a small limit makes a
    /// larger image [default: whatever fits into a cluster]
    #[arg(help_heading = "Compression", long, value_name = "SIZE", value_parser = max_extent)]
    max_extent: Option<Size>,
    /// Files to leave uncompressed, for erofs, as `initoverlayfs stats --files` lists what a boot has read;
    /// mixed compresses the largest of them, unless all are small
    #[arg(help_heading = "Compression", long, value_name = "LIST")]
    profile: Option<PathBuf>,
    /// Compress what starts /init as well: the image gets smaller, and init starts later. Others than erofs
    /// do so anyway, and mixed if it is large
    #[arg(help_heading = "Compression", long)]
    compress_init: bool,
    /// Subvolume to put the files into, for btrfs; to be booted with initoverlayfs=subvol=NAME
    #[arg(long, value_name = "NAME", value_parser = subvolume)]
    subvol: Option<String>,
    /// Bytes to leave free in the image, for btrfs, K, M and G for powers of 1024: what can be written when
    /// it is booted with initoverlayfs=rw
    #[arg(long, value_name = "SIZE")]
    reserve: Option<Size>,
    /// SELinux labels for the files, from a policy's file of contexts (file_contexts), instead of those that the
    /// files have; needs `matchpathcon` of selinux-utils
    #[arg(long, value_name = "CONTEXTS")]
    labels: Option<PathBuf>,
}

impl ImageOptions {
    /// In the words of the library; an error if they do not go together.
    pub fn format(&self) -> Result<Format> {
        self.check_which()?;
        Ok(match self.kind {
            Type::Erofs => Format::Erofs(self.erofs()?),
            Type::Btrfs => Format::Btrfs(self.btrfs()?),
            Type::Squashfs => Format::Squashfs(self.squashfs()?),
            Type::Ext4 => Format::Ext4,
        })
    }

    /// Refuses the options that the type does not have.
    fn check_which(&self) -> Result<()> {
        use Type::{Btrfs, Erofs, Squashfs};
        let options: [(bool, &str, &[Type]); 9] = [
            (
                self.compression.is_some_and(|one| one != Compression::None),
                "--compression",
                &[Erofs, Btrfs, Squashfs],
            ),
            (self.small, "--small", &[Erofs]),
            (self.level.is_some(), "--level", &[Erofs, Btrfs, Squashfs]),
            (
                self.cluster_size.is_some(),
                "--cluster-size",
                &[Erofs, Squashfs],
            ),
            (self.max_extent.is_some(), "--max-extent", &[Erofs]),
            (self.profile.is_some(), "--profile", &[Erofs]),
            (self.compress_init, "--compress-init", &[Erofs]),
            (self.subvol.is_some(), "--subvol", &[Btrfs]),
            (self.reserve.is_some(), "--reserve", &[Btrfs]),
        ];
        for (is_given, option, types) in options {
            if is_given && !types.contains(&self.kind) {
                let types: Vec<_> = types.iter().map(|one| name_of(*one)).collect();
                bail!(
                    "{option} is of no use with --type {}: leave it out, or choose --type {}",
                    name_of(self.kind),
                    types.join(" or ")
                );
            }
        }
        Ok(())
    }

    fn erofs(&self) -> Result<erofs::Options> {
        if self.compression == Some(Compression::None) {
            let given = [
                (self.level.is_some(), "--level"),
                (self.cluster_size.is_some(), "--cluster-size"),
                (self.max_extent.is_some(), "--max-extent"),
            ];
            if let Some((_, option)) = given.iter().find(|(is_given, _)| *is_given) {
                bail!("{option} is of no use with --compression none: leave it out");
            }
        }
        let compression = match self.compression.unwrap_or(Compression::Mixed) {
            Compression::Mixed if self.small => erofs::Compression::Small,
            Compression::Mixed => erofs::Compression::Mixed,
            Compression::Lz4hc => erofs::Compression::Lz4hc,
            Compression::Lz4 => erofs::Compression::Lz4,
            Compression::Zstd => erofs::Compression::Zstd,
            Compression::Deflate => erofs::Compression::Deflate,
            Compression::Lzma => erofs::Compression::Lzma,
            Compression::None => erofs::Compression::None,
            other => return self.lacks(other, "mixed, lz4hc, lz4, zstd, deflate, lzma or none"),
        };
        let is_mixed = compression == erofs::Compression::Mixed;
        ensure!(
            self.level.is_none() || !is_mixed,
            "--level is of no use with mixed compression: choose another --compression"
        );
        let usual = match compression {
            erofs::Compression::Mixed => erofs::MIXED_CLUSTER_SIZE,
            erofs::Compression::Small => erofs::SMALL_CLUSTER_SIZE,
            _ => erofs::CLUSTER_SIZE,
        };
        Ok(erofs::Options {
            compression,
            level: self.level,
            cluster_size: self.cluster_size.map_or(usual, |size| size.0),
            max_extent: self.max_extent.map(|size| size.0),
            uncompressed: BTreeSet::new(),
            quick: BTreeSet::new(),
        })
    }

    fn btrfs(&self) -> Result<btrfs::Options> {
        let compression = match self.compression.unwrap_or(Compression::Zstd) {
            Compression::Zstd => btrfs::Compression::Zstd,
            Compression::Zlib => btrfs::Compression::Zlib,
            Compression::Lzo => btrfs::Compression::Lzo,
            Compression::None => btrfs::Compression::None,
            other => return self.lacks(other, "zstd, zlib, lzo or none"),
        };
        self.check_level(compression.levels())?;
        Ok(btrfs::Options {
            compression,
            level: self.level,
            subvolume: self.subvol.clone(),
            reserve: self.reserve.map_or(0, |size| size.0.into()),
        })
    }

    fn squashfs(&self) -> Result<squashfs::Options> {
        let compression = match self.compression.unwrap_or(Compression::Lz4hc) {
            Compression::Lz4hc => squashfs::Compression::Lz4hc,
            Compression::Lz4 => squashfs::Compression::Lz4,
            Compression::Gzip => squashfs::Compression::Gzip,
            Compression::Lzo => squashfs::Compression::Lzo,
            Compression::Xz => squashfs::Compression::Xz,
            Compression::Zstd => squashfs::Compression::Zstd,
            Compression::None => squashfs::Compression::None,
            other => return self.lacks(other, "lz4hc, lz4, gzip, lzo, xz, zstd or none"),
        };
        self.check_level(compression.levels())?;
        let block_size = self
            .cluster_size
            .map_or(squashfs::BLOCK_SIZE, |size| size.0);
        ensure!(
            block_size.is_power_of_two(),
            "--cluster-size {} with --type squashfs: a power of two is wanted",
            Size(block_size)
        );
        Ok(squashfs::Options {
            compression,
            level: self.level,
            block_size,
        })
    }

    fn lacks<T>(&self, compression: Compression, others: &str) -> Result<T> {
        bail!(
            "--type {} has no compression {}: choose {others}",
            name_of(self.kind),
            name_of(compression)
        )
    }

    /// Refuses a level that the compression does not have.
    fn check_level(&self, levels: Option<RangeInclusive<u32>>) -> Result<()> {
        match (self.level, levels) {
            (None, _) => {}
            (Some(_), None) => bail!(
                "--level is of no use with this compression of --type {}: leave it out",
                name_of(self.kind)
            ),
            (Some(level), Some(levels)) => ensure!(
                levels.contains(&level),
                "--level {level}: {} to {} is wanted",
                levels.start(),
                levels.end()
            ),
        }
        Ok(())
    }

    /// Returns whether `--small` would change it, and goes with the other options.
    pub fn can_be_smaller(&self) -> bool {
        self.kind == Type::Erofs
            && self.compression.is_none()
            && !self.small
            && self.profile.is_none()
    }

    /// Returns the labels for the files, if there are to be any.
    pub fn labels(&self) -> Result<Option<Labels>> {
        let labels = self.labels.as_ref().map(|contexts| {
            Labels::read(contexts.clone()).with_context(|| contexts.display().to_string())
        });
        labels.transpose()
    }

    /// Returns what is to be quick to read.
    pub fn quick(&self) -> Result<Quick> {
        let profile = self
            .profile
            .as_ref()
            .map(|list| Profile::parse(&read(list)?).with_context(|| list.display().to_string()));
        Ok(Quick {
            profile: profile.transpose()?,
            startup: !self.compress_init && !self.small,
        })
    }
}

/// Returns the word that stands for it on the command line.
fn name_of(value: impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
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

/// Returns a name that fits into a directory, and on a command line into a list of options.
fn subvolume(text: &str) -> Result<String, String> {
    const LONGEST: usize = 255;
    let is_bad =
        |c: char| matches!(c, '/' | ',' | '"' | '\'') || c.is_whitespace() || c.is_control();
    if matches!(text, "" | "." | "..") || text.len() > LONGEST || text.contains(is_bad) {
        return Err("a name is wanted, without slashes, commas, quotes and blanks".into());
    }
    Ok(text.to_owned())
}
