// SPDX-License-Identifier: GPL-2.0-only

//! `/sys/firmware/initrd`: a retained initrd, shown as `retain_initrd` shows it.
//!
//! Unsafe, because sysfs is given the address of the memory.
//!
//! C source: `do_populate_rootfs()` in [`init/initramfs.c`](srctree/init/initramfs.c).

use kernel::{
    error::to_result,
    prelude::*, //
};

use crate::sys::bindings;

/// Shows `initrd`, readable by root.
///
/// # Errors
///
/// `ENOMEM`, and errors of `sysfs_create_bin_file()`.
pub(crate) fn expose(initrd: &'static [u8]) -> Result {
    let mut attribute = KBox::new(pin_init::zeroed::<bindings::bin_attribute>(), GFP_KERNEL)?;
    attribute.attr.name = c"initrd".as_char_ptr();
    attribute.attr.mode = 0o440;
    attribute.size = initrd.len();
    attribute.private = initrd.as_ptr().cast_mut().cast();
    attribute.read = Some(bindings::sysfs_bin_attr_simple_read);
    #[cfg(CONFIG_DEBUG_LOCK_ALLOC)]
    attribute.attr.set_ignore_lockdep(true);
    // SAFETY: `firmware_kobj` is there since `driver_init()`. The attribute stays as long as the
    // file, which is as long as the kernel runs; what it shows lives forever.
    to_result(unsafe { bindings::sysfs_create_bin_file(bindings::firmware_kobj, &*attribute) })?;
    KBox::leak(attribute);
    Ok(())
}
