// SPDX-License-Identifier: GPL-2.0-only
//! Images of a size that matters; run one at a time.

use std::time::Duration;

use anyhow::Result;
use qemu_tests::fixtures::erofs;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::summary::Summary;
use qemu_tests::tools;

/// Boots an uncompressed image of this size with this much memory and reads all of it.
fn boot(image_mib: usize, memory_mib: u32) -> Result<Summary> {
    let tree = Tree::large(image_mib)?;
    let machine = Machine::new().initrd(erofs::image(&tree, &[])?).memory(memory_mib);
    let boot = machine.orders("tree").time_limit(Duration::from_secs(120)).run()?;
    Summary::new(boot.report.first()?, &tree)
}

#[test]
fn image_of_a_gibibyte_boots_in_place() -> Result<()> {
    assert_eq!(boot(1024, 1536)?, Summary::in_place());
    Ok(())
}

#[test]
fn image_of_more_than_half_of_the_memory_boots_in_place() -> Result<()> {
    // KASAN alone takes an eighth of the memory.
    let is_watched = tools::kernel_has("CONFIG_KASAN")?;
    // QEMU's Arm machine puts the initrd behind 128 MiB, or half of the memory if that is less.
    let (image, memory) = if is_watched { (320, 576) } else { (160, 304) };
    assert_eq!(boot(image, memory)?, Summary::in_place());
    Ok(())
}
