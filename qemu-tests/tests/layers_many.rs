// SPDX-License-Identifier: GPL-2.0-only
//! As many segments as there may be, and one more.

use anyhow::{Context, Result};
use qemu_tests::fixtures::compress::Compressor;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::stack::{base, Stack};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::scenario::with_fallback;
use qemu_tests::summary::Summary;

/// What is said of too many.
const TOO_MANY: &str = "the initrd has more than 64 segments";

/// Returns an initrd of this many segments, images and archives by turns, the init in the first.
fn segments(count: usize) -> Result<Stack> {
    (1..count).try_fold(Stack::new()?.image(&base()?)?, |stack, number| {
        let layer = Layer::new()
            .directory("layers", 0o755)
            .file(&format!("layers/{number}"), 0o644, number.to_string())
            .file("layers/last", 0o644, number.to_string());
        if number % 2 == 0 {
            stack.image(&layer)
        } else {
            stack.archive(&layer, Compressor::None)
        }
    })
}

#[test]
fn sixty_four_segments_become_one_root() -> Result<()> {
    assert_eq!(segments(64)?.summary()?, Summary::in_place());
    Ok(())
}

#[test]
fn sixty_five_segments_fall_back_to_the_disk() -> Result<()> {
    let boot = with_fallback(segments(65)?.bytes())?.run()?;
    let found = boot.report.first()?;
    assert_eq!(Summary::new(found, &Tree::disk()?)?, Summary::disk());
    let said = found.all("kmsg");
    assert!(said.iter().any(|line| line.starts_with("3 ") && line.contains(TOO_MANY)), "{said:?}");
    Ok(())
}

#[test]
fn sixty_five_segments_panic_if_required() -> Result<()> {
    let machine = with_fallback(segments(65)?.bytes())?.append("initoverlayfs=require");
    let console = machine.run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    assert!(panic.contains(TOO_MANY), "{panic}");
    Ok(())
}
