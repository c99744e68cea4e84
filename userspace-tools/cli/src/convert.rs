// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs convert`: an initramfs becomes an initrd that is mounted in place.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{bail, Context, Result};
use clap::Args;
use initoverlayfs_image::handover;
use initoverlayfs_image::initrd::{self, Archive, Layer, Part};
use initoverlayfs_image::mkfs::{Format, Maker};
use initoverlayfs_image::temporary;
use initoverlayfs_image::tree::Tree;

use crate::format::ImageOptions;
use crate::options::OutputOptions;
use crate::sealing::NewOptions;
use crate::streams::{self, input_name};
use crate::{source, summary, Verdict};

/// Where an image starts behind archives: a multiple of this, so that its blocks lie in pages.
const ALIGNMENT: u64 = 4096;

/// How many NUL bytes have to be in front of an image for the kernel to find it behind an archive, whatever
/// that is like. All but squashfs begin with as many themselves.
const LEAST_PADDING: u64 = 1024;

/// Convert an initramfs of any compression, microcode in front included.
///
/// Owners, modes, devices, links and times are kept, without root.
#[derive(Args)]
pub struct Arguments {
    /// What dracut, initramfs-tools, mkinitcpio or mkosi made; `-` for standard input
    #[arg(value_name = "INITRAMFS")]
    source: PathBuf,
    #[command(flatten)]
    image: ImageOptions,
    #[command(flatten)]
    seal: NewOptions,
    #[command(flatten)]
    output: OutputOptions,
}

/// What is in an initramfs.
struct Parts {
    /// Bytes at the start that the early boot reads.
    early: u64,
    /// The tree that the other archives make.
    tree: Tree,
    /// Names that the kernel would pass over.
    passed_over: Vec<Vec<u8>>,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let mut format = arguments.image.format()?;
    let quick = arguments.image.quick()?;
    let maker = Maker::find(&format)?;
    let signer = arguments.seal.signer()?;
    let output = &arguments.output;
    let mut out = output.create()?;
    out.guard_like(&arguments.source);
    let progress = summary::progress(output.quiet);

    progress.set_message("reading the initramfs");
    let bytes = streams::read(&arguments.source)?;
    let name = || input_name(&arguments.source);
    let mut parts = take_apart(&bytes).with_context(name)?;
    let found = handover::find(&parts.tree);
    let replace = !output.no_handover_shim && found.values().any(|tool| tool.is_replaceable());
    if replace {
        handover::replace(&mut parts.tree, &found, source::handover_program()?);
    }

    let choice = quick.choose(&parts.tree, &mut format);
    progress.set_message("making the image");
    let early = bytes
        .get(..usize::try_from(parts.early)?)
        .context("no such prefix")?;
    let left_out = if early.is_empty() {
        maker.from_tree(&parts.tree, out.temporary_path(), &format)?
    } else {
        let place = temporary::file().context("no temporary file")?;
        let left_out = maker.from_tree(&parts.tree, place.path(), &format)?;
        let mut image = std::fs::File::open(place.path())?;
        let file = out.file();
        file.write_all(early)?;
        let least = match format {
            Format::Squashfs(_) => LEAST_PADDING,
            _ => 0,
        };
        let padding = (parts.early + least).next_multiple_of(ALIGNMENT) - parts.early;
        file.write_all(&vec![0; usize::try_from(padding)?])?;
        std::io::copy(&mut image, file)?;
        left_out
    };
    progress.set_message("sealing the image");
    let digest = arguments
        .seal
        .apply(out.temporary_path(), signer.as_ref())?;
    let size = output.finish(out)?;
    progress.finish_and_clear();

    if !output.quiet {
        let sizes = summary::sizes(u64::try_from(bytes.len())?, size);
        let names = parts.tree.len() - 1;
        eprintln!("{}: {names} names, {sizes}", output.name());
        if !early.is_empty() {
            eprintln!("  early archives kept in front: {} bytes", early.len());
        }
        if let Some(digest) = digest {
            eprintln!("  sealed: {digest:x}");
        }
        choice.report();
        summary::handover(&found, replace);
        summary::left_out("passed over, as the kernel would", &parts.passed_over);
        summary::left_out("socket left out", &left_out);
    }
    Ok(Verdict::Good)
}

/// Tells the early archives from those that make the tree, and merges these.
fn take_apart(bytes: &[u8]) -> Result<Parts> {
    let layers = initrd::read(bytes)?;
    let archives = archives(&layers)?;
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
        early: u64::try_from(early)?,
        tree,
        passed_over,
    })
}

/// All archives; an error if there is anything else.
fn archives(layers: &[Layer]) -> Result<Vec<&Archive>> {
    let mut archives = Vec::new();
    for layer in layers {
        let at = layer.range.start;
        match &layer.part {
            Part::Archives(part) => archives.extend(part),
            Part::Image(filesystem, _) => bail!(
                "offset {at:#x}: an image, of {}: this is converted already",
                filesystem.name()
            ),
            Part::Unknown => bail!(
                "offset {at:#x}: no archive in a format that the kernel reads: `cpio -H newc` makes one"
            ),
        }
    }
    Ok(archives)
}
