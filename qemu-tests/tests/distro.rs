// SPDX-License-Identifier: GPL-2.0-only
//! Real distributions: their initramfs, converted by the command or by our hooks, up to a running system.
//!
//! These take a minute each and need what `scripts/distro` makes: `make test-distro`.

use std::fs;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::command::{convert, read_in};
use qemu_tests::machine::{Boot, Machine};
use qemu_tests::report::Section;
use qemu_tests::target::target;
use qemu_tests::tools::{self, made};
use tempfile::TempDir;

/// Free memory of two boots of a whole system may differ by this much, in kB.
const TOLERANCE_KB: u64 = 12 << 10;

/// Boots a whole system until it is up and down again.
fn run(machine: Machine) -> Result<Boot> {
    machine.memory(1024).cpus(2).time_limit(Duration::from_secs(240)).run()
}

/// Boots Debian's disk with this initrd until the system is up, and returns what it says of itself.
fn boot(name: &str, machine: Machine, option: &str) -> Result<Section> {
    let boot = run(machine.root_disk(made("disk.ext4")?).append(option))?;
    let found = boot.report.last()?.clone();
    println!("{name}: {}", found.get("analyze")?);
    println!("{name}: init started at {} s", found.get("ran")?);
    println!("{name}: {} kB available at the end", found.available_kb()?);
    Ok(found)
}

/// Returns what must be so however the system came up.
fn check_system(found: &Section) -> Result<()> {
    assert_eq!(found.get("state")?, "running");
    assert_eq!(found.all("failed"), [""; 0]);
    let mounts = found.all("mount");
    ensure!(mounts.contains(&"/dev/vda / ext4 rw,relatime 0 0"), "{mounts:#?}");
    let is_ours = |line: &&str| line.contains("overlay") || line.contains("erofs");
    let left = mounts.iter().any(is_ours);
    ensure!(!left, "the initial root is still there: {mounts:#?}");
    Ok(())
}

/// Boots a generator's image as it is and converted: the system is up both times, and nothing of the
/// converted one, by these options, stays in memory.
fn check(generator: &str, options: &[&str]) -> Result<(Section, Section)> {
    let initramfs = made(&format!("{generator}.img"))?;
    let image = convert(&initramfs, options)?;
    println!("{generator}: {} bytes, converted {}", fs::metadata(&initramfs)?.len(), image.len());

    let stock = Machine::new().whole_pages(fs::read(initramfs)?);
    let stock = boot("stock", stock, "initoverlayfs=off")?;
    check_system(&stock)?;
    let converted = boot("converted", Machine::new().whole_pages(image), "initoverlayfs=require")?;
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
    let (_, converted) = check("dracut", &[])?;
    // systemd knew that it was in an initrd, and switched from there.
    ensure!(converted.number("InitRDTimestampMonotonic")? > 0, "systemd saw no initrd");
    Ok(())
}

/// Boot, list what was read, make the image again, boot that.
#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn debian_boots_from_an_image_fitted_to_what_it_reads() -> Result<()> {
    let initramfs = made("dracut.img")?;
    let first = convert(&initramfs, &[])?;
    let boot_with = |name: &str, image: &[u8]| -> Result<Section> {
        println!(
            "{name}: {} bytes, {} as dracut made it",
            image.len(),
            fs::metadata(&initramfs)?.len()
        );
        let machine = Machine::new().whole_pages(image.to_vec());
        let found = boot(name, machine, "initoverlayfs=require")?;
        check_system(&found)?;
        Ok(found)
    };
    let list = read_in(&boot_with("usual", &first)?, &first)?;
    let read = fs::read_to_string(list.path())?;
    println!("{} files read", read.lines().count());
    ensure!(read.lines().any(|name| name == "/usr/lib/systemd/systemd"), "{read}");
    let path = list.path().to_str().context("the temporary directory is not UTF-8")?;
    let fitted = convert(&initramfs, &["--profile", path])?;
    ensure!(fitted.len() > first.len(), "the list has changed nothing");
    boot_with("fitted", &fitted).map(drop)
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn debian_with_dracut_as_btrfs_boots_to_multi_user() -> Result<()> {
    let (_, converted) = check("dracut", &["--type=btrfs"])?;
    ensure!(converted.number("InitRDTimestampMonotonic")? > 0, "systemd saw no initrd");
    Ok(())
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn debian_with_dracut_as_squashfs_boots_to_multi_user() -> Result<()> {
    check("dracut", &["--type=squashfs"]).map(drop)
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn debian_with_initramfs_tools_as_ext4_boots_to_multi_user() -> Result<()> {
    check("initramfs-tools", &["--type=ext4"]).map(drop)
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn debian_with_initramfs_tools_boots_to_multi_user() -> Result<()> {
    check("initramfs-tools", &[]).map(drop)
}

/// Its shell would run the `run-init` in busybox, whatever is in PATH.
#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn debian_with_initramfs_tools_and_busybox_boots_to_multi_user() -> Result<()> {
    check("busybox", &[]).map(drop)
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn debian_with_initramfs_tools_stops_without_the_handover_program() -> Result<()> {
    // The reason for it; if this fails one day, klibc has learnt it.
    let image = convert(&made("initramfs-tools.img")?, &["--no-handover-shim"])?;
    let machine = Machine::new().initrd_bytes(image).root_disk(made("disk.ext4")?);
    let (report, console) = machine.append("panic=1").run_to_any_end()?;
    ensure!(report.is_none(), "the system is up");
    ensure!(console.has("not a ramfs or tmpfs"), "{console}");
    Ok(())
}

/// Returns what was in `/boot` after a step of `scripts/distro.d/install`: each file's mode, size and path.
fn listing(step: &str) -> Result<Vec<(String, u64, String)>> {
    let text = fs::read_to_string(made("hooks.txt")?)?;
    let lines = text.lines().filter_map(|line| line.strip_prefix(step)?.strip_prefix(' '));
    let entries = lines.map(|line| -> Result<_> {
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().with_context(|| format!("{step}: {line:?}"));
        Ok((word()?, word()?.parse()?, word()?))
    });
    entries.collect()
}

/// Returns the names of the initramfs images after a step, without the kernel's version.
fn images(step: &str) -> Result<Vec<String>> {
    let listed = listing(step)?;
    let names = listed.into_iter().map(|(_, _, path)| path.replace(&version(), "VERSION"));
    let mut names: Vec<_> =
        names.filter(|path| path.contains("initr") && !path.contains("6.12")).collect();
    names.sort();
    Ok(names)
}

/// Returns the version of the kernel under test.
fn version() -> String {
    let kernel = tools::kernel().expect("a kernel");
    let path = kernel.with_file_name("obj/include/config/kernel.release");
    fs::read_to_string(path).expect("the kernel's build").trim().to_owned()
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn hooks_convert_what_debians_tools_make() -> Result<()> {
    let usual =
        ["boot/initrd.img-VERSION", "var/lib/initoverlayfs/VERSION/initrd.img-VERSION.cpio"];
    for step in ["update-initramfs", "update-again", "dracut"] {
        assert_eq!(images(step)?, usual, "{step}");
    }
    assert_eq!(images("removed")?, [""; 0]);
    assert_eq!(
        images("kernel-install-bls")?,
        ["boot/debian/VERSION/initrd", "var/lib/initoverlayfs/VERSION/initrd.cpio"]
    );
    for step in ["kernel-remove-bls", "kernel-remove-uki"] {
        assert_eq!(images(step)?, [""; 0], "{step}");
    }
    // The other kernel's is an initramfs as ever, and so is ours once the hooks are switched off.
    let other = listing("update-initramfs")?;
    ensure!(other.iter().any(|(_, _, path)| path == "boot/initrd.img-6.12-other"), "{other:?}");
    ensure!(!other.iter().any(|(_, _, path)| path.contains("6.12-other.cpio")), "{other:?}");
    let size = |step: &str| -> Result<u64> {
        let listed = listing(step)?;
        let found =
            listed.iter().find(|(_, _, path)| *path == format!("boot/initrd.img-{}", version()));
        Ok(found.with_context(|| format!("{step}: no image"))?.1)
    };
    assert_ne!(size("update-initramfs")? & 0xFFF, size("switched-off")? & 0xFFF);
    assert_eq!(size("update-initramfs")? % 4096, 0);
    // Who may not read the initramfs may not read the image.
    let modes = listing("dracut")?.into_iter().filter(|(_, _, path)| path.contains("initrd"));
    assert!(modes.map(|(mode, ..)| mode).eq(["600", "600"]));
    Ok(())
}

/// A machine that boots from the archive and from the image by turns, and keeps a record of that.
#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn boots_are_recorded_and_compared() -> Result<()> {
    let place = TempDir::with_prefix("qemu-test-").context("no temporary directory")?;
    let disk = place.path().join("disk");
    fs::copy(made("installed.ext4")?, &disk)?;
    let mut table = Vec::new();
    for initrd in ["cpio", "img", "cpio", "img"] {
        let initrd = made(&format!("hook.dracut.{initrd}"))?;
        let machine = Machine::new().initrd(initrd).kept_disk(&disk);
        let machine = machine.append("root=/dev/vda rw report.record");
        table =
            run(machine)?.report.last()?.all("recorded").into_iter().map(str::to_owned).collect();
    }
    println!("{}", table.join("\n"));
    ensure!(table.len() == 3, "a header, and a row for each initrd");
    // The kernel, the initrd, its size as two words, and the number of boots.
    for initrd in ["stock", "erofs"] {
        let rows = table.iter().map(|row| row.split_whitespace().collect::<Vec<_>>());
        let mut rows = rows.filter(|words| words[1] == initrd);
        let words = rows.next().with_context(|| format!("no {initrd}"))?;
        assert_eq!((words[0], words[4]), (version().as_str(), "2"));
    }
    Ok(())
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn dracuts_shutdown_finds_its_programs_in_the_image() -> Result<()> {
    let machine = Machine::new()
        .initrd(made("hook.dracut.img")?)
        .root_disk(made("installed.ext4")?)
        .append("initoverlayfs=require report.shutdown");
    let boot = run(machine)?;
    check_system(boot.report.last()?)?;
    for line in ["Successfully changed into root pivot", "dracut: Unmounted /oldroot."] {
        ensure!(boot.console.has(line), "no {line:?} in {}", boot.console);
    }
    Ok(())
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn debian_with_mkosi_boots_to_multi_user() -> Result<()> {
    check("mkosi", &[]).map(drop)
}

/// kernel-install, dracut, our plugin and ukify have made it; systemd-stub in it adds the credential.
#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn unified_kernel_image_boots_by_uefi() -> Result<()> {
    let partition = TempDir::with_prefix("qemu-test-").context("no temporary directory")?;
    let place = partition.path().join("EFI/BOOT");
    let name = target().boot_file;
    let extra = place.join(format!("{name}.extra.d"));
    fs::create_dir_all(&extra)?;
    fs::copy(made("uki.efi")?, place.join(name))?;
    fs::write(extra.join("greeting.cred"), "hello")?;
    let machine = Machine::new().firmware(made("firmware.fd")?, partition.path());
    let boot = run(machine.disk(made("disk.ext4")?))?;
    let found = boot.report.last()?;
    check_system(found)?;
    let lines = found.module_lines();
    let has = |words: &str| lines.iter().any(|line| line.contains(words));
    ensure!(has("found 1 image in 2 segments"), "{lines:#?}");
    ensure!(has("over 2 layers") && has("handed off"), "{lines:#?}");
    Ok(())
}

#[test]
#[ignore = "needs scripts/distro; make test-distro"]
fn image_signed_with_a_key_in_a_token_boots() -> Result<()> {
    let machine = Machine::new().initrd(made("token.img")?).root_disk(made("disk.ext4")?);
    let boot = run(machine.append("initoverlayfs=require,verify=signature"))?;
    check_system(boot.report.last()?)
}
