// SPDX-License-Identifier: GPL-2.0-only
//! A classic initramfs boots as if the module were not there.

use anyhow::Result;
use qemu_tests::fixtures::cpio::{self, Compressor};
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::samples::{all_kinds, replacements, to_be_replaced};
use qemu_tests::fixtures::stack::{base, Stack};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::scenario::{usual_bytes, with_fallback};
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
fn boots_without_the_claim() -> Result<()> {
    // What is left of us has nothing to mount, and must not look for it.
    let option = "initcall_blacklist=__initoverlayfs_initcall_claim";
    assert_eq!(boot(Compressor::Gzip, option)?, Summary::stock());
    let machine = with_fallback(usual_bytes()?)?.append(option);
    let found = machine.run()?;
    let found = Summary::new(found.report.first()?, &Tree::disk()?)?;
    assert_eq!(found, Summary::disk());
    Ok(())
}

#[test]
fn disk_boots_without_initrd() -> Result<()> {
    let boot = Machine::new().root_disk(disk::image()?).orders("report").run()?;
    assert_eq!(Summary::new(boot.report.first()?, &Tree::disk()?)?, Summary::disk());
    Ok(())
}

#[test]
fn kernel_unpacks_objects_of_every_kind_as_predicted() -> Result<()> {
    let stack = Stack::new()?.archive(&base()?, Compressor::None)?;
    let stack = stack.archive(&all_kinds(), Compressor::None)?;
    let stack = stack.archive(&to_be_replaced(), Compressor::None)?;
    let stack = stack.archive(&replacements(), Compressor::None)?;
    assert_eq!(stack.summary()?, Summary::stock());
    Ok(())
}

#[test]
fn kernel_finds_a_plain_archive_where_the_initrd_aligns_it() -> Result<()> {
    let stack = Stack::new()?.padding(1).archive(&all_kinds(), Compressor::Gzip)?.aligned();
    let stack = stack.archive(&base()?, Compressor::None)?;
    assert_eq!(stack.summary()?, Summary::stock());
    Ok(())
}

#[test]
fn kernel_gives_the_root_directory_what_an_archive_says() -> Result<()> {
    let layer = Layer::new().directory(".", 0o711).owner(1, 2);
    let stack = Stack::new()?.archive(&base()?, Compressor::None)?;
    let boot = stack.archive(&layer, Compressor::None)?.boot()?;
    assert_eq!(boot.report.first()?.get("root.entry")?, " 0711 1:2 directory");
    Ok(())
}
