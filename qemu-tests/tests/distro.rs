// SPDX-License-Identifier: GPL-2.0-only
//! Real distributions: their initramfs, converted, up to a running system.
//!
//! These take a minute each and need what `scripts/distro` makes: `make test-distro`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{ensure, Result};
use qemu_tests::fixtures::command::convert;
use qemu_tests::machine::Machine;
use qemu_tests::report::Section;
use qemu_tests::tools;

/// Free memory of two boots of a whole system may differ by this much, in kB.
const TOLERANCE_KB: u64 = 12 << 10;

/// A file that `scripts/distro` has made.
fn made(name: &str) -> Result<PathBuf> {
    let path = tools::build_dir().join("distro").join(name);
    ensure!(path.is_file(), "no {}: run `make test-distro`", path.display());
    Ok(path)
}

/// Boots Debian's disk with this initrd until the system is up, and returns what it says of itself.
fn boot(name: &str, machine: Machine, option: &str) -> Result<Section> {
    let machine = machine.root_disk(made("trixie.ext4")?).append(option).memory(1024).cpus(2);
    let boot = machine.time_limit(Duration::from_secs(240)).run()?;
    let found = boot.report.last()?.clone();
    println!("{name}: {}", found.get("analyze")?);
    println!("{name}: init started at {} s", found.get("ran")?);
    println!("{name}: {} kB available at the end", found.available_kb()?);
    Ok(found)
}

/// What must be so however the system came up.
fn check_system(found: &Section) -> Result<()> {
    assert_eq!(found.get("state")?, "running");
    assert_eq!(found.all("failed"), [""; 0]);
    let mounts = found.all("mount");
    ensure!(mounts.contains(&"/dev/vda / ext4 rw,relatime 0 0"), "{mounts:#?}");
    let left = mounts.iter().any(|line| line.contains("overlay") || line.contains("erofs"));
    ensure!(!left, "the initial root is still there: {mounts:#?}");
    Ok(())
}

/// Boots a generator's image as it is and converted: the system is up both times, and nothing of the
/// converted one stays in memory.
fn check(generator: &str) -> Result<(Section, Section)> {
    let initramfs = made(&format!("trixie.{generator}.img"))?;
    let image = convert(&initramfs, &[])?;
    println!("{generator}: {} bytes, converted {}", fs::metadata(&initramfs)?.len(), image.len());

    let stock = boot("stock", Machine::new().initrd(initramfs), "initoverlayfs=off")?;
    check_system(&stock)?;
    let converted = boot("converted", Machine::new().initrd_bytes(image), "initoverlayfs=require")?;
    check_system(&converted)?;

    let milestones = converted.module_lines();
    ensure!(milestones.iter().any(|line| line.contains("handed off")), "{milestones:#?}");
    assert_eq!(converted.number("memory.MemTotal")?, stock.number("memory.MemTotal")?);
    let (ours, theirs) = (converted.available_kb()?, stock.available_kb()?);
    assert!(
        ours + TOLERANCE_KB >= theirs,
        "{ours} kB available, {theirs} with the stock initramfs"
    );
    Ok((stock, converted))
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn debian_with_dracut_boots_to_multi_user() -> Result<()> {
    let (_, converted) = check("dracut")?;
    // systemd knew that it was in an initrd, and switched from there.
    ensure!(converted.number("InitRDTimestampMonotonic")? > 0, "systemd saw no initrd");
    Ok(())
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn debian_with_initramfs_tools_boots_to_multi_user() -> Result<()> {
    check("initramfs-tools").map(drop)
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn debian_with_initramfs_tools_stops_without_the_handover_program() -> Result<()> {
    // The reason for it; if this fails one day, klibc has learnt it.
    let image = convert(&made("trixie.initramfs-tools.img")?, &["--no-handover-shim"])?;
    let machine = Machine::new().initrd_bytes(image).root_disk(made("trixie.ext4")?);
    let (report, console) = machine.append("panic=1").run_to_any_end()?;
    ensure!(report.is_none(), "the system is up");
    ensure!(console.has("not a ramfs or tmpfs"), "{console}");
    Ok(())
}
