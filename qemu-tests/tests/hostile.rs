// SPDX-License-Identifier: GPL-2.0-only
//! Broken and hostile input: a clear ending, never an oops or a hang.

use std::fs;

use anyhow::{Context, Result};
use qemu_tests::fixtures::archive::{newc, Style};
use qemu_tests::fixtures::corruption::{
    boundaries, with_directory_loop, with_field, with_flips, FIELDS,
};
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::hostile::{both_ways, Outcome};
use qemu_tests::scenario::with_fallback;

/// Returns a small image: the probe alone.
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

#[test]
fn directory_that_contains_itself_is_survived() -> Result<()> {
    let looped = with_directory_loop(&image()?, "newroot")?;
    let initrd = [looped, image()?].concat();
    let outcome = both_ways(|| Ok(with_fallback(initrd.clone())?.orders("survey")))?;
    assert_eq!(outcome, Outcome::InPlace);
    Ok(())
}

#[test]
fn lz4_block_that_reaches_beyond_the_initrd_is_refused() -> Result<()> {
    // In front of the image, and behind it, where the memory ends.
    let archive = [0x02, 0x21, 0x4c, 0x18, 0xff, 0xff, 0xff, 0x0f, 0xf0, 0xff];
    for initrd in [[&archive[..], &image()?].concat(), [&image()?[..], &archive].concat()] {
        assert_eq!(ending(&initrd)?, Outcome::Fallback);
    }
    Ok(())
}

#[test]
fn archive_of_very_many_empty_entries_is_survived() -> Result<()> {
    let nameless = [b"070701".to_vec(), b"0".repeat(104), vec![0; 2]].concat();
    let initrd = [nameless.repeat(100_000), image()?].concat();
    assert_eq!(ending(&initrd)?, Outcome::InPlace);
    Ok(())
}

#[test]
fn names_at_the_limits_are_survived() -> Result<()> {
    for len in [1, 254, 255, 256, 4095, 4096, 70_000] {
        let name = "n".repeat(len);
        let archive = newc(&Layer::new().file(&name, 0o644, "content"), Style::default());
        let initrd = [archive, image()?].concat();
        assert_eq!(ending(&initrd)?, Outcome::InPlace, "{len}");
    }
    Ok(())
}

#[test]
fn damaged_header_beside_an_image_is_refused() -> Result<()> {
    let mut archive = newc(&Layer::new().file("a", 0o644, "content"), Style::default());
    archive[20] = b'x'; // no hexadecimal digit
    archive[60] = b'g';
    assert_eq!(ending(&[archive, image()?].concat())?, Outcome::Fallback);
    Ok(())
}
