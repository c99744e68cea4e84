// SPDX-License-Identifier: GPL-2.0-only
//! Broken images of btrfs, squashfs and ext4: a clear ending, never an oops or a hang.

use std::fs;

use anyhow::{Context, Result};
use qemu_tests::fixtures::filesystem::{self, Filesystem};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::hostile::{both_ways, Outcome};
use qemu_tests::scenario::with_fallback;
use qemu_tests::tools;

/// Images that are broken in another place each, of each filesystem.
const IMAGES: u64 = 6;
/// Bits that are flipped in each.
const FLIPS: usize = 40;

/// Boots images of the probe alone with some bits flipped, from `start` on.
fn flipped(filesystem: Filesystem, start: usize, arguments: &[&str]) -> Result<()> {
    let image = fs::read(filesystem::image(filesystem, &Tree::probe_only()?, arguments)?)?;
    for seed in 0..IMAGES {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut broken = image.clone();
        // Metadata is at the start or at the end, and the probe in the middle, much larger.
        let tail = broken.len() - broken.len() / 16;
        for flip in 0..FLIPS {
            let at = match flip % 2 {
                0 => random.usize(start..start + 4096 * 4),
                _ => random.usize(tail..image.len()),
            };
            broken[at] ^= 1 << random.u32(..8);
        }
        let outcome = both_ways(|| with_fallback(broken.clone()))
            .with_context(|| format!("{filesystem:?}, seed {seed}"))?;
        println!("{filesystem:?}, seed {seed}: {outcome:?}");
    }
    Ok(())
}

/// Boots images whose superblock has some bytes that say the most or the least.
fn extremes(filesystem: Filesystem, fields: &[(usize, usize)]) -> Result<()> {
    let image = fs::read(filesystem::image(filesystem, &Tree::probe_only()?, &[])?)?;
    // A kernel with a ramdisk looks at what it is left with, and shifts by what ext2_image_size() reads there:
    // UBSAN complains of that, which is none of ours.
    let has_ramdisk = tools::kernel_has("CONFIG_BLK_DEV_RAM")?;
    for (at, len) in fields {
        for byte in [0, 0xff] {
            if has_ramdisk && filesystem == Filesystem::Ext4 && (*at, byte) == (24, 0xff) {
                continue;
            }
            let mut broken = image.clone();
            let start = filesystem.superblock() + at;
            broken[start..start + len].fill(byte);
            let outcome = both_ways(|| with_fallback(broken.clone()))
                .with_context(|| format!("{filesystem:?} at {at:#x}: {byte:#x}"))?;
            println!("{filesystem:?} at {at:#x}: {byte:#04x}: {outcome:?}");
        }
    }
    Ok(())
}

#[test]
fn flipped_bits_of_btrfs_are_survived() -> Result<()> {
    flipped(Filesystem::Btrfs, 65_536 + 4096, &[])
}

#[test]
fn flipped_bits_of_squashfs_are_survived() -> Result<()> {
    flipped(Filesystem::Squashfs, 96, &["-comp", "lz4"])
}

#[test]
fn flipped_bits_of_uncompressed_squashfs_are_survived() -> Result<()> {
    flipped(Filesystem::Squashfs, 96, &["-noI", "-noD", "-noF", "-noX"])
}

#[test]
fn flipped_bits_of_ext4_are_survived() -> Result<()> {
    flipped(Filesystem::Ext4, 4096, &["-b4096"])
}

#[test]
fn flipped_bits_of_ext2_without_checksums_are_survived() -> Result<()> {
    flipped(Filesystem::Ext4, 4096, &["-b4096", "-O^extent,^64bit,^metadata_csum,^flex_bg"])
}

#[test]
fn extremes_of_the_squashfs_superblock_are_survived() -> Result<()> {
    // Inodes, block size, fragments, flags, root inode, and the tables.
    extremes(
        Filesystem::Squashfs,
        &[(4, 4), (12, 4), (16, 4), (24, 2), (32, 8), (48, 8), (56, 8), (64, 8), (72, 8), (80, 8)],
    )
}

#[test]
fn extremes_of_the_ext4_superblock_are_survived() -> Result<()> {
    // Inodes, blocks, the first data block, the block size, blocks and inodes in a group, features.
    extremes(
        Filesystem::Ext4,
        &[(0, 4), (4, 4), (20, 4), (24, 4), (32, 4), (40, 4), (76, 4), (88, 2), (96, 4), (254, 2)],
    )
}

/// Returns a little-endian number of `len` bytes.
fn number(bytes: &[u8], at: usize, len: usize) -> usize {
    bytes[at..at + len].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[test]
fn ext4_that_wants_a_panic_does_not_get_it() -> Result<()> {
    let arguments = ["-b4096", "-O^metadata_csum,^64bit"];
    let path = filesystem::image(Filesystem::Ext4, &Tree::probe_only()?, &arguments)?;
    let mut image = fs::read(path)?;
    let superblock = Filesystem::Ext4.superblock();
    // What to do about errors, as a number, and as a mount option that is stronger than it.
    image[superblock + 0x3c] = 3;
    image[superblock + 0x200..][..12].copy_from_slice(b"errors=panic");
    // The root directory's inode, number 2 in the table that the first group descriptor names.
    let inode_size = number(&image, superblock + 0x58, 2);
    let root = number(&image, 4096 + 8, 4) * 4096 + inode_size;
    assert_eq!(number(&image, root, 2) & 0o170_000, 0o040_000, "that is no directory");
    image[root..root + inode_size].fill(0);
    assert_eq!(both_ways(|| with_fallback(image.clone()))?, Outcome::Fallback);
    Ok(())
}
