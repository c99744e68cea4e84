// SPDX-License-Identifier: GPL-2.0-only

//! A tree becomes an initrd: what `create` and `convert` have in common.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{ensure, Context, Result};
use clap::Args;
use indicatif::ProgressBar;
use initoverlayfs_core::initrd::digest::Digest;
use initoverlayfs_image::handover::{self, Found};
use initoverlayfs_image::labels::Labels;
use initoverlayfs_image::mkfs::{self, Format, Maker};
use initoverlayfs_image::temporary;
use initoverlayfs_image::tree::Tree;

use crate::authenticate::seal_and_sign::NewOptions;
use crate::authenticate::signature::Signer;
use crate::describe::examine::init_problem;
use crate::make::handover_program::{self, Replacement};
use crate::make::image_options::ImageOptions;
use crate::make::output_options::OutputOptions;
use crate::make::size_summary::SizeSummary;
use crate::make::uncompressed_files::{Choice, Quick};
use crate::terminal::disk_full;
use crate::terminal::streams::Target;
use crate::terminal::summary::{self, count};

/// An image behind archives starts at a multiple of this, in bytes, so that its blocks lie in pages.
const ALIGNMENT: usize = 4096;

/// The number of NUL bytes in front of an image with which the kernel finds it behind an archive, whatever
/// that is like. All other types begin with that many NUL bytes themselves.
const LEAST_PADDING: usize = 1024;

/// The options of an initrd, and the place where it goes.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    image: ImageOptions,
    #[command(flatten)]
    seal: NewOptions,
    #[command(flatten)]
    pub output: OutputOptions,
}

impl Options {
    /// Tells the user of `--small`, if that is another choice.
    pub fn suggest_small(&self) {
        if self.image.can_be_smaller() {
            eprintln!("  smaller with --small, which takes longer, and is slower to read");
        }
    }
}

/// An initrd that is being made.
pub struct Making<'a> {
    options: &'a Options,
    format: Format,
    quick: Quick,
    maker: Maker,
    labels: Option<Labels>,
    signer: Option<Signer>,
    out: Target,
    progress: ProgressBar,
}

/// The result.
pub struct Made {
    /// Bytes of the initrd.
    pub size: u64,
    /// Names in the tree, the root left out.
    pub names: usize,
    digest: Option<Digest>,
    choice: Choice,
    tools: BTreeMap<Vec<u8>, Found>,
    /// The programs that took the place of tools, unless these were left alone.
    replacement: Option<Replacement>,
    left_out: Vec<Vec<u8>>,
    init_problem: Option<String>,
    /// The number of files that got a label, and of all files, if `--labels` was given.
    labelled: Option<(usize, usize)>,
    lacks_zstd: bool,
    /// Of an EROFS image, unless nothing is to be said.
    sizes: Option<SizeSummary>,
    explain: bool,
}

impl<'a> Making<'a> {
    /// Starts it: whatever may be missing is asked for before any long work.
    pub fn start(options: &'a Options) -> Result<Self> {
        let format = options.image.format()?;
        ensure!(
            !options.output.explain || matches!(format, Format::Erofs(_)),
            "--explain is of no use with this --type: leave it out, or choose --type erofs"
        );
        Ok(Self {
            quick: options.image.quick()?,
            maker: Maker::find(&format)?,
            labels: options.image.labels()?,
            signer: options.seal.signer()?,
            out: options.output.create()?,
            progress: summary::progress(options.output.quiet),
            options,
            format,
        })
    }

    /// Lets nobody read it who could not read `source`.
    pub fn guard_like(&mut self, source: &Path) {
        self.out.guard_like(source);
    }

    /// Shows what is being done.
    pub fn show(&self, what: impl Into<String>) {
        summary::show(&self.progress, &what.into());
    }

    /// Makes it of `early` archives, of a tree behind them, and of a bootconfig at the end; nothing is in its
    /// place before it is whole.
    pub fn finish(mut self, mut tree: Tree, early: &[u8], bootconfig: &[u8]) -> Result<Made> {
        let output = &self.options.output;
        let tools = handover::find(&tree);
        let is_needed = tools.values().any(Found::has_replacement);
        let replacement = if is_needed && !output.no_handover_shim {
            Some(Replacement::make(&mut tree, &tools)?)
        } else {
            None
        };

        let labelled = match &self.labels {
            Some(labels) => {
                self.show("looking up labels");
                let found = labels.set(&mut tree);
                let name = || labels.contexts().display().to_string();
                Some((found.with_context(name)?, tree.first_names().len()))
            }
            None => None,
        };
        let choice = self.quick.choose(&tree, &mut self.format);
        self.show("making the image");
        // Not where the result will be: mkfs.erofs needs room for what the files hold, too.
        let place = temporary::file().context("no temporary file")?;
        let mkfs::Made {
            left_out,
            lacks_zstd,
        } = self.make(&tree, place.path())?;
        let sizes = match self.format {
            Format::Erofs(_) if !output.quiet => Some(SizeSummary::of(place.path())?),
            _ => None,
        };
        let least = match self.format {
            Format::Squashfs(_) if !early.is_empty() => LEAST_PADDING,
            _ => 0,
        };
        put_behind(early, least, place.path(), self.out.file())
            .map_err(|error| disk_full::explain(error, self.out.temporary_path()))?;
        drop(place);
        self.show("sealing the image");
        let seal = &self.options.seal;
        let digest = seal.apply(self.out.temporary_path(), self.signer.as_ref())?;
        append(bootconfig, self.out.temporary_path())?;
        let size = output.finish(self.out)?;
        self.progress.finish_and_clear();
        Ok(Made {
            size,
            names: tree.len() - 1,
            digest,
            choice,
            tools,
            replacement,
            left_out,
            init_problem: init_problem(&tree),
            labelled,
            lacks_zstd,
            sizes,
            explain: output.explain,
        })
    }

    /// Makes the image.
    fn make(&self, tree: &Tree, image: &Path) -> Result<mkfs::Made> {
        self.maker
            .from_tree(tree, image, &self.format, &|read, total| {
                summary::show_bytes(&self.progress, read, total);
            })
            .map_err(|error| disk_full::explain(error, image))
    }
}

impl Made {
    /// Tells the user what they should know of it.
    pub fn report(&self) {
        if let Some(digest) = &self.digest {
            eprintln!("  sealed: {digest:x}");
        }
        if let Some((labelled, files)) = self.labelled {
            eprintln!("  labels for {labelled} of {}", count(files, "file"));
        }
        if self.lacks_zstd {
            eprintln!("  this mkfs.erofs can use lz4hc only, without zstd: the image is larger");
        }
        if let Some(sizes) = &self.sizes {
            sizes.report();
        }
        self.choice.report();
        handover_program::report(&self.tools, self.replacement.as_ref());
        summary::left_out("socket left out", &self.left_out);
        if let Some(problem) = &self.init_problem {
            eprintln!("  {problem}");
        }
        if let Some(sizes) = &self.sizes {
            sizes.report_remedy(self.choice.uncompressed_startup());
            if self.explain {
                sizes.explain();
            }
        }
    }
}

/// Writes the early archives, and the image behind at least so many NUL bytes.
fn put_behind(early: &[u8], least: usize, image: &Path, file: &mut File) -> io::Result<()> {
    file.write_all(early)?;
    let start = (early.len() + least).next_multiple_of(ALIGNMENT);
    file.write_all(&vec![0; start - early.len()])?;
    io::copy(&mut File::open(image)?, file)?;
    Ok(())
}

/// Writes more to the end of a file.
fn append(bytes: &[u8], path: &Path) -> Result<()> {
    if !bytes.is_empty() {
        let file = File::options().append(true).open(path);
        file.and_then(|mut file| file.write_all(bytes))
            .map_err(|error| disk_full::explain(error, path))?;
    }
    Ok(())
}
