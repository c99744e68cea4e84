// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs digest`: what names an image.

use std::path::PathBuf;

use anyhow::{ensure, Context, Result};
use clap::Args;
use initoverlayfs_core::hash;
use initoverlayfs_core::initrd::digest::Digest;
use initoverlayfs_core::initrd::seal::Seal;
use initoverlayfs_core::initrd::Segment;
use initoverlayfs_image::seal as sealing;
use serde::Serialize;

use crate::authenticate::seal_and_sign::TreeOptions;
use crate::authenticate::verify::check_whole;
use crate::terminal::streams::{self, input_name};
use crate::Verdict;

/// Print the fs-verity digests of the images of an initrd.
///
/// They are what `fsverity digest` prints for the bare images, and what initoverlayfs=verify= wants.
#[derive(Args)]
pub struct Arguments {
    /// An initrd with one or more images; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print the boot parameter that admits these images and no others
    #[arg(long)]
    boot_parameter: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "boot_parameter")]
    json: bool,
    #[command(flatten)]
    tree: TreeOptions,
}

/// The fields that `--json` prints of an image.
#[derive(Serialize)]
struct Digested {
    /// Bytes from the start of the initrd.
    offset: usize,
    /// The digest as `fsverity digest` prints it.
    digest: String,
    /// Set if the image is sealed.
    sealed: bool,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let initrd = streams::read_initrd(&arguments.file)?;
    let initrd = initrd.bytes();
    let name = || input_name(&arguments.file);
    let images = sealing::images(initrd).with_context(name)?;
    ensure!(!images.is_empty(), "{}: there is no image in it", name());
    let digests = images.iter().map(|image| {
        let at = image.range.start;
        digest_of(initrd, image, &arguments.tree)
            .with_context(|| format!("the image at offset {at:#x}"))
    });
    let digests = digests.collect::<Result<Vec<_>>>().with_context(name)?;
    if arguments.json {
        let found = images.iter().zip(&digests).map(|(image, digest)| Digested {
            offset: image.range.start,
            digest: format!("{digest:x}"),
            sealed: !image.trailer.is_empty(),
        });
        streams::print_json(&found.collect::<Vec<_>>())?;
        return Ok(Verdict::Good);
    }
    if !arguments.boot_parameter {
        digests.iter().for_each(|digest| println!("{digest:x}"));
        return Ok(Verdict::Good);
    }
    let is_sealed = images.iter().all(|image| !image.trailer.is_empty());
    ensure!(
        is_sealed,
        "{}: not every image in it is sealed: `initoverlayfs seal` does that",
        name()
    );
    let algorithm = digests[0].algorithm();
    ensure!(
        digests.iter().all(|digest| digest.algorithm() == algorithm),
        "{}: its images are sealed with different hash algorithms: `initoverlayfs seal --force`",
        name()
    );
    print!("initoverlayfs=require,verify={}", algorithm.name());
    for digest in &digests {
        let hex = format!("{digest:x}");
        print!("{}", &hex[algorithm.name().len()..]);
    }
    println!();
    Ok(Verdict::Good)
}

/// Returns the digest of an image, which is what its seal says, if it has one.
fn digest_of(initrd: &[u8], image: &Segment, tree: &TreeOptions) -> Result<Digest> {
    let bytes = &initrd[image.range.clone()];
    let trailer = &initrd[image.trailer.clone()];
    if trailer.is_empty() {
        return Ok(tree.build(bytes)?.digest());
    }
    ensure!(
        !tree.is_given(),
        "it is sealed already: --hash-alg and --salt are of no use"
    );
    let seal = Seal::parse(trailer, bytes.len())?;
    check_whole(bytes, &seal)?;
    Ok(seal.digest(hash))
}
