// SPDX-License-Identifier: GPL-2.0-only

//! A directory that looks like another one: mode, owner, modification time, extended attributes.
//!
//! The root of an overlay has the attributes of its upper directory, but a root is to look the way
//! the uppermost layer says.

use initoverlayfs_macros::init;
use kernel::prelude::*;

use crate::sys::vfs::{
    init::{
        make_dir,
        set_mode,
        set_owner,
        set_times, //
    },
    path::Path,
    stat::Attributes,
    xattr, //
};

/// Attributes that `vfs_listxattr()` lists and `vfs_getxattr()` does not hand out.
const ACL: &[u8] = b"system.posix_acl_";

/// Attributes that overlayfs keeps for itself.
const PRIVATE: &[u8] = b"trusted.overlay.";

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
    make_dir(name)?;
    let made = Path::of(name)?;
    let (wanted, found) = (model.attributes()?, made.attributes()?);
    match copy_xattrs(model, &made) {
        Err(error) if error != ENOMEM => {
            pr_warn!(
                "copying the root directory's extended attributes failed: error {}, / lacks some\n",
                error.to_errno()
            );
        }
        copied => copied?,
    }
    match copy_attributes(name, &wanted, &found) {
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

/// Gives the directory `name`, which was `found` with others, the attributes `wanted`. Each is
/// copied, whether the others can be copied or not.
#[init]
fn copy_attributes(name: &CStr, wanted: &Attributes, found: &Attributes) -> Result {
    let owner = if wanted.owner() == found.owner() {
        Ok(())
    } else {
        set_owner(name, wanted.owner())
    };
    let mode = if wanted.mode() == found.mode() {
        Ok(())
    } else {
        set_mode(name, wanted.mode() & 0o7777)
    };
    let times = set_times(name, [wanted.modified(); 2]);
    owner.and(mode).and(times)
}

/// Copies all extended attributes but [`PRIVATE`] ones and POSIX ACLs, as far as they can be
/// copied. Returns why one of them cannot.
fn copy_xattrs(from: &Path, to: &Path) -> Result {
    let list = match xattr::list(from) {
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
    let value = xattr::get(from, name)?;
    match xattr::set(to, name, &value) {
        Err(error) if error == EOPNOTSUPP => Ok(()),
        set => set,
    }
}
