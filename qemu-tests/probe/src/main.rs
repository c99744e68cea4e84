// SPDX-License-Identifier: GPL-2.0-only
//! The init of the boot tests.
//!
//! It notes the time, mounts what it needs to look around, sends what it sees to the host line by
//! line, does what `probe.do=` on the kernel command line orders, sends the verdict last, and resets the machine. A verdict says only
//! that everything was carried out: whether the facts are right is for the host to judge.

mod bench;
mod channel;
mod compare;
mod cycles;
mod kexec;
mod memory;
mod orders;
mod selinux;
mod surroundings;
mod survey;
mod switch;
mod writes;

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{bail, Context, Result};
use probe::entry;
use rustix::mount::MountFlags;
use rustix::system::RebootCommand;
use rustix::time::ClockId;

use crate::channel::Channel;
use crate::orders::Orders;

/// The name under which the probe is the init of the disk, not of the initrd.
const DISK_INIT: &str = "/sbin/init";
/// The device that devtmpfs has in any case.
const KERNEL_LOG: &str = "/dev/kmsg";
/// Where kmemleak listens and speaks.
const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";
/// Where the kernel shows the initrd that it was told to keep.
const KEPT_INITRD: &str = "/sys/firmware/initrd";

/// Names in the root that belong to the kernel's own file systems or the built-in initramfs.
const NOT_OURS: [&str; 4] = ["dev", "proc", "sys", "root"];

/// Where IMA shows what it has measured.
const MEASUREMENTS: &str = "/sys/kernel/security/ima/ascii_runtime_measurements";
/// Where the kernel shows the ACPI tables.
const ACPI_TABLES: &str = "/sys/firmware/acpi/tables";

fn main() {
    let cycles = cycles::now();
    let start = rustix::time::clock_gettime(ClockId::Boottime);
    let start_ns = start.tv_sec * 1_000_000_000 + start.tv_nsec;
    if is_called(selinux::DAEMON) {
        return selinux::daemon();
    }
    if rustix::process::getpid().as_raw_nonzero().get() != 1 {
        eprintln!("probe: I am an init for tests and end by resetting the machine: not here");
        std::process::exit(2);
    }
    match run(start_ns, cycles) {
        Ok(()) => {}
        Err(error) => eprintln!("probe: {error:#}"),
    }
    if let Err(error) = rustix::system::reboot(RebootCommand::Restart) {
        eprintln!("probe: cannot reset the machine: {error}");
    }
}

/// Opens the channel, reports, sends the verdict.
fn run(start_ns: i64, cycles: u64) -> Result<()> {
    // An init that was started by another one finds it mounted.
    if !Path::new("/proc/self").exists() {
        mount("proc", "/proc")?;
    }
    if !Path::new(channel::PORT).exists() && on_disk() {
        mount("devtmpfs", "/dev")?;
    }
    let mut channel = Channel::open()?;
    channel.say("stage", if on_disk() { "disk" } else { "initrd" })?;
    channel.say("start", start_ns)?;
    channel.say("start.cycles", cycles)?;
    let verdict = report(&mut channel);
    let verdict = match &verdict {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("error: {error:#}"),
    };
    Ok(channel.finish(verdict)?)
}

/// Returns whether this is the init of the disk.
fn on_disk() -> bool {
    is_called(DISK_INIT)
}

/// Returns whether this program was started by this name.
fn is_called(name: &str) -> bool {
    std::env::args().next().is_some_and(|first| first == name)
}

/// Sends what is always sent, then what was ordered.
fn report(channel: &mut Channel) -> Result<()> {
    let orders = Orders::from_command_line()?;
    if orders.has("start") {
        return match on_disk() {
            false => bench::initial_root(channel, &orders),
            true => bench::next_root(channel),
        };
    }
    if orders.has("compare") {
        return compare::report(channel);
    }
    if orders.has("survey") {
        return survey::report(channel);
    }
    if orders.has("selinux") {
        return selinux::report(channel);
    }
    surroundings::identity(channel)?;
    surroundings::descriptors(channel)?;
    surroundings::root(channel)?;
    surroundings::company(channel)?;
    // From here on as any init: the initial root has /dev/console only.
    if !Path::new(KERNEL_LOG).exists() && Path::new("/dev").exists() {
        mount("devtmpfs", "/dev")?;
    }
    surroundings::kernel_log(channel)?;
    if orders.has("devices") {
        for entry in fs::read_dir("/dev")? {
            channel.say("device", entry?.file_name().to_string_lossy())?;
        }
    }
    if orders.has("tree") {
        tree(channel, "entry")?;
    }
    if orders.has("leaks") {
        leaks(channel)?;
    }
    if orders.has("write") {
        writes::report(channel)?;
    }
    if orders.has("fill") {
        writes::fill(channel)?;
    }
    if orders.has("again") {
        tree(channel, "again")?;
    }
    if ["initrd", "acpi", "measurements"].iter().any(|name| orders.has(name)) {
        mount("sysfs", "/sys")?;
    }
    if orders.has("measurements") {
        measurements(channel)?;
    }
    if orders.has("initrd") {
        kept_initrd(channel)?;
    }
    if orders.has("acpi") {
        acpi_tables(channel)?;
    }
    memory::report(channel)?;
    kexec::next(channel, &orders)?;
    if orders.has("dump") && !on_disk() {
        kexec::save_dump(channel)?;
    }
    if orders.has("switch_root") && !on_disk() {
        switch::to_disk()?;
    }
    if orders.has("settle") {
        memory::settle(channel)?;
        memory::report(channel)?;
    }
    Ok(())
}

/// Sends every entry of the root under this key. The kernel's own mounts, and what the built-in initramfs brought, are left out.
fn tree(channel: &mut Channel, key: &str) -> Result<()> {
    for entry in entry::walk(Path::new("/"), &NOT_OURS)? {
        let is_ours = !NOT_OURS.iter().any(|name| entry.path == Path::new(name));
        if let Some(mtime) = entry.mtime.filter(|_| is_ours) {
            channel.say("mtime", format!("{mtime} {}", entry.path.display()))?;
        }
        channel.say(key, entry)?;
    }
    channel.say("root.entry", entry::Entry::read(Path::new("/"), Path::new(""))?)?;
    Ok(())
}

/// Sends mode, size and digest of the initrd that the kernel kept, or that there is none.
fn kept_initrd(channel: &mut Channel) -> Result<()> {
    match fs::metadata(KEPT_INITRD) {
        Ok(_) => {
            let entry = entry::Entry::read(Path::new("/"), Path::new(&KEPT_INITRD[1..]))?;
            channel.say("initrd", entry)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => channel.say("initrd", "none")?,
        Err(error) => bail!("cannot examine {KEPT_INITRD}: {error}"),
    }
    Ok(())
}

/// Sends what IMA has measured, a `measurement` for each file.
fn measurements(channel: &mut Channel) -> Result<()> {
    mount("securityfs", "/sys/kernel/security")?;
    for line in fs::read_to_string(MEASUREMENTS)?.lines() {
        channel.say("measurement", line)?;
    }
    Ok(())
}

/// Sends name, size and digest of every ACPI table that the kernel took.
fn acpi_tables(channel: &mut Channel) -> Result<()> {
    for table in entry::walk(Path::new(ACPI_TABLES), &[])? {
        channel.say("acpi", table)?;
    }
    Ok(())
}

/// Sends what kmemleak finds, a `leak` for each line, after a second look: the first one may catch
/// objects on their way.
fn leaks(channel: &mut Channel) -> Result<()> {
    mount("sysfs", "/sys")?;
    mount("debugfs", "/sys/kernel/debug")?;
    for _ in 0..2 {
        std::thread::sleep(std::time::Duration::from_secs(6));
        fs::write(KMEMLEAK, "scan").context("kmemleak does not scan")?;
    }
    for line in fs::read_to_string(KMEMLEAK)?.lines() {
        channel.say("leak", line.trim())?;
    }
    Ok(())
}

/// Mounts one of the kernel's own file systems.
fn mount(kind: &str, target: &str) -> Result<()> {
    rustix::mount::mount(kind, target, kind, MountFlags::empty(), None)
        .with_context(|| format!("cannot mount {kind} on {target}"))
}
