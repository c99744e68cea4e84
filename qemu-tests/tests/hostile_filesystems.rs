// SPDX-License-Identifier: GPL-2.0-only
//! Broken images of btrfs, squashfs and ext4: a clear ending, never an oops or a hang.

use std::fs;

use anyhow::{Context, Result};
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::filesystem::{self, Filesystem};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::hostile::{both_ways, Outcome};
use qemu_tests::scenario::with_fallback;
use qemu_tests::tools;

/// Images that are broken in other places each: the first has one flipped bit, each next one twice as many.
const IMAGES: u32 = 6;

/// Returns the places of the bytes by which an image describes itself.
fn metadata(filesystem: Filesystem, image: &[u8]) -> Vec<usize> {
    match filesystem {
        // Nodes of the trees begin with a header that names the filesystem, as the superblock does.
        Filesystem::Btrfs => {
            let name = &image[65_536 + 32..][..16];
            let node_size = number(image, 65_536 + 0x94, 4);
            let starts = (1 << 20..image.len() - node_size).step_by(4096);
            let nodes = starts.filter(|start| &image[start + 32..][..16] == name);
            nodes.flat_map(|start| start..start + node_size).collect()
        }
        // From the inode table on; the files' contents are in front of it.
        Filesystem::Squashfs => (number(image, 64, 8)..image.len()).collect(),
        // The block of group descriptors, the first one's bitmaps, and the first block of its inode table.
        Filesystem::Ext4 => {
            let block = |at: usize| number(image, 4096 + at, 4) * 4096;
            [4096, block(0), block(4), block(8)]
                .into_iter()
                .flat_map(|start| start..start + 4096)
                .collect()
        }
    }
}

/// Boots images with flipped bits, each below an image of the probe alone, which reads all it can.
///
/// The probe is not in the broken image: a program that read wrong bytes of itself may hang, and that says nothing
/// about the kernel.
fn flipped(filesystem: Filesystem, arguments: &[&str]) -> Result<()> {
    let image = fs::read(filesystem::image(filesystem, &Tree::without_init()?, arguments)?)?;
    let probe = fs::read(erofs::image(&Tree::probe_only()?, &USUAL)?)?;
    let places = metadata(filesystem, &image);
    for image_number in 0..IMAGES {
        let bits = 1 << image_number;
        let mut random = fastrand::Rng::with_seed(image_number.into());
        let mut broken = image.clone();
        for _ in 0..bits {
            broken[places[random.usize(..places.len())]] ^= 1 << random.u32(..8);
        }
        broken.extend(&probe);
        let outcome = both_ways(|| Ok(with_fallback(broken.clone())?.orders("survey")))
            .with_context(|| format!("{filesystem:?}, {bits} bits"))?;
        println!("{filesystem:?}, {bits} bits: {outcome:?}");
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
    flipped(Filesystem::Btrfs, &[])
}

#[test]
fn flipped_bits_of_squashfs_are_survived() -> Result<()> {
    flipped(Filesystem::Squashfs, &["-comp", "lz4"])
}

#[test]
fn flipped_bits_of_uncompressed_squashfs_are_survived() -> Result<()> {
    flipped(Filesystem::Squashfs, &["-noI", "-noD", "-noF", "-noX"])
}

#[test]
fn flipped_bits_of_ext4_are_survived() -> Result<()> {
    flipped(Filesystem::Ext4, &["-b4096"])
}

#[test]
fn flipped_bits_of_ext2_without_checksums_are_survived() -> Result<()> {
    flipped(Filesystem::Ext4, &["-b4096", "-O^extent,^64bit,^metadata_csum,^flex_bg"])
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
