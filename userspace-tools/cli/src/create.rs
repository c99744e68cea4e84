// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs create`: files become an initrd.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};
use clap::Args;
use indicatif::HumanBytes;
use initoverlayfs_image::mkfs::Maker;
use initoverlayfs_image::tree::Tree;
use initoverlayfs_image::{directory, handover, stack, untar};

use crate::format::ImageOptions;
use crate::options::OutputOptions;
use crate::sealing::NewOptions;
use crate::streams::{self, input_name, is_input, is_output};
use crate::view::init_problem;
use crate::{room, source, summary, Verdict};

/// Make an initrd from a directory, from a tarball, or from several, the lowest layer first.
///
/// Later sources cover earlier ones, as the layers of a container image do, whiteouts included. The
/// same input makes the same bytes; SOURCE_DATE_EPOCH is the time that the image states for its making.
#[derive(Args)]
pub struct Arguments {
    /// Directories and tarballs, compressed or not; `-` for a tarball from standard input
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<PathBuf>,
    #[command(flatten)]
    image: ImageOptions,
    #[command(flatten)]
    seal: NewOptions,
    #[command(flatten)]
    output: OutputOptions,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let mut format = arguments.image.format()?;
    let quick = arguments.image.quick()?;
    let maker = Maker::find(&format)?;
    let signer = arguments.seal.signer()?;
    let output = &arguments.output;
    for source in &arguments.sources {
        refuse_inside(&output.output, source)?;
    }
    let inputs = arguments.sources.iter().filter(|source| is_input(source));
    ensure!(inputs.count() <= 1, "standard input can be read only once");
    let out = output.create()?;
    let progress = summary::progress(output.quiet);

    let mut tree = Tree::new();
    for source in &arguments.sources {
        let name = || input_name(source);
        progress.set_message(format!("reading {}", name()));
        if !is_input(source) && fs::metadata(source).with_context(name)?.is_dir() {
            stack::cover(&mut tree, &directory::read(source)?);
        } else {
            untar::cover(&mut tree, &streams::read(source)?).with_context(name)?;
        }
    }
    let found = handover::find(&tree);
    let replace = !output.no_handover_shim && found.values().any(|tool| tool.is_replaceable());
    if replace {
        handover::replace(&mut tree, &found, source::handover_program()?);
    }

    let choice = quick.choose(&tree, &mut format);
    progress.set_message("making the image");
    let left_out = maker
        .from_tree(&tree, out.temporary_path(), &format)
        .map_err(|error| room::explain(error, out.temporary_path()))?;
    progress.set_message("sealing the image");
    let digest = arguments
        .seal
        .apply(out.temporary_path(), signer.as_ref())?;
    let size = output.finish(out)?;
    progress.finish_and_clear();

    if !output.quiet {
        let names = tree.len() - 1;
        eprintln!("{}: {names} names, {}", output.name(), HumanBytes(size));
        if let Some(digest) = digest {
            eprintln!("  sealed: {digest:x}");
        }
        choice.report();
        summary::handover(&found, replace);
        summary::left_out("socket left out", &left_out);
        if let Some(problem) = init_problem(&tree) {
            eprintln!("  {problem}");
        }
    }
    Ok(Verdict::Good)
}

/// An output within a source would be packed itself, half made, under a name of its own.
fn refuse_inside(output: &Path, source: &Path) -> Result<()> {
    if is_output(output) || is_input(source) {
        return Ok(());
    }
    let parent = match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if let (Ok(place), Ok(source)) = (parent.canonicalize(), source.canonicalize()) {
        ensure!(
            !place.starts_with(&source),
            "{}: it is inside of the source {}: put it elsewhere",
            output.display(),
            source.display()
        );
    }
    Ok(())
}
