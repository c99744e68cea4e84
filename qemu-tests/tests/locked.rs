// SPDX-License-Identifier: GPL-2.0-only
//! A kernel with `INITOVERLAYFS_REQUIRE_SIGNATURE`: nothing but a signed image, whatever the command line
//! says. It has to be built for this: `make test-locked`.

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::cpio::{self, Compressor};
use qemu_tests::fixtures::seal::Sealed;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::scenario::{usual_bytes, with_fallback};
use qemu_tests::summary::Summary;

fn sealed() -> Result<Sealed> {
    Sealed::new(&usual_bytes()?, &[])
}

fn classic() -> Result<Vec<u8>> {
    Ok(std::fs::read(cpio::archive(&Tree::standard()?, Compressor::Gzip)?)?)
}

/// Boots with these options: the disk, and an error with these words.
fn check_refused(initrd: Vec<u8>, options: &str, words: &str) -> Result<()> {
    let boot = with_fallback(initrd)?.append(options).run()?;
    let found = Summary::new(boot.report.first()?, &Tree::disk()?)?;
    assert_eq!(Summary { milestones: Vec::new(), ..found }, Summary::disk());
    let said = boot.report.first()?.all("kmsg");
    ensure!(said.iter().any(|line| line.starts_with("3 ") && line.contains(words)), "{said:#?}");
    Ok(())
}

#[test]
#[ignore = "needs a kernel of its own; make test-locked"]
fn signed_image_is_accepted() -> Result<()> {
    let machine = Machine::new().initrd_bytes(sealed()?.signed("trusted")?.bytes);
    let boot = machine.orders("report,tree").run()?;
    assert_eq!(Summary::new(boot.report.first()?, &Tree::standard()?)?, Summary::in_place());
    Ok(())
}

#[test]
#[ignore = "needs a kernel of its own; make test-locked"]
fn archives_beside_it_are_left_out() -> Result<()> {
    let archive = qemu_tests::fixtures::archive::of_file("behind", b"behind");
    let initrd = [sealed()?.signed("trusted")?.bytes, archive].concat();
    // No option of the command line changes that.
    for options in ["", "initoverlayfs=unsigned-cpio=allow"] {
        let machine = Machine::new().initrd_bytes(initrd.clone()).append(options);
        let boot = machine.orders("report,tree").run()?;
        let found = Summary::new(boot.report.first()?, &Tree::standard()?)?;
        assert_eq!(found, Summary::in_place(), "{options}");
    }
    Ok(())
}

#[test]
#[ignore = "needs a kernel of its own; make test-locked"]
fn unsigned_images_are_refused() -> Result<()> {
    let digest = sealed()?.digest()?;
    for options in ["", "initoverlayfs=auto", &format!("initoverlayfs=verify={digest}")] {
        check_refused(sealed()?.bytes, options, "it is not signed")?;
    }
    check_refused(usual_bytes()?, "", "it is not sealed")?;
    check_refused(sealed()?.signed("other")?.bytes, "", "no key that the kernel trusts")?;
    let machine = Machine::new().initrd_bytes(sealed()?.bytes).append("initoverlayfs=require");
    let console = machine.run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    ensure!(panic.contains("it is not signed"), "{panic}");
    Ok(())
}

#[test]
#[ignore = "needs a kernel of its own; make test-locked"]
fn archives_alone_are_refused() -> Result<()> {
    check_refused(classic()?, "", "no image to authenticate")?;
    check_refused(classic()?, "initoverlayfs=auto", "no image to authenticate")
}

#[test]
#[ignore = "needs a kernel of its own; make test-locked"]
fn off_is_no_way_around() -> Result<()> {
    check_refused(classic()?, "initoverlayfs=off", "this kernel uses only signed images")?;
    let signed = sealed()?.signed("trusted")?.bytes;
    check_refused(signed, "initoverlayfs=off", "this kernel uses only signed images")
}

#[test]
#[ignore = "needs a kernel of its own; make test-locked"]
fn disk_alone_boots() -> Result<()> {
    let boot = Machine::new().root_disk(qemu_tests::fixtures::disk::image()?).run()?;
    let found = Summary::new(boot.report.first()?, &Tree::disk()?)?;
    assert_eq!(Summary { milestones: Vec::new(), ..found }, Summary::disk());
    Ok(())
}
