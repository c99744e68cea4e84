// SPDX-License-Identifier: GPL-2.0-only
//! Images and archives in every order: the later segment wins, directories are merged.

use anyhow::Result;
use qemu_tests::fixtures::compress::Compressor;
use qemu_tests::fixtures::erofs::USUAL;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::stack::{with_base, Stack};
use qemu_tests::scenario::bunzip2_is_reported;
use qemu_tests::summary::Summary;

const PLAIN: Compressor = Compressor::None;
const ZSTD: Compressor = Compressor::Zstd(9);

/// Returns a layer that has files of its own, and files and directories that others have too.
fn layer(number: u32) -> Layer {
    let (next, words) = (number + 1, format!("layer {number}\n"));
    Layer::new()
        .directory("shared", 0o750 + number)
        .owner(number, number + 100)
        .mtime(1_000_000_000 + number)
        .file(&format!("shared/of-{number}"), 0o640, words.clone().repeat(1000))
        .owner(number, 0)
        .file("shared/of-all", 0o600 + number, words.clone())
        .owner(0, number)
        .file(&format!("shared/of-{number}-and-{next}"), 0o644, words.clone())
        .file(&format!("shared/of-{}-and-{number}", number - 1), 0o644, words.clone())
        .symlink("shared/link", &format!("of-{number}"))
        .directory(&format!("own-{number}"), 0o700)
        .directory(&format!("own-{number}/empty"), 0o711)
        .file(&format!("own-{number}/file"), 0o4755, words)
        .link(&format!("own-{number}/link"), &format!("own-{number}/file"), 0o4755)
}

/// Boots it: the root has to be what the layers make.
fn check(stack: Stack) -> Result<()> {
    assert_eq!(stack.summary()?, Summary::in_place());
    Ok(())
}

/// Boots an image between two archives with this much padding between them.
fn check_padding(count: usize) -> Result<()> {
    let stack = Stack::new()?.padding(count).archive(&layer(1), PLAIN)?.padding(count);
    let stack = stack.image(&with_base(layer(2))?)?.padding(count).archive(&layer(3), PLAIN)?;
    check(stack.padding(count).archive(&layer(4), PLAIN)?.padding(count))
}

/// Boots an image between two archives that are compressed like this.
fn check_compressor(compressor: Compressor) -> Result<()> {
    let stack = Stack::new()?.archive(&layer(1), compressor)?.image(&with_base(layer(2))?)?;
    check(stack.archive(&layer(3), compressor)?)
}

#[test]
fn archive_below_an_image() -> Result<()> {
    check(Stack::new()?.archive(&layer(1), PLAIN)?.image_with(&with_base(layer(2))?, &USUAL)?)
}

#[test]
fn archive_over_an_image() -> Result<()> {
    check(Stack::new()?.image_with(&with_base(layer(1))?, &USUAL)?.archive(&layer(2), PLAIN)?)
}

#[test]
fn archive_with_the_init_over_an_image_without() -> Result<()> {
    check(Stack::new()?.image(&layer(1))?.archive(&with_base(layer(2))?, PLAIN)?)
}

#[test]
fn image_between_archives() -> Result<()> {
    let stack = Stack::new()?.archive(&layer(1), PLAIN)?.image(&with_base(layer(2))?)?;
    check(stack.archive(&layer(3), PLAIN)?)
}

#[test]
fn archive_between_images() -> Result<()> {
    let stack = Stack::new()?.image(&with_base(layer(1))?)?.archive(&layer(2), PLAIN)?;
    check(stack.image(&layer(3))?)
}

#[test]
fn two_images() -> Result<()> {
    check(Stack::new()?.image(&with_base(layer(1))?)?.image(&layer(2))?)
}

#[test]
fn three_images() -> Result<()> {
    check(
        Stack::new()?
            .image(&layer(1))?
            .image(&with_base(layer(2))?)?
            .image_with(&layer(3), &USUAL)?,
    )
}

#[test]
fn image_between_archives_of_different_methods() -> Result<()> {
    let stack =
        Stack::new()?.archive(&layer(1), ZSTD)?.image_with(&with_base(layer(2))?, &USUAL)?;
    check(stack.archive(&layer(3), Compressor::Gzip)?)
}

#[test]
fn two_compressed_archives_each_below_an_image() -> Result<()> {
    let stack = Stack::new()?.archive(&layer(1), ZSTD)?.image(&with_base(layer(2))?)?;
    check(stack.archive(&layer(3), Compressor::Gzip)?.image_with(&layer(4), &USUAL)?)
}

#[test]
fn compressed_archives_and_images_by_turns() -> Result<()> {
    let stack = Stack::new()?.archive(&layer(1), ZSTD)?.image(&with_base(layer(2))?)?;
    check(stack.archive(&layer(3), Compressor::Gzip)?.image(&layer(4))?.archive(&layer(5), ZSTD)?)
}

#[test]
fn two_archives_back_to_back_below_an_image() -> Result<()> {
    let stack = Stack::new()?.archive(&layer(1), PLAIN)?.archive(&layer(2), PLAIN)?;
    check(stack.image(&with_base(layer(3))?)?)
}

#[test]
fn plain_and_compressed_archives_back_to_back_below_an_image() -> Result<()> {
    let stack = Stack::new()?.archive(&layer(1), PLAIN)?.archive(&layer(2), ZSTD)?.aligned();
    check(stack.archive(&layer(3), PLAIN)?.archive(&layer(4), ZSTD)?.image(&with_base(layer(5))?)?)
}

#[test]
fn plain_and_compressed_archives_back_to_back_over_an_image() -> Result<()> {
    let stack = Stack::new()?.image(&with_base(layer(1))?)?.archive(&layer(2), Compressor::Gzip)?;
    check(stack.aligned().archive(&layer(3), PLAIN)?.archive(&layer(4), Compressor::Gzip)?)
}

#[test]
fn plain_archive_is_found_where_the_initrd_aligns_it() -> Result<()> {
    // The compressed archive, with which the segment starts, is aligned to nothing.
    let stack = Stack::new()?.padding(1).archive(&layer(1), Compressor::Gzip)?.aligned();
    check(stack.archive(&layer(2), PLAIN)?.image(&with_base(layer(3))?)?)
}

#[test]
fn archives_by_gzip() -> Result<()> {
    check_compressor(Compressor::Gzip)
}

#[test]
fn archives_by_bzip2() -> Result<()> {
    if bunzip2_is_reported()? {
        println!("skipped: UBSAN reports the kernel's bunzip2");
        return Ok(());
    }
    check_compressor(Compressor::Bzip2)
}

#[test]
fn archives_by_lzma() -> Result<()> {
    check_compressor(Compressor::Lzma)
}

#[test]
fn archives_by_xz() -> Result<()> {
    check_compressor(Compressor::Xz)
}

#[test]
fn archives_by_lzo() -> Result<()> {
    check_compressor(Compressor::Lzo)
}

#[test]
fn archives_by_lz4() -> Result<()> {
    check_compressor(Compressor::Lz4)
}

#[test]
fn archives_by_zstd() -> Result<()> {
    check_compressor(ZSTD)
}

#[test]
fn no_padding() -> Result<()> {
    check_padding(0)
}

#[test]
fn padding_of_1_byte() -> Result<()> {
    check_padding(1)
}

#[test]
fn padding_of_3_bytes() -> Result<()> {
    check_padding(3)
}

#[test]
fn padding_of_4_bytes() -> Result<()> {
    check_padding(4)
}

#[test]
fn padding_of_512_bytes() -> Result<()> {
    check_padding(512)
}

#[test]
fn padding_of_4099_bytes() -> Result<()> {
    check_padding(4099)
}
