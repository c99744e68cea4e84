// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs create`: files become an initrd.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::HumanBytes;
use initoverlayfs_image::mkfs::Mkfs;
use initoverlayfs_image::tree::Tree;
use initoverlayfs_image::{directory, handover, stack, untar};

use crate::options::{read, ImageOptions, OutputOptions};
use crate::sealing::NewOptions;
use crate::{source, summary, Verdict};

/// Make an initrd from a directory, from a tarball, or from several, the lowest layer first.
///
/// Later sources cover earlier ones, as the layers of a container image do, whiteouts included. The
/// same input makes the same bytes; SOURCE_DATE_EPOCH is the time that the image states for its making.
#[derive(Args)]
pub struct Arguments {
    /// Directories and tarballs, compressed or not
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
    let options = arguments.image.mkfs();
    let mkfs = Mkfs::find(options.compression)?;
    let signer = arguments.seal.signer()?;
    let output = &arguments.output;
    let out = output.create()?;
    let progress = summary::progress(output.quiet);

    let mut tree = Tree::new();
    for source in &arguments.sources {
        progress.set_message(format!("reading {}", source.display()));
        if fs::metadata(source)
            .with_context(|| source.display().to_string())?
            .is_dir()
        {
            stack::cover(&mut tree, &directory::read(source)?);
        } else {
            let bytes = read(source)?;
            untar::cover(&mut tree, &bytes).with_context(|| source.display().to_string())?;
        }
    }
    let found = handover::find(&tree);
    let replace = !output.no_handover_shim && found.values().any(|tool| tool.is_replaceable());
    if replace {
        handover::replace(&mut tree, &found, source::handover_program()?);
    }

    progress.set_message("making the image");
    let left_out = mkfs.from_tree(&tree, out.temporary_path(), &options)?;
    progress.set_message("sealing the image");
    let digest = arguments
        .seal
        .apply(out.temporary_path(), signer.as_ref())?;
    let size = output.finish(out)?;
    progress.finish_and_clear();

    if !output.quiet {
        let names = tree.len() - 1;
        eprintln!(
            "{}: {names} names, {}",
            output.output.display(),
            HumanBytes(size)
        );
        if let Some(digest) = digest {
            eprintln!("  sealed: {digest:x}");
        }
        summary::handover(&found, replace);
        summary::left_out("socket left out", &left_out);
        if tree.get(b"init").is_none() {
            eprintln!(
                "  there is no /init: the boot will go on to root=, unless rdinit= names one"
            );
        }
    }
    Ok(Verdict::Good)
}
