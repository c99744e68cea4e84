// SPDX-License-Identifier: GPL-2.0-only

//! PKCS#7 signatures by keys that the kernel trusts: `certs/system_keyring.c`.

use kernel::prelude::*;

#[cfg(CONFIG_INITOVERLAYFS_SIGNATURES)]
use {
    crate::bindings,
    core::ptr,
    kernel::error::to_result, //
};

use crate::initrd::seal::{
    Digest,
    Formatted, //
};

/// Verifies the signature of an fs-verity digest with the built-in and the secondary trusted keys,
/// which are there once the `late` initcalls have run.
///
/// # Errors
///
/// `ENOKEY` if none of these keys made it, `EKEYREJECTED` if it is wrong or its key was revoked,
/// `EBADMSG` if it is malformed, `ENOPKG` if the kernel lacks an algorithm, or all of this,
/// `ENOMEM`.
pub(super) fn verify(digest: &Digest, signature: &[u8]) -> Result {
    verify_pkcs7(Formatted::new(digest).bytes(), signature)
}

#[cfg(CONFIG_INITOVERLAYFS_SIGNATURES)]
fn verify_pkcs7(signed: &[u8], signature: &[u8]) -> Result {
    // SAFETY: Both slices are valid for their lengths. The keyring is the constant that stands for
    // the secondary one, and a view of the content is not asked for.
    to_result(unsafe {
        bindings::verify_pkcs7_signature(
            signed.as_ptr().cast(),
            signed.len(),
            signature.as_ptr().cast(),
            signature.len(),
            ptr::without_provenance_mut(bindings::INITOVERLAYFS_SECONDARY_KEYRING),
            bindings::key_being_used_for_VERIFYING_UNSPECIFIED_SIGNATURE,
            None,
            ptr::null_mut(),
        )
    })
}

/// Never called: without its option, a policy that wants a signature is malformed.
#[cfg(not(CONFIG_INITOVERLAYFS_SIGNATURES))]
fn verify_pkcs7(_signed: &[u8], _signature: &[u8]) -> Result {
    Err(ENOPKG)
}
