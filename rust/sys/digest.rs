// SPDX-License-Identifier: GPL-2.0-only

//! Digests and checksums by the kernel's own library:
//! [`include/crypto/sha2.h`](srctree/include/crypto/sha2.h).
//!
//! Unsafe, because C reads and writes the buffers.

use core::mem::MaybeUninit;

use crate::{
    initrd::digest::{
        Algorithm,
        Digest,
        MAX_DIGEST, //
    },
    sys::bindings, //
};

/// Returns the digest of some pieces that follow each other, as [`initrd::digest::Hash`] wants it.
///
/// Does not sleep.
///
/// [`initrd::digest::Hash`]: crate::initrd::digest::Hash
pub(crate) fn hash(algorithm: Algorithm, pieces: &[&[u8]]) -> Digest {
    let mut bytes = [0; MAX_DIGEST];
    match algorithm {
        Algorithm::Sha256 => sha256_of(pieces, &mut bytes),
        Algorithm::Sha512 => sha512_of(pieces, &mut bytes),
    }
    Digest::from_padded(algorithm, bytes)
}

/// Returns the SHA-256 digest of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; MAX_DIGEST];
    sha256_of(&[bytes], &mut digest);
    let mut short = [0; 32];
    short
        .iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = from);
    short
}

/// Returns the XXH64 checksum of some bytes: `lib/xxhash.c`.
#[cfg(CONFIG_BTRFS_FS = "y")]
pub(crate) fn xxh64(bytes: &[u8]) -> u64 {
    // SAFETY: The slice is valid for its length.
    unsafe { bindings::xxh64(bytes.as_ptr().cast(), bytes.len(), 0) }
}

/// Returns the BLAKE2b digest of 256 bits: `lib/crypto/blake2b.c`.
#[cfg(CONFIG_BTRFS_FS = "y")]
pub(crate) fn blake2b(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    // SAFETY: The slice is valid for its length, and there is room for the digest.
    unsafe {
        bindings::initoverlayfs_blake2b(
            digest.as_mut_ptr(),
            digest.len(),
            bytes.as_ptr(),
            bytes.len(),
        )
    };
    digest
}

/// Never called: a kernel without btrfs looks for none, and nothing else has these.
#[cfg(not(CONFIG_BTRFS_FS = "y"))]
pub(crate) fn xxh64(_bytes: &[u8]) -> u64 {
    0
}

/// Never called, like [`xxh64`].
#[cfg(not(CONFIG_BTRFS_FS = "y"))]
pub(crate) fn blake2b(_bytes: &[u8]) -> [u8; 32] {
    [0; 32]
}

/// Writes the SHA-256 digest to the first 32 bytes of `out`.
fn sha256_of(pieces: &[&[u8]], out: &mut [u8; MAX_DIGEST]) {
    let mut context = MaybeUninit::<bindings::sha256_ctx>::uninit();
    let context = context.as_mut_ptr();
    // SAFETY: The first call initialises the context. Each piece is valid for its length, and `out`
    // has room for the digest.
    unsafe {
        bindings::sha256_init(context);
        for piece in pieces {
            bindings::__sha256_update(&raw mut (*context).ctx, piece.as_ptr(), piece.len());
        }
        bindings::sha256_final(context, out.as_mut_ptr());
    }
}

/// Writes the SHA-512 digest to `out`.
fn sha512_of(pieces: &[&[u8]], out: &mut [u8; MAX_DIGEST]) {
    let mut context = MaybeUninit::<bindings::sha512_ctx>::uninit();
    let context = context.as_mut_ptr();
    // SAFETY: As in `sha256_of`.
    unsafe {
        bindings::sha512_init(context);
        for piece in pieces {
            bindings::__sha512_update(&raw mut (*context).ctx, piece.as_ptr(), piece.len());
        }
        bindings::sha512_final(context, out.as_mut_ptr());
    }
}

/// Computes the kernel's CRC-32C, without any inversion.
pub(crate) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    // SAFETY: The slice is valid for its length.
    unsafe { bindings::crc32c(seed, bytes.as_ptr().cast(), bytes.len()) }
}
