// SPDX-License-Identifier: GPL-2.0-only

//! Making the new tree the root that `/init` starts in.

use initoverlayfs_macros::init;
use kernel::prelude::*;

use crate::{
    failure::{
        Failure,
        Step, //
    },
    stack::Stack,
    timeline::{
        Phase,
        Timeline, //
    },
    vfs, //
};

/// Pivots into the working directory, drops everything else, and puts devtmpfs on `/dev`.
///
/// `prepare_namespace()` in `init/do_mounts.c` does the same for a root on a disk.
#[init]
pub(crate) fn hand_off(stack: Stack, timeline: &mut Timeline) -> Result<(), Failure> {
    vfs::pivot_root().map_err(|e| Step::Pivot.failed(e))?;

    // From here on there is no way back, and none is needed: the new root is in place. But the old
    // one lies on it, where a `..` that arrives at the root finds it: it has to go before anybody
    // looks for anything. This waits for an RCU grace period.
    if let Err(error) = stack.into_old_root().detach() {
        pr_err!(
            "detaching the old root failed: error {}\n",
            error.to_errno()
        );
    }
    timeline.end(Phase::Pivot);
    if let Err(error) = vfs::mount_devtmpfs() {
        pr_warn!("no devtmpfs on /dev: error {}\n", error.to_errno());
    }
    timeline.end(Phase::Devtmpfs);
    // Security modules that trust the initial root (IPE's boot_verified) look at PID 1's root now.
    #[cfg(CONFIG_SECURITY)]
    // SAFETY: There are no preconditions.
    unsafe {
        crate::bindings::security_initramfs_populated()
    };
    Ok(())
}
