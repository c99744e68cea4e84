// SPDX-License-Identifier: GPL-2.0-only

//! `/sys/firmware/initrd`: a retained initrd, shown as `retain_initrd` shows it.
//!
//! C source: `do_populate_rootfs()` in `init/initramfs.c`.

use kernel::{
    error::to_result,
    prelude::*, //
};

use crate::bindings;

/// Shows `initrd`, readable by root.
///
/// # Errors
///
/// `ENOMEM`, and what sysfs says.
pub(crate) fn expose(initrd: &'static [u8]) -> Result {
    let attribute = KBox::new(
        bindings::bin_attribute {
            attr: bindings::attribute {
                name: c"initrd".as_ptr().cast(),
                mode: 0o440,
                ..pin_init::zeroed()
            },
            size: initrd.len(),
            private: initrd.as_ptr().cast_mut().cast(),
            read: Some(bindings::sysfs_bin_attr_simple_read),
            ..pin_init::zeroed()
        },
        GFP_KERNEL,
    )?;
    // The file stays as long as the kernel runs, and so does its attribute.
    let attribute = KBox::leak(attribute);
    #[cfg(CONFIG_DEBUG_LOCK_ALLOC)]
    {
        attribute.attr.set_ignore_lockdep(true);
    }
    // SAFETY: `firmware_kobj` is there since `driver_init()`; the attribute and what it shows live
    // forever.
    to_result(unsafe { bindings::sysfs_create_bin_file(bindings::firmware_kobj, attribute) })
}
