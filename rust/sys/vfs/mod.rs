// SPDX-License-Identifier: GPL-2.0-only

//! The VFS, wrapped safely.
//!
//! The functions work on the root and the working directory of the calling thread: PID 1, which
//! runs the initcalls, or a kernel thread with a [`View`](view::View). In a series for the kernel,
//! these files are part of the kernel crate.

#[cfg_attr(
    not(CONFIG_INITOVERLAYFS_BLOCK),
    expect(dead_code, reason = "nobody makes device nodes")
)]
pub(crate) mod init;
pub(crate) mod mount;
pub(crate) mod path;
#[cfg_attr(
    not(CONFIG_DEBUG_FS),
    expect(dead_code, reason = "nobody shows device numbers")
)]
pub(crate) mod stat;
pub(crate) mod view;
pub(crate) mod xattr;
