// SPDX-License-Identifier: GPL-2.0-only
//! Machines that many scenarios start from.

use std::fs;

use anyhow::{ensure, Context, Result};

use crate::fixtures::archive::{newc, Style};
use crate::fixtures::erofs::{self, USUAL};
use crate::fixtures::layer::Layer;
use crate::fixtures::tree::Tree;
use crate::fixtures::{cpio, disk};
use crate::machine::{Boot, Machine};
use crate::summary::Summary;
use crate::tools;

/// Boots the standard tree from the usual image.
pub fn usual() -> Result<Machine> {
    Ok(Machine::new().initrd(erofs::image(&Tree::standard()?, &USUAL)?))
}

/// Returns the bytes of the usual image of the standard tree.
pub fn usual_bytes() -> Result<Vec<u8>> {
    Ok(fs::read(erofs::image(&Tree::standard()?, &USUAL)?)?)
}

/// Boots the standard tree from a classic archive.
pub fn classic() -> Result<Machine> {
    Ok(Machine::new().initrd(cpio::archive(&Tree::standard()?, cpio::Compressor::Gzip)?))
}

/// Returns whether the kernel's `bunzip2` shows up as a fault: UBSAN reports that it points in front of an array, in a
/// stock boot as well.
pub fn bunzip2_is_reported() -> Result<bool> {
    tools::kernel_has("CONFIG_UBSAN_BOUNDS")
}

/// Boots with a classic archive of nothing: what comes after has the same memory as after any other initrd. With none,
/// it may have a page more, as the entries for an initrd make a device tree longer.
pub fn with_empty_archive() -> Machine {
    Machine::new().whole_pages(newc(&Layer::new(), Style::default()))
}

/// Boots an initrd of these bytes, with a disk to fall back to.
pub fn with_fallback(initrd: Vec<u8>) -> Result<Machine> {
    Ok(Machine::new().initrd_bytes(initrd).root_disk(disk::image()?))
}

/// Boots with these options, once under `require` and once under `auto`: the first is a panic with these words, the
/// second ends on the disk. Returns the second boot.
pub fn refused(initrd: Vec<u8>, options: &str, words: &str) -> Result<Boot> {
    let parameter = |first: &str| {
        let parts = [first, options].into_iter().filter(|part| !part.is_empty());
        format!("initoverlayfs={}", parts.collect::<Vec<_>>().join(","))
    };
    let machine = Machine::new().initrd_bytes(initrd.clone());
    let console = machine.append(&parameter("require")).run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    ensure!(panic.contains("initoverlayfs: required, but ") && panic.contains(words), "{panic}");

    let boot = with_fallback(initrd)?.append(&parameter("auto")).run()?;
    let found = Summary::new(boot.report.first()?, &Tree::disk()?)?;
    let expected = Summary::disk();
    ensure!(Summary { milestones: Vec::new(), ..found.clone() } == expected, "{found:#?}");
    Ok(boot)
}

/// The same, where the second boot says these words, too, as an error.
pub fn refused_aloud(initrd: Vec<u8>, options: &str, words: &str) -> Result<Boot> {
    let boot = refused(initrd, options, words)?;
    let said = boot.report.first()?.all("kmsg");
    ensure!(said.iter().any(|line| line.starts_with("3 ") && line.contains(words)), "{said:#?}");
    Ok(boot)
}
