// SPDX-License-Identifier: GPL-2.0-only

//! Making mounts, and attaching them.
//!
//! Unsafe, because references to contexts and mounts are counted by hand.
//!
//! C headers: [`include/linux/fs_context.h`](srctree/include/linux/fs_context.h),
//! [`include/linux/mount.h`](srctree/include/linux/mount.h).

use core::ptr::NonNull;

use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*, //
};

use super::path::Path;
use crate::sys::bindings;

/// Flags of a mount.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    /// Nobody may write.
    ReadOnly,
    /// Writing is up to the filesystem.
    ReadWrite,
}

/// A filesystem that is about to be mounted, and its options so far.
///
/// # Invariants
///
/// Owns the context.
pub(crate) struct Context(NonNull<bindings::fs_context>);

impl Context {
    /// Returns a filesystem of type `kind`, with `source` as the source that `/proc/mounts` shows.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is no such type, and errors of `fs_context_for_mount()`.
    pub(crate) fn new(kind: &CStr, source: Option<&CStr>, access: Access) -> Result<Self> {
        // SAFETY: The name is NUL-terminated.
        let kind = unsafe { bindings::get_fs_type(kind.as_char_ptr()) };
        if kind.is_null() {
            return Err(ENODEV);
        }
        // SAFETY: The type is there for ever, being built in.
        let mut context = unsafe { Self::of_type(kind, access) }?;
        if let Some(source) = source {
            context.set(c"source", Some(source))?;
        }
        Ok(context)
    }

    /// Returns a filesystem of a type that need not be registered.
    ///
    /// # Errors
    ///
    /// Errors of `fs_context_for_mount()`.
    ///
    /// # Safety
    ///
    /// `kind` is complete, and lives for ever.
    pub(crate) unsafe fn of_type(
        kind: *mut bindings::file_system_type,
        access: Access,
    ) -> Result<Self> {
        let flags = match access {
            Access::ReadOnly => bindings::SB_RDONLY,
            Access::ReadWrite => 0,
        };
        // SAFETY: By this function's contract.
        let context = unsafe { bindings::fs_context_for_mount(kind, flags as c_uint) };
        // INVARIANT: It was made for us.
        NonNull::new(from_err_ptr(context)?).map(Self).ok_or(EINVAL)
    }

    /// Returns the raw context, which is valid as long as `self`.
    pub(crate) fn as_raw(&self) -> *mut bindings::fs_context {
        self.0.as_ptr()
    }

    /// Sets an option, with a value or without.
    ///
    /// # Errors
    ///
    /// Errors of `vfs_parse_fs_string()`: `EINVAL` for an option or a value that is not known.
    pub(crate) fn set(&mut self, key: &CStr, value: Option<&CStr>) -> Result {
        let value = value.map_or(core::ptr::null(), |value| value.as_char_ptr());
        // SAFETY: By the type invariant the context is valid. `key` is NUL-terminated. `value` is
        // NUL-terminated or null, which `vfs_parse_fs_string()` accepts.
        to_result(unsafe {
            bindings::vfs_parse_fs_string(self.0.as_ptr(), key.as_char_ptr(), value)
        })
    }

    /// Sets an option to a path, which need not be reachable by a name.
    ///
    /// # Errors
    ///
    /// Errors of [`set`](Self::set) and of `dentry_open()`.
    pub(crate) fn set_path(&mut self, key: &CStr, place: &Path, handle: Handle) -> Result {
        let flags = match handle {
            Handle::Place => bindings::O_PATH,
            Handle::Reader => bindings::O_RDONLY | bindings::O_LARGEFILE,
        };
        // SAFETY: The context and the path are valid, and the key is NUL-terminated.
        to_result(unsafe {
            bindings::vfs_parse_fs_path(
                self.0.as_ptr(),
                key.as_char_ptr(),
                place.as_raw(),
                flags as c_int,
            )
        })
    }

    /// Mounts it.
    ///
    /// # Errors
    ///
    /// Errors of `fc_mount()`, which are those of the filesystem.
    pub(crate) fn mount(self) -> Result<Mount> {
        // SAFETY: The context is valid.
        let mount = unsafe { bindings::fc_mount(self.0.as_ptr()) };
        // SAFETY: `fc_mount()` returns an error or a mount with a reference for the caller.
        unsafe { Mount::from_raw(from_err_ptr(mount)?) }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the context is ours; a mount that was made of it does not
        // need it.
        unsafe { bindings::put_fs_context(self.0.as_ptr()) };
    }
}

/// The kind of open file that a filesystem is given for a path.
#[derive(Clone, Copy)]
pub(crate) enum Handle {
    /// The place itself.
    Place,
    /// The contents.
    Reader,
}

/// The rule by which reading a file changes its time of access.
#[derive(Clone, Copy)]
pub(crate) enum AccessTimes {
    /// Always, as in the kernel's own initial root.
    Strict,
    /// Once after a change, and once a day, as `mount(8)` would have it.
    Relative,
}

/// A mount that is not part of the namespace yet.
///
/// # Invariants
///
/// Owns a reference.
pub(crate) struct Mount(NonNull<bindings::vfsmount>);

impl Mount {
    /// Returns its root directory.
    pub(crate) fn root(&self) -> Path {
        let mnt = self.0.as_ptr();
        // SAFETY: By the type invariant the mount is valid.
        let dentry = unsafe { (*mnt).mnt_root };
        let path = bindings::path { mnt, dentry };
        // SAFETY: The path is valid: a mount always has a root.
        unsafe { bindings::path_get(&path) };
        // SAFETY: These are the references that it owns.
        unsafe { Path::from_raw(path) }
    }

    /// Takes over a mount from C.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a null pointer.
    ///
    /// # Safety
    ///
    /// `mount` is null, or valid, and its reference is handed over.
    unsafe fn from_raw(mount: *mut bindings::vfsmount) -> Result<Self> {
        // INVARIANT: The reference is handed over.
        NonNull::new(mount).map(Self).ok_or(EINVAL)
    }

    /// Mounts it on `place`. Returns its root.
    ///
    /// # Errors
    ///
    /// `EBUSY` if something is mounted there, `EINVAL` if it is not in the namespace of the calling
    /// thread, and `ENOMEM`.
    pub(crate) fn attach(self, place: &Path, times: AccessTimes) -> Result<Path> {
        let flags = match times {
            AccessTimes::Strict => 0,
            AccessTimes::Relative => bindings::mount_flags_MNT_RELATIME as c_int,
        };
        let root = self.root();
        let mount = core::mem::ManuallyDrop::new(self);
        // SAFETY: The mount is valid, its reference is handed over, and the path is valid. `root`
        // keeps the mount meanwhile.
        to_result(unsafe { bindings::attach_new_mount(mount.0.as_ptr(), place.as_raw(), flags) })?;
        Ok(root)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the reference is ours.
        unsafe { bindings::mntput(self.0.as_ptr()) };
    }
}
