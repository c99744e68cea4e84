// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs convert`: an initramfs becomes an initrd that is mounted in place.

use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use clap::Args;
use initoverlayfs_core::initrd::filesystem::Filesystem;
use initoverlayfs_core::initrd::Kind as SegmentKind;
use initoverlayfs_image::bootconfig;
use initoverlayfs_image::early::{self, Early};
use initoverlayfs_image::initrd::{self, InitrdError};
use initoverlayfs_image::tree::{Kind, Tree};

use crate::make::from_tree::{Making, Options};
use crate::terminal::streams::{self, input_name, is_input};
use crate::terminal::summary;
use crate::terminal::summary::count;
use crate::Verdict;

/// The size, in percent of the original's, from which on an image is large.
const LARGE: u64 = 120;

/// Convert an initramfs of any compression, microcode in front included.
///
/// Owners, modes, devices, links and times are kept, without root.
#[derive(Args)]
pub struct Arguments {
    /// Initramfs that dracut, initramfs-tools, mkinitcpio or mkosi made; `-` for standard input
    #[arg(value_name = "INITRAMFS")]
    source: PathBuf,
    #[command(flatten)]
    making: Options,
}

/// The parts of an initramfs.
struct Parts {
    /// Bytes at the start that only the early boot reads.
    early: usize,
    /// Files that the early boot reads, from archives behind these.
    split: Option<Early>,
    /// Why the kernel's unpacker would not read to the end.
    rest: Option<InitrdError>,
    /// The tree that the other archives make.
    tree: Tree,
    /// Names that the kernel would pass over.
    passed_over: Vec<Vec<u8>>,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let mut making = Making::start(&arguments.making)?;
    making.guard_like(&arguments.source);
    making.show("reading the initramfs");
    let source = streams::read_initrd(&arguments.source)?;
    let bytes = source.bytes();
    let name = || input_name(&arguments.source);
    let bootconfig = bootconfig::find(bytes).unwrap_or(bytes.len()..bytes.len());
    let parts = take_apart(&bytes[..bootconfig.start], &arguments.source).with_context(name)?;
    let mut early = bytes[..parts.early].to_vec();
    if let Some(split) = &parts.split {
        early.resize(early.len().next_multiple_of(512), 0);
        early.extend(&split.archive);
    }
    let bootconfig = &bytes[bootconfig];
    let made = making.finish(parts.tree, &early, bootconfig)?;

    let output = &arguments.making.output;
    if !output.quiet {
        let sizes = summary::sizes(u64::try_from(bytes.len())?, made.size);
        eprintln!("{}: {}, {sizes}", output.name(), count(made.names, "name"));
        if !early.is_empty() {
            eprintln!("  early archives kept in front: {} bytes", early.len());
        }
        if let Some(split) = &parts.split {
            summary::left_out("taken out for the early boot", &split.names);
        }
        if !bootconfig.is_empty() {
            eprintln!("  bootconfig kept at the end: {} bytes", bootconfig.len());
        }
        if let Some(rest) = &parts.rest {
            eprintln!("  left out, as the kernel would, with all that follows: {rest}");
        }
        summary::left_out("passed over, as the kernel would", &parts.passed_over);
        made.report();
        if made.size.saturating_mul(100) >= u64::try_from(bytes.len())?.saturating_mul(LARGE) {
            arguments.making.suggest_small();
        }
    }
    Ok(Verdict::Good)
}

/// Tells the early archives from those that make the tree, and merges these.
fn take_apart(bytes: &[u8], source: &Path) -> Result<Parts> {
    for segment in initrd::segments(bytes)? {
        if let SegmentKind::Image(filesystem, _) = segment.kind {
            bail!(
                "{}",
                converted_already(segment.range.start, filesystem, source)
            );
        }
    }
    let (archives, rest) = match initrd::read_stock(bytes) {
        Err(InitrdError::Junk(at)) => bail!(
            "offset {at:#x}: no archive in a format that the kernel reads: `cpio -H newc` makes one"
        ),
        read => read?,
    };
    let early = archives
        .iter()
        .take_while(|archive| archive.is_early())
        .count();
    let (early, main) = archives.split_at(early);
    if main.is_empty() {
        bail!("it holds no archive but early ones: nothing to convert");
    }
    let (mut tree, passed_over) = initrd::merge(main)?;
    let split = early::split(main);
    for name in split.iter().flat_map(|split| &split.names) {
        // The early archive brings it. What other names lead to stays.
        let is_file = matches!(
            tree.get(name).map(|inode| &inode.kind),
            Some(Kind::Regular(_))
        );
        if is_file {
            tree.remove(name);
        }
    }
    let early = early.last().map_or(0, |archive| archive.range.end);
    Ok(Parts {
        early,
        split,
        rest,
        tree,
        passed_over,
    })
}

/// The place where the hooks keep originals, in a directory for each kernel.
const KEPT: &str = "/var/lib/initoverlayfs";

/// Returns the original of an image, if the hooks have kept it: by this version of theirs, or by earlier ones
/// beside the image.
fn original(image: &Path) -> Option<PathBuf> {
    let mut beside = image.as_os_str().to_owned();
    beside.push(".cpio");
    let beside = PathBuf::from(beside);
    let name = beside.file_name()?.to_owned();
    let kernels = std::fs::read_dir(KEPT).into_iter().flatten().flatten();
    let kept = kernels.map(|kernel| kernel.path().join(&name));
    kept.chain([beside]).find(|path| path.is_file())
}

/// Returns what is said of a source that holds an image at an offset, with its original.
fn converted_already(at: usize, filesystem: Filesystem, source: &Path) -> String {
    let original = if is_input(source) {
        None
    } else {
        original(source)
    };
    let remedy = match original {
        Some(original) => format!("its original is {}", original.display()),
        None if is_input(source) => "convert what it was made from".to_owned(),
        None => format!("convert what it was made from; the hooks keep that in {KEPT}"),
    };
    let name = filesystem.name();
    format!("it is converted already, with an image of {name} at offset {at:#x}, and stays as it is: {remedy}")
}
