// SPDX-License-Identifier: GPL-2.0-only
//! Images that do not start where the initrd starts.

use anyhow::Result;
use qemu_tests::fixtures::archive::of_file;
use qemu_tests::fixtures::damage::behind;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::report::Section;
use qemu_tests::scenario::usual_bytes;
use qemu_tests::summary::Summary;

/// A file that another archive brings.
const EXTRA: &str = "kernel/firmware/dummy";

/// Boots the usual image behind these bytes.
fn boot(prefix: &[u8]) -> Result<Section> {
    let initrd = behind(prefix, &usual_bytes()?);
    let boot = Machine::new().initrd_bytes(initrd).orders("tree").run()?;
    Ok(boot.report.first()?.clone())
}

/// Boots the usual image with these bytes behind it.
fn boot_before(suffix: &[u8]) -> Result<Section> {
    let initrd = [usual_bytes()?, suffix.to_vec()].concat();
    let boot = Machine::new().initrd_bytes(initrd).orders("tree").run()?;
    Ok(boot.report.first()?.clone())
}

/// Sums up such a boot. What the other archive brings may or may not be in the root.
fn summary(found: &Section) -> Result<Summary> {
    let mut summary = Summary::new(found, &Tree::standard()?)?;
    summary.additions.retain(|name| name != "kernel");
    summary.differences.retain(|line| !line.starts_with("+kernel"));
    Ok(summary)
}

#[test]
fn image_behind_3_zeros_boots_in_place() -> Result<()> {
    assert_eq!(summary(&boot(&[0; 3])?)?, Summary::in_place());
    Ok(())
}

#[test]
fn image_behind_4_zeros_boots_in_place() -> Result<()> {
    assert_eq!(summary(&boot(&[0; 4])?)?, Summary::in_place());
    Ok(())
}

#[test]
fn image_behind_512_zeros_boots_in_place() -> Result<()> {
    assert_eq!(summary(&boot(&[0; 512])?)?, Summary::in_place());
    Ok(())
}

#[test]
fn image_behind_4096_zeros_boots_in_place() -> Result<()> {
    assert_eq!(summary(&boot(&[0; 4096])?)?, Summary::in_place());
    Ok(())
}

#[test]
fn image_behind_a_cpio_archive_boots_in_place() -> Result<()> {
    let archive = of_file(EXTRA, b"not really firmware");
    assert_eq!(summary(&boot(&archive)?)?, Summary::in_place());
    Ok(())
}

#[test]
fn image_behind_a_cpio_archive_and_zeros_boots_in_place() -> Result<()> {
    let mut archive = of_file(EXTRA, b"not really firmware");
    archive.resize(archive.len().next_multiple_of(512) + 3, 0);
    assert_eq!(summary(&boot(&archive)?)?, Summary::in_place());
    Ok(())
}

#[test]
fn archive_behind_the_image_is_a_layer_over_it() -> Result<()> {
    let found = boot_before(&of_file(EXTRA, b"a credential"))?;
    assert_eq!(summary(&found)?, Summary::in_place());
    let brought = found.all("entry").iter().any(|line| line.starts_with(EXTRA));
    assert!(brought, "no {EXTRA} in {:?}", found.all("entry"));
    Ok(())
}

#[test]
fn signature_behind_the_image_does_not_cost_the_root() -> Result<()> {
    let found = boot_before(b"verity\0\0 and what else a superblock does not count")?;
    assert_eq!(summary(&found)?, Summary::in_place());
    let said = found.module_lines();
    let named = said.iter().any(|line| {
        line.starts_with("50 bytes at offset 0x")
            && line.ends_with(" of the initrd are neither an image nor cpio: ignored")
    });
    assert!(named, "nothing about the 50 bytes in {said:?}");
    Ok(())
}
