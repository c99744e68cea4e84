// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs verify`: checks images against their seals and signatures.

use std::path::PathBuf;

use anyhow::{anyhow, bail, ensure, Context, Result};
use clap::Args;
use initoverlayfs_core::hash;
use initoverlayfs_core::initrd::digest::{self, Digest};
use initoverlayfs_core::initrd::seal::Seal;
use initoverlayfs_core::initrd::Segment;
use initoverlayfs_image::seal as sealing;

use crate::authenticate::signature;
use crate::terminal::streams::{self, input_name};
use crate::terminal::summary::count;
use crate::Verdict;

/// Verify all of the images of an initrd: their trees, and their digests or signatures.
#[derive(Args)]
pub struct Arguments {
    /// An initrd with one or more images; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Digests that the images have to have, in their order
    #[arg(long, value_name = "DIGEST", value_delimiter = ',', value_parser = parse_digest)]
    digest: Vec<Digest>,
    /// Certificate whose key has to have signed each image
    #[arg(long, value_name = "CERTIFICATE")]
    cert: Option<PathBuf>,
}

fn parse_digest(text: &str) -> Result<Digest, String> {
    let find = |algorithm: &digest::Algorithm| {
        let hex = text.strip_prefix(algorithm.name())?.strip_prefix(':')?;
        Digest::from_hex(*algorithm, hex.as_bytes())
    };
    let found = digest::Algorithm::ALL.iter().find_map(find);
    found.ok_or_else(|| "sha256: or sha512: and the hexadecimal digits are wanted".into())
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let initrd = streams::read_initrd(&arguments.file)?;
    let initrd = initrd.bytes();
    let name = || input_name(&arguments.file);
    let images = sealing::images(initrd).with_context(name)?;
    let certificate = arguments
        .cert
        .as_deref()
        .map(signature::read_certificate)
        .transpose()?;
    let mut problems = Vec::new();
    if images.is_empty() {
        problems.push("there is no image in it".to_owned());
    }
    if !arguments.digest.is_empty() && arguments.digest.len() != images.len() {
        problems.push(format!(
            "{}, but {}",
            count(images.len(), "image"),
            count(arguments.digest.len(), "digest")
        ));
    }
    for (number, image) in images.iter().enumerate() {
        let wanted = arguments.digest.get(number);
        match verify_image(initrd, image, wanted, certificate.as_ref()) {
            Ok(digest) => println!("image at offset {:#x}: {digest:x}", image.range.start),
            Err(problem) => problems.push(format!(
                "image at offset {:#x}: {problem:#}",
                image.range.start
            )),
        }
    }
    for problem in &problems {
        eprintln!("initoverlayfs: {}: {problem}", name());
    }
    if let Some(problem) = certificate
        .as_ref()
        .map(signature::validity)
        .transpose()?
        .flatten()
    {
        eprintln!("initoverlayfs: {problem} (the kernel ignores the dates of a certificate)");
    }
    if problems.is_empty() && arguments.digest.is_empty() && certificate.is_none() {
        eprintln!(
            "initoverlayfs: {}: undamaged; give --digest or --cert to check that it is authentic",
            name()
        );
    }
    Ok(if problems.is_empty() {
        Verdict::Good
    } else {
        Verdict::Bad
    })
}

fn verify_image(
    initrd: &[u8],
    image: &Segment,
    wanted: Option<&Digest>,
    certificate: Option<&openssl::x509::X509>,
) -> Result<Digest> {
    let bytes = &initrd[image.range.clone()];
    ensure!(!image.trailer.is_empty(), "it is not sealed");
    let seal = Seal::parse(&initrd[image.trailer.clone()], bytes.len());
    let seal = seal.map_err(|error| anyhow!("its trailer {error}"))?;
    let found = seal.digest(hash);
    if let Some(wanted) = wanted.filter(|wanted| **wanted != found) {
        bail!("its digest is {found:x}, not {wanted:x}");
    }
    if let Some(certificate) = certificate {
        ensure!(!seal.signature.is_empty(), "it is not signed");
        ensure!(
            signature::is_signed_by(&found, seal.signature, certificate)?,
            "it is not signed with the key of this certificate"
        );
    }
    check_whole(bytes, &seal)?;
    Ok(found)
}

/// Returns an error if the image is not the one that the seal was made of.
pub fn check_whole(image: &[u8], seal: &Seal<'_>) -> Result<()> {
    sealing::check(image, seal).map_err(|mismatch| {
        let place = match mismatch.level {
            None => "the image",
            Some(_) => "the tree",
        };
        let offset = mismatch.offset;
        anyhow!("the block at offset {offset:#x} of {place} was changed")
    })
}
