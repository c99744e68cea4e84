// SPDX-License-Identifier: GPL-2.0-only

//! Every call into C, wrapped so that it can be used without `unsafe`.
//!
//! Decisions do not belong here, nor anything that knows what an initrd is. May use: initrd (the
//! types of digests).

pub(crate) mod background;
pub(crate) mod bindings;
pub(crate) mod clock;
pub(crate) mod command_line;
pub(crate) mod console;
pub(crate) mod digest;
pub(crate) mod initcall;
pub(crate) mod initramfs;
#[cfg(out_of_tree)]
pub(crate) mod leftovers;
pub(crate) mod panic;
pub(crate) mod signature;
pub(crate) mod table;
pub(crate) mod vfs;
