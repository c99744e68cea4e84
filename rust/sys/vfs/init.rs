// SPDX-License-Identifier: GPL-2.0-only

//! System calls as the kernel makes them for itself before init runs.
//!
//! Unsafe, because it calls C with names.
//!
//! The C functions are `__init`, so nothing but `__init` code may call these functions. Each is
//! part of its caller, and so in the caller's section.
//!
//! C header: [`include/linux/init_syscalls.h`](srctree/include/linux/init_syscalls.h).

use kernel::{
    error::to_result,
    prelude::*, //
};

use crate::sys::bindings;

/// Makes a directory that everybody may search and only its owner may write to.
///
/// # Errors
///
/// Errors of `init_mkdir()`.
#[inline(always)]
pub(crate) fn make_dir(name: &CStr) -> Result {
    // SAFETY: The name is NUL-terminated.
    to_result(unsafe { bindings::init_mkdir(name.as_char_ptr(), 0o755) })
}

/// Makes a node for the block device `dev`, which only root may open.
///
/// # Errors
///
/// Errors of `init_mknod()`.
#[inline(always)]
pub(crate) fn make_block_node(name: &CStr, dev: bindings::dev_t) -> Result {
    let mode = (bindings::S_IFBLK | 0o600) as bindings::umode_t;
    // SAFETY: The name is NUL-terminated, and the number is in the encoding that user space has.
    to_result(unsafe {
        bindings::init_mknod(name.as_char_ptr(), mode, bindings::new_encode_dev(dev))
    })
}

/// Gives a file to a user and a group.
///
/// # Errors
///
/// Errors of `init_chown()`.
#[inline(always)]
pub(crate) fn set_owner(name: &CStr, (user, group): (u32, u32)) -> Result {
    // SAFETY: The name is NUL-terminated.
    to_result(unsafe { bindings::init_chown(name.as_char_ptr(), user, group, 0) })
}

/// Sets the permissions of a file.
///
/// # Errors
///
/// Errors of `init_chmod()`.
#[inline(always)]
pub(crate) fn set_mode(name: &CStr, mode: bindings::umode_t) -> Result {
    // SAFETY: The name is NUL-terminated.
    to_result(unsafe { bindings::init_chmod(name.as_char_ptr(), mode) })
}

/// Sets the times of access and of modification of a file.
///
/// # Errors
///
/// Errors of `init_utimes()`.
#[inline(always)]
pub(crate) fn set_times(name: &CStr, mut times: [bindings::timespec64; 2]) -> Result {
    // SAFETY: The name is NUL-terminated, and only read, as are the two times.
    to_result(unsafe { bindings::init_utimes(name.as_char_ptr().cast_mut(), times.as_mut_ptr()) })
}

/// Makes the working directory, which is the root of a mount, the root of the namespace and of
/// PID 1. The old root is then mounted on top of it, to be [detached](super::path::Path::detach).
///
/// # Errors
///
/// `EINVAL` if the working directory or the current root is not the root of a mount.
#[inline(always)]
pub(crate) fn pivot_root() -> Result {
    let here = c".".as_char_ptr();
    // SAFETY: The name is NUL-terminated.
    to_result(unsafe { bindings::init_pivot_root(here, here) })
}

/// Checks whether the program `name` may be executed, as `kernel_init()` does before it starts it.
///
/// # Errors
///
/// Errors of `init_eaccess()`: `ENOENT` if there is no such file, `EACCES` if nobody may execute
/// it.
#[inline(always)]
pub(crate) fn check_executable(name: &CStr) -> Result {
    // SAFETY: The name is NUL-terminated.
    to_result(unsafe { bindings::init_eaccess(name.as_char_ptr()) })
}
