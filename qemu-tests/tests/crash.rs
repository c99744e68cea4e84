// SPDX-License-Identifier: GPL-2.0-only
//! A kernel that starts after a panic, with an initrd in place, in the memory that `crashkernel=` reserved. It saves
//! the dump. Needs a kernel that can do this: `make test-kexec`.

use std::time::Duration;

use anyhow::{ensure, Result};
use qemu_tests::fixtures::archive::{newc, of_file, Style};
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::erofs;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::kexec::{run_through_panic, Disks};
use qemu_tests::machine::Machine;
use qemu_tests::report::{Report, Section};
use qemu_tests::scenario::usual_bytes;
use qemu_tests::summary::Summary;

/// The memory of the machine, and what of it is reserved, in MiB.
const MEMORY: u32 = 448;
const RESERVED: u64 = 192;
/// Free memory of two boots may differ by this much, in kB.
const TOLERANCE: u64 = 1024;
/// Both boots, and the dump.
const TIME_LIMIT: Duration = Duration::from_secs(240);

/// A machine whose kernel panics, and what its crash kernel boots.
struct Crash {
    initrd: Vec<u8>,
    orders: &'static str,
    /// Of the crash kernel's command line.
    option: &'static str,
    system_call: &'static str,
    reservation: String,
    memory: u32,
}

impl Crash {
    fn new(initrd: Vec<u8>, orders: &'static str) -> Self {
        Self {
            initrd,
            orders,
            option: "",
            system_call: "kexec_file_load",
            reservation: format!("crashkernel={RESERVED}M"),
            memory: MEMORY,
        }
    }

    /// Boots, and returns what the inits sent, and the disks.
    fn run(&self) -> Result<(Report, Disks)> {
        let disk = disk::image()?;
        let next = Machine::new().root_disk(&disk).orders(self.orders).append(self.option);
        let disks = Disks::new(&self.initrd, &next)?;
        let first = Machine::new().disk(&disk).initrd_bytes(usual_bytes()?).memory(self.memory);
        let first = first.orders(&format!("crash,{}", self.system_call)).append(&self.reservation);
        let first = disks.with_dump(first, u64::from(self.memory))?.time_limit(TIME_LIMIT);
        Ok((run_through_panic(first)?.0, disks))
    }
}

/// Returns what the first init of the crash kernel sent.
fn crash_init(report: &Report) -> Result<&Section> {
    let sections = report.all();
    ensure!(sections.len() >= 2, "{} inits have sent something", sections.len());
    Ok(&sections[1])
}

/// Checks that a crash kernel finds its whole tree in place, and saves the whole memory.
fn check_dump(system_call: &'static str) -> Result<()> {
    let crash = Crash { system_call, ..Crash::new(usual_bytes()?, "tree,dump") };
    let (report, disks) = crash.run()?;
    assert_eq!(Summary::new(crash_init(&report)?, &Tree::standard()?)?, Summary::in_place());
    let dump = disks.dump()?;
    println!("{dump:?}");
    assert!(dump.markers >= probe::marker::COUNT, "{dump:?}");
    let expected = (u64::from(MEMORY) - RESERVED) << 20;
    assert!(dump.memory <= expected && dump.memory >= expected - (2 << 20), "{dump:?}");
    Ok(())
}

#[test]
#[ignore = "needs a kernel of its own; make test-kexec"]
fn dump_is_saved_after_kexec_file_load() -> Result<()> {
    check_dump("kexec_file_load")
}

#[test]
#[ignore = "needs a kernel of its own; make test-kexec"]
fn dump_is_saved_after_kexec_load() -> Result<()> {
    check_dump("kexec_load")
}

/// Returns an image of 32 MiB, and an archive behind it: the end of the initrd is not the end of a page.
fn large() -> Result<Vec<u8>> {
    let image = std::fs::read(erofs::image(&Tree::large(32)?, &[])?)?;
    let mut bytes = [image, of_file("behind", b"behind")].concat();
    bytes.extend([0; 3]);
    ensure!(bytes.len() % 4096 != 0, "{} bytes", bytes.len());
    Ok(bytes)
}

/// Returns the settled memory of the disk's init in a crash kernel.
fn settled(crash: &Crash) -> Result<Section> {
    let (report, _) = crash.run()?;
    let found = report.last()?.clone();
    ensure!(found.get("argv0")? == "/sbin/init", "the last init is not the disk's");
    ensure!(found.get("memory.settled")? == "true", "the memory did not settle");
    println!("{} kB free of {}", found.available_kb()?, found.number("memory.MemTotal")?);
    Ok(found)
}

/// Checks that a switch of root in the crash kernel gives all memory of the initrd back.
fn check_memory(change: impl Fn(Crash) -> Crash) -> Result<()> {
    let empty = newc(&Layer::new(), Style::default());
    let plain = settled(&change(Crash::new(empty, "settle")))?;
    let after = settled(&change(Crash::new(large()?, "settle,tree,switch_root")))?;
    assert_eq!(after.number("memory.MemTotal")?, plain.number("memory.MemTotal")?);
    let (after, plain) = (after.available_kb()?, plain.available_kb()?);
    assert!(after.abs_diff(plain) <= TOLERANCE, "{after} kB free, {plain} kB in comparison");
    Ok(())
}

#[test]
#[ignore = "needs a kernel of its own; make test-kexec"]
fn switching_root_gives_the_memory_back_after_kexec_file_load() -> Result<()> {
    check_memory(|crash| crash)
}

#[test]
#[ignore = "needs a kernel of its own; make test-kexec"]
fn switching_root_gives_the_memory_back_after_kexec_load() -> Result<()> {
    check_memory(|crash| Crash { system_call: "kexec_load", ..crash })
}

/// A machine with memory above 4 GiB, where the initrd lies at the end of the upper one of two reservations.
#[test]
#[ignore = "needs a kernel of its own; make test-kexec"]
fn switching_root_gives_the_memory_back_above_4_gib() -> Result<()> {
    let reservation = format!("crashkernel={RESERVED}M,high crashkernel=64M,low");
    check_memory(|crash| Crash { reservation: reservation.clone(), memory: 5120, ..crash })
}

/// The check above sees memory that is not given back.
#[test]
#[ignore = "needs a kernel of its own; make test-kexec"]
fn retained_memory_is_missing_after_switching_root() -> Result<()> {
    let crash = |option| anyhow::Ok(Crash { option, ..Crash::new(large()?, "settle,switch_root") });
    let given_back = settled(&crash("")?)?.available_kb()?;
    let kept = settled(&crash("initoverlayfs=retain")?)?.available_kb()?;
    let missing = given_back.abs_diff(kept);
    assert!(missing.abs_diff(32 << 10) <= 4096, "{missing} kB were kept of 32 MiB");
    Ok(())
}
