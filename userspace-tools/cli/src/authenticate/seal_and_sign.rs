// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs seal` and `sign`: what makes an image authentic.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context, Result};
use clap::{Args, ValueEnum};
use initoverlayfs_core::hash;
use initoverlayfs_core::initrd::digest::{self, Digest};
use initoverlayfs_core::initrd::merkle::MAX_SALT;
use initoverlayfs_core::initrd::seal::Seal;
use initoverlayfs_core::initrd::Segment;
use initoverlayfs_image::seal::{self as sealing, Built};

use crate::authenticate::signature::{self, Signer};
use crate::authenticate::verify::check_whole;
use crate::terminal::disk_full;
use crate::terminal::files::{self, read};
use crate::Verdict;

/// fs-verity's hash algorithms.
#[derive(Clone, Copy, ValueEnum)]
enum Algorithm {
    Sha256,
    Sha512,
}

impl From<Algorithm> for digest::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256,
            Algorithm::Sha512 => Self::Sha512,
        }
    }
}

/// The options for making the tree.
#[derive(Args)]
pub struct TreeOptions {
    /// Hash algorithm of the tree [default: sha256]
    #[arg(long, value_enum, value_name = "ALGORITHM")]
    hash_alg: Option<Algorithm>,
    /// Salt of the tree, in hexadecimal digits: up to 32 bytes
    #[arg(long, value_name = "HEX", value_parser = salt)]
    salt: Option<Salt>,
}

#[derive(Clone)]
struct Salt(Vec<u8>);

fn salt(text: &str) -> Result<Salt, String> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0 && digits.len() <= 2 * MAX_SALT);
    let digits = digits.ok_or("up to 64 hexadecimal digits are wanted, two for a byte")?;
    let bytes = digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]));
    let bytes = bytes.collect::<Result<_, _>>();
    bytes.map(Salt).map_err(|error| error.to_string())
}

/// With what a signature is made.
#[derive(Args)]
pub struct KeyOptions {
    /// Private key: a file in PEM, or a PKCS#11 URI
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Certificate of the key, which the kernel has to trust: a file in PEM or DER
    #[arg(long, value_name = "CERTIFICATE")]
    cert: Option<PathBuf>,
}

impl KeyOptions {
    fn is_given(&self) -> bool {
        self.key.is_some() || self.cert.is_some()
    }

    fn signer(&self) -> Result<Signer> {
        let (Some(key), Some(certificate)) = (&self.key, &self.cert) else {
            bail!("signing needs --key and --cert");
        };
        let signer = Signer::new(key, certificate)?;
        if let Some(problem) = signer.validity()? {
            eprintln!(
                "initoverlayfs: {}: {problem} (the kernel does not look)",
                certificate.display()
            );
        }
        Ok(signer)
    }
}

/// Set if `create` and `convert` seal what they have made.
#[derive(Args)]
#[command(next_help_heading = "Authentication")]
pub struct NewOptions {
    /// Seal the image: the kernel can check what it reads of it
    #[arg(long)]
    seal: bool,
    /// Seal and sign the image, with --key and --cert
    #[arg(long, requires = "key", requires = "cert")]
    sign: bool,
    #[command(flatten)]
    tree: TreeOptions,
    #[command(flatten)]
    key: KeyOptions,
}

impl NewOptions {
    /// Returns what to sign with, if that is wanted. Asked before any long work.
    pub fn signer(&self) -> Result<Option<Signer>> {
        ensure!(
            self.sign || !self.key.is_given(),
            "--key and --cert are of no use without --sign"
        );
        ensure!(
            self.seal || self.sign || !self.tree.is_given(),
            "--hash-alg and --salt are of no use without --seal or --sign"
        );
        self.sign.then(|| self.key.signer()).transpose()
    }

    /// Seals the initrd in this file, if that is wanted; returns the digest.
    pub fn apply(&self, path: &Path, signer: Option<&Signer>) -> Result<Option<Digest>> {
        if !self.seal && !self.sign {
            return Ok(None);
        }
        let initrd = read(path)?;
        let images = sealing::images(&initrd)?;
        let image = images.first().context("there is no image")?;
        let built = self.tree.build(&initrd[image.range.clone()])?;
        let signature = signer
            .map(|signer| signer.sign(&built.digest()))
            .transpose()?;
        let trailer = built.trailer(&signature.unwrap_or_default())?;
        fs::write(path, sealing::with_trailers(&initrd, &images, &[trailer]))
            .map_err(|error| disk_full::explain(error, path))?;
        Ok(Some(built.digest()))
    }
}

impl TreeOptions {
    /// Returns the tree of an image.
    pub fn build(&self, image: &[u8]) -> Result<Built> {
        let algorithm = self.hash_alg.unwrap_or(Algorithm::Sha256);
        let salt = self.salt.as_ref().map_or(&[][..], |salt| &salt.0);
        Ok(Built::of(image, algorithm.into(), salt)?)
    }

    /// Returns whether anything is said of it.
    pub fn is_given(&self) -> bool {
        self.hash_alg.is_some() || self.salt.is_some()
    }
}

/// A change of a file.
#[derive(Args)]
struct Change {
    /// An initrd with one or more images
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file to make; without it FILE itself is replaced, as a whole or not at all
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Replace OUT if it is there, or what FILE is sealed or signed with already
    #[arg(long)]
    force: bool,
}

impl Change {
    fn images(&self, initrd: &[u8]) -> Result<Vec<Segment>> {
        ensure!(
            !initrd.starts_with(b"MZ"),
            "{}: it is a PE file: a unified kernel image gets its initrd when that is sealed and signed",
            self.file.display()
        );
        let images = sealing::images(initrd);
        let images = images.with_context(|| self.file.display().to_string())?;
        ensure!(
            !images.is_empty(),
            "{}: there is no image in it: `initoverlayfs convert` makes one",
            self.file.display()
        );
        Ok(images)
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        let path = self.output.as_ref().unwrap_or(&self.file);
        let may_replace = self.force || self.output.is_none();
        let name = || path.display().to_string();
        let mut out = files::create(path, may_replace)?;
        out.guard_like(&self.file);
        out.file().write_all(bytes).with_context(name)?;
        out.finish().with_context(name)?;
        Ok(())
    }
}

/// Seal the images of an initrd, so that the kernel can check what it reads of them.
///
/// Adds fs-verity's Merkle tree and descriptor behind each image. Prints the digests.
#[derive(Args)]
pub struct SealArguments {
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    tree: TreeOptions,
}

pub fn seal(arguments: &SealArguments) -> Result<Verdict> {
    let change = &arguments.change;
    let initrd = read(&change.file)?;
    let images = change.images(&initrd)?;
    if let Some(image) = images
        .iter()
        .find(|image| !image.trailer.is_empty() && !change.force)
    {
        bail!(
            "{}: the image at offset {:#x} is sealed already: --force seals it anew, without its signature",
            change.file.display(),
            image.range.start
        );
    }
    let built = images
        .iter()
        .map(|image| arguments.tree.build(&initrd[image.range.clone()]));
    let built = built.collect::<Result<Vec<_>>>()?;
    let trailers = built.iter().map(|built| built.trailer(&[]));
    let trailers = trailers.collect::<Result<Vec<_>, _>>()?;
    change.write(&sealing::with_trailers(&initrd, &images, &trailers))?;
    for built in &built {
        println!("{:x}", built.digest());
    }
    Ok(Verdict::Good)
}

/// Sign the images of an initrd, and seal them first where they are not sealed.
///
/// The signature is PKCS#7 over the fs-verity digest, as `fsverity sign` makes it; the kernel verifies it
/// with the keys that it trusts, if it is booted with initoverlayfs=verify=signature.
#[derive(Args)]
pub struct SignArguments {
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    key: KeyOptions,
    /// Add this signature, made elsewhere, instead of making one: PKCS#7 in DER
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "cert"])]
    signature: Option<PathBuf>,
}

pub fn sign(arguments: &SignArguments) -> Result<Verdict> {
    let SignArguments {
        change,
        key,
        signature,
    } = arguments;
    let initrd = read(&change.file)?;
    let images = change.images(&initrd)?;
    let made = match signature {
        None => Err(key.signer()?),
        Some(_) if images.len() > 1 => {
            bail!(
                "{}: it has {} images: one signature cannot be for all",
                change.file.display(),
                images.len()
            )
        }
        Some(file) => Ok(signature::read_signature(file)?),
    };
    let trailers = images.iter().map(|image| {
        let bytes = &initrd[image.range.clone()];
        let trailer = match &initrd[image.trailer.clone()] {
            [] => Built::of(bytes, digest::Algorithm::Sha256, &[])?.trailer(&[])?,
            trailer => trailer.to_vec(),
        };
        let seal = Seal::parse(&trailer, bytes.len())?;
        if !image.trailer.is_empty() {
            // A signature is for what the seal says, whatever it was put behind.
            check_whole(bytes, &seal).with_context(|| {
                let at = image.range.start;
                format!("the image at offset {at:#x} is not the one that was sealed: `initoverlayfs seal --force`")
            })?;
        }
        ensure!(
            seal.signature.is_empty() || change.force,
            "the image at offset {:#x} is signed already: --force replaces the signature",
            image.range.start
        );
        let signature = match &made {
            Ok(signature) => signature.clone(),
            Err(signer) => signer.sign(&seal.digest(hash))?,
        };
        Ok(sealing::with_signature(&trailer, &signature, bytes.len())?)
    });
    let trailers = trailers.collect::<Result<Vec<_>>>();
    let trailers = trailers.with_context(|| change.file.display().to_string())?;
    change.write(&sealing::with_trailers(&initrd, &images, &trailers))?;
    Ok(Verdict::Good)
}
