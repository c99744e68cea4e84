// SPDX-License-Identifier: GPL-2.0-only
//! Real initramfs images, booted stock and converted: what an init sees in them, and what is seen of the whole
//! system later, is the same, except for the list in boot.rst.
//!
//! These take minutes and need what `scripts/distro` makes: `make test-distro`.

use std::fs;
use std::time::Duration;

use anyhow::{ensure, Result};
use qemu_tests::difference::{facts, Facts, Listed};
use qemu_tests::fixtures::archive::{newc, Style};
use qemu_tests::fixtures::command::convert_bytes;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::objects;
use qemu_tests::machine::Machine;
use qemu_tests::tools::{self, made};

/// Images of generators, for the Debian on the disk.
const GENERATED: [&str; 3] = ["dracut", "initramfs-tools", "mkosi"];
/// An image of initramfs-tools with busybox. Its first init is not compared: each of busybox's names has two links less in
/// the converted image, and that would be a list of 275 names.
const BUSYBOX: &str = "busybox";
const INSTALLER: &str = "installer";
/// A parameter of ours, and one of the same length.
const OURS: &str = "initoverlayfs=require";
const STOCK: &str = "initoverlayfs=off    ";

fn machine(initrd: Vec<u8>, parameters: &str) -> Machine {
    let machine = Machine::new().initrd_bytes(initrd).memory(1024);
    machine.time_limit(Duration::from_secs(300)).append(parameters)
}

/// Boots Debian's disk, and returns what its survey found.
fn system(initrd: Vec<u8>, parameters: &str) -> Result<Facts> {
    let machine = machine(initrd, parameters).cpus(2).root_disk(made("disk.ext4")?);
    let boot = machine.append("report.survey").run()?;
    let facts = facts(boot.report.last()?);
    ensure!(facts.len() > 300, "the survey found {} things only", facts.len());
    Ok(facts)
}

/// Boots the probe as the first init of an initramfs, and returns what it saw.
fn initial_root(initrd: Vec<u8>, parameters: &str) -> Result<Facts> {
    let machine = machine(initrd, parameters).append("rdinit=/probe root=/dev/vda");
    let boot = machine.orders("compare").quiet().run()?;
    Ok(facts(boot.report.first()?))
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn whole_systems_differ_by_the_guides_list_only() -> Result<()> {
    let mut listed = Listed::read()?;
    let mut surprises = Vec::new();
    for name in GENERATED.iter().chain([&BUSYBOX]) {
        let initramfs = fs::read(made(&format!("{name}.img"))?)?;
        let image = convert_bytes(&initramfs)?;
        let (stock, ours) = (system(initramfs, STOCK)?, system(image, OURS)?);
        let found = listed.surprises(&stock, &ours);
        surprises.extend(found.into_iter().map(|line| format!("{name}: {line}")));
    }
    ensure!(surprises.is_empty(), "not in the guide's list: {surprises:#?}");
    let unmet = listed.unmet(|entry| entry.starts_with("system."));
    ensure!(unmet.is_empty(), "in the guide's list, but no difference: {unmet:?}");
    Ok(())
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn first_inits_of_real_images_see_differences_of_the_guides_list_only() -> Result<()> {
    let probe = fs::read(tools::probe())?;
    let mut more = Layer::new().file("probe", 0o755, probe);
    for name in ["dev", "proc", "sys", "tmp"] {
        more = more.directory(name, 0o755);
    }
    let more = newc(&objects::add(more), Style::default());
    let mut listed = Listed::read()?;
    let mut surprises = Vec::new();
    for name in GENERATED.iter().chain([&INSTALLER]) {
        let mut initramfs = fs::read(made(&format!("{name}.img"))?)?;
        initramfs.resize(initramfs.len().next_multiple_of(512), 0);
        initramfs.extend(&more);
        let image = convert_bytes(&initramfs)?;
        let (stock, ours) = (initial_root(initramfs, STOCK)?, initial_root(image, OURS)?);
        println!("{name}: {} facts", stock.len());
        ensure!(stock.len() > 1000, "{name}: the probe saw {} things only", stock.len());
        let found = listed.surprises(&stock, &ours);
        surprises.extend(found.into_iter().map(|line| format!("{name}: {line}")));
    }
    ensure!(surprises.is_empty(), "not in the guide's list: {surprises:#?}");
    let unmet = listed.unmet(|entry| entry == "root-time");
    ensure!(unmet.is_empty(), "in the guide's list, but no difference: {unmet:?}");
    Ok(())
}

/// The image of our hooks has no stock counterpart: it is compared with the generator's own.
#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn system_from_the_hooks_image_differs_by_the_guides_list_only() -> Result<()> {
    let (image, disk) = (made("hook.dracut.img")?, made("installed.ext4")?);
    let original = fs::read(made("hook.dracut.cpio")?)?;
    let boot = |initrd, parameters| -> Result<Facts> {
        let machine = machine(initrd, parameters).cpus(2).root_disk(&disk);
        Ok(facts(machine.append("report.survey").run()?.report.last()?))
    };
    let (stock, ours) = (boot(original, STOCK)?, boot(fs::read(image)?, OURS)?);
    ensure!(stock.len() > 300, "the survey found {} things only", stock.len());
    let surprises = Listed::read()?.surprises(&stock, &ours);
    ensure!(surprises.is_empty(), "not in the guide's list: {surprises:#?}");
    Ok(())
}
