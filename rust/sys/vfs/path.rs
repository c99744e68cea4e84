// SPDX-License-Identifier: GPL-2.0-only

//! Places in the tree.
//!
//! Unsafe, because references to mounts and directory entries are counted by hand.
//!
//! C headers: [`include/linux/path.h`](srctree/include/linux/path.h),
//! [`include/linux/namei.h`](srctree/include/linux/namei.h),
//! [`include/linux/fs_struct.h`](srctree/include/linux/fs_struct.h).

use core::mem::MaybeUninit;

use kernel::{
    error::to_result,
    prelude::*, //
};

use super::stat::{
    Attributes,
    Statistics, //
};
use crate::sys::bindings;

/// A place: a mount and a directory entry in it.
///
/// # Invariants
///
/// Owns a reference to both.
pub(crate) struct Path(bindings::path);

// SAFETY: References to a mount and to a directory entry may be used and dropped by any thread.
unsafe impl Send for Path {}

// SAFETY: What is done through a shared reference, any number of threads may do at the same time.
unsafe impl Sync for Path {}

impl Path {
    /// Finds a directory by its name, following symlinks and mounts. The name starts at the root or
    /// at the working directory of the calling thread.
    ///
    /// A filesystem that is mounted on the root directory itself is not reached by any name.
    ///
    /// # Errors
    ///
    /// Errors of `kern_path()`, `ENOENT` and `ENOTDIR` above all.
    pub(crate) fn of(name: &CStr) -> Result<Self> {
        let mut path = MaybeUninit::uninit();
        // SAFETY: The name is NUL-terminated, and there is room for the result.
        to_result(unsafe {
            bindings::kern_path(
                name.as_char_ptr(),
                bindings::LOOKUP_FOLLOW | bindings::LOOKUP_DIRECTORY,
                path.as_mut_ptr(),
            )
        })?;
        // SAFETY: Without an error, `kern_path()` has filled it in.
        // INVARIANT: It has also taken the references.
        Ok(Self(unsafe { path.assume_init() }))
    }

    /// Looks up what has this name below the directory, which is taken for the root meanwhile.
    ///
    /// # Errors
    ///
    /// Errors of `vfs_path_lookup()`.
    pub(crate) fn below(&self, name: &CStr) -> Result<Self> {
        let mut path = MaybeUninit::uninit();
        // SAFETY: The path is valid, the name is NUL-terminated, and there is room for the result.
        to_result(unsafe {
            bindings::vfs_path_lookup(
                self.0.dentry,
                self.0.mnt,
                name.as_char_ptr(),
                0,
                path.as_mut_ptr(),
            )
        })?;
        // SAFETY: Without an error, `vfs_path_lookup()` has filled it in.
        // INVARIANT: It has also taken the references.
        Ok(Self(unsafe { path.assume_init() }))
    }

    /// Takes a path over from C.
    ///
    /// # Safety
    ///
    /// It is valid, and a reference to both is handed over.
    pub(super) unsafe fn from_raw(path: bindings::path) -> Self {
        // INVARIANT: The references are handed over.
        Self(path)
    }

    /// Returns the directory entry, which is valid as long as the path.
    pub(super) fn dentry(&self) -> *mut bindings::dentry {
        self.0.dentry
    }

    /// Returns the raw path, which is valid as long as `self`.
    pub(crate) fn as_raw(&self) -> *const bindings::path {
        &self.0
    }

    /// Makes it the working directory of the calling thread.
    pub(crate) fn enter(&self) {
        // SAFETY: The current task has an `fs_struct`, and the path is valid.
        unsafe { bindings::set_fs_pwd(bindings::current_fs(), &self.0) };
    }

    /// Takes the mount, and all that is mounted below it, out of the namespace. They live on for
    /// those who have them open.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the path is not the root of a mount in our namespace.
    pub(crate) fn detach(self) -> Result {
        let path = core::mem::ManuallyDrop::new(self);
        // SAFETY: The path is valid. `path_umount()` drops its references.
        to_result(unsafe { bindings::path_umount(&path.0, bindings::MNT_DETACH as c_int) })
    }

    /// Returns the attributes of the file.
    ///
    /// # Errors
    ///
    /// Errors of `vfs_getattr()`.
    pub(crate) fn attributes(&self) -> Result<Attributes> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: The path is valid, and there is room for the result.
        to_result(unsafe {
            bindings::vfs_getattr(
                &self.0,
                attributes.as_mut_ptr(),
                bindings::STATX_BASIC_STATS,
                0,
            )
        })?;
        // SAFETY: Without an error, `vfs_getattr()` has filled it in.
        Ok(Attributes(unsafe { attributes.assume_init() }))
    }

    /// Returns the figures of its filesystem.
    ///
    /// # Errors
    ///
    /// Errors of `vfs_statfs()`.
    pub(crate) fn statistics(&self) -> Result<Statistics> {
        let mut statistics = MaybeUninit::uninit();
        // SAFETY: The path is valid, and there is room for the result.
        to_result(unsafe { bindings::vfs_statfs(&self.0, statistics.as_mut_ptr()) })?;
        // SAFETY: Without an error, `vfs_statfs()` has filled it in.
        Ok(Statistics(unsafe { statistics.assume_init() }))
    }
}

impl Clone for Path {
    fn clone(&self) -> Self {
        // SAFETY: The path is valid.
        // INVARIANT: These are the references that the copy owns.
        unsafe { bindings::path_get(&self.0) };
        Self(bindings::path { ..self.0 })
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the references are ours.
        unsafe { bindings::path_put(&self.0) };
    }
}
