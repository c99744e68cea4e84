// SPDX-License-Identifier: GPL-2.0-only
//! What the `initoverlayfs` command makes boots: the same tree, from an image mounted in place.

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::archive::{layer_of_file, newc, Style};
use qemu_tests::fixtures::bootloader::{ssdt, with_bootconfig};
use qemu_tests::fixtures::command::{convert, convert_bytes};
use qemu_tests::fixtures::compress::{compress, Compressor};
use qemu_tests::fixtures::cpio;
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::erofs;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::samples::{all_kinds, replacements, to_be_replaced};
use qemu_tests::fixtures::stack::{base, Stack};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::report::Section;
use qemu_tests::summary::Summary;
use qemu_tests::tools;

/// Boots an initramfs, converted with these options.
fn boot(options: &[&str]) -> Result<Summary> {
    boot_tree(&Tree::standard()?.without_xattrs(), options)
}

/// Boots an initramfs of this tree.
fn boot_tree(tree: &Tree, options: &[&str]) -> Result<Summary> {
    let image = convert(&cpio::archive(tree, Compressor::Gzip)?, options)?;
    let boot = Machine::new().initrd_bytes(image).orders("tree").run()?;
    Summary::new(boot.report.first()?, tree)
}

#[test]
fn converted_initramfs_boots_in_place() -> Result<()> {
    assert_eq!(boot(&[])?, Summary::in_place());
    Ok(())
}

#[test]
fn every_compression_boots() -> Result<()> {
    for method in ["none", "lz4hc", "lz4", "zstd", "deflate", "lzma"] {
        assert_eq!(boot(&["--compression", method])?, Summary::in_place(), "{method}");
    }
    Ok(())
}

/// In whichever layout this `mkfs.erofs` can make.
#[test]
fn smallest_image_boots() -> Result<()> {
    assert_eq!(boot(&["--small"])?, Summary::in_place());
    Ok(())
}

/// Of two algorithms, in clusters of three sizes: what is read, what is seldom read, and what is large.
#[test]
fn mixed_compression_boots() -> Result<()> {
    let files = [("bin/tool", 1), ("lib/modules/a.ko", 1), ("var/large", 6)];
    let tree = Tree::filled("mixed", &["1"], |root| {
        for (name, mib) in files {
            let mut random = fastrand::Rng::with_seed(mib);
            let line = |_| format!("{:08x}\n", random.u32(..));
            let text: String = (0..mib << 17).map(line).collect();
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().context("a file has a directory")?)?;
            std::fs::write(path, text)?;
        }
        Ok(())
    })?;
    assert_eq!(boot_tree(&tree.without_xattrs(), &[])?, Summary::in_place());
    Ok(())
}

#[test]
fn archives_are_merged_as_the_kernel_does() -> Result<()> {
    let stack = Stack::new()?.archive(&base()?, Compressor::None)?;
    let stack = stack.archive(&all_kinds(), Compressor::Gzip)?.aligned();
    let stack = stack.archive(&to_be_replaced(), Compressor::None)?;
    let stack = stack.archive(&replacements(), Compressor::Xz)?;
    let image = convert_bytes(&stack.bytes())?;
    let boot = Machine::new().initrd_bytes(image).orders("tree").run()?;
    assert_eq!(Summary::of(boot.report.first()?, &stack.entries()?)?, Summary::in_place());
    Ok(())
}

/// An ACPI table and a bootconfig do what they do in the original, whatever else is in the table's archive.
#[test]
#[cfg_attr(not(guest = "x86_64"), ignore = "QEMU describes other machines by a device tree")]
fn what_the_early_boot_reads_is_where_it_looks() -> Result<()> {
    let tree = Tree::standard()?.without_xattrs();
    let early = layer_of_file("kernel/firmware/acpi/ssdt.aml", &ssdt());
    let mut initramfs = newc(&early.file("README", 0o644, "text"), Style::default());
    initramfs.resize(initramfs.len().next_multiple_of(512), 0);
    initramfs.extend(std::fs::read(cpio::archive(&tree, Compressor::Gzip)?)?);
    let initramfs = with_bootconfig(initramfs, "kernel.rdinit = /other\n")?;
    let image = convert_bytes(&initramfs)?;
    let facts = |initrd| -> Result<_> {
        let machine = Machine::new().initrd_bytes(initrd).append("bootconfig").orders("tree,acpi");
        let boot = machine.run()?;
        let found = boot.report.first()?;
        let has_it = |line: &&str| line.starts_with("README ") || line.starts_with("kernel/");
        let files: Vec<_> =
            found.all("entry").into_iter().filter(has_it).map(String::from).collect();
        let tables: Vec<_> = found.all("acpi").into_iter().map(String::from).collect();
        Ok((found.get("argv0")?.to_owned(), files, tables, found.module_lines().len() > 2))
    };
    let (stock, ours) = (facts(initramfs)?, facts(image)?);
    ensure!(stock.2.iter().any(|table| table.starts_with("SSDT")), "no table: {stock:?}");
    assert_eq!((&ours.0, &ours.1, &ours.2), (&stock.0, &stock.1, &stock.2));
    assert_eq!((&*ours.0, ours.1.len()), ("/other", 4));
    ensure!(ours.3 && !stock.3, "not in place, or both");
    Ok(())
}

/// Returns what systemd-stub puts behind the image (`src/boot/stub.c` of systemd).
fn of_the_stub() -> [Vec<u8>; 5] {
    [
        (".extra/credentials/a.cred", "secret"),
        (".extra/sysext/b.raw", "extension"),
        (".extra/confext/c.raw", "configuration"),
        (".extra/tpm2-pcr-signature.json", "{}"),
        (".extra/os-release", "ID=x"),
    ]
    .map(|(path, content)| newc(&layer_of_file(path, content.as_bytes()), Style::default()))
}

#[test]
fn what_a_boot_stub_assembles_boots() -> Result<()> {
    let tree = Tree::standard()?.without_xattrs();
    let microcode = layer_of_file("kernel/x86/microcode/GenuineIntel.bin", &[1; 3000]);
    let image = convert(&cpio::archive(&tree, Compressor::Gzip)?, &[])?;
    let mut initrd = newc(&microcode, Style::default());
    for part in [vec![image], of_the_stub().into()].concat() {
        // It pads to 4 bytes only.
        initrd.resize(initrd.len().next_multiple_of(4), 0);
        initrd.extend(part);
    }
    let boot = Machine::new().initrd_bytes(initrd).orders("tree").run()?;
    let found = boot.report.first()?;
    assert_eq!(found.get("argv0")?, "/init");
    let entries = found.all("entry");
    for path in [".extra/credentials/a.cred", ".extra/sysext/b.raw", ".extra/os-release"] {
        let is_it = |line: &&&str| line.starts_with(&format!("{path} "));
        ensure!(entries.iter().find(is_it).is_some(), "no {path} in {entries:#?}");
    }
    assert_eq!(Summary::new(found, &tree)?.milestones, Summary::in_place().milestones);
    Ok(())
}

/// Returns a tree of busybox with a shell script as its init, which switches to the disk.
fn busybox_tree() -> Result<Layer> {
    let busybox = tools::busybox().context("no busybox: run `make setup`")?;
    let script = "#!/bin/busybox sh\n\
        /bin/busybox mount -t devtmpfs dev /dev\n\
        /bin/busybox mount -t ext4 /dev/vda /new\n\
        /bin/busybox mount --move /dev /new/dev\n\
        exec /sbin/switch_root /new /sbin/init\n";
    Ok(Layer::new()
        .directory("bin", 0o755)
        .file("bin/busybox", 0o755, std::fs::read(busybox)?)
        .directory("dev", 0o755)
        .directory("new", 0o755)
        .directory("sbin", 0o755)
        .file("init", 0o755, script))
}

/// Returns it as an initramfs, with busybox's own `switch_root`.
fn of_busybox() -> Result<Vec<u8>> {
    let layer = busybox_tree()?.symlink("sbin/switch_root", "../bin/busybox");
    compress(&newc(&layer, Style::default()), Compressor::Gzip)
}

/// Boots up to the disk's init, and returns what that found.
fn settled(initrd: Vec<u8>) -> Result<Section> {
    let machine = Machine::new().whole_pages(initrd).disk(disk::image()?);
    let boot = machine.orders("settle").run()?;
    let found = boot.report.last()?.clone();
    assert_eq!(found.get("argv0")?, "/sbin/init");
    let mounts = found.all("mount");
    ensure!(!mounts.iter().any(|line| line.contains("overlay")), "{mounts:#?}");
    Ok(found)
}

#[test]
fn switch_root_of_busybox_reaches_the_disk_and_frees_the_image() -> Result<()> {
    let initramfs = of_busybox()?;
    let stock = settled(initramfs.clone())?;
    let converted = settled(convert_bytes(&initramfs)?)?;
    assert_eq!(converted.number("memory.MemTotal")?, stock.number("memory.MemTotal")?);
    Ok(())
}

/// An image may be for processors of 32 bits, whose programs these machines run as well.
#[test]
#[cfg_attr(guest = "riscv64", ignore = "it runs programs of 64 bits only")]
fn hand_over_program_of_32_bits_reaches_the_disk() -> Result<()> {
    let machine = if cfg!(guest = "arm64") { "arm" } else { "i686" };
    let program = format!("libexec/initoverlayfs/handover-{machine}");
    let program = std::fs::read(tools::build_dir().join(program)).context("run `make tools`")?;
    let layer = busybox_tree()?.file("sbin/switch_root", 0o755, program);
    settled(erofs::of_layer(&layer, &[])?).map(drop)
}

#[test]
fn busybox_left_alone_refuses_the_root() -> Result<()> {
    // The reason for the replacement; if this fails one day, busybox has learnt it.
    let place = tempfile::NamedTempFile::new()?;
    std::fs::write(place.path(), of_busybox()?)?;
    let image = convert(place.path(), &["--no-handover-shim"])?;
    let machine = Machine::new().initrd_bytes(image).disk(disk::image()?);
    let (report, console) = machine.run_to_any_end()?;
    ensure!(report.is_none(), "it has switched");
    ensure!(console.has("switch_root"), "{console}");
    Ok(())
}
