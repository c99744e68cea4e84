// SPDX-License-Identifier: GPL-2.0-only

//! Making the new tree the root that `/init` starts in.

use initoverlayfs_macros::init;
use kernel::prelude::*;

use crate::{
    clock::Stopwatch,
    failure::{
        Failure,
        Step, //
    },
    layers::Stack,
    vfs, //
};

/// Pivots into the working directory, drops everything else, and puts devtmpfs on `/dev`.
///
/// `prepare_namespace()` in `init/do_mounts.c` does the same for a root on a disk.
#[init]
pub(crate) fn hand_off(stack: Stack) -> Result<(), Failure> {
    let start = Stopwatch::start();
    vfs::pivot_root().map_err(|e| Step::Pivot.failed(e))?;

    // From here on there is no way back, and none is needed: the new root is in place.
    if let Some(old_root) = stack.into_old_root() {
        if let Err(error) = old_root.detach() {
            pr_err!(
                "detaching the old root failed: error {}\n",
                error.to_errno()
            );
        }
    }
    if let Err(error) = vfs::mount_devtmpfs() {
        pr_warn!("no devtmpfs on /dev: error {}\n", error.to_errno());
    }
    // Security modules that trust the initial root (IPE's boot_verified) look at PID 1's root now.
    #[cfg(CONFIG_SECURITY)]
    // SAFETY: There are no preconditions.
    unsafe {
        crate::bindings::security_initramfs_populated()
    };
    pr_info!("handed off the root, in {} us\n", start.micros());
    Ok(())
}
