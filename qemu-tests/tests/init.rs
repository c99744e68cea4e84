// SPDX-License-Identifier: GPL-2.0-only
//! Which program becomes the init.

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::filesystem::{self, Filesystem};
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::seal::Sealed;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::scenario::usual;
use qemu_tests::summary::Summary;
use qemu_tests::tools;

#[test]
fn rdinit_names_another_program() -> Result<()> {
    let boot = usual()?.append("rdinit=/other").run()?;
    let expected = Summary {
        init: "/other".to_owned(),
        processes: vec!["1 (other".to_owned()],
        ..Summary::in_place()
    };
    assert_eq!(Summary::new(boot.report.first()?, &Tree::standard()?)?, expected);
    Ok(())
}

/// Without a program to start, the kernel mounts the disk, and nothing of the image is left: not its
/// `/dev`, on which PID 1's console would be open, and no `/dev/root` that the kernel made on the way.
#[test]
fn image_without_init_leaves_the_root_to_the_kernel() -> Result<()> {
    let tree = Tree::without_init()?;
    let btrfs = filesystem::image(Filesystem::Btrfs, &tree, &[])?;
    let erofs = erofs::image(&tree, &USUAL)?;
    for (image, option) in [(&erofs, "auto"), (&erofs, "ro"), (&btrfs, "rw")] {
        let machine = Machine::new().initrd(image).root_disk(disk::image()?);
        let boot = machine.append(&format!("initoverlayfs={option}")).orders("devices").run()?;
        let found = boot.report.first()?;
        let summary = Summary::new(found, &Tree::disk()?)?;
        assert_eq!(Summary { milestones: Vec::new(), ..summary }, Summary::disk(), "{option}");
        ensure!(!found.all("device").contains(&"root"), "{option}: /dev/root is left");
        let words = "finding the first program in the new root failed: error -2, going on without the initrd";
        ensure!(found.all("kmsg").iter().any(|line| line.contains(words)), "{option}");
    }
    Ok(())
}

#[test]
fn missing_program_panics_if_required() -> Result<()> {
    for (initrd, option) in [
        (erofs::image(&Tree::without_init()?, &USUAL)?, "initoverlayfs=require"),
        (erofs::image(&Tree::without_init()?, &USUAL)?, "initoverlayfs=require,ro"),
        (erofs::image(&Tree::standard()?, &USUAL)?, "initoverlayfs=require rdinit=/nowhere"),
    ] {
        let console = Machine::new().initrd(initrd).append(option).run_to_panic()?;
        let panic = console.panic().context("no panic")?;
        ensure!(
            panic.contains("finding the first program in the new root failed: error -2"),
            "{panic}"
        );
    }
    Ok(())
}

/// Returns an image whose `/init` is found on a way that goes up to the root, as in Buildroot's.
fn image_with_init_behind_the_root() -> Result<Vec<u8>> {
    let mut layer = Layer::new().directory("bin", 0o755).directory("sbin", 0o755);
    for name in ["dev", "proc", "sys", "tmp"] {
        layer = layer.directory(name, 0o755);
    }
    layer = layer.file("bin/probe", 0o755, std::fs::read(tools::probe())?);
    layer = layer.symlink("sbin/init", "../bin/probe").symlink("init", "sbin/init");
    erofs::of_layer(&layer, &[])
}

/// The old root lies on the new one for a moment, where `..` would find it. When signatures are wanted, that is
/// shortly before the kernel looks for its init.
#[test]
fn way_to_init_may_lead_up_to_the_root() -> Result<()> {
    let image = image_with_init_behind_the_root()?;
    let signed = Sealed::new(&image, &[])?.signed("trusted")?.bytes;
    for (initrd, option) in [
        (&image, "require"),
        (&image, "require,ro"),
        (&signed, "require,verify=signature"),
        (&signed, "require,ro,verify=signature"),
    ] {
        for cpus in [1, 2] {
            let machine = Machine::new().initrd_bytes(initrd.clone()).cpus(cpus);
            let boot = machine.append(&format!("initoverlayfs={option}")).run()?;
            ensure!(boot.report.first()?.get("argv0")? == "/init", "{option}");
        }
    }
    Ok(())
}
