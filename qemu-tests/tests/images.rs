// SPDX-License-Identifier: GPL-2.0-only
//! Every kind of EROFS image is mounted in place, and every byte of it reads as it was made.

use anyhow::Result;
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::superblock::Editor;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::scenario::usual_bytes;
use qemu_tests::summary::Summary;

/// Boots the standard tree in an image made with these arguments.
fn boot(arguments: &[&str]) -> Result<Summary> {
    boot_on(1, arguments)
}

/// Boots with this many processors.
fn boot_on(cpus: u32, arguments: &[&str]) -> Result<Summary> {
    let tree = Tree::standard()?;
    let machine = Machine::new().initrd(erofs::image(&tree, arguments)?).cpus(cpus);
    let boot = machine.orders("tree").run()?;
    Summary::new(boot.report.first()?, &tree)
}

/// Boots the standard tree in the usual image with an edited superblock.
fn boot_edited(edit: fn(&mut Editor) -> Result<()>) -> Result<Summary> {
    let mut editor = Editor::new(usual_bytes()?)?;
    edit(&mut editor)?;
    let boot = Machine::new().initrd_bytes(editor.unsealed()).orders("tree").run()?;
    Summary::new(boot.report.first()?, &Tree::standard()?)
}

#[test]
fn lz4hc_boots_in_place() -> Result<()> {
    assert_eq!(boot(&USUAL)?, Summary::in_place());
    Ok(())
}

#[test]
fn lz4hc_boots_in_place_on_several_processors() -> Result<()> {
    // An emulated processor that has to wait for a real one may hang the guest's start.
    let count = std::thread::available_parallelism()?.get().clamp(2, 4);
    assert_eq!(boot_on(u32::try_from(count)?, &USUAL)?, Summary::in_place());
    Ok(())
}

#[test]
fn lz4_boots_in_place() -> Result<()> {
    assert_eq!(boot(&["-zlz4"])?, Summary::in_place());
    Ok(())
}

#[test]
fn zstd_boots_in_place() -> Result<()> {
    assert_eq!(boot(&["-zzstd,9", "-C65536"])?, Summary::in_place());
    Ok(())
}

#[test]
fn deflate_boots_in_place() -> Result<()> {
    assert_eq!(boot(&["-zdeflate,6", "-C65536"])?, Summary::in_place());
    Ok(())
}

#[test]
fn lzma_boots_in_place() -> Result<()> {
    assert_eq!(boot(&["-zlzma,6", "-C65536"])?, Summary::in_place());
    Ok(())
}

#[test]
fn packed_ends_and_deduplication_boot_in_place() -> Result<()> {
    let all = "-Eall-fragments,dedupe,ztailpacking";
    assert_eq!(boot(&["-zlz4hc,9", "-C65536", all])?, Summary::in_place());
    Ok(())
}

#[test]
fn uncompressed_boots_in_place() -> Result<()> {
    assert_eq!(boot(&[])?, Summary::in_place());
    Ok(())
}

#[test]
fn blocks_of_2048_bytes_boot_in_place() -> Result<()> {
    assert_eq!(boot(&["-b2048"])?, Summary::in_place());
    Ok(())
}

#[test]
fn blocks_of_1024_bytes_boot_in_place() -> Result<()> {
    assert_eq!(boot(&["-b1024"])?, Summary::in_place());
    Ok(())
}

#[test]
fn blocks_of_512_bytes_boot_in_place() -> Result<()> {
    assert_eq!(boot(&["-b512"])?, Summary::in_place());
    Ok(())
}

#[test]
fn compressed_blocks_of_1024_bytes_boot_in_place() -> Result<()> {
    assert_eq!(boot(&["-b1024", "-zlz4"])?, Summary::in_place());
    Ok(())
}

#[test]
fn superblock_without_checksum_boots_in_place() -> Result<()> {
    assert_eq!(boot_edited(Editor::drop_checksum)?, Summary::in_place());
    Ok(())
}

#[test]
fn block_counts_of_48_bits_boot_in_place() -> Result<()> {
    let edit = |editor: &mut Editor| {
        editor.widen_block_counts()?;
        editor.drop_checksum()
    };
    assert_eq!(boot_edited(edit)?, Summary::in_place());
    Ok(())
}
