// SPDX-License-Identifier: GPL-2.0-only
//! Machines that many scenarios start from.

use std::fs;

use anyhow::Result;

use crate::fixtures::erofs::{self, USUAL};
use crate::fixtures::tree::Tree;
use crate::fixtures::{cpio, disk};
use crate::machine::Machine;

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

/// Boots an initrd of these bytes, with a disk to fall back to.
pub fn with_fallback(initrd: Vec<u8>) -> Result<Machine> {
    Ok(Machine::new().initrd_bytes(initrd).root_disk(disk::image()?))
}
