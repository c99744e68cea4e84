// SPDX-License-Identifier: GPL-2.0-only

//! The declarations of C functions and types, and nothing but these.

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

#[cfg(out_of_tree)]
// For the generated code.
use kernel::ffi;

#[cfg(out_of_tree)]
// What the kernel crate does not bind. `bindgen` writes it from `bindings_helper.h` and
// `out-of-tree.h` during the build. The types that it mentions are those of the kernel crate
// wherever it has them.
include!(env!("INITOVERLAYFS_BINDINGS"));
