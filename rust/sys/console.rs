// SPDX-License-Identifier: GPL-2.0-only

//! The console of the first program.
//!
//! Unsafe, because it calls C.

use kernel::{
    error::to_result,
    prelude::*, //
};

use crate::sys::bindings;
use crate::sys::vfs::path::Path;

/// Has the first program start with this device as its console, instead of the one that the kernel
/// opens in the root for it.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn set(console: &Path) -> Result {
    // SAFETY: The path is valid.
    to_result(unsafe { bindings::initoverlayfs_set_console(console.as_raw()) })
}
