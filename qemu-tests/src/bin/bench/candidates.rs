// SPDX-License-Identifier: GPL-2.0-only
//! What is compared: one line for each kind of initrd.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use qemu_tests::fixtures::compress::Compressor;
use qemu_tests::fixtures::seal::Sealed;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::fixtures::{command, cpio, disk};
use qemu_tests::tools;

use crate::loading;
#[cfg(test)]
use crate::{table, wall};

/// The size that variants are shown for, in MB.
pub const VARIANTS_AT: u64 = 100;

const OFF: &str = "initoverlayfs=off";
const REQUIRE: &str = "initoverlayfs=require";

/// Options of `initoverlayfs create`: its usual compression, by files' names; as small as it makes them.
const MIXED: &[&str] = &["--compression=mixed"];
const SMALL: &[&str] = &["--small"];
/// Without compression; with the quickest; with smaller and larger clusters.
const PLAIN: &[&str] = &["--compression=none"];
const LZ4HC: &[&str] = &["--compression=lz4hc"];
const LZ4HC_4K: &[&str] = &["--compression=lz4hc", "--cluster-size=4096"];
const LZ4HC_64K: &[&str] = &["--compression=lz4hc", "--cluster-size=65536"];
const ZSTD_64K: &[&str] = &["--compression=zstd", "--level=9", "--cluster-size=65536"];
/// The tenth of the files that is read first is not compressed. The path is in the tree.
const PROFILED: &[&str] = &["--compression=lz4hc", "--profile=bench.tenth"];

/// Init is compressed, too.
const WHOLE: &[&str] = &["--compression=lz4hc", "--compress-init"];

/// Other filesystems, on a block device.
const SQUASHFS_LZ4HC: &[&str] = &["--type=squashfs", "--compression=lz4hc"];
const SQUASHFS_ZSTD: &[&str] = &["--type=squashfs", "--compression=zstd"];
const BTRFS_PLAIN: &[&str] = &["--type=btrfs", "--compression=none"];
const BTRFS_ZSTD: &[&str] = &["--type=btrfs", "--compression=zstd"];
const BTRFS_RESERVE: &[&str] = &["--type=btrfs", "--compression=none", "--reserve=64M"];
const EXT4: &[&str] = &["--type=ext4"];

/// How an initrd is made and booted.
#[derive(Clone, Copy)]
pub enum Kind {
    /// An archive of nothing but init, unpacked by the stock code.
    Floor,
    /// The same, beside a disk.
    FloorWithDisk,
    /// An archive, unpacked by the stock code.
    Cpio(Compressor),
    /// An image made with these options, mounted by the kernel component.
    Image(&'static [&'static str]),
    /// A btrfs that is itself the root, written to in place.
    Writable(&'static [&'static str]),
    /// The same, checked against a digest.
    Sealed(&'static [&'static str]),
    /// The same, checked against a signature.
    Signed(&'static [&'static str]),
    /// A mini-initramfs whose init mounts such an image from a disk: by a loop device.
    Loop(&'static [&'static str]),
    /// The same, but EROFS mounts the file on the disk itself.
    File(&'static [&'static str]),
}

impl Kind {
    /// Returns whether the kernel component mounts it.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Image(_) | Self::Writable(_) | Self::Sealed(_) | Self::Signed(_))
    }
}

/// Which runs a kind is part of.
#[derive(Clone, Copy, PartialEq)]
pub enum Run {
    /// All.
    Always,
    /// Not the quick ones.
    Full,
    /// Full ones, for the sizes that are shown with what loading them costs.
    Loaded,
    /// Full ones, for one size only: it shows what a variant costs.
    OneSize,
}

/// A kind of initrd.
pub struct Format {
    pub name: &'static str,
    pub kind: Kind,
    pub run: Run,
    /// Set if a boot takes so long that one has to do for the larger sizes.
    pub is_slow: bool,
}

const fn format(name: &'static str, kind: Kind, run: Run, is_slow: bool) -> Format {
    Format { name, kind, run, is_slow }
}

pub const FLOOR: Format = format("floor: init alone", Kind::Floor, Run::Always, false);

pub const DISK_FLOOR: Format =
    format("floor with a disk: init alone", Kind::FloorWithDisk, Run::Always, false);

/// All kinds but the floors. The compressors' options are those that Debian's initramfs-tools uses; level 19 is the most that
/// zstd has without a larger window.
pub const FORMATS: &[Format] = &[
    format("cpio", Kind::Cpio(Compressor::None), Run::Always, false),
    format("cpio.gz", Kind::Cpio(Compressor::Gzip), Run::Full, true),
    format("cpio.lz4", Kind::Cpio(Compressor::Lz4), Run::Full, false),
    format("cpio.zst", Kind::Cpio(Compressor::Zstd(9)), Run::Always, true),
    format("cpio.xz", Kind::Cpio(Compressor::Xz), Run::Loaded, true),
    format("EROFS plain", Kind::Image(PLAIN), Run::Always, false),
    format("EROFS lz4hc", Kind::Image(LZ4HC), Run::Always, false),
    format("EROFS lz4hc 4K", Kind::Image(LZ4HC_4K), Run::Full, false),
    format("EROFS lz4hc 64K", Kind::Image(LZ4HC_64K), Run::Always, false),
    format("EROFS zstd 64K", Kind::Image(ZSTD_64K), Run::Full, true),
    format("EROFS mixed", Kind::Image(MIXED), Run::Always, true),
    format("EROFS small", Kind::Image(SMALL), Run::Loaded, true),
    format("userspace: loop, plain", Kind::Loop(PLAIN), Run::Always, false),
    format("userspace: loop, lz4hc", Kind::Loop(LZ4HC), Run::Always, false),
    format("userspace: file, lz4hc", Kind::File(LZ4HC), Run::Always, false),
    format("squashfs lz4hc", Kind::Image(SQUASHFS_LZ4HC), Run::OneSize, false),
    format("squashfs zstd", Kind::Image(SQUASHFS_ZSTD), Run::Loaded, true),
    format("btrfs plain", Kind::Image(BTRFS_PLAIN), Run::OneSize, false),
    format("btrfs zstd", Kind::Image(BTRFS_ZSTD), Run::OneSize, true),
    format("ext4", Kind::Image(EXT4), Run::OneSize, false),
    format("btrfs plain, rw", Kind::Writable(BTRFS_RESERVE), Run::OneSize, false),
    format("EROFS lz4hc, profiled", Kind::Image(PROFILED), Run::OneSize, false),
    format("EROFS lz4hc, init too", Kind::Image(WHOLE), Run::OneSize, false),
    format("EROFS plain, verify=sha256", Kind::Sealed(PLAIN), Run::OneSize, false),
    format("EROFS plain, verify=signature", Kind::Signed(PLAIN), Run::OneSize, false),
    format("EROFS lz4hc, verify=sha256", Kind::Sealed(LZ4HC), Run::OneSize, false),
    format("cpio.zst, level 19", Kind::Cpio(Compressor::Zstd(19)), Run::OneSize, true),
    format("cpio.bz2", Kind::Cpio(Compressor::Bzip2), Run::OneSize, true),
    format("cpio.lzma", Kind::Cpio(Compressor::Lzma), Run::OneSize, true),
    format("cpio.lzo", Kind::Cpio(Compressor::Lzo), Run::OneSize, true),
];

/// An initrd of a kind, with files of a size in it.
pub struct Candidate {
    pub format: &'static Format,
    /// Of the files beside its init, in MB.
    pub mb: u64,
    /// The bytes of those files.
    pub content: u64,
    pub initrd: PathBuf,
    pub disk: Option<PathBuf>,
    /// The bytes of the initrd, and of the image on the disk if there is one.
    pub bytes: u64,
    /// What the command line has for it.
    pub option: String,
}

impl Candidate {
    /// Makes the initrd, unless it is there.
    pub fn new(format: &'static Format, mb: u64, tree: &Tree, content: u64) -> Result<Self> {
        let image = |options| command::image(tree, options);
        let mini = || cpio::archive(&Tree::mini()?, Compressor::None);
        let off = || OFF.to_owned();
        let (initrd, on_disk, option) = match format.kind {
            Kind::Floor | Kind::FloorWithDisk => {
                (cpio::archive(&Tree::probe_only()?, Compressor::None)?, None, off())
            }
            Kind::Cpio(compressor) => (cpio::archive(tree, compressor)?, None, off()),
            Kind::Image(options) => (image(options)?, None, REQUIRE.to_owned()),
            Kind::Writable(options) => (image(options)?, None, format!("{REQUIRE},rw")),
            Kind::Sealed(options) => {
                let (path, option) = sealed(&image(options)?)?;
                (path, None, option)
            }
            Kind::Signed(options) => {
                (signed(&image(options)?)?, None, format!("{REQUIRE},verify=signature"))
            }
            Kind::Loop(options) => (mini()?, Some(image(options)?), off()),
            Kind::File(options) => {
                (mini()?, Some(image(options)?), format!("{OFF} mini.image=file"))
            }
        };
        let mut bytes = fs::metadata(&initrd)?.len();
        if let Some(image) = &on_disk {
            bytes += fs::metadata(image)?.len();
        }
        let disk = match (format.kind, on_disk) {
            (Kind::FloorWithDisk, _) => Some(disk::image()?),
            (_, image) => image.as_deref().map(disk::holding).transpose()?,
        };
        Ok(Self { format, mb, content, initrd, disk, bytes, option })
    }
}

/// Returns the image with its Merkle tree, and the option that has the kernel check it.
fn sealed(image: &Path) -> Result<(PathBuf, String)> {
    let sealed = Sealed::new(&fs::read(image)?, &[])?;
    let path = image.with_extension("sealed");
    fs::write(&path, &sealed.bytes)?;
    Ok((path, format!("{REQUIRE},verify={}", sealed.digest()?)))
}

/// Returns the image with its Merkle tree and a signature.
fn signed(image: &Path) -> Result<PathBuf> {
    let path = image.with_extension("signed");
    fs::write(&path, Sealed::new(&fs::read(image)?, &[])?.signed("trusted")?.bytes)?;
    Ok(path)
}

/// Returns the kinds of a run, for a size in MB, which the kernel under test can boot.
pub fn formats(is_quick: bool, mb: u64) -> Result<Vec<&'static Format>> {
    let has_loop = tools::kernel_has("CONFIG_BLK_DEV_LOOP")?;
    let wanted = |format: &&Format| match format.run {
        Run::Always => true,
        Run::Full => !is_quick,
        Run::Loaded => !is_quick && loading::SIZES.contains(&mb),
        Run::OneSize => !is_quick && mb == VARIANTS_AT,
    };
    let can_boot = |format: &&Format| has_loop || !matches!(format.kind, Kind::Loop(_));
    Ok(FORMATS.iter().filter(wanted).filter(can_boot).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_plots_name_kinds_that_there_are() {
        let known = |name: &&str| FORMATS.iter().any(|format| format.name == *name);
        let named = [&loading::KINDS[..], &table::HEADLINE, &table::LEAST, wall::KINDS].concat();
        let unknown: Vec<_> = named.iter().filter(|name| !known(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn names_occur_once() {
        let names = FORMATS.iter().map(|format| format.name);
        assert_eq!(names.collect::<std::collections::HashSet<_>>().len(), FORMATS.len());
    }
}
