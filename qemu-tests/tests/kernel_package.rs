// SPDX-License-Identifier: GPL-2.0-only
//! Debian's kernel with initoverlayfs, installed from its packages into a real Debian.
//!
//! These take minutes each and need what `scripts/distro --kernel` makes: `make test-kernel-deb`.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use qemu_tests::machine::Machine;
use qemu_tests::report::Section;
use qemu_tests::target::target;
use qemu_tests::tools::{self, made};
use tempfile::TempDir;

/// The words of the module that was built against the headers, when it is loaded in the initrd.
const MODULE: &str = "test module: 6 bytes of firmware";

/// Boots Debian's disk until the system is up, with no service failed, and returns what it says of itself.
///
/// That takes modules: the disk's driver out of the initrd, and one that systemd loads from the disk.
fn boot(machine: Machine) -> Result<Section> {
    let machine = machine.memory(1024).cpus(2).time_limit(Duration::from_secs(400));
    let boot = machine.disk(made("kernel.ext4")?).run()?;
    let found = boot.report.last()?.clone();
    println!("{}", found.get("analyze")?);
    println!("init started at {} s", found.get("ran")?);
    println!("{} kB available at the end", found.available_kb()?);
    assert_eq!(found.get("state")?, "running", "{:#?}", found.all("failed"));
    let lines = found.module_lines();
    ensure!(lines.contains(&MODULE), "{lines:#?}");
    Ok(found)
}

/// Asserts that the kernel has mounted the initrd in place, and given it back.
fn check_in_place(found: &Section) -> Result<()> {
    let lines = found.module_lines();
    ensure!(lines.iter().any(|line| line.contains("handed off")), "{lines:#?}");
    Ok(())
}

#[test]
#[ignore = "needs scripts/distro --kernel; make test-kernel-deb"]
fn image_of_the_hook_boots() -> Result<()> {
    let machine = Machine::new().initrd(made("kernel.img")?);
    check_in_place(&boot(machine.append("root=/dev/vda rw initoverlayfs=require"))?)
}

#[test]
#[ignore = "needs scripts/distro --kernel; make test-kernel-deb"]
fn archive_of_initramfs_tools_boots_as_ever() -> Result<()> {
    let machine = Machine::new().initrd(made("kernel.cpio")?);
    let found = boot(machine.append("root=/dev/vda rw"))?;
    let lines = found.module_lines();
    ensure!(!lines.iter().any(|line| line.contains("handed off")), "{lines:#?}");
    Ok(())
}

#[test]
#[ignore = "needs scripts/distro --kernel; make test-kernel-deb"]
fn entry_of_the_bootloader_boots_it() -> Result<()> {
    let partition = TempDir::with_prefix("qemu-test-").context("no temporary directory")?;
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(made("kernel.boot.tar")?).arg("-C").arg(partition.path());
    tools::run(&mut tar)?;
    let name = target().boot_file;
    ensure!(partition.path().join("EFI/BOOT").join(name).is_file(), "no {name}");
    let machine = Machine::new().firmware(made("firmware.fd")?, partition.path());
    check_in_place(&boot(machine)?)
}

/// kdump-tools make the crash kernel's initrd, and our hook converts it. The crash kernel mounts it in place and saves the
/// dump on Debian's disk.
#[test]
#[ignore = "needs scripts/distro --kernel; make test-kernel-deb"]
fn crash_kernel_of_kdump_tools_saves_the_dump() -> Result<()> {
    let machine = Machine::new().initrd(made("kernel.img")?).disk(made("kernel.ext4")?);
    let machine =
        machine.append("root=/dev/vda rw initoverlayfs=require crashkernel=192M report.crash");
    let machine = machine.memory(1024).cpus(2).time_limit(Duration::from_secs(900));
    let (_, console) = machine.run_to_any_end()?;
    ensure!(console.has("saved vmcore in /var/crash"), "{console}");
    let hand_offs = console.text().matches("initoverlayfs: handed off").count();
    ensure!(hand_offs == 2, "{hand_offs} hand-offs: {console}");
    Ok(())
}

/// Returns the files of a kernel that were there after a step of `scripts/distro.d/kernel`.
fn listing(step: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(made("kernel.txt")?)?;
    ensure!(text.lines().any(|line| line == format!("step {step}")), "{step} was not reached");
    let lines = text.lines().filter_map(|line| line.strip_prefix(step)?.strip_prefix(' '));
    lines
        .map(|line| Ok(line.splitn(3, ' ').nth(2).context("a line without a path")?.to_owned()))
        .collect()
}

#[test]
#[ignore = "needs scripts/distro --kernel; make test-kernel-deb"]
fn packages_bring_and_take_their_files() -> Result<()> {
    for step in ["installed", "updated"] {
        let found = listing(step)?;
        for start in ["boot/vmlinuz-", "boot/initrd.img-", "var/lib/initoverlayfs/"] {
            ensure!(found.iter().any(|path| path.starts_with(start)), "{step}: {found:#?}");
        }
        // Named so that they stand beside Debian's.
        ensure!(found.iter().all(|path| path.contains("-initoverlayfs")), "{step}: {found:#?}");
    }
    assert_eq!(listing("removed")?, [""; 0]);
    Ok(())
}
