// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's messages that Documentation/boot.rst shows, each from a boot that has it.

use std::fs;

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::archive::{newc, Style};
use qemu_tests::fixtures::damage::truncated;
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::seal::Sealed;
use qemu_tests::fixtures::superblock::Editor;
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::scenario::{usual, usual_bytes, with_fallback};
use qemu_tests::tools;

/// EROFS's largest block, as a power of two: a kernel whose pages are smaller cannot mount it.
const LARGEST_BLOCK: u8 = 16;

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../Documentation/boot.rst");

/// Returns a message with each number, and what is left out in the guide, as `#`.
fn masked(message: &str) -> String {
    let word = |word: &str| match word.split_once("sha256:") {
        Some((_, rest)) => {
            format!(
                "sha256:{}",
                rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_hexdigit())
            )
        }
        None if word.starts_with(|c: char| c.is_ascii_digit()) => {
            let is_part = |c: char| c.is_ascii_hexdigit() || c == 'x';
            format!("#{}", word.trim_start_matches(is_part))
        }
        None => word.to_owned(),
    };
    message.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Boots an initrd, with a disk to fall back to, and returns the messages.
fn said(initrd: Vec<u8>, option: &str) -> Result<Vec<String>> {
    let boot = with_fallback(initrd)?.append(option).run()?;
    messages(boot.report.first()?.all("kmsg"))
}

/// Returns messages without their levels.
fn messages(lines: Vec<&str>) -> Result<Vec<String>> {
    let lines = lines.into_iter().map(|line| {
        let (_, message) = line.split_once(' ').context("no level")?;
        Ok(masked(message))
    });
    lines.collect()
}

#[test]
fn messages_are_those_of_the_guide() -> Result<()> {
    if tools::page_shift()? >= LARGEST_BLOCK {
        println!("no block is larger than a page: one of the messages cannot be had");
        return Ok(());
    }
    let image = usual_bytes()?;
    let mut editor = Editor::new(image.clone())?;
    editor.set_block_size(LARGEST_BLOCK)?;
    let archive = newc(&Layer::new().file("large", 0o644, vec![0xa5; 4 << 20]), Style::default());
    let sealed = Sealed::new(&image, &[])?;
    let other = format!("initoverlayfs=verify=sha256:{}", "0".repeat(64));
    let large = Sealed::new(&fs::read(erofs::image(&Tree::large(20)?, &[])?)?, &[])?;
    let digest = large.digest()?;
    let tampered = Machine::new().initrd_bytes(large.flip(12 << 20).bytes).orders("survey");
    let tampered = tampered.append(&format!("initoverlayfs=verify={digest}")).run()?;

    let mut found = messages(usual()?.run()?.report.first()?.all("kmsg"))?;
    found.extend(said(truncated(image.clone()), "")?);
    found.extend(said(editor.sealed(), "")?);
    found.extend(said([&image[..], &archive].concat(), "initoverlayfs=size=1M")?);
    found.extend(said(fs::read(erofs::image(&Tree::without_init()?, &USUAL)?)?, "")?);
    found.extend(said(sealed.bytes, &other)?);
    let console = tampered.console.text();
    let lines = console.lines().filter_map(|line| line.split_once("initoverlayfs: "));
    found.extend(lines.map(|(_, message)| masked(&format!("initoverlayfs: {message}"))));

    let guide = fs::read_to_string(GUIDE)?;
    let (_, section) = guide.split_once("What the boot log says\n").context("no section")?;
    let (section, _) = section.split_once("\n====").context("no end")?;
    let (_, section) = section.split_once("====\n").context("no start")?;
    let shown: Vec<&str> =
        section.lines().filter_map(|line| line.strip_prefix("    initoverlayfs: ")).collect();
    ensure!(shown.len() > 7, "{shown:#?}");
    for message in shown {
        let message = masked(&format!("initoverlayfs: {message}"));
        ensure!(found.contains(&message), "{message:?} is not among {found:#?}");
    }
    Ok(())
}
