// SPDX-License-Identifier: GPL-2.0-only
//! The image's memory: given back when the root goes away, kept when asked to.

use std::fs;

use anyhow::{ensure, Result};
use qemu_tests::fixtures::archive::{newc, Style};
use qemu_tests::fixtures::compress::{compress, Compressor};
use qemu_tests::fixtures::damage::no_root_inode;
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::seal::Sealed;
use qemu_tests::fixtures::stack::{base, Stack};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::{Boot, Machine};
use qemu_tests::report::Section;
use qemu_tests::scenario::{classic, usual, with_empty_archive};
use qemu_tests::summary::Summary;
use qemu_tests::tools;

/// Free memory of two boots may differ by this much, in kB. A kernel with KASAN keeps what is freed
/// in quarantine for a while, up to a 32nd of the memory.
fn tolerance_kb() -> Result<u64> {
    Ok(if is_watched()? { 24 << 10 } else { 1024 })
}

/// Returns whether the kernel watches every access, and so never comes to rest.
fn is_watched() -> Result<bool> {
    tools::kernel_has("CONFIG_KASAN")
}

/// Boots with a command line that is as long as any other: its length shifts what the kernel does
/// when.
fn boot(machine: Machine, orders: &str, option: &str) -> Result<Boot> {
    let padding = "x".repeat(192 - orders.len() - option.len());
    machine.orders(orders).append(&format!("{option} probe.pad={padding}")).run()
}

/// Boots the disk and reports the settled memory of its init.
fn settled(machine: Machine, orders: &str, option: &str) -> Result<Section> {
    let boot = boot(machine.root_disk(disk::image()?), orders, option)?;
    if orders.contains("switch_root") {
        ensure!(boot.report.first()?.get("argv0")? == "/init", "the image was not booted");
    }
    let found = boot.report.last()?.clone();
    ensure!(found.get("argv0")? == "/sbin/init", "the last init is not the disk's");
    let is_settled = found.get("memory.settled")? == "true";
    ensure!(is_settled || is_watched()?, "the memory did not settle");
    let (total, available) = (found.number("memory.MemTotal")?, found.available_kb()?);
    println!("{orders} {option}: {available} kB available of {total} kB");
    Ok(found)
}

/// Returns the memory of a stock boot with an initrd that holds nothing.
fn stock() -> Result<Section> {
    settled(with_empty_archive(), "settle", "")
}

/// Both have the same memory in all, and nearly as much of it free.
fn check_same_memory(after: &Section, plain: &Section) -> Result<()> {
    assert_eq!(after.number("memory.MemTotal")?, plain.number("memory.MemTotal")?);
    let (after, plain) = (after.available_kb()?, plain.available_kb()?);
    assert!(after.abs_diff(plain) <= tolerance_kb()?, "{after} kB free, {plain} kB in comparison");
    Ok(())
}

/// Returns an image of 64 MiB, so that a leak of a hundredth shows.
fn image() -> Result<Vec<u8>> {
    Ok(fs::read(erofs::image(&Tree::large(64)?, &[])?)?)
}

/// Returns a layer of one file that does not compress.
fn random(name: &str, mib: usize) -> Layer {
    let mut content = vec![0; mib << 20];
    fastrand::Rng::with_seed(content.len() as u64).fill(&mut content);
    Layer::new().file(name, 0o644, content)
}

#[test]
fn switching_root_gives_the_memory_back() -> Result<()> {
    let plain = stock()?;
    let after = settled(Machine::new().whole_pages(image()?), "settle,switch_root", "")?;
    check_same_memory(&after, &plain)
}

/// The rest of the page may be somebody else's.
#[test]
fn last_page_that_is_partly_the_initrds_is_as_after_a_stock_boot() -> Result<()> {
    let image = [image()?, vec![0; 512]].concat();
    let mut archive = newc(&Layer::new(), Style::default());
    archive.resize(image.len(), 0);
    let plain = settled(Machine::new().initrd_bytes(archive), "settle", "")?;
    let after = settled(Machine::new().initrd_bytes(image), "settle,switch_root", "")?;
    check_same_memory(&after, &plain)
}

#[test]
fn switching_root_after_reading_everything_gives_the_memory_back() -> Result<()> {
    let plain = stock()?;
    let machine = Machine::new().whole_pages(image()?);
    let after = settled(machine, "settle,tree,switch_root", "")?;
    check_same_memory(&after, &plain)
}

#[test]
fn failed_mount_gives_the_memory_back() -> Result<()> {
    let plain = stock()?;
    let broken = no_root_inode(image()?)?;
    let after = settled(Machine::new().whole_pages(broken), "settle", "")?;
    check_same_memory(&after, &plain)
}

/// Checks what an archive behind the image of 64 MiB leaves after a fall back to the disk. Only where images
/// have to be authentic does an archive that cannot be unpacked cost the image.
fn check_fallback_gives_back(archive: &[u8], option: &str) -> Result<()> {
    let plain = stock()?;
    let sealed = Sealed::new(&image()?, &[])?;
    let option = format!("initoverlayfs=verify={},unsigned-cpio=allow{option}", sealed.digest()?);
    let machine = Machine::new().whole_pages([&sealed.bytes, archive].concat());
    let after = settled(machine, "settle", &option)?;
    check_same_memory(&after, &plain)
}

/// Returns a compressed archive of 16 MiB.
fn compressed_archive() -> Result<Vec<u8>> {
    compress(&newc(&random("a", 16), Style::default()), Compressor::Gzip)
}

// The kernel's unpacker leaves the file open in which it fails.

#[test]
fn compressed_archive_that_breaks_off_within_a_file_gives_the_memory_back() -> Result<()> {
    let archive = compressed_archive()?;
    check_fallback_gives_back(&archive[..archive.len() - (2 << 20)], "")
}

#[test]
fn compressed_archive_larger_than_the_tmpfs_gives_the_memory_back() -> Result<()> {
    check_fallback_gives_back(&compressed_archive()?, ",size=8M")
}

#[test]
fn image_without_init_gives_the_memory_back() -> Result<()> {
    let plain = stock()?;
    let image = erofs::image(&Tree::without_init()?, &USUAL)?;
    let after = settled(Machine::new().whole_pages(fs::read(image)?), "settle", "")?;
    assert_eq!(after.number("memory.MemTotal")?, plain.number("memory.MemTotal")?);
    Ok(())
}

#[test]
fn retain_keeps_and_shows_the_image() -> Result<()> {
    let image = erofs::image(&Tree::standard()?, &USUAL)?;
    let boot = usual()?.append("initoverlayfs=retain").orders("tree,initrd").run()?;
    let kept = probe::entry::digest(&mut fs::File::open(&image)?)?;
    let size = fs::metadata(&image)?.len();
    let expected =
        format!("sys/firmware/initrd 0440 0:0 file size={size} links=1 digest={kept:032x}");
    assert_eq!(boot.report.first()?.get("initrd")?, expected);
    Ok(())
}

#[test]
fn retained_memory_stays_after_switching_root() -> Result<()> {
    let given_back = settled(Machine::new().whole_pages(image()?), "settle,switch_root", "")?;
    let machine = Machine::new().whole_pages(image()?);
    let kept = settled(machine, "settle,switch_root", "initoverlayfs=retain")?;
    let missing = given_back.available_kb()?.abs_diff(kept.available_kb()?);
    let tolerance = tolerance_kb()?.max(4096);
    assert!(missing.abs_diff(64 << 10) <= tolerance, "{missing} kB were kept of 64 MiB");
    Ok(())
}

#[test]
fn kernel_parameter_retain_initrd_works_too() -> Result<()> {
    let image = erofs::image(&Tree::standard()?, &USUAL)?;
    let boot = usual()?.append("retain_initrd").orders("initrd").run()?;
    let digest = probe::entry::digest(&mut fs::File::open(&image)?)?;
    let found = boot.report.first()?.get("initrd")?;
    assert!(found.ends_with(&format!("digest={digest:032x}")), "{found}");
    Ok(())
}

#[test]
fn kernel_parameter_retain_initrd_still_works_for_an_archive() -> Result<()> {
    let boot = classic()?.append("retain_initrd").orders("initrd").run()?;
    assert_ne!(boot.report.first()?.get("initrd")?, "none");
    Ok(())
}

/// Where the kernel knows `keepinitrd`, which is another name for it.
#[test]
fn kernel_parameter_keepinitrd_works_where_it_does_for_an_archive() -> Result<()> {
    let is_shown = |machine: Machine| -> Result<bool> {
        let boot = machine.append("keepinitrd").orders("initrd").run()?;
        Ok(boot.report.first()?.get("initrd")? != "none")
    };
    let is_known = tools::kernel_has("CONFIG_ARCH_HAS_KEEPINITRD")?;
    assert_eq!((is_shown(classic()?)?, is_shown(usual()?)?), (is_known, is_known));
    Ok(())
}

#[test]
fn without_retain_no_image_is_shown() -> Result<()> {
    let boot = usual()?.orders("initrd").run()?;
    assert_eq!(boot.report.first()?.get("initrd")?, "none");
    Ok(())
}

/// Returns the settled memory of the init of an image, with an archive behind it whose only file is of this
/// size first, and then empty.
fn beside_an_archive(mib: usize) -> Result<Section> {
    let layer = Layer::new().file("a", 0o644, vec![0xa5; mib << 20]).file("a", 0o644, "");
    let stack = Stack::new()?.image(&base()?)?.archive(&layer, Compressor::None)?;
    let boot = boot(Machine::new().initrd_bytes(stack.bytes()), "settle", "")?;
    let found = boot.report.first()?;
    ensure!(found.get("argv0")? == "/init", "the image was not booted");
    Ok(found.clone())
}

#[test]
fn memory_of_an_archive_is_given_back_once_it_is_unpacked() -> Result<()> {
    let (small, large) = (beside_an_archive(0)?, beside_an_archive(32)?);
    check_same_memory(&large, &small)
}

#[test]
fn images_that_share_a_page_give_their_memory_back() -> Result<()> {
    let plain = stock()?;
    let mut lower = base()?;
    lower.objects.extend(random("lower", 8).objects);
    let stack = Stack::new()?.padding(100).image(&lower)?.image(&random("upper", 9))?;
    let machine = Machine::new().whole_pages(stack.bytes());
    let after = settled(machine, "settle,tree,switch_root", "")?;
    check_same_memory(&after, &plain)
}

#[test]
fn retain_keeps_and_shows_all_segments() -> Result<()> {
    let stack = Stack::new()?.archive(&random("below", 1), Compressor::Gzip)?.padding(3);
    let stack = stack.image(&base()?)?.padding(5).image(&random("above", 1))?;
    let initrd = stack.archive(&random("archive", 1), Compressor::None)?.padding(7);
    let machine = Machine::new().initrd_bytes(initrd.bytes());
    let boot = machine.append("initoverlayfs=retain").orders("tree,initrd").run()?;
    let found = boot.report.first()?;
    assert_eq!(Summary::of(found, &initrd.entries()?)?, Summary::in_place());
    let bytes = initrd.bytes();
    let kept = probe::entry::digest(&mut bytes.as_slice())?;
    let expected = format!("size={} links=1 digest={kept:032x}", bytes.len());
    let shown = found.get("initrd")?;
    assert!(shown.ends_with(&expected), "{shown}, not {expected}");
    Ok(())
}

#[test]
fn failed_unpacking_gives_the_memory_back() -> Result<()> {
    let layer = Layer::new().file("a", 0o644, vec![0xa5; 4 << 20]);
    check_fallback_gives_back(&newc(&layer, Style::default()), ",size=1M")
}

/// Returns how often the secret of an image is in the guest's memory after the switch to the disk.
fn secrets_left(option: &str) -> Result<usize> {
    const MIB: usize = 256;
    let secret: Vec<u8> = (0..64u8).map(|byte| byte.wrapping_mul(151) ^ 0x5a).collect();
    let mut layer = base()?;
    layer = layer.file("secret", 0o600, secret.repeat(1 << 14));
    let place = tempfile::TempDir::with_prefix("qemu-test-")?;
    let memory = place.path().join("memory");
    let object =
        format!("memory-backend-file,id=ram,size={MIB}M,share=on,mem-path={}", memory.display());
    let machine = Machine::new().whole_pages(erofs::of_layer(&layer, &[])?);
    let machine = machine.memory(u32::try_from(MIB)?).append(option).root_disk(disk::image()?);
    let machine = machine.arguments(&["-object", &object, "-machine", "memory-backend=ram"]);
    let boot = machine.orders("settle,switch_root").run()?;
    ensure!(boot.report.last()?.get("argv0")? == "/sbin/init", "the disk was not reached");
    let bytes = fs::read(memory)?;
    Ok(bytes.windows(secret.len()).filter(|window| *window == secret).count())
}

/// An initrd may hold keys.
#[test]
fn memory_is_overwritten_when_it_is_given_back() -> Result<()> {
    ensure!(secrets_left("initoverlayfs=retain")? >= 1 << 14, "the secret is not found at all");
    assert_eq!(secrets_left("")?, 0);
    Ok(())
}
