// SPDX-License-Identifier: GPL-2.0-only
//! The initrd of Debian's installer, which nobody here has made, up to the installer's first question.
//!
//! Debian has one for each machine. `scripts/distro` fetches it: `make test-distro`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{ensure, Result};
use qemu_tests::console::Console;
use qemu_tests::fixtures::command::{convert_bytes, extract};
use qemu_tests::machine::Machine;
use qemu_tests::target::target;
use qemu_tests::tools::made;
use tempfile::TempDir;

/// The first question.
const QUESTION: &str = "Prompt: '?' for help";

/// Returns what the installer says, line by line: without the kernel's messages, and without the status line,
/// which is drawn with escape sequences at times of its own.
fn said(console: &Console) -> Vec<&str> {
    let lines = console.text().lines().skip_while(|line| !line.contains("as init process"));
    lines.filter(|line| !line.starts_with('[') && !line.contains('\x1b')).collect()
}

/// Boots up to the question.
fn ask(initrd: Vec<u8>, parameter: &str) -> Result<Console> {
    let machine = Machine::new().initrd_bytes(initrd).memory(1024);
    let machine = machine.time_limit(Duration::from_secs(300));
    machine.append(&format!("{parameter} DEBIAN_FRONTEND=text")).run_to_text(QUESTION)
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn debians_installer_asks_its_first_question() -> Result<()> {
    let initramfs = fs::read(made("installer.img")?)?;
    let image = convert_bytes(&initramfs)?;
    let stock = ask(initramfs, "initoverlayfs=off")?;
    let ours = ask(image, "initoverlayfs=require")?;
    ensure!(stock.has("Select a language"), "another question: {stock}");
    assert_eq!(said(&ours), said(&stock));
    Ok(())
}

/// Adds the paths of ELF files, with their machines.
fn programs(directory: &Path, found: &mut Vec<(String, u16)>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            programs(&path, found)?;
        } else if kind.is_file() {
            let bytes = fs::read(&path)?;
            if let (true, Some(machine)) = (bytes.starts_with(b"\x7fELF"), bytes.get(18..20)) {
                let machine = u16::from_le_bytes(machine.try_into()?);
                found.push((path.display().to_string(), machine));
            }
        }
    }
    Ok(())
}

/// A hand-over program has to run on the image's machine, whatever machine the command runs on.
#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn all_programs_are_for_the_machine() -> Result<()> {
    let image = convert_bytes(&fs::read(made("installer.img")?)?)?;
    let place = TempDir::with_prefix("qemu-test-")?;
    extract(&image, place.path())?;
    let mut found = Vec::new();
    programs(place.path(), &mut found)?;
    ensure!(found.len() > 50, "{} programs only", found.len());
    let added = found.iter().any(|(path, _)| path.ends_with("sbin/switch_root"));
    ensure!(added, "no hand-over program among {} programs", found.len());
    found.retain(|(_, machine)| *machine != target().elf_machine);
    ensure!(found.is_empty(), "for other machines: {found:#?}");
    Ok(())
}
