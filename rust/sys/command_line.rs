// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's command line, with the parameters that a bootconfig adds to it.
//!
//! Unsafe, because C hands out pointers into the command line.
//!
//! Some parameters belong to other parts of the kernel, which keep their values to themselves. C
//! source: `parse_args()` in [`kernel/params.c`](srctree/kernel/params.c).

use core::ptr;

use initoverlayfs_macros::init;
use kernel::prelude::*;

use crate::sys::bindings;

/// Calls `visit` with the name of each parameter, and its value if it has one, in order. Stops at
/// `--`, behind which init's own arguments begin.
///
/// # Errors
///
/// `ENOMEM`.
#[init]
pub(crate) fn for_each(mut visit: impl FnMut(&CStr, Option<&CStr>)) -> Result {
    // SAFETY: `setup_command_line()` has set it to a NUL-terminated string before the initcalls,
    // and nothing changes either afterwards.
    let line = unsafe { CStr::from_char_ptr(bindings::saved_command_line) };
    let mut copy = KVec::with_capacity(line.to_bytes_with_nul().len(), GFP_KERNEL)?;
    copy.extend_from_slice(line.to_bytes_with_nul(), GFP_KERNEL)?;
    // SAFETY: The copy is NUL-terminated.
    let mut rest = unsafe { bindings::skip_spaces(copy.as_ptr().cast()) };
    loop {
        // SAFETY: `rest` points into the copy, at its terminator if nothing is left.
        if unsafe { rest.read() } == 0 {
            return Ok(());
        }
        let (mut name, mut value) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: `rest` is a NUL-terminated part of the copy, which the function may write to.
        rest = unsafe { bindings::next_arg(rest, &mut name, &mut value) };
        // SAFETY: The function has set `name` to a NUL-terminated part of the copy.
        let name = unsafe { CStr::from_char_ptr(name) };
        let value = (!value.is_null()).then(|| {
            // SAFETY: As for the name.
            unsafe { CStr::from_char_ptr(value) }
        });
        if name == c"--" && value.is_none() {
            return Ok(());
        }
        visit(name, value);
    }
}

/// Compares the name of a parameter with a known one, as `parameq()` does: `-` and `_` are the
/// same.
pub(crate) fn is_named(name: &CStr, known: &CStr) -> bool {
    let plain = |byte: &u8| if *byte == b'-' { b'_' } else { *byte };
    let names = [name, known].map(|name| name.to_bytes().iter().map(plain));
    let [name, known] = names;
    name.eq(known)
}
