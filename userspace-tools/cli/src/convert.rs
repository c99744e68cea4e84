// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs convert`: an initramfs becomes an initrd that is mounted in place.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use clap::Args;
use initoverlayfs_core::initrd::image::Filesystem;
use initoverlayfs_image::handover;
use initoverlayfs_image::initrd::{self, Archive, Layer, Part};
use initoverlayfs_image::mkfs::{Format, Maker};
use initoverlayfs_image::temporary;
use initoverlayfs_image::tree::Tree;

use crate::format::ImageOptions;
use crate::options::OutputOptions;
use crate::sealing::NewOptions;
use crate::streams::{self, input_name, is_input};
use crate::{room, source, summary, Verdict};

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
    let bytes = streams::read_initrd(&arguments.source)?;
    let name = || input_name(&arguments.source);
    let mut parts = take_apart(&bytes, &arguments.source).with_context(name)?;
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
    let make = |image: &Path| {
        maker
            .from_tree(&parts.tree, image, &format)
            .map_err(|error| room::explain(error, image))
    };
    let left_out = if early.is_empty() {
        make(out.temporary_path())?
    } else {
        let place = temporary::file().context("no temporary file")?;
        let left_out = make(place.path())?;
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
        early: u64::try_from(early)?,
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
