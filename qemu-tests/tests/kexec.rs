// SPDX-License-Identifier: GPL-2.0-only
//! Kernels that kexec starts, with an initrd in place. They need a kernel that can start others: `make test-kexec`.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
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
    // kexec leaves a page or two to the next kernel: its own data, and the kernel's.
    let (first, later) = totals.split_first().context("no boots")?;
    let second = later.first().context("one boot")?;
    assert!(later.iter().all(|total| total == second), "{totals:?}");
    assert!(first.abs_diff(*second) <= 64, "{totals:?}");
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
