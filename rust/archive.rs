// SPDX-License-Identifier: GPL-2.0-only

//! Unpacking the cpio archives of a segment into the directory of their layer.
//!
//! An archive may count on what lies below it: `etc/hosts` without an entry for `etc`, a name that
//! leads through a symlink, a link to a file of an earlier archive. So the kernel's unpacker sees
//! an overlay of the layers so far, whose upper directory is the layer's, and does to the merged
//! tree what it would do to a tmpfs. The overlay is gone afterwards; what was written stays in the
//! layer.

use initoverlayfs_macros::init;
use kernel::prelude::*;

use crate::{
    failure::Cause,
    layers::Lower,
    vfs::{
        self,
        Path,
        View, //
    }, //
};

/// Nothing may stay in the layer that only the overlay which made it would understand: no
/// redirected directory, no file without its data.
const OPTIONS: [(&CStr, Option<&CStr>); 3] = [
    (c"redirect_dir", Some(c"off")),
    (c"metacopy", Some(c"off")),
    (c"index", Some(c"off")),
];

/// Unpacks `archives` into the directory `layer` of the tmpfs, which is the working directory.
///
/// # Errors
///
/// `ENOSPC` if the tmpfs is full, the unpacker's message, and what mounting says. The layer is not
/// to be used then.
#[init]
pub(crate) fn unpack(archives: &[u8], layer: &Path, lower: &Lower) -> Result<(), Cause> {
    let tree = lower.below(layer, &OPTIONS)?;
    let unpacked = unpack_as_root(archives, &tree.root());
    drop(tree);
    // The unpacker's files and the overlay are closed now, and not when PID 1 leaves the kernel.
    vfs::flush();

    if let Some(message) = unpacked? {
        return Err(Cause::Message(message));
    }
    // The unpacker does not mention what it cannot create.
    if Path::of(c".")?.is_full()? {
        return Err(ENOSPC.into());
    }
    Ok(())
}

/// Unpacks with `tree` as the root. Returns the unpacker's complaint.
#[init]
fn unpack_as_root(archives: &[u8], tree: &Path) -> Result<Option<&'static CStr>> {
    let _view = View::of(tree)?;
    #[cfg(CONFIG_INITOVERLAYFS_FAULT_INJECTION)]
    let _spared = crate::faults::Spared::new();
    Ok(vfs::unpack(archives).err())
}
