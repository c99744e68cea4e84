// SPDX-License-Identifier: GPL-2.0-only

//! Every call into the VFS, wrapped safely, in one place.
//!
//! The functions work on the root and the working directory of the calling thread, which is PID 1
//! running the initcalls. C sources: `fs/init.c`, `fs/namespace.c`, `fs/fs_struct.c`.

use core::{
    mem::MaybeUninit,
    ptr::NonNull, //
};

use initoverlayfs_macros::init;
use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*, //
};

use crate::bindings;

/// Flags of a mount.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    /// Nobody may write.
    ReadOnly,
    /// Writing is up to the filesystem.
    ReadWrite,
}

/// A place: a mount and a directory entry in it.
///
/// # Invariants
///
/// Owns a reference to both.
pub(crate) struct Path(bindings::path);

impl Path {
    /// Looks up a directory, following symlinks and what is mounted on it.
    ///
    /// What is mounted on the root directory itself is not reached by any name.
    ///
    /// # Errors
    ///
    /// What the lookup says, `ENOENT` and `ENOTDIR` above all.
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
    /// What the lookup says.
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

    /// Makes it the root directory.
    pub(crate) fn enter_as_root(&self) {
        // SAFETY: The current task has an `fs_struct`, and the path is valid.
        unsafe { bindings::initoverlayfs_set_root(&self.0) };
    }

    /// Gives back what the files of its filesystem hold, also of those that somebody has open, if it
    /// is a tmpfs.
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
    /// Whether its filesystem has no room for another block or for another file.
    ///
    /// # Errors
    ///
    /// What the filesystem says.
    pub(crate) fn is_full(&self) -> Result<bool> {
        let mut figures = MaybeUninit::uninit();
        // SAFETY: The path is valid, and there is room for the result.
        to_result(unsafe { bindings::vfs_statfs(&self.0, figures.as_mut_ptr()) })?;
        // SAFETY: Without an error, `vfs_statfs()` has filled it in.
        let figures: bindings::kstatfs = unsafe { figures.assume_init() };
        Ok(figures.f_bfree == 0 || figures.f_ffree == 0)
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

/// A filesystem that is about to be mounted, and what was said about it so far.
///
/// # Invariants
///
/// Owns the context.
pub(crate) struct Context(NonNull<bindings::fs_context>);

impl Context {
    /// A filesystem of type `kind`, which `source` is shown as the source of.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is no such type, `ENOMEM`, and what the filesystem says.
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

    /// A filesystem of a type that need not be registered.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what the filesystem says.
    ///
    /// # Safety
    ///
    /// `kind` is complete, and lives for ever.
    pub(crate) unsafe fn of_type(
        kind: *mut bindings::file_system_type,
        access: Access,
    ) -> Result<Self> {
        let flags = match access {
            Access::ReadOnly => bindings::INITOVERLAYFS_SB_RDONLY,
            Access::ReadWrite => 0,
        };
        // SAFETY: By this function's contract.
        let context = unsafe { bindings::fs_context_for_mount(kind, flags as c_uint) };
        // INVARIANT: It was made for us.
        NonNull::new(from_err_ptr(context)?).map(Self).ok_or(EINVAL)
    }

    /// For the filesystem itself. Valid as long as the context.
    pub(crate) fn as_raw(&self) -> *mut bindings::fs_context {
        self.0.as_ptr()
    }

    /// Sets an option to a value, or one that needs none.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what the filesystem says.
    pub(crate) fn set(&mut self, key: &CStr, value: Option<&CStr>) -> Result {
        let value = value.map_or(core::ptr::null(), |value| value.as_char_ptr());
        // SAFETY: The context is valid, and the strings are NUL-terminated.
        to_result(unsafe {
            bindings::initoverlayfs_set_string(self.0.as_ptr(), key.as_char_ptr(), value)
        })
    }

    /// Sets an option to a place, whether it has a name or not.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set), and why the place cannot be opened.
    pub(crate) fn set_path(&mut self, key: &CStr, place: &Path, handle: Handle) -> Result {
        let flags = match handle {
            Handle::Place => bindings::O_PATH,
            Handle::Reader => bindings::O_RDONLY | bindings::O_LARGEFILE,
        };
        // SAFETY: The context and the path are valid, and the key is NUL-terminated.
        to_result(unsafe {
            bindings::initoverlayfs_set_path(
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
    /// What the filesystem says.
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

/// What a filesystem gets of a place.
#[derive(Clone, Copy)]
pub(crate) enum Handle {
    /// Where it is.
    Place,
    /// Its contents.
    Reader,
}

/// A mount that is not part of the namespace yet.
///
/// # Invariants
///
/// Owns a reference.
pub(crate) struct Mount(NonNull<bindings::vfsmount>);

impl Mount {
    /// Its root directory.
    pub(crate) fn root(&self) -> Path {
        let mnt = self.0.as_ptr();
        // SAFETY: By the type invariant the mount is valid.
        let dentry = unsafe { (*mnt).mnt_root };
        let path = bindings::path { mnt, dentry };
        // SAFETY: The path is valid: a mount always has a root.
        // INVARIANT: These are the references that it owns.
        unsafe { bindings::path_get(&path) };
        Path(path)
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

    /// Mounts it on `place`, with the options that `mount(8)` would give it. Returns its root.
    ///
    /// # Errors
    ///
    /// `EBUSY` if something is mounted there, and what the VFS says.
    pub(crate) fn attach(self, place: &Path) -> Result<Path> {
        let root = self.root();
        let mount = core::mem::ManuallyDrop::new(self);
        // SAFETY: The mount is valid, its reference is handed over, and the path is valid. `root` keeps
        // the mount meanwhile.
        to_result(unsafe { bindings::initoverlayfs_attach(mount.0.as_ptr(), place.as_raw()) })?;
        Ok(root)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the reference is ours.
        unsafe { bindings::mntput(self.0.as_ptr()) };
    }
}

/// Makes a directory that everybody may search and only its owner may write to.
///
/// # Errors
///
/// What the filesystem says.
#[init]
pub(crate) fn make_dir(name: &CStr) -> Result {
    // SAFETY: The name is NUL-terminated.
    to_result(unsafe { bindings::init_mkdir(name.as_char_ptr(), 0o755) })
}

/// Makes the working directory, which is the root of a mount, the root of the namespace and of
/// PID 1. The old root is then mounted on top of it, to be [detached](Path::detach).
///
/// # Errors
///
/// `EINVAL` if the working directory or the current root is not the root of a mount.
pub(crate) fn pivot_root() -> Result {
    let mut new = Path::of(c".")?;
    let mut old = Path::of(c".")?;
    // SAFETY: Both paths are valid.
    to_result(unsafe { bindings::path_pivot_root(&mut new.0, &mut old.0) })
}

/// Mounts devtmpfs on `dev` in the working directory, if the kernel is configured to.
///
/// # Errors
///
/// `ENOENT` if the root has no such directory, and what mounting says.
#[init]
pub(crate) fn mount_devtmpfs() -> Result {
    #[cfg(CONFIG_DEVTMPFS)]
    // SAFETY: There are no preconditions.
    to_result(unsafe { bindings::devtmpfs_mount() })?;
    Ok(())
}

/// Closes the files and mounts that the calling thread has put down. Left alone, they would be
/// closed when it returns to user space.
pub(crate) fn flush() {
    // SAFETY: The initcalls run in a context that may sleep, without locks.
    unsafe {
        bindings::flush_delayed_fput();
        bindings::task_work_run();
    }
}

/// Unpacks cpio archives, plain or compressed, below the root directory.
///
/// # Errors
///
/// The unpacker's message. What came before the fault has been unpacked.
#[init]
pub(crate) fn unpack(archives: &[u8]) -> Result<(), &'static CStr> {
    // SAFETY: The unpacker reads the bytes, and nobody but PID 1 unpacks once
    // `wait_for_initramfs()` has returned.
    let message = unsafe {
        bindings::unpack_to_rootfs(
            archives.as_ptr().cast_mut().cast(),
            archives.len() as c_ulong,
        )
    };
    if message.is_null() {
        Ok(())
    } else {
        // SAFETY: The unpacker's messages are string literals.
        Err(unsafe { CStr::from_char_ptr(message) })
    }
}
