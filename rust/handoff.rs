// SPDX-License-Identifier: GPL-2.0-only

//! Making the new tree the root that `/init` starts in.

use initoverlayfs_macros::init;
use kernel::prelude::*;

use crate::{
    account::Account,
    background::{
        self,
        Job, //
    },
    failure::{
        Failure,
        Step, //
    },
    layers::Stack,
    timeline::{
        Phase,
        Timeline, //
    },
    vfs::{
        self,
        Path, //
    }, //
};

/// Pivots into the working directory, and puts devtmpfs on `/dev`. Returns the old root, to be
/// [left](leave).
///
/// `prepare_namespace()` in `init/do_mounts.c` does the same for a root on a disk.
#[init]
pub(crate) fn hand_off(stack: Stack, timeline: &mut Timeline) -> Result<Path, Failure> {
    vfs::pivot_root().map_err(|e| Step::Pivot.failed(e))?;

    // From here on there is no way back, and none is needed: the new root is in place.
    let old_root = stack.into_old_root();
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
    Ok(old_root)
}

/// Has the old root detached, and what there is to tell told, while the boot goes on.
pub(crate) fn leave(old_root: Path, account: Account) {
    background::run(Epilogue { old_root, account });
}

/// What is left to be done.
struct Epilogue {
    old_root: Path,
    account: Account,
}

impl Job for Epilogue {
    fn run(self) {
        let Self {
            old_root,
            mut account,
        } = self;
        account.timeline.resume();
        // This waits for an RCU grace period.
        if let Err(error) = old_root.detach() {
            pr_err!(
                "detaching the old root failed: error {}\n",
                error.to_errno()
            );
        }
        account.timeline.end(Phase::Detach);
        account.log_success();
        account.publish();
    }
}
