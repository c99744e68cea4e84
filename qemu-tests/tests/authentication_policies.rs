// SPDX-License-Identifier: GPL-2.0-only
//! A policy holds for all of an initrd, and has to be one.

use anyhow::{ensure, Result};
use qemu_tests::fixtures::archive::of_file;
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::seal::{Sealed, BLOCK};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::fixtures::{cpio, disk};
use qemu_tests::machine::Machine;
use qemu_tests::scenario::{refused_aloud, usual_bytes, with_fallback};
use qemu_tests::summary::Summary;

const SIGNATURE: &str = "verify=signature";

fn sealed() -> Result<Sealed> {
    Sealed::new(&usual_bytes()?, &[])
}

/// Boots an image with archives around it; returns whether they are layers.
fn boot_with_archives(policy: &str, key: &str) -> Result<bool> {
    let signed = sealed()?.signed(key)?;
    let mut initrd = of_file("front", b"front");
    initrd.resize(initrd.len().next_multiple_of(BLOCK), 0);
    let initrd = [initrd, signed.bytes, of_file("behind", b"behind")].concat();
    let machine = Machine::new().initrd_bytes(initrd).orders("report,tree");
    let boot = machine.append(&format!("initoverlayfs=require,{policy}")).run()?;
    let found = boot.report.first()?;
    let entries = found.all("entry");
    let has = |name: &str| entries.iter().any(|entry| entry.starts_with(&format!("{name} ")));
    assert_eq!(has("front"), has("behind"), "{entries:#?}");
    let left_out = found.all("kmsg").iter().any(|line| line.contains("2 cpio archives left out"));
    assert_eq!(left_out, !has("front"));
    Ok(has("front"))
}

#[test]
fn archives_are_left_out_under_a_policy() -> Result<()> {
    assert!(!boot_with_archives(SIGNATURE, "trusted")?);
    assert!(!boot_with_archives("verify=signature,unsigned-cpio=ignore", "trusted")?);
    Ok(())
}

#[test]
fn archives_are_unpacked_if_they_are_allowed() -> Result<()> {
    assert!(boot_with_archives("unsigned-cpio=allow,verify=signature", "trusted")?);
    Ok(())
}

#[test]
fn archives_are_unpacked_without_a_policy() -> Result<()> {
    assert!(boot_with_archives("unsigned-cpio=ignore", "other")?);
    Ok(())
}

/// Otherwise any archive would do in place of the image.
#[test]
fn archive_alone_is_refused_under_a_policy() -> Result<()> {
    let archive = cpio::archive(&Tree::standard()?, cpio::Compressor::Gzip)?;
    let archive = std::fs::read(archive)?;
    refused_aloud(archive, SIGNATURE, "the initrd holds no image")?;
    let policy = format!("verify=sha256:{},unsigned-cpio=allow", "00".repeat(32));
    let archive = std::fs::read(cpio::archive(&Tree::standard()?, cpio::Compressor::None)?)?;
    refused_aloud(archive, &policy, "the initrd holds no image").map(drop)
}

#[test]
fn damaged_image_is_not_left_to_the_kernel_under_a_policy() -> Result<()> {
    let mut image = sealed()?.bytes;
    image[1100] ^= 1;
    let initrd = [image, of_file("behind", b"behind")].concat();
    refused_aloud(initrd, SIGNATURE, "has superblock checksum").map(drop)
}

#[test]
fn malformed_policies_are_refused() -> Result<()> {
    let sealed = sealed()?;
    let digest = sealed.digest()?;
    for policy in [
        "verify=".to_owned(),
        "verify".to_owned(),
        "verify=sha1:00".to_owned(),
        format!("verify={}", &digest[..digest.len() - 1]),
        format!("verify={digest}:"),
        format!("verify={digest},verify=sha256:{}", "00".repeat(32)),
        format!("verify={digest},unsigned-cpio=perhaps"),
    ] {
        check_malformed(&sealed, &policy)?;
    }
    Ok(())
}

fn check_malformed(sealed: &Sealed, policy: &str) -> Result<()> {
    let machine = Machine::new().initrd_bytes(sealed.bytes.clone());
    let console = machine.append(&format!("initoverlayfs=require,{policy}")).run_to_panic()?;
    ensure!(console.panic().is_some_and(|line| line.contains("malformed policy")), "{console}");
    let machine = Machine::new().initrd_bytes(sealed.bytes.clone()).root_disk(disk::image()?);
    let boot = machine.append(&format!("initoverlayfs={policy}")).run()?;
    let found = Summary::new(boot.report.first()?, &Tree::disk()?)?;
    assert_eq!(Summary { milestones: Vec::new(), ..found }, Summary::disk(), "{policy}");
    Ok(())
}

#[test]
fn policy_among_too_many_parameters_is_refused() -> Result<()> {
    let sealed = sealed()?;
    let nine =
        format!("{}initoverlayfs=verify={}", "initoverlayfs=auto ".repeat(8), sealed.digest()?);
    let boot = with_fallback(sealed.bytes)?.append(&nine).run()?;
    let found = Summary::new(boot.report.first()?, &Tree::disk()?)?;
    assert_eq!(Summary { milestones: Vec::new(), ..found }, Summary::disk());
    Ok(())
}

#[test]
fn off_is_off_all_the_same() -> Result<()> {
    let tree = Tree::standard()?.without_xattrs();
    let archive = cpio::archive(&tree, cpio::Compressor::Gzip)?;
    let machine = Machine::new().initrd(archive).orders("report,tree");
    let boot = machine.append("initoverlayfs=verify=signature,off").run()?;
    assert_eq!(Summary::new(boot.report.first()?, &tree)?, Summary::stock());
    Ok(())
}

#[test]
fn read_only_root_is_checked_as_well() -> Result<()> {
    let sealed = Sealed::new(&std::fs::read(erofs::image(&Tree::with_dev()?, &USUAL)?)?, &[])?;
    let digest = sealed.digest()?;
    let machine = Machine::new().initrd_bytes(sealed.bytes.clone());
    machine.append(&format!("initoverlayfs=require,ro,verify={digest}")).run()?;
    let machine = Machine::new().initrd_bytes(sealed.flip(100).bytes);
    let console =
        machine.append(&format!("initoverlayfs=require,ro,verify={digest}")).run_to_panic()?;
    ensure!(console.has("is not authentic"), "{console}");
    Ok(())
}
