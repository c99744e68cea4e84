// SPDX-License-Identifier: GPL-2.0-only

//! Deciding whether an image is authentic enough to be mounted.
//!
//! The fs-verity digest of an image is compared with the command line, or its signature is
//! verified. Only the trailer's header is read for that. [`Guard`] checks each block against the
//! tree when the block is first read.
//!
//! Reading the trailer belongs to initrd, and checking blocks to memory. May use: initrd, memory,
//! parameter, sys, words.

use kernel::{
    fmt,
    prelude::*, //
};

use crate::{
    initrd::{
        digest::Digest,
        seal::{
            Seal,
            SealError,
            HEADER_BLOCK, //
        },
        Segment, //
    },
    memory::guard::Guard,
    parameter::options::{
        Policy,
        UnsignedCpio, //
    },
    sys::digest,
    words::Count, //
};

/// A reason for not mounting an image.
pub(crate) enum Refusal {
    /// The policy could not be understood.
    Malformed,
    /// The policy has another number of digests than there are images.
    Count {
        /// The number of images.
        images: usize,
        /// The number of digests.
        digests: usize,
    },
    /// A missing trailer.
    Unsealed,
    /// The trailer makes no sense.
    Trailer(SealError),
    /// Another digest than the command line states: this one.
    Digest(Digest),
    /// The trailer has no signature.
    Unsigned,
    /// The signature is not good; what the kernel's PKCS#7 verification says.
    Signature(Error),
    /// There is no memory to remember what was checked.
    Memory(Error),
}

/// Leaves out archives, unless they are allowed.
pub(crate) fn retain_segments(policy: &Policy<'_>, segments: &mut KVec<Segment>) {
    if !policy.is_set() || policy.unsigned_cpio == UnsignedCpio::Allow {
        return;
    }
    let before = segments.len();
    segments.retain(|segment| segment.kind.is_image());
    let left_out = before.saturating_sub(segments.len());
    if left_out > 0 {
        let left_out = Count(left_out, "cpio archive");
        pr_warn!("{left_out} left out: nothing authenticates archives\n");
    }
}

/// Checks what concerns the images together.
///
/// # Errors
///
/// [`Refusal::Malformed`] and [`Refusal::Count`].
pub(crate) fn check_count(policy: &Policy<'_>, images: usize) -> Result<(), Refusal> {
    if policy.is_malformed {
        return Err(Refusal::Malformed);
    }
    let digests = policy.digests.map_or(images, |list| list.iter().count());
    if digests != images {
        return Err(Refusal::Count { images, digests });
    }
    Ok(())
}

/// Checks an image. Returns the guard that checks its blocks, or [`None`] without a policy.
///
/// `memory` holds the image (`len` bytes), padding, and the trailer (the last `trailer_len` bytes).
/// The image has the number `number` and becomes layer `layer`, both counted from 0.
///
/// # Errors
///
/// All refusals except those of [`check_count`].
pub(crate) fn admit(
    policy: &Policy<'_>,
    memory: &[u8],
    len: usize,
    trailer_len: usize,
    number: usize,
    layer: usize,
) -> Result<Option<Guard>, Refusal> {
    if !policy.is_set() {
        return Ok(None);
    }
    let trailer_at = memory
        .len()
        .checked_sub(trailer_len)
        .filter(|_| trailer_len > 0)
        .ok_or(Refusal::Unsealed)?;
    let trailer = memory.get(trailer_at..).ok_or(Refusal::Unsealed)?;
    let seal = Seal::parse(trailer, len).map_err(Refusal::Trailer)?;
    judge(policy, &seal, number)?;

    let tree_at = trailer_at.saturating_add(HEADER_BLOCK);
    let tree = tree_at..tree_at.saturating_add(seal.tree.len());
    Guard::new(layer, seal.shape, tree)
        .map(Some)
        .map_err(Refusal::Memory)
}

/// Returns whether the policy is content with this.
fn judge(policy: &Policy<'_>, seal: &Seal<'_>, number: usize) -> Result<(), Refusal> {
    let found = seal.digest(digest::hash);
    if let Some(digests) = policy.digests {
        let expected = digests.iter().nth(number).ok_or(Refusal::Malformed)?;
        if expected != found {
            return Err(Refusal::Digest(found));
        }
    }
    if policy.signature {
        if seal.signature.is_empty() {
            return Err(Refusal::Unsigned);
        }
        verify(&found, seal.signature).map_err(Refusal::Signature)?;
    }
    Ok(())
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => {
                f.write_str("verify= or unsigned-cpio= on the command line is malformed")
            }
            Self::Count { images, digests } => {
                let (images, digests) = (Count(*images, "image"), Count(*digests, "digest"));
                f.write_fmt(fmt!("{images}, but {digests}"))
            }
            Self::Unsealed => f.write_str("it is not sealed"),
            Self::Trailer(error) => write!(f, "its trailer {error}"),
            Self::Digest(found) => {
                write!(f, "its digest is {found:x}, which is not the one asked for")
            }
            Self::Unsigned => f.write_str("it is not signed"),
            Self::Signature(error) if *error == ENOKEY => {
                f.write_str("it is signed with no key that the kernel trusts")
            }
            Self::Signature(error) if *error == EKEYREJECTED => {
                f.write_str("its signature is wrong")
            }
            Self::Signature(error) if *error == EBADMSG => {
                f.write_str("its signature is malformed")
            }
            Self::Signature(error) => {
                write!(
                    f,
                    "its signature cannot be verified: error {}",
                    error.to_errno()
                )
            }
            Self::Memory(error) => write!(f, "error {}", error.to_errno()),
        }
    }
}

/// Verifies the signature of an fs-verity digest.
///
/// # Errors
///
/// Errors of [`signature::verify`](crate::sys::signature::verify).
fn verify(digest: &Digest, signature: &[u8]) -> Result {
    let signed = crate::initrd::seal::Formatted::new(digest);
    crate::sys::signature::verify(signed.bytes(), signature)
}
