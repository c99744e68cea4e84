// SPDX-License-Identifier: GPL-2.0-only
//! Broken images of btrfs, squashfs and ext4: a clear ending, never an oops or a hang.

use std::fs;

use anyhow::{Context, Result};
use qemu_tests::fixtures::filesystem::{self, Filesystem};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::hostile::both_ways;
use qemu_tests::scenario::with_fallback;

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
    for (at, len) in fields {
        for byte in [0, 0xff] {
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
