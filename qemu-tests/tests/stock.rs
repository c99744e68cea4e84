// SPDX-License-Identifier: GPL-2.0-only
//! A classic initramfs boots as if the module were not there.

use anyhow::Result;
use qemu_tests::fixtures::cpio::{self, Compressor};
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::summary::Summary;

/// Boots the standard tree in an archive compressed like this.
fn boot(compressor: Compressor, append: &str) -> Result<Summary> {
    let tree = Tree::standard()?.without_xattrs();
    let machine = Machine::new().initrd(cpio::archive(&tree, compressor)?).append(append);
    let boot = machine.orders("tree").run()?;
    Summary::new(boot.report.first()?, &tree)
}

#[test]
fn plain_cpio_is_left_alone() -> Result<()> {
    assert_eq!(boot(Compressor::None, "")?, Summary::stock());
    Ok(())
}

#[test]
fn gzip_cpio_is_left_alone() -> Result<()> {
    assert_eq!(boot(Compressor::Gzip, "")?, Summary::stock());
    Ok(())
}

#[test]
fn zstd_cpio_is_left_alone() -> Result<()> {
    assert_eq!(boot(Compressor::Zstd(9), "")?, Summary::stock());
    Ok(())
}

#[test]
fn lz4_cpio_is_left_alone() -> Result<()> {
    assert_eq!(boot(Compressor::Lz4, "")?, Summary::stock());
    Ok(())
}

#[test]
fn xz_cpio_is_left_alone() -> Result<()> {
    assert_eq!(boot(Compressor::Xz, "")?, Summary::stock());
    Ok(())
}

#[test]
fn cpio_boots_with_the_module_off() -> Result<()> {
    assert_eq!(boot(Compressor::Gzip, "initoverlayfs=off")?, Summary::stock());
    Ok(())
}

#[test]
fn disk_boots_without_initrd() -> Result<()> {
    let boot = Machine::new().root_disk(disk::image()?).orders("report").run()?;
    assert_eq!(Summary::new(boot.report.first()?, &Tree::disk()?)?, Summary::disk());
    Ok(())
}
