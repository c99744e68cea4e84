// SPDX-License-Identifier: GPL-2.0-only
//! Images of all filesystems and archives in one initrd: the later segment wins, directories are merged.

use anyhow::Result;
use qemu_tests::fixtures::command;
use qemu_tests::fixtures::compress::Compressor;
use qemu_tests::fixtures::filesystem::Filesystem;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::stack::{with_base, Stack};
use qemu_tests::summary::Summary;

/// What has to be in front of a squashfs image behind an archive whose end nobody knows.
const NULS: usize = 1024;

/// Returns a layer that has files of its own, and files and directories that others have too.
fn layer(number: u32) -> Layer {
    let words = format!("layer {number}\n");
    Layer::new()
        .directory("shared", 0o750 + number)
        .owner(number, number + 100)
        .file(&format!("shared/of-{number}"), 0o640, words.clone().repeat(1000))
        .owner(number, 0)
        .file("shared/of-all", 0o600 + number, words.clone())
        .symlink("shared/link", &format!("of-{number}"))
        .directory(&format!("own-{number}"), 0o700)
        .file(&format!("own-{number}/file"), 0o4755, words)
        .link(&format!("own-{number}/link"), &format!("own-{number}/file"), 0o4755)
}

/// Adds an image of this filesystem.
fn with(stack: Stack, filesystem: Filesystem, layer: &Layer) -> Result<Stack> {
    let image = command::of_layer(layer, &[&format!("--type={}", filesystem.name())])?;
    Ok(stack.finished_image(layer, &image))
}

/// Boots it: the root has to be what the layers make.
fn check(stack: &Stack) -> Result<()> {
    assert_eq!(stack.summary()?, Summary::in_place());
    Ok(())
}

#[test]
fn all_kinds_follow_each_other_without_padding() -> Result<()> {
    let stack = with(Stack::new()?, Filesystem::Btrfs, &with_base(layer(1))?)?;
    let stack = with(stack, Filesystem::Ext4, &layer(2))?;
    let stack = with(stack.image(&layer(3))?, Filesystem::Squashfs, &layer(4))?;
    check(&stack)
}

#[test]
fn all_kinds_and_archives_in_another_order() -> Result<()> {
    let stack = Stack::new()?.archive(&layer(1), Compressor::None)?;
    let stack =
        with(stack, Filesystem::Squashfs, &layer(2))?.archive(&layer(3), Compressor::None)?;
    let stack = with(stack, Filesystem::Ext4, &with_base(layer(4))?)?
        .archive(&layer(5), Compressor::Lz4)?;
    let stack = with(stack.image(&layer(6))?, Filesystem::Btrfs, &layer(7))?;
    check(&stack.archive(&layer(8), Compressor::Gzip)?)
}

#[test]
fn all_kinds_are_found_behind_compressed_archives() -> Result<()> {
    for filesystem in Filesystem::ALL {
        let stack = Stack::new()?.archive(&layer(1), Compressor::Gzip)?.padding(NULS);
        check(&with(stack, filesystem, &with_base(layer(2))?)?)?;
    }
    Ok(())
}

#[test]
fn two_images_of_the_same_kind_are_two_layers() -> Result<()> {
    for filesystem in Filesystem::ALL {
        let stack = with(Stack::new()?, filesystem, &with_base(layer(1))?)?;
        check(&with(stack, filesystem, &layer(2))?)?;
    }
    Ok(())
}

#[test]
fn whiteouts_of_an_image_hide_what_lies_below() -> Result<()> {
    for filesystem in Filesystem::ALL {
        let upper = Layer::new().whiteout("own-1").opaque_directory("shared", 0o755);
        let stack = with(Stack::new()?, Filesystem::Ext4, &with_base(layer(1))?)?;
        check(&with(stack, filesystem, &upper)?)?;
    }
    Ok(())
}
