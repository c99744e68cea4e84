// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs_faults`: every allocation on the way to the root fails once, in one boot.
//!
//! Something is attempted again and again; the first time its first allocation fails, the second
//! time its second, and so on, until nothing is left to fail. As a failure is undone, the attempts
//! do not know of each other. For debug kernels only.
//!
//! The kernel's unpacker is spared, as another thread runs it: where it gets no memory for its own
//! lists, it panics by design.

use initoverlayfs_macros::{
    boot_param,
    init, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::SetOnce, //
};

use crate::{
    handoff::hand_off,
    initrd::filesystem::Filesystems,
    report::{
        boot_report::Account,
        timeline::Timeline, //
    },
    scan::scan,
    stack_up,
    sys::{
        background,
        bindings,
        initramfs, //
    },
    Claimed, //
};

/// Ends a drill in which something fails for ever.
const MOST_ATTEMPTS: u32 = 20_000;

static WANTED: SetOnce<()> = SetOnce::new();

boot_param!("initoverlayfs_faults", want);

#[init]
fn want(_value: &CStr) {
    WANTED.populate(());
}

/// Returns whether the boot asks for it.
pub(crate) fn are_wanted() -> bool {
    WANTED.as_ref().is_some()
}

/// Runs the scan of stage 2 again, and stages 3 and 4, with a fault in each allocation, and then
/// without. The memory is kept.
///
/// A probe of one of the kernel's functions needs memory for instructions, which arm64 does not
/// have yet when the initrd is claimed.
#[init]
pub(crate) fn drill_all(mut claimed: Claimed) {
    let initrd = claimed.region.retain();
    drill("scan", &Target::Scan(initrd, claimed.options.filesystems));
    drill("mount", &Target::Mount(&claimed));
    drill("hand-off", &Target::HandOff(&claimed));
}

/// An attempt.
enum Target<'a> {
    Scan(&'static [u8], Filesystems),
    Mount(&'a Claimed),
    HandOff(&'a Claimed),
}

/// The end of an attempt.
enum Outcome {
    /// With an error; everything is undone.
    Failed,
    /// Well, and everything is undone.
    Succeeded,
    /// Well, and for good.
    Final,
}

#[init]
fn attempt(target: &Target<'_>) -> Outcome {
    let (claimed, is_final) = match target {
        Target::Scan(initrd, wanted) if scan(initrd, *wanted).is_ok() => return Outcome::Succeeded,
        Target::Scan(..) => return Outcome::Failed,
        Target::Mount(claimed) => (claimed, false),
        Target::HandOff(claimed) => (claimed, true),
    };
    // Of the last step, only what comes after the mount is attempted.
    let spared = is_final.then(Spared::new);
    let Ok(Claimed {
        region,
        segments,
        options,
        mut account,
    }) = again(claimed)
    else {
        return Outcome::Failed;
    };
    let Ok(stack) = stack_up(region, segments, &options, &mut account) else {
        return Outcome::Failed;
    };
    drop(spared);
    if !is_final {
        return Outcome::Succeeded;
    }
    match hand_off(stack, options.root, &mut account.timeline) {
        Ok(()) => {
            background::run(account);
            Outcome::Final
        }
        Err(_) => Outcome::Failed,
    }
}

/// Returns a copy of the claimed initrd.
fn again(claimed: &Claimed) -> Result<Claimed> {
    let mut segments = KVec::with_capacity(claimed.segments.len(), GFP_KERNEL)?;
    for segment in &claimed.segments {
        segments.push(segment.clone(), GFP_KERNEL)?;
    }
    Ok(Claimed {
        region: claimed.region.again().ok_or(EINVAL)?,
        segments,
        options: claimed.options,
        account: Account::new(Timeline::start()),
    })
}

/// A guard: while one lives, no allocation fails or counts.
pub(crate) struct Spared(());

impl Spared {
    pub(crate) fn new() -> Self {
        // SAFETY: There are no preconditions.
        unsafe { bindings::initoverlayfs_faults_spare(true) };
        Self(())
    }
}

impl Drop for Spared {
    fn drop(&mut self) {
        // SAFETY: There are no preconditions.
        unsafe { bindings::initoverlayfs_faults_spare(false) };
    }
}

/// Makes attempts until one meets no fault, and says how they went.
#[init]
fn drill(name: &str, target: &Target<'_>) {
    // SAFETY: There are no preconditions.
    if let Err(error) = to_result(unsafe { bindings::initoverlayfs_faults_start() }) {
        pr_err!("faults: no hooks: error {}\n", error.to_errno());
        return;
    }
    let (mut failed, mut survived) = (0u32, 0u32);
    for nth in 1..=MOST_ATTEMPTS {
        // SAFETY: The hooks are in.
        unsafe { bindings::initoverlayfs_faults_arm(nth) };
        let outcome = attempt(target);
        // SAFETY: The hooks are in.
        let hit = unsafe { bindings::initoverlayfs_faults_disarm() };
        initramfs::flush();
        match (hit, outcome) {
            (true, Outcome::Failed) => failed = failed.saturating_add(1),
            (true, Outcome::Succeeded) => survived = survived.saturating_add(1),
            (_, Outcome::Final) | (false, Outcome::Succeeded) => {
                pr_info!(
                    "faults: {name}: {failed} undone, {survived} survived, then it succeeded\n"
                );
                break;
            }
            (false, Outcome::Failed) => {
                pr_err!("faults: {name}: {failed} undone, then it failed without a fault\n");
                break;
            }
        }
    }
}
