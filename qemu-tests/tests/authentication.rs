// SPDX-License-Identifier: GPL-2.0-only
//! Who may bring a root: digests, signatures, and what happens to everything else.

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::erofs;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::seal::{Sealed, BLOCK, DESCRIPTOR, TREE};
use qemu_tests::fixtures::stack::base;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::scenario::{refused_aloud, usual_bytes};
use qemu_tests::summary::Summary;

const SIGNATURE: &str = "verify=signature";

fn sealed() -> Result<Sealed> {
    Sealed::new(&usual_bytes()?, &[])
}

/// Returns an image whose tree has three levels of 1, 2 and 80 blocks.
fn large() -> Result<Sealed> {
    let image = std::fs::read(erofs::image(&Tree::large(20)?, &[])?)?;
    Sealed::new(&image, &["--hash-alg", "sha512"])
}

/// Returns a layer with a file of its own, as an image.
fn upper_layer() -> Result<Sealed> {
    Sealed::new(&erofs::of_layer(&Layer::new().file("upper", 0o644, "upper\n"), &[])?, &[])
}

/// Returns a layer that boots.
fn lower_layer() -> Result<Sealed> {
    Sealed::new(&erofs::of_layer(&base()?, &[])?, &[])
}

fn digests(layers: &[&Sealed]) -> Result<String> {
    let digests = layers.iter().map(|layer| layer.digest()).collect::<Result<Vec<_>>>()?;
    Ok(format!("verify=sha256{}", digests.join("").replace("sha256", "")))
}

/// Boots with this policy under `require`: the image is the root.
fn check_accepted(initrd: Vec<u8>, policy: &str) -> Result<()> {
    let machine = Machine::new().initrd_bytes(initrd).orders("report,tree");
    let boot = machine.append(&format!("initoverlayfs=require,{policy}")).run()?;
    let found = Summary::new(boot.report.first()?, &Tree::standard()?)?;
    assert_eq!(found, Summary::in_place());
    Ok(())
}

fn check_refused(initrd: Vec<u8>, policy: &str, words: &str) -> Result<()> {
    refused_aloud(initrd, policy, words).map(drop)
}

#[test]
fn right_digest_is_accepted() -> Result<()> {
    let sealed = sealed()?;
    check_accepted(sealed.bytes.clone(), &format!("verify={}", sealed.digest()?))
}

#[test]
fn right_digest_is_accepted_in_capitals_and_with_a_salt() -> Result<()> {
    let sealed = Sealed::new(&usual_bytes()?, &["--salt", "00ff17"])?;
    let digest = sealed.digest()?.to_uppercase().replace("SHA", "sha");
    check_accepted(sealed.bytes.clone(), &format!("verify={digest}"))
}

#[test]
fn right_sha512_digest_is_accepted() -> Result<()> {
    let sealed = Sealed::new(&usual_bytes()?, &["--hash-alg", "sha512"])?;
    check_accepted(sealed.bytes.clone(), &format!("verify={}", sealed.digest()?))
}

#[test]
fn image_that_is_no_multiple_of_a_page_is_accepted() -> Result<()> {
    let image = erofs::image(&Tree::standard()?, &["-b512"])?;
    let sealed = Sealed::new(&std::fs::read(image)?, &[])?;
    check_accepted(sealed.bytes.clone(), &format!("verify={}", sealed.digest()?))
}

#[test]
fn wrong_digest_is_refused() -> Result<()> {
    let digest = format!("sha256:{}", "00".repeat(32));
    check_refused(sealed()?.bytes, &format!("verify={digest}"), "not the one asked for")
}

#[test]
fn digest_of_another_algorithm_is_refused() -> Result<()> {
    let policy = format!("verify=sha512:{}", "ab".repeat(64));
    check_refused(sealed()?.bytes, &policy, "not the one asked for")
}

#[test]
fn image_without_a_seal_is_refused() -> Result<()> {
    let policy = format!("verify={}", sealed()?.digest()?);
    check_refused(usual_bytes()?, &policy, "it is not sealed")
}

#[test]
fn sealed_image_boots_without_a_policy() -> Result<()> {
    check_accepted(sealed()?.bytes, "auto,require")
}

#[test]
fn right_key_is_accepted() -> Result<()> {
    check_accepted(sealed()?.signed("trusted")?.bytes, SIGNATURE)
}

#[test]
fn right_key_and_right_digest_are_accepted() -> Result<()> {
    let signed = sealed()?.signed("trusted")?;
    let policy = format!("{SIGNATURE},verify={}", signed.digest()?);
    check_accepted(signed.bytes, &policy)
}

#[test]
fn right_key_with_a_wrong_digest_is_refused() -> Result<()> {
    let policy = format!("{SIGNATURE},verify=sha256:{}", "12".repeat(32));
    check_refused(sealed()?.signed("trusted")?.bytes, &policy, "not the one asked for")
}

#[test]
fn wrong_key_is_refused() -> Result<()> {
    let signed = sealed()?.signed("other")?;
    check_refused(signed.bytes, SIGNATURE, "signed with no key that the kernel trusts")
}

#[test]
fn missing_signature_is_refused() -> Result<()> {
    check_refused(sealed()?.bytes, SIGNATURE, "it is not signed")
}

/// A signature has no time that could be trusted, and the kernel has no clock yet: see security.rst.
#[test]
fn expired_certificate_is_accepted() -> Result<()> {
    check_accepted(sealed()?.signed("expired")?.bytes, SIGNATURE)
}

#[test]
fn flipped_bit_in_the_signature_is_refused() -> Result<()> {
    let signed = sealed()?.signed("trusted")?;
    // What RSA made ends the signature.
    let length = signed.bytes[signed.signature()..].iter().rposition(|byte| *byte != 0);
    let last = signed.signature() + length.context("no signature")?;
    check_refused(signed.flip(last - 20).bytes, SIGNATURE, "its signature is wrong")
}

#[test]
fn signature_that_is_none_is_refused() -> Result<()> {
    let signed = sealed()?.signed("trusted")?;
    let at = signed.signature();
    check_refused(signed.flip(at).bytes, SIGNATURE, "its signature is malformed")
}

#[test]
fn flipped_bit_in_the_descriptor_is_refused() -> Result<()> {
    let signed = sealed()?.signed("trusted")?;
    let root_hash = signed.trailer + DESCRIPTOR + 20;
    check_refused(signed.clone().flip(root_hash).bytes, SIGNATURE, "its signature is wrong")?;
    let policy = format!("verify={}", signed.digest()?);
    check_refused(signed.flip(root_hash).bytes, &policy, "its digest is")
}

#[test]
fn flipped_bit_in_the_reserved_part_of_the_descriptor_is_refused() -> Result<()> {
    let sealed = sealed()?;
    let policy = format!("verify={}", sealed.digest()?);
    let reserved = sealed.trailer + DESCRIPTOR + 200;
    check_refused(sealed.flip(reserved).bytes, &policy, "reserved bits set")
}

#[test]
fn flipped_bit_in_the_trailers_magic_is_refused() -> Result<()> {
    let sealed = sealed()?;
    let policy = format!("verify={}", sealed.digest()?);
    let magic = sealed.trailer;
    check_refused(sealed.flip(magic).bytes, &policy, "it is not sealed")
}

#[test]
fn flipped_bit_in_the_trailers_version_is_refused() -> Result<()> {
    let sealed = sealed()?;
    let policy = format!("verify={}", sealed.digest()?);
    let version = sealed.trailer + 8;
    check_refused(sealed.flip(version).bytes, &policy, "format version 17")
}

#[test]
fn flipped_bit_in_the_trailers_size_is_refused() -> Result<()> {
    let sealed = sealed()?;
    let policy = format!("verify={}", sealed.digest()?);
    let size = sealed.trailer + 16 + 1;
    check_refused(
        sealed.clone().flip(size + 2).bytes,
        &policy,
        "the trailer of the image at offset 0x0 of the initrd is truncated",
    )?;
    let size_of_signature = sealed.trailer + 12;
    check_refused(sealed.flip(size_of_signature).bytes, &policy, "do not add up")
}

#[test]
fn trailer_of_another_image_is_refused() -> Result<()> {
    let (ours, other) = (sealed()?.signed("trusted")?, upper_layer()?.signed("trusted")?);
    let policy = format!("verify={}", ours.digest()?);
    let swapped = ours.with_trailer_of(&other);
    check_refused(swapped.bytes.clone(), &policy, "of another image")?;
    check_refused(swapped.bytes, SIGNATURE, "of another image")
}

/// An attacker can seal what he likes; what he cannot is to make it the image that was asked for.
#[test]
fn valid_tree_without_a_valid_root_is_refused() -> Result<()> {
    let ours = sealed()?.signed("trusted")?;
    let theirs = Sealed::new(&erofs::of_layer(&base()?, &[])?, &[])?;
    let policy = format!("verify={}", ours.digest()?);
    check_refused(theirs.bytes.clone(), &policy, "its digest is")?;
    check_refused(theirs.bytes.clone(), SIGNATURE, "it is not signed")?;

    // Nor does our signature make it so.
    let signature = &ours.bytes[ours.signature()..];
    let mut forged = theirs.clone();
    let len = u64::try_from(forged.bytes.len() - forged.trailer + BLOCK)?;
    let (header, len_at) = (forged.trailer, forged.trailer + 16);
    let size = signature.iter().rposition(|byte| *byte != 0).context("no signature")? + 1;
    forged.bytes[header + 12..header + 16].copy_from_slice(&u32::try_from(size)?.to_le_bytes());
    forged.bytes[len_at..len_at + 8].copy_from_slice(&len.to_le_bytes());
    forged.bytes.extend_from_slice(signature);
    check_refused(forged.bytes, SIGNATURE, "its signature is wrong")
}

/// Boots a tampered image that can be mounted: one file of it cannot be read, and a line says why.
fn check_unreadable(tampered: Vec<u8>, digest: &str, words: &str) -> Result<()> {
    let machine = Machine::new().initrd_bytes(tampered).orders("survey");
    let boot = machine.append(&format!("initoverlayfs=require,verify={digest}")).run()?;
    let found = boot.report.first()?;
    let survey: Vec<u64> =
        found.get("survey")?.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    assert_eq!(survey.get(1), Some(&1), "errors in {survey:?}");
    ensure!(boot.console.has(words), "no {words:?} in {}", boot.console);
    assert_eq!(boot.console.text().matches("is not authentic").count(), 1);
    Ok(())
}

/// Boots a tampered image that cannot be mounted.
fn check_unmountable(tampered: Vec<u8>, digest: &str, words: &str) -> Result<()> {
    let machine = Machine::new().initrd_bytes(tampered);
    let console =
        machine.append(&format!("initoverlayfs=require,verify={digest}")).run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    ensure!(panic.contains("mounting EROFS (layer 0) failed: error -5"), "{panic}");
    ensure!(console.has(words), "no {words:?} in {console}");
    Ok(())
}

#[test]
fn three_levels_are_read_all_the_way() -> Result<()> {
    let large = large()?;
    let machine = Machine::new().initrd_bytes(large.bytes.clone()).orders("report,tree");
    let boot =
        machine.append(&format!("initoverlayfs=require,verify={}", large.digest()?)).run()?;
    let found = Summary::new(boot.report.first()?, &Tree::large(20)?)?;
    assert_eq!(found, Summary::in_place());
    Ok(())
}

#[test]
fn flipped_bit_in_data_makes_the_file_unreadable() -> Result<()> {
    let (large, at) = (large()?, 12 << 20);
    let words = format!("layer 0: the block at offset {at:#x} is not authentic");
    check_unreadable(large.clone().flip(at + 100).bytes, &large.digest()?, &words)
}

#[test]
fn flipped_bit_in_the_leaves_makes_a_file_unreadable() -> Result<()> {
    let large = large()?;
    // The root, two blocks, and that for the data at 12 MiB.
    let at = (3 + (12 << 20) / BLOCK / 64) * BLOCK;
    let words = format!("the block at offset {at:#x} of its tree, level 0, is not authentic");
    let place = large.trailer + TREE + at + 100;
    check_unreadable(large.clone().flip(place).bytes, &large.digest()?, &words)
}

#[test]
fn flipped_bit_in_the_middle_of_the_tree_stops_the_boot() -> Result<()> {
    // Files are stored in the order of their names: /init is in the last quarter, which the block is above.
    let mut content = vec![0; 20 << 20];
    fastrand::Rng::with_seed(1).fill(&mut content);
    let mut layer = Layer::new().file("a", 0o644, content);
    layer.objects.extend(base()?.objects);
    let large = Sealed::new(&erofs::of_layer(&layer, &[])?, &["--hash-alg", "sha512"])?;
    let place = large.trailer + TREE + 2 * BLOCK + 100;
    let machine = Machine::new().initrd_bytes(large.clone().flip(place).bytes);
    let policy = format!("initoverlayfs=require,verify={}", large.digest()?);
    let console = machine.append(&policy).run_to_panic()?;
    let words = "the block at offset 0x2000 of its tree, level 1, is not authentic";
    ensure!(console.has(words), "no {words:?} in {console}");
    Ok(())
}

#[test]
fn flipped_bit_in_the_root_of_the_tree_is_a_failed_mount() -> Result<()> {
    let large = large()?;
    let words = "the block at offset 0x0 of its tree, level 2, is not authentic";
    let place = large.trailer + TREE + 100;
    check_unmountable(large.clone().flip(place).bytes, &large.digest()?, words)
}

#[test]
fn flipped_bit_in_metadata_is_a_failed_mount() -> Result<()> {
    let large = large()?;
    // In front of the superblock, where nothing but the tree would notice.
    let words = "layer 0: the block at offset 0x0 is not authentic";
    check_unmountable(large.clone().flip(100).bytes, &large.digest()?, words)
}

#[test]
fn two_layers_are_accepted_in_their_order() -> Result<()> {
    let (lower, upper) = (lower_layer()?, upper_layer()?);
    let policy = digests(&[&lower, &upper])?;
    let both = [&lower.bytes[..], &upper.bytes].concat();
    let machine = Machine::new().initrd_bytes(both).orders("report");
    let boot = machine.append(&format!("initoverlayfs=require,{policy}")).run()?;
    let lines = boot.report.first()?.module_lines();
    ensure!(lines.iter().any(|line| line.contains("over 2 layers")), "{lines:#?}");
    Ok(())
}

#[test]
fn two_layers_swapped_are_refused() -> Result<()> {
    let (lower, upper) = (lower_layer()?, upper_layer()?);
    let policy = digests(&[&lower, &upper])?;
    let swapped = [&upper.bytes[..], &lower.bytes].concat();
    check_refused(swapped, &policy, "(layer 0) failed: its digest is")
}

#[test]
fn one_layer_more_or_less_is_refused() -> Result<()> {
    let (lower, upper) = (lower_layer()?, upper_layer()?);
    let both = [&lower.bytes[..], &upper.bytes].concat();
    check_refused(both, &digests(&[&lower])?, "2 images, but 1 digest")?;
    let policy = digests(&[&lower, &upper])?;
    check_refused(lower.bytes, &policy, "1 image, but 2 digests")
}

#[test]
fn one_layer_without_a_signature_is_refused() -> Result<()> {
    let (lower, upper) = (lower_layer()?.signed("trusted")?, upper_layer()?);
    let both = [lower.bytes, upper.bytes].concat();
    check_refused(both, SIGNATURE, "(layer 1) failed: it is not signed")
}
