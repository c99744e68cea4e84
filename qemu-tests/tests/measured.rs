// SPDX-License-Identifier: GPL-2.0-only
//! A measured boot: the TPM holds what Debian's tools predict, whatever kind the initrd in a unified kernel image is.
//!
//! These take a minute each and need what `scripts/distro --install` makes: `make test-distro`.

use std::fs;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use qemu_tests::machine::Machine;
use qemu_tests::report::Section;
use qemu_tests::target::target;
use qemu_tests::tools::made;
use qemu_tests::tpm::{digest, extended, Tpm};
use tempfile::TempDir;

/// Returns what `ukify --measure` predicts of register 11 for the first phase, that of the initrd.
fn predicted(kind: &str) -> Result<String> {
    let text = fs::read_to_string(made(&format!("measured.{kind}.txt"))?)?;
    // The phases follow each other.
    let register = text.lines().find_map(|line| line.strip_prefix("11:sha256="));
    register.map(str::to_owned).with_context(|| format!("no prediction in {text}"))
}

/// Boots Debian from the unified kernel image with this kind of initrd, up to a running system.
///
/// systemd has no TPM library there, so that nothing is measured into register 11 after systemd-stub has ended.
fn boot(kind: &str) -> Result<Section> {
    let partition = TempDir::with_prefix("qemu-test-").context("no temporary directory")?;
    let place = partition.path().join("EFI/BOOT");
    fs::create_dir_all(&place)?;
    fs::copy(made(&format!("measured.{kind}.efi"))?, place.join(target().boot_file))?;
    let tpm = Tpm::new()?;
    let machine = Machine::new().firmware(made("firmware.fd")?, partition.path());
    let machine = machine.disk(made("disk.ext4")?).arguments(&tpm.arguments());
    let boot = machine.memory(1024).cpus(2).time_limit(Duration::from_secs(240)).run()?;
    let found = boot.report.last()?.clone();
    assert_eq!(found.get("state")?, "running", "{:#?}", found.all("failed"));
    // The kernel's file has capital letters.
    let register = found.get("tpm.11")?.to_lowercase();
    assert_eq!(extended(&register, "enter-initrd")?, predicted(kind)?);
    // The system is up and has left the initial root: the initrd is still as it was measured.
    assert_eq!(found.get("initrd")?, digest(&made(&format!("hook.dracut.{kind}"))?)?);
    Ok(found)
}

fn is_in_place(found: &Section) -> bool {
    found.module_lines().iter().any(|line| line.contains("handed off"))
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn image_that_is_mounted_in_place_is_the_measured_one() -> Result<()> {
    let found = boot("img")?;
    ensure!(is_in_place(&found), "{:#?}", found.module_lines());
    Ok(())
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn archive_is_measured_likewise() -> Result<()> {
    let found = boot("cpio")?;
    ensure!(!is_in_place(&found), "{:#?}", found.module_lines());
    Ok(())
}
