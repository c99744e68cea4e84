// SPDX-License-Identifier: GPL-2.0-only
//! Which program becomes the init.

use anyhow::{ensure, Result};
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::erofs::{self, USUAL};
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

#[test]
fn image_without_init_leaves_the_root_to_the_kernel() -> Result<()> {
    let image = erofs::image(&Tree::without_init()?, &USUAL)?;
    let boot = Machine::new().initrd(image).root_disk(disk::image()?).run()?;
    let expected = Summary {
        milestones: Summary::in_place().milestones,
        // Opened on the devtmpfs of the image's root, which went away with that root.
        descriptors: [0, 1, 2].map(|fd| format!("{fd} 5:1 /console")).into(),
        ..Summary::disk()
    };
    assert_eq!(Summary::new(boot.report.first()?, &Tree::disk()?)?, expected);
    Ok(())
}

/// An image whose `/init` is found on a way that goes up to the root, as in Buildroot's.
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
