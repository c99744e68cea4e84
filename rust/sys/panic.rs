// SPDX-License-Identifier: GPL-2.0-only

//! Stopping the boot.
//!
//! Unsafe, because `panic()` takes a C format.

use kernel::{
    fmt,
    prelude::*,
    str::CString, //
};

use crate::sys::bindings;

use crate::sys::initcall::Slot;

/// The reason why no init may start, if there is one.
static UNMET: Slot<CString> = Slot::new();

/// Notes why no init may start, for [`stop_if_unmet`]: the promise of `initoverlayfs=require`.
/// Without memory for the reason, it stops the boot at once.
pub(crate) fn require_failed(reason: fmt::Arguments<'_>) {
    if CString::try_from_fmt(reason)
        .and_then(|reason| UNMET.put(reason))
        .is_err()
    {
        stop(c"out of memory");
    }
}

/// Stops the boot if a reason was noted, once the drivers are there that were found so far: one of
/// them may be the console.
pub(crate) fn stop_if_unmet() {
    if let Some(reason) = UNMET.take_if(|_| true) {
        // SAFETY: An initcall may sleep, and holds no locks.
        unsafe { bindings::wait_for_device_probe() };
        stop(&reason);
    }
}

fn stop(reason: &CStr) -> ! {
    // SAFETY: The format takes one string.
    unsafe {
        bindings::panic(
            c"initoverlayfs: required, but %s".as_char_ptr(),
            reason.as_char_ptr(),
        )
    }
}
