// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs create`: files become an initrd.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};
use clap::Args;
use indicatif::HumanBytes;
use initoverlayfs_image::tree::Tree;
use initoverlayfs_image::{directory, stack, untar};

use crate::make::from_tree::{Making, Options};
use crate::terminal::streams::{self, input_name, is_input, is_output};
use crate::terminal::summary::count;
use crate::Verdict;

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
    making: Options,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let output = &arguments.making.output;
    for source in &arguments.sources {
        refuse_inside(&output.output, source)?;
    }
    let inputs = arguments.sources.iter().filter(|source| is_input(source));
    ensure!(inputs.count() <= 1, "standard input can be read only once");
    let mut making = Making::start(&arguments.making)?;

    let mut tree = Tree::new();
    for source in &arguments.sources {
        making.guard_like(source);
        let name = || input_name(source);
        making.show(format!("reading {}", name()));
        if !is_input(source) && fs::metadata(source).with_context(name)?.is_dir() {
            stack::cover(&mut tree, &directory::read(source)?);
        } else {
            untar::cover(&mut tree, &streams::read(source)?).with_context(name)?;
        }
    }
    let made = making.finish(tree, &[], &[])?;

    if !output.quiet {
        let size = HumanBytes(made.size);
        eprintln!("{}: {}, {size}", output.name(), count(made.names, "name"));
        made.report();
    }
    Ok(Verdict::Good)
}

/// Refuses an output within a source: it would be packed itself, half made, under a name of its own.
fn refuse_inside(output: &Path, source: &Path) -> Result<()> {
    if is_output(output) || is_input(source) {
        return Ok(());
    }
    // What a link leads to is what is replaced.
    let place = output.canonicalize();
    let parent = match place.as_deref().unwrap_or(output).parent() {
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
