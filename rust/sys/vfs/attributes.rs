// SPDX-License-Identifier: GPL-2.0-only

//! A directory that looks like another one: mode, owner, modification time, extended attributes.
//!
//! Unsafe, because C reads and writes buffers by their addresses.
//!
//! The root of an overlay has the attributes of its upper directory, but a root is to look the way
//! the uppermost layer says. C sources: [`fs/init.c`](srctree/fs/init.c),
//! [`fs/xattr.c`](srctree/fs/xattr.c).

use core::{
    mem::MaybeUninit,
    ptr, //
};

use initoverlayfs_macros::init;
use kernel::{
    error::to_result,
    prelude::*, //
};

use crate::{
    sys::{
        bindings,
        vfs::{
            self,
            Path, //
        }, //
    }, //
};

/// Attributes that `vfs_listxattr()` lists and `vfs_getxattr()` does not hand out.
const ACL: &[u8] = b"system.posix_acl_";

/// Attributes that overlayfs keeps for itself.
const PRIVATE: &[u8] = b"trusted.overlay.";

/// The longest list of names and the longest value that the system calls would hand out:
/// `XATTR_LIST_MAX` and `XATTR_SIZE_MAX`.
const MAX_SIZE: usize = 65536;

/// Makes the directory `name` in the working directory, with the attributes of the directory
/// `model`.
///
/// Attributes that cannot be copied are left out, with a warning: an image may hold anything. POSIX
/// ACLs are not copied at all.
///
/// # Errors
///
/// `ENOMEM`, and errors of `init_mkdir()`, `kern_path()` and `vfs_getattr()`.
#[init]
pub(crate) fn make_dir_like(name: &CStr, model: &Path) -> Result<Path> {
    vfs::make_dir(name)?;
    let made = Path::of(name)?;
    let (stat, found) = (stat(model)?, stat(&made)?);
    match copy_xattrs(model, &made) {
        Err(error) if error != ENOMEM => {
            pr_warn!(
                "copying the root directory's extended attributes failed: error {}, / lacks some\n",
                error.to_errno()
            );
        }
        copied => copied?,
    }
    // SAFETY: The names are NUL-terminated. What is only read through the last pointer are the two
    // times, of access and of modification.
    let copied = unsafe {
        let owner = if (stat.uid.val, stat.gid.val) == (found.uid.val, found.gid.val) {
            0
        } else {
            bindings::init_chown(name.as_char_ptr(), stat.uid.val, stat.gid.val, 0)
        };
        let mode = if stat.mode == found.mode {
            0
        } else {
            bindings::init_chmod(name.as_char_ptr(), stat.mode & 0o7777)
        };
        let mut times = [stat.mtime, stat.mtime];
        let times = bindings::init_utimes(name.as_char_ptr().cast_mut(), times.as_mut_ptr());
        to_result(owner).and(to_result(mode)).and(to_result(times))
    };
    match copied {
        Err(error) if error != ENOMEM => {
            pr_warn!(
                "copying the root directory's owner, mode and time failed: error {}, / has others\n",
                error.to_errno()
            );
        }
        copied => copied?,
    }
    Ok(made)
}

/// Returns the attributes of a file.
///
/// # Errors
///
/// Errors of `vfs_getattr()`.
pub(crate) fn stat(path: &Path) -> Result<bindings::kstat> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: The path is valid, and there is room for the result.
    to_result(unsafe {
        bindings::vfs_getattr(
            path.as_raw(),
            stat.as_mut_ptr(),
            bindings::STATX_BASIC_STATS,
            0,
        )
    })?;
    // SAFETY: Without an error, `vfs_getattr()` has filled it in.
    Ok(unsafe { stat.assume_init() })
}

/// Copies all extended attributes but [`PRIVATE`] ones and POSIX ACLs, as far as they can be
/// copied. Returns why one of them cannot.
fn copy_xattrs(from: &Path, to: &Path) -> Result {
    let list = match read(|buffer, size| {
        // SAFETY: The dentry is valid as long as the path, and the buffer has `size` bytes.
        unsafe { bindings::vfs_listxattr(from.dentry(), buffer, size) }
    }) {
        Err(error) if error == EOPNOTSUPP => return Ok(()),
        list => list?,
    };
    let mut refused = Ok(());
    for name in list.split_inclusive(|byte| *byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else {
            continue;
        };
        if [PRIVATE, ACL]
            .iter()
            .any(|prefix| name.to_bytes().starts_with(prefix))
        {
            continue;
        }
        match copy_xattr(from, to, name) {
            Err(error) if error == ENOMEM => return Err(error),
            Err(error) => refused = Err(error),
            Ok(()) => (),
        }
    }
    refused
}

fn copy_xattr(from: &Path, to: &Path, name: &CStr) -> Result {
    let idmap = ptr::addr_of_mut!(bindings::nop_mnt_idmap);
    let value = read(|buffer, size| {
        // SAFETY: The dentry is valid as long as the path, the name is NUL-terminated, and the
        // buffer has `size` bytes.
        unsafe {
            bindings::vfs_getxattr(
                idmap,
                from.dentry(),
                name.as_char_ptr(),
                buffer.cast(),
                size,
            )
        }
    })?;
    // SAFETY: The dentry is valid as long as the path, the name is NUL-terminated, and the value
    // has `value.len()` bytes.
    let set = to_result(unsafe {
        bindings::vfs_setxattr(
            idmap,
            to.dentry(),
            name.as_char_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    });
    match set {
        Err(error) if error == EOPNOTSUPP => Ok(()),
        set => set,
    }
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
