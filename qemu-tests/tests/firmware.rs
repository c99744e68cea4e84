// SPDX-License-Identifier: GPL-2.0-only
//! A driver that is built in finds its firmware in the initial root, before `/init` runs.
//!
//! cfg80211 asks for `regulatory.db` as one of the last initcalls, and says what it got.

use anyhow::Result;
use qemu_tests::fixtures::archive::layer_of_file;
use qemu_tests::fixtures::bootloader::regulatory_db;
use qemu_tests::fixtures::compress::Compressor;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::stack::{base, Stack};
use qemu_tests::summary::Summary;

const PATH: &str = "lib/firmware/regulatory.db";
const MISSING: &str = "cfg80211: failed to load regulatory.db";
const MALFORMED: &str = "cfg80211: loaded regulatory.db is malformed";

/// Returns the base with a file like this.
fn with_database(content: &[u8]) -> Result<Layer> {
    let mut layer = base()?;
    layer.objects.extend(layer_of_file(PATH, content).objects);
    Ok(layer)
}

/// Boots it: whether the file was missing, and whether it was malformed.
fn complaints(stack: Stack) -> Result<(bool, bool)> {
    let boot = stack.boot()?;
    assert_eq!(Summary::of(boot.report.first()?, &stack.entries()?)?, Summary::in_place());
    Ok((boot.console.has(MISSING), boot.console.has(MALFORMED)))
}

#[test]
fn firmware_that_is_not_there_is_missed() -> Result<()> {
    assert_eq!(complaints(Stack::new()?.image(&base()?)?)?, (true, false));
    Ok(())
}

#[test]
fn firmware_in_the_image_is_loaded() -> Result<()> {
    let stack = Stack::new()?.image(&with_database(&regulatory_db())?)?;
    assert_eq!(complaints(stack)?, (false, false));
    Ok(())
}

#[test]
fn firmware_in_the_image_is_looked_into() -> Result<()> {
    let stack = Stack::new()?.image(&with_database(b"no database")?)?;
    assert_eq!(complaints(stack)?, (false, true));
    Ok(())
}

#[test]
fn firmware_in_an_archive_over_the_image_is_loaded_instead() -> Result<()> {
    let stack = Stack::new()?.image(&with_database(b"no database")?)?;
    let archive = layer_of_file(PATH, &regulatory_db());
    assert_eq!(complaints(stack.archive(&archive, Compressor::Gzip)?)?, (false, false));
    Ok(())
}
