// SPDX-License-Identifier: GPL-2.0-only

//! Sources to mount filesystems from: files that show images in memory, and block devices.
//!
//! Which image is mounted how is decided in layers. May use: memory, sys.

#[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
pub(crate) mod disk;
pub(crate) mod initrdfs;
