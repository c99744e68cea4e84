// SPDX-License-Identifier: GPL-2.0-only

//! PKCS#7 signatures by keys that the kernel trusts.
//!
//! Unsafe, because C reads the data and the signature.
//!
//! C sources: [`certs/system_keyring.c`](srctree/certs/system_keyring.c).

use kernel::prelude::*;

#[cfg(CONFIG_INITOVERLAYFS_SIGNATURES)]
use {
    crate::sys::bindings,
    core::ptr,
    kernel::error::to_result, //
};

/// Verifies the detached signature of `signed` with the built-in and the secondary trusted keys,
/// which are there once the `late` initcalls have run.
///
/// # Errors
///
/// `ENOKEY` if none of these keys made it, `EKEYREJECTED` if it is wrong or its key was revoked,
/// `EBADMSG` if it is malformed, `ENOPKG` if the kernel lacks an algorithm, `ENOMEM`.
#[cfg(CONFIG_INITOVERLAYFS_SIGNATURES)]
pub(crate) fn verify(signed: &[u8], signature: &[u8]) -> Result {
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

/// Is never called: without its option, a policy that wants a signature is malformed.
///
/// # Errors
///
/// `ENOPKG`, always.
#[cfg(not(CONFIG_INITOVERLAYFS_SIGNATURES))]
pub(crate) fn verify(_signed: &[u8], _signature: &[u8]) -> Result {
    Err(ENOPKG)
}
