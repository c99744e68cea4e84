// SPDX-License-Identifier: GPL-2.0-only

//! What the kernel's command line says: noted before any initcall, and read by the claim.

use initoverlayfs_macros::{
    boot_param,
    init, //
};
use kernel::{
    fmt,
    prelude::*,
    str::{
        BStr,
        CString, //
    },
    sync::SetOnce, //
};
#[cfg(CONFIG_BLK_DEV_RAM = "y")]
use {
    crate::initrd::image::{
        Filesystem,
        Filesystems, //
    },
    kernel::sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

use crate::{
    bindings,
    options::{
        BadOption,
        Mode,
        Options,
        UnsignedCpio, //
    }, //
};

/// How often `initoverlayfs=` may stand on the command line.
const MAX_PARAMETERS: usize = 8;

/// The values of `initoverlayfs=`, in the order of the command line.
static PARAMETERS: [SetOnce<&CStr>; MAX_PARAMETERS] = [const { SetOnce::new() }; MAX_PARAMETERS];

/// Set if one had no place there.
static TOO_MANY_PARAMETERS: SetOnce<()> = SetOnce::new();

/// Set if the kernel's own `retain_initrd`, or on some architectures `keepinitrd`, is given.
static RETAIN_INITRD: SetOnce<()> = SetOnce::new();

/// Whether the last `root=` is the ramdisk that `init/do_mounts_rd.c` loads an initrd of the old
/// kind into.
#[cfg(CONFIG_BLK_DEV_RAM = "y")]
static ROOT_IS_RAMDISK: Atomic<bool> = Atomic::new(false);

boot_param!("initoverlayfs=", note_parameter);
boot_param!(early "retain_initrd", note_retain_initrd);
#[cfg(CONFIG_ARCH_HAS_KEEPINITRD)]
boot_param!(early "keepinitrd", note_retain_initrd);
#[cfg(CONFIG_BLK_DEV_RAM = "y")]
boot_param!(early "root", note_root);

#[init]
fn note_parameter(value: &'static CStr) {
    if !PARAMETERS.iter().any(|slot| slot.populate(value)) {
        pr_err!("more than {MAX_PARAMETERS} initoverlayfs= parameters, ignoring the last\n");
        TOO_MANY_PARAMETERS.populate(());
    }
}

#[init]
fn note_retain_initrd(value: &CStr) {
    if value.is_empty() {
        RETAIN_INITRD.populate(());
    }
}

#[cfg(CONFIG_BLK_DEV_RAM = "y")]
#[init]
fn note_root(value: &CStr) {
    let names: [&[u8]; 3] = [b"/dev/ram0", b"/dev/ram", b"1:0"];
    ROOT_IS_RAMDISK.store(names.contains(&value.to_bytes()), Relaxed);
}

/// Stops the boot, naming the reason: the promise of `initoverlayfs=require`.
pub(crate) fn panic_required(reason: fmt::Arguments<'_>) -> ! {
    let text = CString::try_from_fmt(reason);
    let text: &CStr = text.as_deref().unwrap_or(c"out of memory");
    // SAFETY: The format takes one string.
    unsafe {
        bindings::panic(
            c"initoverlayfs: required, but %s".as_char_ptr(),
            text.as_char_ptr(),
        )
    }
}

/// Reads all that was noted of the command line.
pub(crate) fn parse() -> Options<'static> {
    let mut options = Options::default();
    let mut first_bad = None;
    for value in PARAMETERS.iter().filter_map(SetOnce::copy) {
        options.apply(value.to_bytes(), |bad| {
            let (problem, text) = match bad {
                BadOption::Unknown(text) => ("unknown option", text),
                BadOption::Size(text) => ("not a size", text),
                BadOption::Policy(text) => ("malformed policy", text),
                BadOption::Filesystem(text) => ("not a filesystem for an image", text),
                BadOption::Subvolume(text) => ("not a subvolume", text),
            };
            pr_err!("{problem} '{}' ignored\n", BStr::from_bytes(text));
            first_bad.get_or_insert((problem, text));
        });
    }
    let policy = &mut options.policy;
    if policy.signature && !cfg!(CONFIG_INITOVERLAYFS_SIGNATURES) {
        pr_err!("verify=signature: this kernel has no INITOVERLAYFS_SIGNATURES\n");
        policy.is_malformed = true;
        first_bad.get_or_insert(("unsupported option", b"verify=signature"));
    }
    // What was not noted may have been a policy.
    policy.is_malformed |= TOO_MANY_PARAMETERS.as_ref().is_some();
    if cfg!(CONFIG_INITOVERLAYFS_REQUIRE_SIGNATURE) {
        policy.signature = true;
        if policy.unsigned_cpio == UnsignedCpio::Allow {
            pr_err!("unsigned-cpio=allow: this kernel uses nothing but signed images\n");
            policy.unsigned_cpio = UnsignedCpio::Ignore;
        }
    }
    if let (Mode::Require, Some((problem, text))) = (options.mode, first_bad) {
        panic_required(fmt!("{problem} '{}'", BStr::from_bytes(text)));
    }
    // Images of these, the kernel loads into its ramdisk. Who wants them mounted in place says so.
    #[cfg(CONFIG_BLK_DEV_RAM = "y")]
    if ROOT_IS_RAMDISK.load(Relaxed)
        && options.mode == Mode::Auto
        && !options.is_restricted
        && !options.policy.is_set()
    {
        options.filesystems = Filesystems::NONE
            .with(Filesystem::Erofs)
            .with(Filesystem::Btrfs);
    }
    options.retain |= RETAIN_INITRD.as_ref().is_some();
    options
}
