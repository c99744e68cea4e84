// SPDX-License-Identifier: GPL-2.0-only
//! The kernel booted by UEFI: its stub gets the initrd from the firmware.
//!
//! `scripts/distro` fetches the firmware: `make test-distro`.

use anyhow::{ensure, Context, Result};
use qemu_tests::console::Console;
use qemu_tests::fixtures::archive::layer_of_file;
use qemu_tests::fixtures::bootloader::ssdt;
use qemu_tests::fixtures::compress::Compressor;
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::stack::{base, Stack};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::scenario::usual_bytes;
use qemu_tests::summary::Summary;
use qemu_tests::tools::made;

/// More memory than ends at 4 GiB, in MiB.
const MUCH_MEMORY: u32 = 6144;

/// Returns where the kernel says that it reserves a range of this length, the highest.
fn reserved(console: &Console, len: u64) -> Result<u64> {
    let lines = console.text().lines();
    let lines = lines.filter(|line| line.contains("memblock_reserve") || line.contains("RAMDISK"));
    let ranges = lines.filter_map(|line| {
        let (_, range) = line.split_once("[")?.1.split_once("0x")?;
        let (start, end) = range.split_once(']')?.0.split_once("-0x")?;
        Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
    });
    let ours = ranges.filter(|(start, end)| end - start + 1 == len).map(|(start, _)| start);
    ours.max().with_context(|| format!("no range of {len} bytes is reserved"))
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn initrd_of_the_firmware_is_mounted_in_place_and_given_back() -> Result<()> {
    let initrd = usual_bytes()?;
    let len = initrd.len() as u64;
    ensure!(len % 4096 == 0, "the image is {len} bytes long");
    let machine = Machine::new().uefi(made("firmware.fd")?).memory(MUCH_MEMORY);
    let machine = machine.initrd_bytes(initrd).root_disk(disk::image()?);
    let boot = machine.append("memblock=debug").orders("tree,settle,switch_root").run()?;
    let (first, last) = (boot.report.first()?, boot.report.last()?);
    assert_eq!(Summary::new(first, &Tree::standard()?)?, Summary::in_place());
    let start = reserved(&boot.console, len)?;
    // x86's stub keeps it below 4 GiB; elsewhere it is where memory ends.
    let is_above = start >= 1 << 32;
    ensure!(is_above != cfg!(guest = "x86_64"), "the initrd is at {start:#x}");
    ensure!(last.get("argv0")? == "/sbin/init", "the last init is not the disk's");
    // Before, the image's pages are counted already, and do not count as available.
    assert_eq!(first.number("memory.MemTotal")?, last.number("memory.MemTotal")?);
    Ok(())
}

/// On machines that QEMU itself describes by a device tree, there are ACPI tables only under UEFI.
#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn acpi_table_in_front_of_the_image_is_taken() -> Result<()> {
    let archive = layer_of_file("kernel/firmware/acpi/ssdt.aml", &ssdt());
    let stack = Stack::new()?.archive(&archive, Compressor::None)?.image(&base()?)?;
    let machine = Machine::new().uefi(made("firmware.fd")?).initrd_bytes(stack.bytes());
    let boot = machine.orders("tree,acpi").run()?;
    let found = boot.report.first()?;
    assert_eq!(Summary::of(found, &stack.entries()?)?, Summary::in_place());
    let tables = found.all("acpi");
    ensure!(tables.iter().any(|table| table.starts_with("SSDT")), "{tables:#?}");
    Ok(())
}

/// systemd-stub, where QEMU starts a unified kernel image with an initrd.
#[cfg(guest = "arm64")]
mod stub {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use qemu_tests::fixtures::archive::{newc, Style};
    use qemu_tests::fixtures::layer::Layer;
    use qemu_tests::tools;
    use tempfile::TempDir;

    use super::*;

    /// Returns the unified kernel image of the kernel under test and an initrd, in a directory.
    fn unified(initrd: &[u8], place: &Path) -> Result<PathBuf> {
        let (part, image) = (place.join("initrd"), place.join("uki.efi"));
        fs::write(&part, initrd)?;
        // Debian's python3-pefile is for Debian's own Python.
        let mut ukify = Command::new("/usr/bin/python3");
        ukify
            .arg(made("ukify")?)
            .args(["build", "--efi-arch=aa64", "--stub"])
            .arg(made("stub.efi")?);
        ukify.arg("--linux").arg(tools::kernel()?).arg("--initrd").arg(&part);
        tools::run(ukify.arg("--output").arg(&image))?;
        Ok(image)
    }

    /// systemd-stub (since 260) joins its own initrd with the one that the firmware has: it puts the firmware's in front, and
    /// archives with what it knows of the boot behind both.
    #[test]
    #[ignore = "needs scripts/distro; make test-distro"]
    fn image_is_found_before_and_behind_the_other_of_firmware_and_stub() -> Result<()> {
        let place = TempDir::with_prefix("qemu-test-").context("no temporary directory")?;
        let image = usual_bytes()?;
        let archive = newc(&Layer::new().file("from-the-other", 0o644, "x"), Style::default());
        let pairs = [(&archive, &image, archive.len()), (&image, &archive, 0)];
        for (of_firmware, of_stub, offset) in pairs {
            let machine =
                Machine::new().uefi(made("firmware.fd")?).initrd_bytes(of_firmware.clone());
            let boot = machine.kernel(unified(of_stub, place.path())?).orders("tree").run()?;
            let found = boot.report.first()?;
            let entries = found.all("entry");
            ensure!(entries.iter().any(|line| line.contains("from-the-other")), "{entries:#?}");
            let lines = found.module_lines();
            let at = format!("at offset {offset:#x} of the initrd");
            ensure!(lines.iter().any(|line| line.contains(&at)), "{lines:#?}");
        }
        Ok(())
    }
}
