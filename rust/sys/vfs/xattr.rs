// SPDX-License-Identifier: GPL-2.0-only

//! Extended attributes.
//!
//! Unsafe, because C reads and writes buffers by their addresses.
//!
//! C header: [`include/linux/xattr.h`](srctree/include/linux/xattr.h).

use core::ptr;

use kernel::{
    error::to_result,
    prelude::*, //
};

use super::path::Path;
use crate::sys::bindings;

/// The longest list of names and the longest value that the system calls would hand out:
/// `XATTR_LIST_MAX` and `XATTR_SIZE_MAX`.
const MAX_SIZE: usize = 65536;

/// Returns the names of a file's extended attributes, each with its NUL.
///
/// # Errors
///
/// `EOPNOTSUPP` if it cannot have any, `E2BIG` if the list is too long, `ENOMEM`, and errors of
/// `vfs_listxattr()`.
pub(crate) fn list(path: &Path) -> Result<KVec<u8>> {
    read(|buffer, size| {
        // SAFETY: The dentry is valid as long as the path, and the buffer has `size` bytes.
        unsafe { bindings::vfs_listxattr(path.dentry(), buffer, size) }
    })
}

/// Returns the value of an extended attribute.
///
/// # Errors
///
/// `ENODATA` if there is none of this name, `E2BIG` if the value is too long, `ENOMEM`, and errors
/// of `vfs_getxattr()`.
pub(crate) fn get(path: &Path, name: &CStr) -> Result<KVec<u8>> {
    read(|buffer, size| {
        // SAFETY: The dentry is valid as long as the path, the name is NUL-terminated, and the
        // buffer has `size` bytes.
        unsafe {
            bindings::vfs_getxattr(
                &raw mut bindings::nop_mnt_idmap,
                path.dentry(),
                name.as_char_ptr(),
                buffer.cast(),
                size,
            )
        }
    })
}

/// Sets an extended attribute, whether it is there already or not.
///
/// # Errors
///
/// `EOPNOTSUPP` if the file cannot have it, and other errors of `vfs_setxattr()`.
pub(crate) fn set(path: &Path, name: &CStr, value: &[u8]) -> Result {
    // SAFETY: The dentry is valid as long as the path, the name is NUL-terminated, and the value
    // has `value.len()` bytes.
    to_result(unsafe {
        bindings::vfs_setxattr(
            &raw mut bindings::nop_mnt_idmap,
            path.dentry(),
            name.as_char_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    })
}

/// Reads something whose size `source` tells if it gets no buffer. Then it gets one of that size,
/// and returns how many bytes of it were filled, or an error number.
fn read(source: impl Fn(*mut c_char, usize) -> isize) -> Result<KVec<u8>> {
    let size = size_of_result(source(ptr::null_mut(), 0))?;
    if size > MAX_SIZE {
        return Err(E2BIG);
    }
    let mut buffer = KVec::from_elem(0u8, size, GFP_KERNEL)?;
    if size > 0 {
        let filled = size_of_result(source(buffer.as_mut_ptr().cast(), size))?;
        buffer.truncate(filled);
    }
    Ok(buffer)
}

fn size_of_result(result: isize) -> Result<usize> {
    usize::try_from(result).map_err(|_| Error::from_errno(result as c_int))
}
