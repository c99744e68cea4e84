// SPDX-License-Identifier: GPL-2.0-only
//! What bootloaders add to an initrd and to the command line.

use anyhow::{Context, Result};
use probe::entry::digest;
use qemu_tests::fixtures::archive::{layer_of_file, newc, Style};
use qemu_tests::fixtures::bootloader::{ssdt, with_bootconfig};
use qemu_tests::fixtures::compress::Compressor;
use qemu_tests::fixtures::damage::{behind, wrong_checksum};
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::stack::{base, Stack};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::{Boot, Machine};
use qemu_tests::scenario::{usual, usual_bytes, with_fallback};
use qemu_tests::summary::Summary;

/// The kernel looks for microcode on processors that it knows, and where it sees no hypervisor.
const BARE_INTEL: &str =
    "-accel tcg,thread=multi -cpu max,vendor=GenuineIntel,family=6,model=94,-hypervisor";

/// Sums up a boot of the standard tree.
fn summary(boot: &Boot) -> Result<Summary> {
    Summary::new(boot.report.first()?, &Tree::standard()?)
}

/// Returns the usual image at this offset of the initrd.
fn image_at(offset: usize) -> Result<Vec<u8>> {
    Ok(behind(&vec![0; offset], &usual_bytes()?))
}

/// Boots the usual image, at this offset, with a boot configuration behind it and more padding.
fn boot_with_configuration(offset: usize, padding: usize) -> Result<()> {
    let image = image_at(offset)?;
    let kept = digest(&mut image.as_slice())?;
    let option = "kernel.initoverlayfs = \"require,retain\"\n";
    let mut initrd = with_bootconfig(image, option)?;
    initrd.resize(initrd.len() + padding, 0);
    let machine = Machine::new().initrd_bytes(initrd).append("bootconfig");
    let boot = machine.orders("tree,initrd").run()?;
    assert_eq!(summary(&boot)?, Summary::in_place());
    let shown = boot.report.first()?.get("initrd")?;
    assert!(shown.ends_with(&format!("digest={kept:032x}")), "{shown} is not the image alone");
    Ok(())
}

#[test]
fn boot_configuration_behind_the_image_is_read() -> Result<()> {
    boot_with_configuration(0, 0)
}

#[test]
fn boot_configuration_behind_an_unaligned_image_is_read() -> Result<()> {
    boot_with_configuration(1, 0)
}

#[test]
fn boot_configuration_in_front_of_padding_is_read() -> Result<()> {
    boot_with_configuration(3, 3)
}

#[test]
fn boot_configuration_can_require_a_root() -> Result<()> {
    let image = wrong_checksum(usual_bytes()?)?;
    let initrd = with_bootconfig(image, "kernel.initoverlayfs = require\n")?;
    let console = with_fallback(initrd)?.append("bootconfig").run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    assert!(panic.contains("initoverlayfs: required"), "{panic}");
    Ok(())
}

#[test]
fn boot_configuration_that_is_not_asked_for_is_passed_over() -> Result<()> {
    let initrd = with_bootconfig(image_at(2)?, "kernel.initoverlayfs = off\n")?;
    let boot = Machine::new().initrd_bytes(initrd).orders("tree").run()?;
    assert_eq!(summary(&boot)?, Summary::in_place());
    let lines = boot.report.first()?.module_lines();
    assert!(!lines.iter().any(|line| line.contains("neither")), "{lines:?}");
    Ok(())
}

#[test]
fn built_in_initramfs_may_be_unpacked_at_once() -> Result<()> {
    let boot = usual()?.append("initramfs_async=0").orders("tree").run()?;
    assert_eq!(summary(&boot)?, Summary::in_place());
    Ok(())
}

#[test]
fn parameters_for_ramdisks_change_nothing() -> Result<()> {
    let parameters = "noinitrd root=/dev/ram0 ramdisk_size=65536 load_ramdisk=1 prompt_ramdisk=0";
    let boot = usual()?.append(parameters).orders("tree").run()?;
    assert_eq!(summary(&boot)?, Summary::in_place());
    Ok(())
}

#[test]
fn init_of_the_disk_is_not_the_image_s() -> Result<()> {
    let boot = usual()?.append("init=/other").orders("tree").run()?;
    assert_eq!(summary(&boot)?, Summary::in_place());
    Ok(())
}

#[test]
fn image_without_init_leads_to_the_init_of_the_disk() -> Result<()> {
    let image = erofs::image(&Tree::without_init()?, &USUAL)?;
    let machine = Machine::new().initrd(image).disk(disk::image()?);
    let boot = machine.append("init=/sbin/init root=/dev/vda").run()?;
    let found = Summary::new(boot.report.first()?, &Tree::disk()?)?;
    assert_eq!(Summary { milestones: Vec::new(), ..found }, Summary::disk());
    Ok(())
}

#[test]
#[cfg_attr(not(guest = "x86_64"), ignore = "QEMU describes other machines by a device tree")]
fn acpi_table_in_front_of_the_image_is_taken() -> Result<()> {
    let archive = layer_of_file("kernel/firmware/acpi/ssdt.aml", &ssdt());
    let stack = Stack::new()?.archive(&archive, Compressor::None)?.image(&base()?)?;
    let boot = Machine::new().initrd_bytes(stack.bytes()).orders("tree,acpi").run()?;
    let found = boot.report.first()?;
    assert_eq!(Summary::of(found, &stack.entries()?)?, Summary::in_place());
    let tables = found.all("acpi");
    let expected = format!("size=36 links=1 digest={:032x}", digest(&mut ssdt().as_slice())?);
    let is_there = tables.iter().any(|t| t.starts_with("SSDT") && t.ends_with(&expected));
    assert!(is_there, "no SSDT with {expected} in {tables:#?}");
    Ok(())
}

#[test]
#[cfg_attr(not(guest = "x86_64"), ignore = "QEMU describes other machines by a device tree")]
fn acpi_table_in_an_image_is_not_taken() -> Result<()> {
    let mut layer = base()?;
    layer.objects.extend(layer_of_file("kernel/firmware/acpi/ssdt.aml", &ssdt()).objects);
    let stack = Stack::new()?.image(&layer)?;
    let boot = Machine::new().initrd_bytes(stack.bytes()).orders("acpi").run()?;
    let tables = boot.report.first()?.all("acpi");
    assert!(!tables.is_empty() && !tables.iter().any(|t| t.starts_with("SSDT")), "{tables:#?}");
    Ok(())
}

#[test]
#[cfg_attr(not(guest = "x86_64"), ignore = "other processors take no microcode from the kernel")]
fn microcode_in_front_of_the_image_does_no_harm_and_can_be_seen() -> Result<()> {
    let archive = Layer::new()
        .directory("kernel", 0o755)
        .directory("kernel/x86", 0o755)
        .directory("kernel/x86/microcode", 0o755)
        .file("kernel/x86/microcode/GenuineIntel.bin", 0o644, "no microcode".repeat(1000))
        .file("kernel/x86/microcode/AuthenticAMD.bin", 0o644, "nor this".repeat(1000));
    let stack = Stack::new()?.archive(&archive, Compressor::None)?.padding(512);
    let stack = stack.image(&base()?)?;
    let machine = Machine::new().initrd_bytes(stack.bytes()).accel(BARE_INTEL).orders("tree");
    let boot = machine.run()?;
    assert_eq!(Summary::of(boot.report.first()?, &stack.entries()?)?, Summary::in_place());
    assert!(boot.console.has("microcode: Current revision"), "nobody looked for microcode");
    Ok(())
}

#[test]
fn file_that_a_bootloader_adds_to_an_image_without_directories_for_it() -> Result<()> {
    // As boot stubs pass credentials: no entries but those of their own directories.
    let archive = newc(&layer_of_file(".extra/credentials/a.cred", b"secret"), Style::default());
    let boot = Machine::new().initrd_bytes([usual_bytes()?, archive].concat());
    let boot = boot.orders("tree").run()?;
    let found = summary(&boot)?;
    assert_eq!(found.additions, [".extra", "dev", "root"]);
    let paths: Vec<_> = found.differences.iter().filter_map(|l| l.split(' ').next()).collect();
    assert_eq!(paths, ["+.extra", "+.extra/credentials", "+.extra/credentials/a.cred"]);
    Ok(())
}
