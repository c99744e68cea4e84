// SPDX-License-Identifier: GPL-2.0-only

//! Files that the kernel's unpacker leaves open.
//!
//! Unsafe, because it calls C.
//!
//! The unpacker does not close a file in which it fails. A series for the kernel mends that, and comes
//! without this.

use crate::sys::bindings;
use crate::sys::vfs::path::Path;

/// Gives back what the files of a tmpfs hold, also of those that somebody has open.
pub(crate) fn empty(tmpfs: &Path) {
    // SAFETY: The path is valid.
    unsafe { bindings::initoverlayfs_truncate_all(tmpfs.as_raw()) };
}
