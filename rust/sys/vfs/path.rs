// SPDX-License-Identifier: GPL-2.0-only

//! Places in the tree, and where PID 1 stands.
//!
//! Unsafe, because references to mounts and directory entries are counted by hand.

use core::{
    mem::MaybeUninit,
    ptr::NonNull, //
};

use kernel::{
    error::to_result,
    prelude::*, //
};

use crate::sys::bindings;

/// The number of a device, as the kernel has it.
#[cfg(CONFIG_DEBUG_FS)]
#[derive(Clone, Copy)]
pub(crate) struct Device(pub(crate) bindings::dev_t);

#[cfg(CONFIG_DEBUG_FS)]
impl Device {
    /// The number of bits of a minor number: `MINORBITS`.
    const MINOR_BITS: u32 = 20;

    /// Returns the major number.
    pub(crate) fn major(self) -> u32 {
        self.0 >> Self::MINOR_BITS
    }

    /// Returns the minor number.
    pub(crate) fn minor(self) -> u32 {
        self.0 & ((1 << Self::MINOR_BITS) - 1)
    }
}

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
    /// Looks up a directory, following symlinks and what is mounted on it.
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
                bindings::INITOVERLAYFS_LOOKUP_DIR,
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

    /// For C functions that change it. Valid as long as the path.
    pub(super) fn as_raw_mut(&mut self) -> *mut bindings::path {
        &raw mut self.0
    }

    /// For C functions that take a directory entry. Valid as long as the path.
    pub(crate) fn dentry(&self) -> *mut bindings::dentry {
        self.0.dentry
    }

    /// For C functions that take a path.
    pub(crate) fn as_raw(&self) -> *const bindings::path {
        &self.0
    }

    /// Makes it the working directory.
    pub(crate) fn enter(&self) {
        // SAFETY: The current task has an `fs_struct`, and the path is valid.
        unsafe { bindings::initoverlayfs_set_pwd(&self.0) };
    }

    /// Has the first program start with this device as its console, instead of the one that the
    /// kernel opens in the root for it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn set_console(&self) -> Result {
        // SAFETY: The path is valid.
        to_result(unsafe { bindings::initoverlayfs_set_console(&self.0) })
    }

    /// Gives back what the files of its filesystem hold, also of those that somebody has open, if
    /// it is a tmpfs.
    pub(crate) fn truncate_all(&self) {
        // SAFETY: The path is valid.
        unsafe { bindings::initoverlayfs_truncate_all(&self.0) };
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
        to_result(unsafe { bindings::path_umount(&path.0, bindings::INITOVERLAYFS_MNT_DETACH) })
    }
}

impl Path {
    /// Returns the figures of its filesystem.
    ///
    /// # Errors
    ///
    /// Errors of `vfs_statfs()`.
    pub(crate) fn figures(&self) -> Result<bindings::kstatfs> {
        let mut figures = MaybeUninit::uninit();
        // SAFETY: The path is valid, and there is room for the result.
        to_result(unsafe { bindings::vfs_statfs(&self.0, figures.as_mut_ptr()) })?;
        // SAFETY: Without an error, `vfs_statfs()` has filled it in.
        Ok(unsafe { figures.assume_init() })
    }

    /// Checks whether its filesystem, a tmpfs, has no room for another block or for another file.
    ///
    /// # Errors
    ///
    /// Errors of `vfs_statfs()`.
    pub(crate) fn is_full(&self) -> Result<bool> {
        let figures = self.figures()?;
        // A tmpfs without a limit has none of either.
        let is_used_up = |all: u64, free: u64| all > 0 && free == 0;
        Ok(is_used_up(figures.f_blocks, figures.f_bfree)
            || is_used_up(figures.f_files, figures.f_ffree))
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
        let before = unsafe { bindings::initoverlayfs_enter_view(tree.as_raw()) };
        // INVARIANT: The thread's `fs` was replaced, unless there was no memory.
        NonNull::new(before).map(Self).ok_or(ENOMEM)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the thread's `fs` is ours to drop, and this is the one
        // before.
        unsafe { bindings::initoverlayfs_leave_view(self.0.as_ptr()) };
    }
}
