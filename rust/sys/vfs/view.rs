// SPDX-License-Identifier: GPL-2.0-only

//! Another root for the calling thread.
//!
//! Unsafe, because the thread's `fs_struct` is replaced.
//!
//! C header: [`include/linux/fs_struct.h`](srctree/include/linux/fs_struct.h).

use core::ptr::NonNull;

use kernel::prelude::*;

use super::path::Path;
use crate::sys::bindings;

/// A guard: while one lives, the calling thread has another root and works there. Neither an
/// absolute symlink nor `..` leads out of it. No other thread notices, because the thread gets an
/// `fs` of its own. The caller must not fork.
///
/// # Invariants
///
/// The thread's `fs` is one that [`View::of`] made; this is the one before.
pub(crate) struct View(NonNull<bindings::fs_struct>);

impl View {
    /// Makes `tree` the root directory and the working directory. It need not be mounted anywhere.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn of(tree: &Path) -> Result<Self> {
        // SAFETY: The path is valid.
        let before = unsafe { bindings::override_fs_root(tree.as_raw()) };
        // INVARIANT: The thread's `fs` was replaced, unless there was no memory.
        NonNull::new(before).map(Self).ok_or(ENOMEM)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the thread's `fs` is ours to drop, and this is the one
        // before.
        unsafe { bindings::revert_fs_root(self.0.as_ptr()) };
    }
}
