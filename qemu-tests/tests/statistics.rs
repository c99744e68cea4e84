// SPDX-License-Identifier: GPL-2.0-only
//! What the kernel counts and shows in debugfs, and images made for what a boot read.

use std::fs;
use std::path::PathBuf;

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::command::{self, files_read};
use qemu_tests::fixtures::compress::Compressor;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::stack::{base, Stack};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::report::{Report, Section};
use qemu_tests::tools;

/// What [`tree`] holds besides the probe: files of this size, in bytes.
const FILES: [&str; 5] = ["a", "b", "c", "d", "e+(x) y"];
const SIZE: usize = 200_000;
/// Those that the probe reads.
const READ: [&str; 2] = ["a", "e+(x) y"];
/// Bytes in a block.
const BLOCK: u64 = 4096;

/// A line of the kernel's file `layers`.
#[derive(Debug)]
struct Figures {
    kind: String,
    len: u64,
    held: u64,
    reads: u64,
    served: u64,
    touched: u64,
}

/// Returns the layers at a stage.
fn layers(found: &Section, stage: &str) -> Result<Vec<Figures>> {
    let lines = found.all(&format!("layer.{stage}"));
    let (header, lines) = lines.split_first().context("no layers")?;
    ensure!(*header == "# layer kind bytes held reads served touched", "{header}");
    let figures = |(index, line): (usize, &&str)| -> Result<Figures> {
        let words: Vec<&str> = line.split(' ').collect();
        let [layer, kind, numbers @ ..] = words.as_slice() else {
            anyhow::bail!("{line}");
        };
        ensure!(layer.parse() == Ok(index), "{line}");
        let numbers = numbers.iter().map(|word| word.parse()).collect::<Result<Vec<u64>, _>>()?;
        let [len, held, reads, served, touched] = numbers[..] else {
            anyhow::bail!("{line}");
        };
        Ok(Figures { kind: (*kind).to_owned(), len, held, reads, served, touched })
    };
    lines.iter().enumerate().map(figures).collect()
}

/// Returns a few files, a list of those that are to be read, and something else to read.
fn tree() -> Result<Tree> {
    let ingredients = [FILES.concat(), SIZE.to_string(), READ.concat()];
    let ingredients: Vec<&str> = ingredients.iter().map(String::as_str).collect();
    Tree::filled("statistics", &ingredients, |root| {
        for name in FILES {
            let lines = (0..).map(|line| format!("{name} {line}\n"));
            let text: String = lines.take(SIZE / 6).collect();
            fs::write(root.join(name), text.get(..SIZE).context("too little text")?)?;
        }
        let list: String = READ.iter().map(|name| format!("/{name}\n")).collect();
        Ok(fs::write(root.join("bench.tenth"), list)?)
    })
}

fn boot(initrd: PathBuf, orders: &str) -> Result<Report> {
    let machine = Machine::new().initrd(initrd).orders(orders);
    Ok(machine.append("initoverlayfs=require").run()?.report)
}

#[test]
fn reads_are_counted_until_the_memory_is_gone() -> Result<()> {
    let image = command::image(&tree()?, &["--compression=none"])?;
    let len = fs::metadata(&image)?.len();
    let report = boot(image, "start,read10,read,leave")?;
    let found = report.stage("initrd")?;

    let names: Vec<&str> =
        found.all("phase").iter().filter_map(|line| Some(line.split_once(' ')?.0)).collect();
    let expected = ["claim", "wait", "admit", "tmpfs", "segments", "image0", "overlay", "pivot"];
    ensure!(names == expected, "{names:?}");

    // Whoever holds the root is found by this.
    assert_eq!(found.get("root.device")?, found.get("root.dev")?);

    let one = |found, stage| -> Result<Figures> {
        let mut layers = layers(found, stage)?;
        ensure!(layers.len() == 1, "{layers:?}");
        layers.pop().context("no layer")
    };
    let (init, all) = (one(found, "init")?, one(found, "all")?);
    for figures in [&init, &all] {
        ensure!(
            figures.kind == "erofs" && figures.len == len && figures.held == len,
            "{figures:?}"
        );
        ensure!(figures.reads > 0 && figures.touched > 0, "{figures:?}");
        ensure!(figures.served >= figures.touched.saturating_sub(1) * BLOCK, "{figures:?}");
        ensure!(figures.touched <= len.div_ceil(BLOCK), "{figures:?}");
    }
    // All files were read in between, and no block twice.
    let content = (FILES.len() * SIZE) as u64;
    let expected = (init.touched + content / BLOCK).min(len.div_ceil(BLOCK));
    ensure!(all.touched >= expected, "{init:?} {all:?}");
    // Blocks at the ends of a page may be read with two of them.
    let slack = (2 << tools::page_shift()?) - BLOCK;
    ensure!(all.served <= len + slack, "{all:?}");

    let left = one(report.stage("disk")?, "left")?;
    ensure!(left.held == 0 && left.len == len, "{left:?}");
    ensure!(left.touched >= all.touched && left.served >= all.served, "{all:?} {left:?}");
    Ok(())
}

#[test]
fn archives_are_read_once_and_given_back() -> Result<()> {
    let early = Layer::new().file("early", 0o644, "x".repeat(10_000));
    let late = Layer::new().file("late", 0o644, "y".repeat(20_000));
    let stack = Stack::new()?
        .archive(&early, Compressor::None)?
        .image(&base()?)?
        .archive(&late, Compressor::Gzip)?;
    let report = Machine::new().whole_pages(stack.bytes()).orders("start").run()?.report;
    let found = layers(report.first()?, "init")?;
    let kinds: Vec<&str> = found.iter().map(|figures| figures.kind.as_str()).collect();
    ensure!(kinds == ["cpio", "erofs", "cpio"], "{found:?}");
    for archive in found.iter().filter(|figures| figures.kind == "cpio") {
        ensure!(archive.held == 0 && archive.reads == 1, "{archive:?}");
        ensure!(archive.served == archive.len, "{archive:?}");
        ensure!(archive.touched == archive.len.div_ceil(BLOCK), "{archive:?}");
    }
    let total: u64 = found.iter().map(|figures| figures.len).sum();
    ensure!(total <= stack.bytes().len().next_multiple_of(1 << 16) as u64, "{found:?}");
    Ok(())
}

#[test]
fn what_a_boot_read_makes_an_image_that_boots() -> Result<()> {
    let tree = tree()?;
    let image = command::image(&tree, &[])?;
    let report = boot(image.clone(), "start,read10,blocks")?;
    let found = report.first()?;
    let counted = [("phases", "phase"), ("layers", "layer.tenth"), ("touched", "touched")].map(
        |(name, key)| {
            let lines = found.all(key);
            (name, lines.into_iter().map(|line| format!("{line}\n")).collect())
        },
    );
    let list = files_read(&fs::read(&image)?, &counted)?;
    let files: Vec<&str> = list.lines().collect();
    for name in FILES {
        let is_listed = files.contains(&&*format!("/{name}"));
        ensure!(is_listed == READ.contains(&name), "{name}: {files:?}");
    }
    ensure!(files.contains(&"/init"), "{files:?}");

    let place = tempfile::tempdir()?;
    let path = place.path().join("list");
    fs::write(&path, &list)?;
    let path = path.to_str().context("the temporary directory is not UTF-8")?;
    let profiled = command::image(&tree, &["--profile", path])?;
    let (usual, larger) = (fs::metadata(&image)?.len(), fs::metadata(&profiled)?.len());
    ensure!(larger > usual, "{larger} bytes with a profile, {usual} without");
    let report = boot(profiled, "start,read10,read")?;
    let [tenth, rest] = ["tenth", "rest"].map(|key| -> Result<u64> {
        let line = report.first()?.get(key)?;
        Ok(line.split(' ').nth(1).with_context(|| line.to_owned())?.parse()?)
    });
    let (tenth, rest) = (tenth?, rest?);
    ensure!(tenth == (READ.len() * SIZE) as u64, "{tenth}");
    ensure!(tenth + rest == total(&tree)?, "{tenth} {rest}");
    Ok(())
}

/// Returns the bytes of the files of a tree.
fn total(tree: &Tree) -> Result<u64> {
    let files = fs::read_dir(&tree.root)?.map(|entry| Ok(entry?.metadata()?));
    let files = files.collect::<Result<Vec<_>>>()?;
    Ok(files.iter().filter(|found| found.is_file()).map(fs::Metadata::len).sum())
}
