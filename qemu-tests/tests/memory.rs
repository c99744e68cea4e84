// SPDX-License-Identifier: GPL-2.0-only
//! The image's memory: given back when the root goes away, kept when asked to.

use std::fs;

use anyhow::{ensure, Result};
use qemu_tests::fixtures::damage::no_root_inode;
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::report::Section;
use qemu_tests::scenario::{classic, usual};

/// Free memory of two boots may differ by this much, in kB.
const TOLERANCE_KB: u64 = 1024;

/// Boots the disk and reports the settled memory of its init.
///
/// Command lines are equally long: their length shifts what the kernel does when.
fn settled(machine: Machine, orders: &str, option: &str) -> Result<Section> {
    let padding = "x".repeat(64 - orders.len() - option.len());
    let machine = machine.root_disk(disk::image()?).orders(orders);
    let boot = machine.append(&format!("{option} probe.pad={padding}")).run()?;
    if orders.contains("switch_root") {
        ensure!(boot.report.first()?.get("argv0")? == "/init", "the image was not booted");
    }
    let found = boot.report.last()?.clone();
    ensure!(found.get("argv0")? == "/sbin/init", "the last init is not the disk's");
    ensure!(found.get("memory.settled")? == "true", "the memory did not settle");
    let (total, available) = (found.number("memory.MemTotal")?, found.available_kb()?);
    println!("{orders} {option}: {available} kB available of {total} kB");
    Ok(found)
}

/// The memory of a boot that never had an initrd.
fn without_initrd() -> Result<Section> {
    settled(Machine::new(), "settle", "")
}

/// An image of 64 MiB, so that a leak of a hundredth shows.
fn image() -> Result<std::path::PathBuf> {
    erofs::image(&Tree::large(64)?, &[])
}

#[test]
fn switching_root_gives_the_memory_back() -> Result<()> {
    let plain = without_initrd()?;
    let after = settled(Machine::new().initrd(image()?), "settle,switch_root", "")?;
    assert_eq!(after.number("memory.MemTotal")?, plain.number("memory.MemTotal")?);
    let (after, plain) = (after.available_kb()?, plain.available_kb()?);
    assert!(after.abs_diff(plain) <= TOLERANCE_KB, "{after} kB free, {plain} kB without initrd");
    Ok(())
}

#[test]
fn switching_root_after_reading_everything_gives_the_memory_back() -> Result<()> {
    let plain = without_initrd()?;
    let machine = Machine::new().initrd(image()?);
    let after = settled(machine, "settle,tree,switch_root", "")?;
    assert_eq!(after.number("memory.MemTotal")?, plain.number("memory.MemTotal")?);
    let (after, plain) = (after.available_kb()?, plain.available_kb()?);
    assert!(after.abs_diff(plain) <= TOLERANCE_KB, "{after} kB free, {plain} kB without initrd");
    Ok(())
}

#[test]
fn failed_mount_gives_the_memory_back() -> Result<()> {
    let plain = without_initrd()?;
    let broken = no_root_inode(fs::read(image()?)?)?;
    let after = settled(Machine::new().initrd_bytes(broken), "settle", "")?;
    assert_eq!(after.number("memory.MemTotal")?, plain.number("memory.MemTotal")?);
    let (after, plain) = (after.available_kb()?, plain.available_kb()?);
    assert!(after.abs_diff(plain) <= TOLERANCE_KB, "{after} kB free, {plain} kB without initrd");
    Ok(())
}

#[test]
fn image_without_init_gives_the_memory_back() -> Result<()> {
    let plain = without_initrd()?;
    let image = erofs::image(&Tree::without_init()?, &USUAL)?;
    let after = settled(Machine::new().initrd(image), "settle", "")?;
    assert_eq!(after.number("memory.MemTotal")?, plain.number("memory.MemTotal")?);
    Ok(())
}

#[test]
fn retain_keeps_and_shows_the_image() -> Result<()> {
    let image = erofs::image(&Tree::standard()?, &USUAL)?;
    let boot = usual()?.append("initoverlayfs=retain").orders("tree,initrd").run()?;
    let kept = probe::entry::digest(&mut fs::File::open(&image)?)?;
    let size = fs::metadata(&image)?.len();
    let expected =
        format!("sys/firmware/initrd 0440 0:0 file size={size} links=1 digest={kept:032x}");
    assert_eq!(boot.report.first()?.get("initrd")?, expected);
    Ok(())
}

#[test]
fn retained_memory_stays_after_switching_root() -> Result<()> {
    let given_back = settled(Machine::new().initrd(image()?), "settle,switch_root", "")?;
    let machine = Machine::new().initrd(image()?);
    let kept = settled(machine, "settle,switch_root", "initoverlayfs=retain")?;
    let missing = given_back.available_kb()?.abs_diff(kept.available_kb()?);
    assert!(missing.abs_diff(64 << 10) <= 4 * TOLERANCE_KB, "{missing} kB were kept of 64 MiB");
    Ok(())
}

#[test]
fn kernel_parameter_retain_initrd_works_too() -> Result<()> {
    let image = erofs::image(&Tree::standard()?, &USUAL)?;
    let boot = usual()?.append("retain_initrd").orders("initrd").run()?;
    let digest = probe::entry::digest(&mut fs::File::open(&image)?)?;
    let found = boot.report.first()?.get("initrd")?;
    assert!(found.ends_with(&format!("digest={digest:032x}")), "{found}");
    Ok(())
}

#[test]
fn kernel_parameter_retain_initrd_still_works_for_an_archive() -> Result<()> {
    let boot = classic()?.append("retain_initrd").orders("initrd").run()?;
    assert_ne!(boot.report.first()?.get("initrd")?, "none");
    Ok(())
}

#[test]
fn without_retain_no_image_is_shown() -> Result<()> {
    let boot = usual()?.orders("initrd").run()?;
    assert_eq!(boot.report.first()?.get("initrd")?, "none");
    Ok(())
}
