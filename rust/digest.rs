// SPDX-License-Identifier: GPL-2.0-only

//! Digests by the kernel's own library: `include/crypto/sha2.h`.

use core::mem::MaybeUninit;

use crate::{
    bindings,
    initrd::seal::{
        Algorithm,
        Digest,
        MAX_DIGEST, //
    },
};

/// The digest of some pieces that follow each other, as [`initrd::seal::Hash`] wants it.
///
/// Does not sleep.
///
/// [`initrd::seal::Hash`]: crate::initrd::seal::Hash
pub(crate) fn hash(algorithm: Algorithm, pieces: &[&[u8]]) -> Digest {
    let mut bytes = [0; MAX_DIGEST];
    match algorithm {
        Algorithm::Sha256 => sha256(pieces, &mut bytes),
        Algorithm::Sha512 => sha512(pieces, &mut bytes),
    }
    Digest::from_padded(algorithm, bytes)
}

/// Writes the SHA-256 digest to the first 32 bytes of `out`.
fn sha256(pieces: &[&[u8]], out: &mut [u8; MAX_DIGEST]) {
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
fn sha512(pieces: &[&[u8]], out: &mut [u8; MAX_DIGEST]) {
    let mut context = MaybeUninit::<bindings::sha512_ctx>::uninit();
    let context = context.as_mut_ptr();
    // SAFETY: As in `sha256`.
    unsafe {
        bindings::sha512_init(context);
        for piece in pieces {
            bindings::__sha512_update(&raw mut (*context).ctx, piece.as_ptr(), piece.len());
        }
        bindings::sha512_final(context, out.as_mut_ptr());
    }
}
