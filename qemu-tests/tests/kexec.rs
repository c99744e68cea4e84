// SPDX-License-Identifier: GPL-2.0-only
//! Kernels that kexec starts, with an initrd in place. They need a kernel that can start others: `make test-kexec`.

use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use qemu_tests::fixtures::archive;
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::kexec::Disks;
use qemu_tests::machine::{Boot, Machine};
use qemu_tests::scenario::usual_bytes;
use qemu_tests::summary::Summary;

/// How many kernels are started by kexec in a row.
const TIMES: usize = 5;
/// All boots of a row.
const TIME_LIMIT: Duration = Duration::from_secs(360);

/// Returns an initrd that does not end with a page: an image, and an archive behind it.
fn initrd() -> Result<Vec<u8>> {
    let mut bytes = [usual_bytes()?, archive::of_file("behind", b"behind")].concat();
    bytes.extend([0; 3]);
    ensure!(bytes.len() % 4096 != 0, "{} bytes", bytes.len());
    Ok(bytes)
}

/// Boots, and starts this kernel again and again by a system call.
fn row(system_call: &str, orders: &str, option: &str) -> Result<Boot> {
    let orders = format!("{orders},{system_call}");
    let disk = disk::image()?;
    let machine = || Machine::new().root_disk(&disk).orders(&orders).append(option);
    let disks = Disks::new(&initrd()?, &machine())?;
    let first = machine().initrd_bytes(initrd()?).append(&format!("probe.left={TIMES}"));
    disks.with_kernel(first).time_limit(TIME_LIMIT).run()
}

/// Kexec handover (KHO): the first kernel sets memory apart into which it loads the next one. That kernel's initrd lies
/// in such memory, which is for movable pages only (CMA), and goes back to it.
#[test]
#[ignore = "needs a kernel of its own; make test-kexec"]
fn image_goes_back_to_the_memory_of_kexec_handover() -> Result<()> {
    let boot = row("kexec_file_load", "tree,switch_root,settle", "kho=on")?;
    let next = boot.console.text().matches("KHO: found kexec handover data").count();
    assert_eq!(next, TIMES, "{}", boot.console);
    let [.., on_image, on_disk] = boot.report.all() else { bail!("not two reports") };
    assert_eq!(on_disk.get("stage")?, "disk");
    let (before, after) = (on_image.number("memory.CmaFree")?, on_disk.number("memory.CmaFree")?);
    let image_kb = usual_bytes()?.len() as u64 / 1024;
    println!("{before} kB free in such memory, {after} later, {image_kb} of the image");
    assert!(after >= before + image_kb, "{before} kB, {after} kB, {image_kb} kB");
    Ok(())
}

/// Each init of the row finds the whole tree, and as much memory as the one before.
fn check_row(system_call: &str) -> Result<()> {
    let boot = row(system_call, "tree", "")?;
    let sections = boot.report.all();
    assert_eq!(sections.len(), 1 + TIMES);
    let mut expected = Summary::in_place();
    expected.additions.insert(0, "behind".to_owned());
    let mut totals = Vec::new();
    for found in sections {
        let mut summary = Summary::new(found, &Tree::standard()?)?;
        summary.differences.retain(|line| !line.starts_with("+behind "));
        println!("{} MemTotal {}", found.get("cmdline")?, found.get("memory.MemTotal")?);
        assert_eq!(summary, expected);
        totals.push(found.number("memory.MemTotal")?);
    }
    println!("{totals:?}");
    // kexec leaves a page or two to the next kernel: its own data, and the kernel's. On arm64, it also brings a device tree that
    // is smaller than QEMU's.
    let (first, later) = totals.split_first().context("no boots")?;
    let second = later.first().context("one boot")?;
    assert!(later.iter().all(|total| total.abs_diff(*second) <= 8), "{totals:?}");
    assert!(*second + 64 >= *first, "{totals:?}");
    Ok(())
}

#[test]
#[ignore = "needs a kernel of its own; make test-kexec"]
fn five_kernels_in_a_row_by_kexec_file_load() -> Result<()> {
    check_row("kexec_file_load")
}

#[test]
#[ignore = "needs a kernel of its own; make test-kexec"]
fn five_kernels_in_a_row_by_kexec_load() -> Result<()> {
    check_row("kexec_load")
}
