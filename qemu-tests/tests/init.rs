// SPDX-License-Identifier: GPL-2.0-only
//! Which program becomes the init.

use anyhow::Result;
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::scenario::usual;
use qemu_tests::summary::Summary;

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
