// SPDX-License-Identifier: GPL-2.0-only
//! Broken and hostile input: a clear ending, never an oops or a hang.

use std::fs;

use anyhow::{Context, Result};
use qemu_tests::fixtures::corruption::{boundaries, with_field, with_flips, FIELDS};
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::hostile::{both_ways, Outcome};
use qemu_tests::scenario::with_fallback;

/// A small image: the probe alone.
fn image() -> Result<Vec<u8>> {
    Ok(fs::read(erofs::image(&Tree::probe_only()?, &USUAL)?)?)
}

/// Boots these bytes both ways, with a disk to fall back to.
fn ending(initrd: &[u8]) -> Result<Outcome> {
    both_ways(|| with_fallback(initrd.to_vec()))
}

/// Boots with every eighth field, from the `first`, as zeroes and as ones.
fn fields(first: usize) -> Result<()> {
    for field in FIELDS.iter().skip(first).step_by(8) {
        for byte in [0, 0xff] {
            let broken = with_field(&image()?, *field, byte)?;
            let outcome = ending(&broken).with_context(|| format!("{field:?} {byte:#x}"))?;
            println!("{} {byte:#04x}: {outcome:?}", field.0);
        }
    }
    Ok(())
}

#[test]
fn extremes_of_superblock_fields_1() -> Result<()> {
    fields(0)
}

#[test]
fn extremes_of_superblock_fields_2() -> Result<()> {
    fields(1)
}

#[test]
fn extremes_of_superblock_fields_3() -> Result<()> {
    fields(2)
}

#[test]
fn extremes_of_superblock_fields_4() -> Result<()> {
    fields(3)
}

#[test]
fn extremes_of_superblock_fields_5() -> Result<()> {
    fields(4)
}

#[test]
fn extremes_of_superblock_fields_6() -> Result<()> {
    fields(5)
}

#[test]
fn extremes_of_superblock_fields_7() -> Result<()> {
    fields(6)
}

#[test]
fn extremes_of_superblock_fields_8() -> Result<()> {
    fields(7)
}

#[test]
fn truncated_at_every_boundary_it_falls_back() -> Result<()> {
    let image = image()?;
    for end in boundaries(&image)? {
        let outcome = ending(&image[..end]).with_context(|| format!("{end} bytes"))?;
        assert_eq!(outcome, Outcome::Fallback, "{end} bytes");
    }
    Ok(())
}

/// Flips a bit in each of eight bytes of the root's compact inode, another one each time.
fn root_inode(bytes: std::ops::Range<usize>) -> Result<()> {
    let image = image()?;
    let meta = u32::from_le_bytes(image[1064..1068].try_into()?) as usize * 4096;
    let inode = meta + usize::from(u16::from_le_bytes([image[1038], image[1039]])) * 32;
    for byte in bytes {
        let bit = (inode + byte) * 8 + byte % 8;
        let outcome = ending(&with_flips(&image, &[bit])?)?;
        println!("root inode, byte {byte}: {outcome:?}");
    }
    Ok(())
}

#[test]
fn flipped_bits_of_the_root_inode_1() -> Result<()> {
    root_inode(0..8)
}

#[test]
fn flipped_bits_of_the_root_inode_2() -> Result<()> {
    root_inode(8..16)
}

#[test]
fn flipped_bits_of_the_root_inode_3() -> Result<()> {
    root_inode(16..24)
}

#[test]
fn flipped_bits_of_the_root_inode_4() -> Result<()> {
    root_inode(24..32)
}
