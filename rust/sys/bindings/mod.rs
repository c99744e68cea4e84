// SPDX-License-Identifier: GPL-2.0-only

//! C functions and types that the kernel crate does not bind, and nothing but their declarations.
//!
//! `bindgen` writes them from `bindings_helper.h` during the kernel build. The types that they
//! mention are those of the kernel crate wherever it has them.

#![allow(
    clippy::all,
    clippy::as_underscore,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unknown_lints,
    unnecessary_transmutes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

mod layout;

pub(crate) use kernel::bindings::*;
use kernel::ffi;

include!(env!("INITOVERLAYFS_BINDINGS"));
