// SPDX-License-Identifier: GPL-2.0-only
//! Broken images: `auto` boots on as if the module were absent, `require` panics.

use std::ops::RangeInclusive;

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::damage::{no_root_inode, truncated, wrong_checksum};
use qemu_tests::fixtures::superblock::Editor;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Boot;
use qemu_tests::scenario::{usual_bytes, with_fallback};
use qemu_tests::summary::Summary;
use qemu_tests::tools;

/// Sums up a boot that fell back to the disk; how far the module got is of no interest.
fn on_disk(boot: &Boot) -> Result<Summary> {
    let found = Summary::new(boot.report.first()?, &Tree::disk()?)?;
    Ok(Summary { milestones: Vec::new(), ..found })
}

/// A line of a driver that starts as late as those of consoles may.
const DRIVER: &str = "loop: module loaded";

/// Returns the line of the panic that this initrd leads to under `require`, once drivers are there.
fn panic_line(initrd: Vec<u8>) -> Result<String> {
    let console = with_fallback(initrd)?.append("initoverlayfs=require").run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    let before = console.text().split(panic).next().context("an empty panic")?;
    ensure!(before.contains(DRIVER), "too early for a console: {panic}");
    Ok(panic.to_owned())
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

/// EROFS knows blocks of up to 64 KiB. Pages of that size leave none that is larger.
fn larger_blocks() -> Result<RangeInclusive<u8>> {
    Ok(tools::page_shift()? + 1..=16)
}

#[test]
fn blocks_larger_than_a_page_fall_back_to_the_disk() -> Result<()> {
    for bits in larger_blocks()? {
        check_block_size(bits).with_context(|| format!("2^{bits} bytes"))?;
    }
    Ok(())
}

#[test]
fn blocks_larger_than_a_page_panic_if_required() -> Result<()> {
    if let Some(bits) = larger_blocks()?.next() {
        let panic = panic_line(with_block_size(bits)?)?;
        assert!(panic.contains("mounting EROFS (layer 0) failed: error -22"), "{panic}");
    }
    Ok(())
}
