// SPDX-License-Identifier: GPL-2.0-only
//! Broken images: `auto` boots on as if the module were absent, `require` panics.

use anyhow::{Context, Result};
use qemu_tests::fixtures::damage::{no_root_inode, truncated, wrong_checksum};
use qemu_tests::fixtures::superblock::Editor;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Boot;
use qemu_tests::scenario::{usual_bytes, with_fallback};
use qemu_tests::summary::Summary;

/// Sums up a boot that fell back to the disk; how far the module got is of no interest.
fn on_disk(boot: &Boot) -> Result<Summary> {
    let found = Summary::new(boot.report.first()?, &Tree::disk()?)?;
    Ok(Summary { milestones: Vec::new(), ..found })
}

/// Returns the line of the panic that this initrd leads to under `require`.
fn panic_line(initrd: Vec<u8>) -> Result<String> {
    let console = with_fallback(initrd)?.append("initoverlayfs=require").run_to_panic()?;
    Ok(console.panic().context("no panic")?.to_owned())
}

/// Returns whether a line tells that mounting failed, and with EUCLEAN, by number or by name.
fn names_step_and_error(line: &str) -> bool {
    line.contains("mount") && (line.contains("117") || line.contains("EUCLEAN"))
}

#[test]
fn truncated_image_falls_back_to_the_disk() -> Result<()> {
    let boot = with_fallback(truncated(usual_bytes()?))?.run()?;
    assert_eq!(on_disk(&boot)?, Summary::disk());
    Ok(())
}

#[test]
fn truncated_image_panics_if_required() -> Result<()> {
    let panic = panic_line(truncated(usual_bytes()?))?;
    assert!(panic.contains("initoverlayfs: "), "{panic}");
    Ok(())
}

#[test]
fn wrong_checksum_falls_back_to_the_disk() -> Result<()> {
    let boot = with_fallback(wrong_checksum(usual_bytes()?)?)?.run()?;
    assert_eq!(on_disk(&boot)?, Summary::disk());
    Ok(())
}

#[test]
fn wrong_checksum_panics_if_required() -> Result<()> {
    let panic = panic_line(wrong_checksum(usual_bytes()?)?)?;
    assert!(panic.contains("initoverlayfs: "), "{panic}");
    Ok(())
}

#[test]
fn missing_root_inode_falls_back_to_the_disk() -> Result<()> {
    let boot = with_fallback(no_root_inode(usual_bytes()?)?)?.run()?;
    assert_eq!(on_disk(&boot)?, Summary::disk());
    let said = boot.report.first()?.all("kmsg");
    let failure = said.iter().find(|line| line.starts_with("3 ")).context("no error was logged")?;
    assert!(names_step_and_error(failure), "{failure}");
    Ok(())
}

#[test]
fn missing_root_inode_panics_if_required_naming_step_and_error() -> Result<()> {
    let panic = panic_line(no_root_inode(usual_bytes()?)?)?;
    assert!(panic.contains("initoverlayfs: ") && names_step_and_error(&panic), "{panic}");
    Ok(())
}

#[test]
fn archive_of_nothing_known_falls_back_to_the_disk() -> Result<()> {
    let boot = with_fallback(b"neither archive nor image".repeat(999))?.run()?;
    assert_eq!(on_disk(&boot)?, Summary::disk());
    Ok(())
}

/// Returns the usual image, stating blocks of 2 to the power of `bits` bytes, with a checksum that is right.
fn with_block_size(bits: u8) -> Result<Vec<u8>> {
    let mut editor = Editor::new(usual_bytes()?)?;
    editor.set_block_size(bits)?;
    Ok(editor.sealed())
}

/// Boots an image with blocks larger than a page: the disk, and an error that names step and reason.
fn check_block_size(bits: u8) -> Result<()> {
    let boot = with_fallback(with_block_size(bits)?)?.run()?;
    assert_eq!(on_disk(&boot)?, Summary::disk());
    let said = boot.report.first()?.all("kmsg");
    let failure = said.iter().find(|line| line.starts_with("3 ")).context("no error was logged")?;
    assert!(failure.contains("mounting EROFS (layer 0) failed: error -22"), "{failure}");
    Ok(())
}

#[test]
fn blocks_of_8_kib_fall_back_to_the_disk() -> Result<()> {
    check_block_size(13)
}

#[test]
fn blocks_of_16_kib_fall_back_to_the_disk() -> Result<()> {
    check_block_size(14)
}

#[test]
fn blocks_of_32_kib_fall_back_to_the_disk() -> Result<()> {
    check_block_size(15)
}

#[test]
fn blocks_of_64_kib_fall_back_to_the_disk() -> Result<()> {
    check_block_size(16)
}

#[test]
fn blocks_larger_than_a_page_panic_if_required() -> Result<()> {
    let panic = panic_line(with_block_size(13)?)?;
    assert!(panic.contains("mounting EROFS (layer 0) failed: error -22"), "{panic}");
    Ok(())
}
