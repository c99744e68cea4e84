// SPDX-License-Identifier: GPL-2.0-only

//! Unpacking the cpio archives of a segment into the directory of their layer.
//!
//! An archive may count on what lies below it: `etc/hosts` without an entry for `etc`, a name that
//! leads through a symlink, a link to a file of an earlier archive. So the kernel's unpacker sees
//! an overlay of the layers so far, whose upper directory is the layer's, and does to the merged
//! tree what it would do to a tmpfs. The overlay is gone afterwards; what was written stays in the
//! layer.
//!
//! As in a stock boot, a kernel thread does it: what it closes is closed meanwhile, and an archive
//! may have any number of files.

use initoverlayfs_macros::init;
use kernel::prelude::*;

use crate::{
    layers::lower::Lower,
    report::failure::Cause,
    sys::{
        background,
        initramfs, //
    }, //
};

use crate::sys::vfs::{
    path::Path,
    view::View, //
};

/// Nothing may stay in the layer that only the overlay which made it would understand: no
/// redirected directory, no file without its data.
const OPTIONS: [(&CStr, Option<&CStr>); 3] = [
    (c"redirect_dir", Some(c"off")),
    (c"metacopy", Some(c"off")),
    (c"index", Some(c"off")),
];

/// Unpacks `archives` into the directory `layer` of the tmpfs, with `work` as the scratch directory
/// of an overlay. Returns the reason if it stopped before the end: what came before is unpacked.
///
/// # Errors
///
/// `ENOMEM`, and errors of mounting the overlay. Nothing is unpacked then.
#[init]
pub(crate) fn unpack(
    archives: &[u8],
    layer: &Path,
    work: &Path,
    lower: &Lower,
) -> Result<Option<Cause>> {
    let tree = lower.below(layer, work, &OPTIONS)?;
    let message = background::call(unpack_as_root, (archives, &tree.root())).ok_or(ENOMEM)?;
    // The files are closed first, and then the overlay, so that PID 1 is the one to unmount it.
    initramfs::flush();
    drop(tree);
    initramfs::flush();

    if let Some(message) = message? {
        return Ok(Some(Cause::Message(message)));
    }
    // The unpacker does not mention what it cannot create.
    Ok(layer.statistics()?.is_full().then(|| ENOSPC.into()))
}

/// Unpacks with `tree` as the root. Returns the unpacker's complaint.
#[init]
fn unpack_as_root(job: (&[u8], &Path)) -> Result<Option<&'static CStr>> {
    let (archives, tree) = job;
    let _view = View::of(tree)?;
    Ok(initramfs::unpack(archives).err())
}
