// SPDX-License-Identifier: GPL-2.0-only

//! The boot parameter: its grammar, which the host shares, and how the kernel notes and reads it.
//!
//! What the options do is decided by those who are given them. May use: initrd, sys.

pub(crate) mod boot_parameters;
#[expect(unreachable_pub, reason = "shared with a library on the host")]
pub(crate) mod options;
