// SPDX-License-Identifier: GPL-2.0-only

//! Making the new tree the root that `/init` starts in.

use initoverlayfs_macros::init;
use kernel::prelude::*;

use crate::{
    layers::stack::Stack,
    parameter::options::Root,
    report::{
        failure::{
            Failure,
            Step, //
        },
        timeline::{
            Phase,
            Timeline, //
        }, //
    },
    sys::{
        console,
        initramfs, //
    }, //
};

use crate::sys::vfs::{
    init::pivot_root,
    path::Path, //
};

/// Pivots into the working directory, and drops everything else.
///
/// An image that is the root itself gets devtmpfs on `/dev`, as `prepare_namespace()` in
/// `init/do_mounts.c` does it for a root on a disk. An overlay gets no devtmpfs, as in a stock
/// boot: it has `/dev/console` from the built-in initramfs, and init mounts the rest.
///
/// # Errors
///
/// [`Step::Pivot`] with errors of `path_pivot_root()`.
#[init]
pub(crate) fn hand_off(stack: Stack, root: Root, timeline: &mut Timeline) -> Result<(), Failure> {
    pivot_root().map_err(|e| Step::Pivot.failed(e))?;

    // From here on there is no way back, and none is needed: the new root is in place. But the old
    // one lies on it, where a `..` that arrives at the root finds it: it has to go before anybody
    // looks for anything. This waits for an RCU grace period.
    let old_root = stack.into_old_root();
    if root == Root::Overlay {
        leave_console(&old_root);
    }
    if let Err(error) = old_root.detach() {
        pr_err!(
            "detaching the old root failed: error {}, it stays mounted on the new one\n",
            error.to_errno()
        );
    }
    timeline.end(Phase::Pivot);
    if root != Root::Overlay {
        if let Err(error) = initramfs::mount_devtmpfs() {
            pr_warn!(
                "mounting devtmpfs on /dev failed: error {}, init has to mount it\n",
                error.to_errno()
            );
        }
        timeline.end(Phase::Devtmpfs);
    }
    // Security modules that trust the initial root (IPE's boot_verified) look at PID 1's root now.
    initramfs::tell_security_modules();
    Ok(())
}

/// Gives the first program the console of the old root, as in a stock boot. With a console of the
/// new root, an init that never closes it would keep the image in memory.
fn leave_console(old_root: &Path) {
    match old_root.below(c"dev/console") {
        Err(error) if error == ENOENT => (),
        found => {
            if let Err(error) = found.and_then(|console| console::set(&console)) {
                pr_warn!(
                    "using the console of the old root failed: error {}, an init that keeps its \
                     console open keeps the image in memory\n",
                    error.to_errno()
                );
            }
        }
    }
}
