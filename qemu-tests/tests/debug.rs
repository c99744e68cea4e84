// SPDX-License-Identifier: GPL-2.0-only
//! What only the debug kernel can show: failing allocations and leaks, and a ramdisk. `make test-debug`.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::archive::{newc, Style};
use qemu_tests::fixtures::compress::{compress, Compressor};
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::filesystem::{self, Filesystem};
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::report::Section;
use qemu_tests::scenario::with_fallback;
use qemu_tests::tools;

/// Returns an error unless the kernel has this option.
fn needs(option: &str) -> Result<()> {
    ensure!(tools::kernel_has(option)?, "the kernel has no {option}: make test-debug");
    Ok(())
}

/// Returns an archive, an image, a compressed archive: every kind of layer.
fn layers() -> Result<Vec<u8>> {
    let archive = newc(&Layer::new().file("etc-drill", 0o644, "content"), Style::default());
    let image = std::fs::read(erofs::image(&Tree::probe_only()?, &USUAL)?)?;
    Ok([&archive[..], &image, &compress(&archive, Compressor::Gzip)?].concat())
}

/// Returns an error if kmemleak blames a function of ours.
fn check_leaks(found: &Section) -> Result<()> {
    let leaks = found.all("leak");
    let ours = leaks.iter().any(|line| line.contains("initoverlayfs"));
    assert!(!ours, "{leaks:#?}");
    println!("{} lines of kmemleak", leaks.len());
    Ok(())
}

/// Returns how many attempts of this drill were undone.
fn undone(found: &Section, name: &str) -> Result<u32> {
    let start = format!("faults: {name}: ");
    let line = found.module_lines().into_iter().find_map(|line| line.strip_prefix(&start));
    let line = line.with_context(|| format!("no drill of the {name}"))?;
    assert!(line.ends_with("then it succeeded"), "{line}");
    Ok(line.split(' ').next().context("no number")?.parse()?)
}

#[test]
#[ignore = "needs the debug kernel; make test-debug"]
fn every_allocation_may_fail() -> Result<()> {
    check_faults(layers()?)
}

#[test]
#[ignore = "needs the debug kernel; make test-debug"]
fn every_allocation_for_a_block_device_may_fail() -> Result<()> {
    let image = filesystem::image(Filesystem::Squashfs, &Tree::probe_only()?, &[])?;
    check_faults(std::fs::read(image)?)
}

/// Boots with a fault in each allocation on the way to the root.
fn check_faults(initrd: Vec<u8>) -> Result<()> {
    needs("CONFIG_INITOVERLAYFS_FAULT_INJECTION")?;
    let machine = Machine::new().initrd_bytes(initrd).append("initoverlayfs_faults");
    let machine = machine.memory(1024).time_limit(Duration::from_secs(120));
    let boot = machine.orders("report,leaks").run()?;
    let found = boot.report.first()?;
    for name in ["scan", "mount", "hand-off"] {
        assert!(undone(found, name)? > 0, "{name}: no fault had an effect");
    }
    check_leaks(found)
}

#[test]
#[ignore = "needs the debug kernel; make test-debug"]
fn nothing_leaks_on_the_way_to_the_root() -> Result<()> {
    needs("CONFIG_DEBUG_KMEMLEAK")?;
    let boot = Machine::new().initrd_bytes(layers()?).orders("leaks").run()?;
    check_leaks(boot.report.first()?)
}

#[test]
#[ignore = "needs the debug kernel; make test-debug"]
fn nothing_leaks_when_a_mount_is_undone() -> Result<()> {
    needs("CONFIG_DEBUG_KMEMLEAK")?;
    let machine = with_fallback([layers()?, newc_too_large()].concat())?;
    let boot = machine.append("initoverlayfs=size=64k").orders("leaks").run()?;
    check_leaks(boot.report.first()?)
}

/// Returns an archive of 1 MiB.
fn newc_too_large() -> Vec<u8> {
    newc(&Layer::new().file("large", 0o644, vec![0xa5; 1 << 20]), Style::default())
}

/// Returns the tree of the disk, with the probe as `/sbin/init` and as `/init`.
fn old_kind() -> Result<Tree> {
    let disk = Tree::disk()?;
    Tree::filled("old-kind", &[&disk.id()], |root| {
        let mut copy = std::process::Command::new("cp");
        tools::run(copy.arg("-a").arg(disk.root.join("sbin")).arg(disk.root.join("dev")).arg(root))
            .map(drop)
    })
}

#[test]
#[ignore = "needs the debug kernel; make test-debug"]
fn initrd_for_the_ramdisk_is_left_to_it_unless_asked_for() -> Result<()> {
    needs("CONFIG_BLK_DEV_RAM")?;
    let image = filesystem::image(Filesystem::Squashfs, &old_kind()?, &[])?;
    let boot = |option: &str| {
        let machine = Machine::new().initrd(&image).memory(1024);
        machine.append(&format!("root=/dev/ram0 {option}")).run()
    };
    let left = boot("")?;
    let found = left.report.first()?;
    assert_eq!(found.get("argv0")?, "/sbin/init");
    assert!(found.all("mount").iter().any(|line| line.starts_with("/dev/root / squashfs")));
    for option in ["initoverlayfs=fstype=squashfs", "initoverlayfs=require"] {
        let taken = boot(option)?;
        let found = taken.report.first()?;
        assert_eq!(found.get("argv0")?, "/init", "{option}");
        assert!(found.all("mount").iter().any(|line| line.contains(" / overlay ")), "{option}");
    }
    Ok(())
}
