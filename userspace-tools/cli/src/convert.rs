// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs convert`: an initramfs becomes an initrd that is mounted in place.

use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use clap::Args;
use initoverlayfs_core::initrd::image::Filesystem;
use initoverlayfs_image::initrd::{self, Archive, Layer, Part};
use initoverlayfs_image::tree::Tree;

use crate::making::{Making, Options};
use crate::streams::{self, input_name, is_input};
use crate::{summary, Verdict};

/// Convert an initramfs of any compression, microcode in front included.
///
/// Owners, modes, devices, links and times are kept, without root.
#[derive(Args)]
pub struct Arguments {
    /// What dracut, initramfs-tools, mkinitcpio or mkosi made; `-` for standard input
    #[arg(value_name = "INITRAMFS")]
    source: PathBuf,
    #[command(flatten)]
    making: Options,
}

/// What is in an initramfs.
struct Parts {
    /// Bytes at the start that the early boot reads.
    early: usize,
    /// The tree that the other archives make.
    tree: Tree,
    /// Names that the kernel would pass over.
    passed_over: Vec<Vec<u8>>,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let mut making = Making::start(&arguments.making)?;
    making.guard_like(&arguments.source);
    making.show("reading the initramfs");
    let bytes = streams::read_initrd(&arguments.source)?;
    let name = || input_name(&arguments.source);
    let parts = take_apart(&bytes, &arguments.source).with_context(name)?;
    let early = &bytes[..parts.early];
    let made = making.finish(parts.tree, early)?;

    let output = &arguments.making.output;
    if !output.quiet {
        let sizes = summary::sizes(u64::try_from(bytes.len())?, made.size);
        eprintln!("{}: {} names, {sizes}", output.name(), made.names);
        if !early.is_empty() {
            eprintln!("  early archives kept in front: {} bytes", early.len());
        }
        summary::left_out("passed over, as the kernel would", &parts.passed_over);
        made.report();
    }
    Ok(Verdict::Good)
}

/// Tells the early archives from those that make the tree, and merges these.
fn take_apart(bytes: &[u8], source: &Path) -> Result<Parts> {
    let layers = initrd::read(bytes)?;
    let archives = archives(&layers, source)?;
    let early = archives
        .iter()
        .take_while(|archive| archive.is_early())
        .count();
    let (early, main) = archives.split_at(early);
    if main.is_empty() {
        bail!("it holds no archive but early ones: nothing to convert");
    }
    let (tree, passed_over) = initrd::merge(main.iter().copied())?;
    let early = early.last().map_or(0, |archive| archive.range.end);
    Ok(Parts {
        early,
        tree,
        passed_over,
    })
}

/// What is said of a source that holds an image at an offset: also where its original is, as the hooks keep it.
fn converted_already(at: usize, filesystem: Filesystem, source: &Path) -> String {
    let mut original = source.as_os_str().to_owned();
    original.push(".cpio");
    let original = Path::new(&original);
    let remedy = if is_input(source) {
        "convert what it was made from".to_owned()
    } else if original.exists() {
        format!("its original is {}", original.display())
    } else {
        format!(
            "convert what it was made from; the hooks keep that as {}, or in /var/lib/initoverlayfs",
            original.display()
        )
    };
    let name = filesystem.name();
    format!("it is converted already, with an image of {name} at offset {at:#x}, and stays as it is: {remedy}")
}

/// All archives; an error if there is anything else.
fn archives<'a>(layers: &'a [Layer], source: &Path) -> Result<Vec<&'a Archive>> {
    let mut archives = Vec::new();
    for layer in layers {
        let at = layer.range.start;
        match &layer.part {
            Part::Archives(part) => archives.extend(part),
            Part::Image(filesystem, _) => bail!("{}", converted_already(at, *filesystem, source)),
            Part::Unknown => bail!(
                "offset {at:#x}: no archive in a format that the kernel reads: `cpio -H newc` makes one"
            ),
        }
    }
    Ok(archives)
}
