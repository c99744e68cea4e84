// SPDX-License-Identifier: GPL-2.0-only

//! Keys in tokens, named by a PKCS#11 URI (RFC 7512): OpenSSL's `pkcs11` provider finds them.
//!
//! The `openssl` crate does not bind `OSSL_STORE`, with which providers hand out keys:
//! <https://docs.openssl.org/3.0/man3/OSSL_STORE_open/>. This is the command's only unsafe code.

#![allow(
    unsafe_code,
    reason = "functions of OpenSSL that its crate does not bind"
)]

use std::ffi::{c_char, c_int, c_void, CString};
use std::ptr;

use anyhow::{bail, Context, Result};
use foreign_types::ForeignType;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::provider::Provider;

type PostProcess = extern "C" fn(*mut c_void, *mut c_void) -> *mut c_void;

extern "C" {
    fn OSSL_STORE_open(
        uri: *const c_char,
        ui_method: *const c_void,
        ui_data: *mut c_void,
        post_process: Option<PostProcess>,
        post_process_data: *mut c_void,
    ) -> *mut c_void;
    fn OSSL_STORE_load(store: *mut c_void) -> *mut c_void;
    fn OSSL_STORE_eof(store: *mut c_void) -> c_int;
    fn OSSL_STORE_close(store: *mut c_void) -> c_int;
    fn OSSL_STORE_INFO_get1_PKEY(info: *const c_void) -> *mut openssl_sys::EVP_PKEY;
    fn OSSL_STORE_INFO_free(info: *mut c_void);
}

/// Finds a private key. `PKCS11_PROVIDER_MODULE` or OpenSSL's configuration names the token's library; the
/// PIN is that of the URI (`pin-value`, `pin-source`).
pub fn private_key(uri: &str) -> Result<PKey<Private>> {
    let remedy = "OpenSSL's pkcs11 provider is missing: install pkcs11-provider";
    // Kept until the process ends: the key needs them.
    std::mem::forget(Provider::load(None, "default")?);
    std::mem::forget(Provider::load(None, "pkcs11").context(remedy)?);
    let uri = CString::new(uri)?;
    // SAFETY: The URI is a string, and nothing else is given.
    let store = unsafe {
        OSSL_STORE_open(
            uri.as_ptr(),
            ptr::null(),
            ptr::null_mut(),
            None,
            ptr::null_mut(),
        )
    };
    if store.is_null() {
        return Err(ErrorStack::get()).context("OpenSSL cannot open it");
    }
    let mut key: *mut openssl_sys::EVP_PKEY = ptr::null_mut();
    // SAFETY: The store is open, and what it yields is freed once.
    unsafe {
        while key.is_null() && OSSL_STORE_eof(store) == 0 {
            let info = OSSL_STORE_load(store);
            if info.is_null() {
                break;
            }
            key = OSSL_STORE_INFO_get1_PKEY(info);
            OSSL_STORE_INFO_free(info);
        }
        OSSL_STORE_close(store);
    }
    if key.is_null() {
        bail!("no private key is there: is it the URI of one (type=private), with its PIN?");
    }
    // SAFETY: The reference is ours.
    Ok(unsafe { PKey::from_ptr(key) })
}
