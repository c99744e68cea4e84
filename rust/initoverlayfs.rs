// SPDX-License-Identifier: GPL-2.0-only

//! initoverlayfs: an initrd as the initial root filesystem, mounted in place: EROFS, or another.
//!
//! The stages, in the order in which the boot runs them, and the folders that do the work:
//!
//! 1. parameter: `initoverlayfs=` is noted before any initcall ([`parameter`]).
//! 2. claim, at `early`: if the initrd holds an image ([`scan`], [`initrd`]), take the initrd away
//!    from `populate_rootfs`, which then unpacks the built-in initramfs only ([`memory`]).
//! 3. mount, at `device`, right after the filesystems and before the drivers. Signatures and btrfs
//!    have to wait for `late_sync`, when the keys and the filesystem are there. The images, if they
//!    are authentic ([`policy`]), become files or block devices ([`source`]). They and the unpacked
//!    archives become layers on top of each other ([`layers`]).
//! 4. hand-off: pivot into the tree ([`handoff`]). `kernel_init` then starts `/init` there.
//! 5. release: when the root goes away, so do the files, and their memory with them ([`memory`]).
//!
//! Threads of the kernel write the log and show the figures meanwhile ([`report`]). Every call into
//! C is wrapped in [`sys`].
//!
//! Without an image, or with `initoverlayfs=off`, nothing after the claim happens, and the
//! boot takes the stock path.

#[cfg(CONFIG_INITOVERLAYFS_FAULT_INJECTION)]
mod faults;
mod handoff;
#[expect(unreachable_pub, reason = "shared with a library on the host")]
mod initrd;
#[cfg(CONFIG_INITOVERLAYFS_KUNIT_TEST)]
mod kunit;
mod layers;
mod memory;
mod parameter;
mod policy;
mod report;
mod scan;
mod source;
mod sys;
mod words;

use initoverlayfs_macros::{
    init,
    initcall, //
};
use kernel::prelude::*;

use crate::{
    initrd::{
        filesystem::Filesystem,
        Kind,
        Segment, //
    },
    layers::{
        plan,
        stack::Stack, //
    },
    memory::{
        region::{
            Initrd,
            Region, //
        },
        retained_initrd, //
    },
    parameter::{
        boot_parameters,
        options::{
            Mode,
            Options,
            Root, //
        }, //
    },
    report::{
        boot_report::Account,
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
        background,
        initramfs,
        panic::{
            require_failed,
            stop_if_unmet, //
        }, //
    }, //
};

use crate::sys::initcall::{
    Early,
    Slot, //
};

/// The prefix that the kernel crate's printing macros put in front of each line.
const __LOG_PREFIX: &[u8] = b"initoverlayfs\0";

/// The claimed initrd, from the claim to the mount. It is empty if nothing was claimed.
static CLAIMED: Slot<Claimed> = Slot::new();

initcall!(early, claim);
initcall!(device, mount);
initcall!(late_sync, mount_late);

/// The state that the claim leaves for the mount.
struct Claimed {
    region: Region,
    segments: KVec<Segment>,
    options: Options<'static>,
    account: Account,
}

impl Claimed {
    /// Returns whether it has to wait for the `late` initcalls: there, the kernel loads the keys
    /// for signatures, and btrfs registers.
    fn must_wait(&self) -> bool {
        let is_btrfs =
            |segment: &Segment| matches!(segment.kind, Kind::Image(Filesystem::Btrfs, _));
        let wants_keys = self.options.policy.signature && !self.segments.is_empty();
        wants_keys || self.segments.iter().any(is_btrfs)
    }
}

/// Claims the initrd so that nobody uses it. Its memory is freed at the device initcalls.
#[init]
fn give_up(initrd: Initrd<'_>, options: Options<'static>, timeline: Timeline) -> Result {
    CLAIMED.put(Claimed {
        region: initrd.claim(),
        segments: KVec::new(),
        options,
        account: Account::new(timeline),
    })
}

/// Decides whether the initrd is ours, and takes it (stage 2).
#[init]
fn claim(early: &Early) -> Result {
    let mut timeline = Timeline::start();
    let (options, bad) = boot_parameters::parse();
    if options.mode == Mode::Off && !cfg!(CONFIG_INITOVERLAYFS_REQUIRE_SIGNATURE) {
        return Ok(());
    }
    let initrd = Initrd::peek(early);
    if let (Mode::Require, Some(bad)) = (options.mode, bad) {
        require_failed(fmt!("{bad}"));
        return initrd.map_or(Ok(()), |initrd| give_up(initrd, options, timeline));
    }
    let Some(initrd) = initrd else {
        if options.mode == Mode::Require {
            require_failed(fmt!("there is no initrd"));
        }
        return Ok(());
    };
    if options.mode == Mode::Off {
        pr_err!("off: this kernel uses only signed images, going on without the initrd\n");
        return give_up(initrd, options, timeline);
    }
    let segments = match scan::scan(initrd.bytes(), options.filesystems) {
        Ok(segments) => segments,
        Err(problem) => {
            if options.mode == Mode::Require {
                require_failed(fmt!("{problem}"));
                return give_up(initrd, options, timeline);
            }
            if problem.is_damaged_archive() || options.policy.is_set() {
                pr_err!("{problem}, going on without the initrd\n");
                return give_up(initrd, options, timeline);
            }
            pr_err!("{problem}, leaving the initrd alone\n");
            return Ok(());
        }
    };
    let first = segments.iter().find_map(|segment| match segment.kind {
        Kind::Image(filesystem, _) => Some((filesystem, &segment.range)),
        Kind::Cpio | Kind::Unknown => None,
    });
    let Some((filesystem, range)) = first else {
        if options.mode == Mode::Require {
            require_failed(fmt!("the initrd holds no image"));
            return give_up(initrd, options, timeline);
        }
        if options.policy.is_set() {
            pr_err!("the initrd holds no image to authenticate, going on without the initrd\n");
            return give_up(initrd, options, timeline);
        }
        return Ok(());
    };
    let (offset, len) = (range.start, range.len());
    let images = segments.iter().filter(|s| s.kind.is_image()).count();
    let region = initrd.claim();
    timeline.end(Phase::Claim);
    CLAIMED.put(Claimed {
        account: Account {
            images,
            segments: segments.len(),
            offset,
            len,
            total_len: region.len(),
            filesystem,
            root: options.root,
            ..Account::new(timeline)
        },
        region,
        segments,
        options,
    })
}

/// Makes a root of the claimed initrd, and hands it to PID 1 (stages 3 and 4).
#[init]
fn mount() -> Result {
    if let Some(claimed) = CLAIMED.take_if(|claimed| !claimed.must_wait()) {
        mount_claimed(claimed);
    }
    Ok(())
}

/// Does the same for images that have to wait for the `late` initcalls, and stops a boot that must
/// not go on.
#[init]
fn mount_late() -> Result {
    if let Some(claimed) = CLAIMED.take_if(|_| true) {
        mount_claimed(claimed);
    }
    stop_if_unmet();
    Ok(())
}

/// Makes a root of it, or says why not.
#[init]
fn mount_claimed(mut claimed: Claimed) {
    if claimed.options.retain && claimed.options.root == Root::ReadWrite {
        pr_warn!("retain ignored: with rw, writing to the root changes the initrd\n");
    } else if claimed.options.retain {
        if let Err(error) = retained_initrd::expose(claimed.region.retain()) {
            pr_err!(
                "making /sys/firmware/initrd failed: error {}, the initrd is kept but not shown\n",
                error.to_errno()
            );
        }
    }
    if claimed.segments.is_empty() {
        return;
    }
    // The built-in initramfs is the lowest layer: it has to be complete.
    claimed.account.timeline.resume();
    initramfs::wait();
    claimed.account.timeline.end(Phase::Wait);

    #[cfg(CONFIG_INITOVERLAYFS_FAULT_INJECTION)]
    if faults::are_wanted() {
        faults::drill_all(claimed);
        return;
    }
    let Claimed {
        region,
        segments,
        options,
        mut account,
    } = claimed;
    match take_over(region, segments, &options, &mut account) {
        Ok(()) => background::run(account),
        Err(failure) => {
            account.log_found();
            if options.mode == Mode::Require {
                require_failed(fmt!("{failure}"));
                return;
            }
            pr_err!("{failure}, going on without the initrd\n");
        }
    }
}

/// Makes a root of it, and hands it to PID 1.
///
/// # Errors
///
/// The [`Failure`] of the step that failed.
#[init]
fn take_over(
    region: Region,
    segments: KVec<Segment>,
    options: &Options<'_>,
    account: &mut Account,
) -> Result<(), Failure> {
    let stack = stack_up(region, segments, options, account)?;
    #[cfg(CONFIG_DEBUG_FS)]
    {
        let root = stack.root().and_then(|root| root.attributes());
        account.device = root.ok().map(|root| root.dev());
    }
    handoff::hand_off(stack, options.root, &mut account.timeline)
}

/// Mounts the claimed initrd (stage 3).
///
/// # Errors
///
/// The [`Failure`] of the step that failed.
#[init]
fn stack_up(
    region: Region,
    mut segments: KVec<Segment>,
    options: &Options<'_>,
    account: &mut Account,
) -> Result<Stack, Failure> {
    policy::retain_segments(&options.policy, &mut segments);
    let layers = plan::divide(region, segments, account).map_err(|e| Step::Segments.failed(e))?;
    layers::mount(layers, options, &mut account.timeline)
}
