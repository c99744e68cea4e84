// SPDX-License-Identifier: GPL-2.0-only
//! Archives beside an image that cannot be unpacked: nothing is left of the mount, and the boot goes
//! on without the initrd, or panics.

use anyhow::{Context, Result};
use qemu_tests::fixtures::archive::{newc, Style};
use qemu_tests::fixtures::compress::{compress, Compressor};
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::scenario::{usual_bytes, with_fallback};
use qemu_tests::summary::Summary;

/// An archive of 4 MiB.
fn large() -> Vec<u8> {
    newc(&Layer::new().file("large", 0o644, vec![0xa5; 4 << 20]), Style::default())
}

/// The usual image with these bytes behind it.
fn with_archive(archive: &[u8]) -> Result<Vec<u8>> {
    Ok([&usual_bytes()?, archive].concat())
}

/// Boots with this option: the disk, and an error that says all of these words.
fn check_fallback(archive: &[u8], option: &str, words: &[&str]) -> Result<()> {
    let boot = with_fallback(with_archive(archive)?)?.append(option).run()?;
    let found = boot.report.first()?;
    let summary = Summary { milestones: Vec::new(), ..Summary::new(found, &Tree::disk()?)? };
    assert_eq!(summary, Summary::disk());
    let said = found.all("kmsg");
    let is_it =
        |line: &&str| line.starts_with("3 ") && words.iter().all(|word| line.contains(word));
    assert!(said.iter().any(is_it), "no error with {words:?} in {said:#?}");
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
fn archive_larger_than_the_tmpfs_falls_back_to_the_disk() -> Result<()> {
    check_fallback(&large(), TOO_SMALL, &["unpacking cpio (segment 1) failed: write error"])
}

#[test]
fn archive_larger_than_the_tmpfs_panics_if_required() -> Result<()> {
    check_panic(&large(), TOO_SMALL, &["unpacking cpio (segment 1) failed: write error"])
}

/// 300 MiB in some hundreds of KiB.
fn bomb() -> Result<Vec<u8>> {
    let archive = newc(&Layer::new().file("bomb", 0o644, vec![0; 300 << 20]), Style::default());
    compress(&archive, Compressor::Gzip)
}

#[test]
fn archive_larger_than_memory_stops_at_the_limit_of_the_tmpfs() -> Result<()> {
    let machine = with_fallback(with_archive(&bomb()?)?)?.memory(256);
    let boot = machine.run()?;
    let found = boot.report.first()?;
    assert_eq!(found.get("argv0")?, "/sbin/init");
    let said = found.all("kmsg");
    let limit = "unpacking cpio (segment 1) failed: write error";
    assert!(said.iter().any(|line| line.contains(limit)), "{said:#?}");
    Ok(())
}

#[test]
fn archive_larger_than_memory_panics_without_a_limit() -> Result<()> {
    // As a stock boot does: there is nothing that could be killed for its memory.
    let machine = with_fallback(with_archive(&bomb()?)?)?.memory(256);
    let console = machine.append("initoverlayfs=size=100%").run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    assert!(panic.contains("System is deadlocked on memory"), "{panic}");
    Ok(())
}

/// An archive whose compressed data is damaged in the middle.
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
fn damaged_gzip_falls_back_to_the_disk() -> Result<()> {
    check_fallback(&damaged(Compressor::Gzip)?, "", &["unpacking cpio (segment 1) failed: "])
}

#[test]
fn damaged_gzip_panics_if_required() -> Result<()> {
    check_panic(&damaged(Compressor::Gzip)?, "", &["unpacking cpio (segment 1) failed: "])
}

#[test]
fn damaged_zstd_falls_back_to_the_disk() -> Result<()> {
    let damaged = damaged(Compressor::Zstd(9))?;
    check_fallback(&damaged, "", &["unpacking cpio (segment 1) failed: "])
}

#[test]
fn damaged_xz_falls_back_to_the_disk() -> Result<()> {
    check_fallback(&damaged(Compressor::Xz)?, "", &["unpacking cpio (segment 1) failed: "])
}

#[test]
fn archive_that_breaks_off_falls_back_to_the_disk() -> Result<()> {
    let archive = large();
    check_fallback(&archive[..archive.len() / 2], "", &["the cpio archive at", "breaks off at"])
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
    check_panic(&archive, "", &["unpacking cpio (segment 1) failed: bad data checksum"])
}

#[test]
fn plain_archive_that_is_not_aligned_panics_if_required() -> Result<()> {
    // The kernel's unpacker takes a plain archive at multiples of four only.
    let compressed = newc(&Layer::new().file("a", 0o644, "a"), Style::default());
    let mut archives = compress(&compressed, Compressor::Gzip)?;
    archives.resize(archives.len().next_multiple_of(4) + 1, 0);
    archives.extend(newc(&Layer::new().file("b", 0o644, "b"), Style::default()));
    check_panic(&archives, "", &["unpacking cpio (segment 1) failed: "])
}
