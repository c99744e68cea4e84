// SPDX-License-Identifier: GPL-2.0-only

//! Every call into the VFS, wrapped safely, in one place.
//!
//! Unsafe, because it calls C with names, and with the unpacker's globals.
//!
//! The functions work on the root and the working directory of the calling thread: PID 1, which
//! runs the initcalls, or a kernel thread with a [`View`]. C sources:
//! [`fs/init.c`](srctree/fs/init.c), [`fs/namespace.c`](srctree/fs/namespace.c),
//! [`fs/fs_struct.c`](srctree/fs/fs_struct.c).

pub(crate) mod attributes;
mod mount;
mod path;

use initoverlayfs_macros::init;
use kernel::{
    error::to_result,
    prelude::*, //
};

use crate::sys::bindings;

#[cfg(CONFIG_DEBUG_FS)]
pub(crate) use self::path::Device;
pub(crate) use self::{
    mount::{
        Access,
        AccessTimes,
        Context,
        Handle,
        Mount, //
    },
    path::{
        Path,
        View, //
    }, //
};

/// Makes a directory that everybody may search and only its owner may write to.
///
/// # Errors
///
/// Errors of `init_mkdir()`.
#[init]
pub(crate) fn make_dir(name: &CStr) -> Result {
    // SAFETY: The name is NUL-terminated.
    to_result(unsafe { bindings::init_mkdir(name.as_char_ptr(), 0o755) })
}

/// Makes a node for the block device `dev`, which only root may open.
///
/// # Errors
///
/// Errors of `init_mknod()`.
#[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
#[init]
pub(crate) fn make_block_node(name: &CStr, dev: bindings::dev_t) -> Result {
    let mode = (bindings::S_IFBLK | 0o600) as bindings::umode_t;
    // SAFETY: The name is NUL-terminated, and the number is in the encoding that user space has.
    to_result(unsafe {
        bindings::init_mknod(
            name.as_char_ptr(),
            mode,
            bindings::initoverlayfs_encode_dev(dev),
        )
    })
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
    to_result(unsafe { bindings::path_pivot_root(new.as_raw_mut(), old.as_raw_mut()) })
}

/// Mounts devtmpfs on `dev` in the working directory, if the kernel is configured to.
///
/// # Errors
///
/// `ENOENT` if the root has no such directory, and errors of `devtmpfs_mount()`.
#[init]
pub(crate) fn mount_devtmpfs() -> Result {
    #[cfg(CONFIG_DEVTMPFS)]
    // SAFETY: There are no preconditions.
    to_result(unsafe { bindings::devtmpfs_mount() })?;
    Ok(())
}

/// Checks whether the program `name` may be executed, as `kernel_init()` does before it starts it.
///
/// # Errors
///
/// Errors of `init_eaccess()`: `ENOENT` if there is no such file, `EACCES` if nobody may execute
/// it.
#[init]
pub(crate) fn check_executable(name: &CStr) -> Result {
    // SAFETY: The name is NUL-terminated.
    to_result(unsafe { bindings::init_eaccess(name.as_char_ptr()) })
}

/// Closes the files and mounts that the calling thread and kernel threads have put down. Left
/// alone, they would be closed later: the thread's when it returns to user space.
pub(crate) fn flush() {
    // SAFETY: The initcalls run in a context that may sleep, without locks.
    unsafe {
        bindings::flush_delayed_fput();
        bindings::task_work_run();
    }
}

/// An archive of nothing but its end: of its 13 fields, only the size of the name is set.
const EMPTY_ARCHIVE: &str = concat!(
    "070701",
    "00000000000000000000000000000000000000000000",
    "00000000000000000000000000000000000000000000",
    "0000000b",
    "00000000",
    "TRAILER!!!\0\0\0\0"
);

/// Unpacks cpio archives, plain or compressed, below the root directory.
///
/// # Errors
///
/// The unpacker's message. What came before the fault has been unpacked.
#[init]
pub(crate) fn unpack(archives: &[u8]) -> Result<(), &'static CStr> {
    let unpacked = unpack_once(archives);
    if unpacked.is_err() {
        // A stock boot unpacks nothing after a fault, so the unpacker does not set back the state
        // that comes next. An entry that is passed over would continue with it, and write where a
        // symbolic link's target would end.
        let _ = unpack_once(EMPTY_ARCHIVE.as_bytes());
    }
    unpacked
}

/// Calls the kernel's unpacker. After an error, it must be called with [`EMPTY_ARCHIVE`] next.
#[init]
fn unpack_once(archives: &[u8]) -> Result<(), &'static CStr> {
    // SAFETY: The unpacker reads the bytes: it writes to what it has copied to a buffer of its own,
    // as its state is `Reset` once an archive has ended, which `unpack` makes sure of. Its state is
    // in globals, but nobody else unpacks once `wait_for_initramfs()` has returned: only
    // [`crate::layers::archive_layer`] does, one segment after the other.
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

/// Waits until the built-in initramfs has been unpacked.
pub(crate) fn wait_for_initramfs() {
    // SAFETY: There are no preconditions; the `rootfs` initcalls have run.
    unsafe { bindings::wait_for_initramfs() };
}

/// Tells security modules that the initial root is complete.
pub(crate) fn tell_security_modules() {
    #[cfg(CONFIG_SECURITY)]
    // SAFETY: There are no preconditions.
    unsafe {
        bindings::security_initramfs_populated()
    };
}
