// SPDX-License-Identifier: GPL-2.0-only
//! Archives beside an image that cannot be unpacked to their end: the boot goes on with the image and
//! what came before the fault, as a stock boot does, or panics.

use std::fs;

use anyhow::{Context, Result};
use qemu_tests::fixtures::archive::{newc, Style};
use qemu_tests::fixtures::compress::{compress, Compressor};
use qemu_tests::fixtures::cpio;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::seal::Sealed;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::report::Section;
use qemu_tests::scenario::{usual_bytes, with_fallback};
use qemu_tests::summary::Summary;

/// Returns an archive of 4 MiB.
fn large() -> Vec<u8> {
    newc(&Layer::new().file("large", 0o644, vec![0xa5; 4 << 20]), Style::default())
}

/// Returns the usual image with these bytes behind it.
fn with_archive(archive: &[u8]) -> Result<Vec<u8>> {
    Ok([&usual_bytes()?, archive].concat())
}

/// Returns whether the log has an error that says all of these words.
fn has_error(found: &Section, words: &[&str]) -> bool {
    let said = found.all("kmsg");
    said.iter().any(|line| line.starts_with("3 ") && words.iter().all(|word| line.contains(word)))
}

/// Boots with this option: the image is the root, with the file `name` of the archive if it came before
/// the fault, and the log has an error that says all of these words. Returns the line about the file.
fn check_goes_on(
    archive: &[u8],
    option: &str,
    name: &str,
    words: &[&str],
) -> Result<Option<String>> {
    let machine = with_fallback(with_archive(archive)?)?.append(option).orders("tree");
    let boot = machine.run()?;
    let found = boot.report.first()?;
    let entry = file(found, name);
    let mut expected = Summary::in_place();
    expected.additions.extend(entry.as_ref().map(|_| name.to_owned()));
    expected.additions.sort();
    let mut summary = Summary::new(found, &Tree::standard()?)?;
    summary.differences.retain(|line| line.strip_prefix('+') != entry.as_deref());
    assert_eq!(summary, expected);
    assert!(has_error(found, words), "no {words:?} in {:#?}", found.all("kmsg"));
    assert!(has_error(found, &["going on with what came before that"]));
    Ok(entry)
}

/// Returns the probe's line about a file.
fn file(found: &Section, name: &str) -> Option<String> {
    let lines = found.all("entry");
    let line = lines.into_iter().find(|line| line.starts_with(&format!("{name} ")));
    line.map(str::to_owned)
}

/// Returns the line that a stock boot has about the file `name` in an archive behind the same tree.
fn stock(archive: &[u8], name: &str) -> Result<Option<String>> {
    let tree = fs::read(cpio::archive(&Tree::standard()?, Compressor::Gzip)?)?;
    let gap = tree.len().next_multiple_of(4) - tree.len();
    let initrd = [&tree, vec![0; gap].as_slice(), archive].concat();
    let boot = Machine::new().initrd_bytes(initrd).orders("tree").run()?;
    Ok(file(boot.report.first()?, name))
}

/// Boots a damaged archive: the root is that of a stock boot.
fn check_damaged(compressor: Compressor) -> Result<()> {
    let archive = damaged(compressor)?;
    let entry = check_goes_on(&archive, "", "a", &["unpacking cpio (layer 1) failed: "])?;
    assert_eq!(entry, stock(&archive, "a")?);
    Ok(())
}

/// Boots with this option and `require`: a panic that says all of these words.
fn check_panic(archive: &[u8], option: &str, words: &[&str]) -> Result<()> {
    let machine = with_fallback(with_archive(archive)?)?.append("initoverlayfs=require");
    let console = machine.append(option).run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    assert!(words.iter().all(|word| panic.contains(word)), "no {words:?} in {panic}");
    Ok(())
}

/// A tmpfs that does not hold the archive.
const TOO_SMALL: &str = "initoverlayfs=size=1M";

#[test]
fn archive_larger_than_the_tmpfs_is_cut() -> Result<()> {
    let words = ["unpacking cpio (layer 1) failed: write error"];
    check_goes_on(&large(), TOO_SMALL, "large", &words).map(drop)
}

#[test]
fn archive_larger_than_the_tmpfs_panics_if_required() -> Result<()> {
    check_panic(&large(), TOO_SMALL, &["unpacking cpio (layer 1) failed: write error"])
}

/// 300 MiB in some hundreds of KiB.
fn bomb() -> Result<Vec<u8>> {
    let archive = newc(&Layer::new().file("bomb", 0o644, vec![0; 300 << 20]), Style::default());
    compress(&archive, Compressor::Gzip)
}

#[test]
fn archive_larger_than_memory_stops_at_the_limit_of_the_tmpfs() -> Result<()> {
    let machine = with_fallback(with_archive(&bomb()?)?)?.memory(256);
    let boot = machine.append("initoverlayfs=size=50%").run()?;
    let found = boot.report.first()?;
    assert_eq!(found.get("argv0")?, "/init");
    assert!(has_error(found, &["unpacking cpio (layer 1) failed: write error"]));
    Ok(())
}

#[test]
fn archive_larger_than_memory_panics_without_a_limit() -> Result<()> {
    // As a stock boot with `root=` does: there is nothing that could be killed for its memory.
    let console = with_fallback(with_archive(&bomb()?)?)?.memory(256).run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    assert!(panic.contains("System is deadlocked on memory"), "{panic}");
    Ok(())
}

/// Returns an archive whose compressed data is damaged in the middle.
fn damaged(compressor: Compressor) -> Result<Vec<u8>> {
    // The kernel does not look at gzip's checksum: the damage has to make no sense by itself.
    let content: String = (0..20_000).map(|line: u32| format!("{line:x}, ")).collect();
    let archive = newc(&Layer::new().file("a", 0o644, content), Style::default());
    let mut archive = compress(&archive, compressor)?;
    let middle = archive.len() / 2;
    archive[middle..middle + 64].fill(0xff);
    Ok(archive)
}

#[test]
fn damaged_gzip_is_unpacked_to_the_damage() -> Result<()> {
    check_damaged(Compressor::Gzip)
}

#[test]
fn damaged_gzip_panics_if_required() -> Result<()> {
    check_panic(&damaged(Compressor::Gzip)?, "", &["unpacking cpio (layer 1) failed: "])
}

#[test]
fn damaged_zstd_is_unpacked_to_the_damage() -> Result<()> {
    check_damaged(Compressor::Zstd(9))
}

#[test]
fn damaged_xz_is_unpacked_to_the_damage() -> Result<()> {
    check_damaged(Compressor::Xz)
}

/// Nobody asked for half a root where images have to be authentic.
#[test]
fn damaged_archive_beside_an_authentic_image_falls_back_to_the_disk() -> Result<()> {
    let sealed = Sealed::new(&usual_bytes()?, &[])?;
    let option = format!("initoverlayfs=verify={},unsigned-cpio=allow", sealed.digest()?);
    let initrd = [sealed.bytes, damaged(Compressor::Gzip)?].concat();
    check_fallback(initrd, &option, &["unpacking cpio (layer 1) failed: "])
}

/// Boots with this option: the disk, and an error that says all of these words.
fn check_fallback(initrd: Vec<u8>, option: &str, words: &[&str]) -> Result<()> {
    let boot = with_fallback(initrd)?.append(option).run()?;
    let found = boot.report.first()?;
    let summary = Summary { milestones: Vec::new(), ..Summary::new(found, &Tree::disk()?)? };
    assert_eq!(summary, Summary::disk());
    assert!(has_error(found, words), "no {words:?} in {:#?}", found.all("kmsg"));
    Ok(())
}

#[test]
fn archive_that_breaks_off_falls_back_to_the_disk() -> Result<()> {
    let archive = large();
    let initrd = with_archive(&archive[..archive.len() / 2])?;
    check_fallback(initrd, "", &["the cpio archive at", "breaks off at"])
}

#[test]
fn archive_that_breaks_off_panics_if_required() -> Result<()> {
    let archive = large();
    check_panic(&archive[..archive.len() / 2], "", &["the cpio archive at", "breaks off at"])
}

#[test]
fn archive_with_a_wrong_checksum_of_its_own_panics_if_required() -> Result<()> {
    let style = Style { has_checksums: true, ..Style::default() };
    let mut archive = newc(&Layer::new().file("a", 0o644, "content"), style);
    let at = archive.windows(7).position(|bytes| bytes == b"content").context("no content")?;
    archive[at] ^= 1;
    check_panic(&archive, "", &["unpacking cpio (layer 1) failed: bad data checksum"])
}

#[test]
fn plain_archive_that_is_not_aligned_panics_if_required() -> Result<()> {
    // The kernel's unpacker takes a plain archive at multiples of four only.
    let compressed = newc(&Layer::new().file("a", 0o644, "a"), Style::default());
    let mut archives = compress(&compressed, Compressor::Gzip)?;
    archives.resize(archives.len().next_multiple_of(4) + 1, 0);
    archives.extend(newc(&Layer::new().file("b", 0o644, "b"), Style::default()));
    check_panic(&archives, "", &["unpacking cpio (layer 1) failed: "])
}

/// Returns an entry of an archive, whose name ends with a NUL only if that is in it.
fn raw_entry(name: &[u8], mode: usize, content: &[u8]) -> Vec<u8> {
    let fields = [1, mode, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len(), 0];
    let mut bytes = b"070701".to_vec();
    bytes.extend(fields.iter().flat_map(|field: &usize| format!("{field:08x}").into_bytes()));
    for part in [name, content] {
        bytes.extend(part);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// The unpacker stops within a symbolic link. Had it not been set back, it would take the next entry that it passes
/// over for the rest of that link, and write into the initrd.
#[test]
fn fault_in_one_archive_does_not_reach_the_next() -> Result<()> {
    let link = raw_entry(b"link", 0o120_777, b"target");
    let mut archives = compress(&link, Compressor::Gzip)?;
    archives.resize(archives.len().next_multiple_of(4096), 0);
    archives.extend(usual_bytes()?);
    archives.extend(raw_entry(b"directory\0", 0o040_755, b"content"));
    archives.extend(raw_entry(b"after\0", 0o100_644, b"x"));
    archives.extend(raw_entry(b"TRAILER!!!\0", 0, b""));
    let boot = with_fallback(archives)?.orders("tree").run()?;
    let found = boot.report.first()?;
    assert!(has_error(found, &["unpacking cpio (layer 0) failed: malformed archive"]));
    file(found, "after").context("the second archive was not unpacked")?;
    let stray = found.all("entry").into_iter().find(|line| line.contains("070701"));
    assert_eq!(stray, None);
    Ok(())
}
