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
