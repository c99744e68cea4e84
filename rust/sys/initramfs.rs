// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's ways with its initial root: unpack archives, put devtmpfs there, wait.
//!
//! Unsafe, because it calls C, and the unpacker with its globals.
//!
//! C sources: [`init/initramfs.c`](srctree/init/initramfs.c),
//! [`drivers/base/devtmpfs.c`](srctree/drivers/base/devtmpfs.c),
//! [`fs/file_table.c`](srctree/fs/file_table.c).

use initoverlayfs_macros::init;
use kernel::prelude::*;

use crate::sys::bindings;

/// Mounts devtmpfs on `dev` in the working directory, if the kernel is configured to.
///
/// # Errors
///
/// `ENOENT` if the root has no such directory, and errors of `devtmpfs_mount()`.
#[init]
pub(crate) fn mount_devtmpfs() -> Result {
    #[cfg(CONFIG_DEVTMPFS)]
    // SAFETY: There are no preconditions.
    kernel::error::to_result(unsafe { bindings::devtmpfs_mount() })?;
    Ok(())
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
pub(crate) fn wait() {
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
