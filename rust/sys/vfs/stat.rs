// SPDX-License-Identifier: GPL-2.0-only

//! Attributes of a file, and figures of its filesystem.
//!
//! C headers: [`include/linux/stat.h`](srctree/include/linux/stat.h),
//! [`include/linux/statfs.h`](srctree/include/linux/statfs.h).

use kernel::prelude::*;

use crate::sys::bindings;

/// The attributes of a file: `struct kstat`.
pub(crate) struct Attributes(pub(super) bindings::kstat);

impl Attributes {
    /// Returns the type and the permissions.
    pub(crate) fn mode(&self) -> bindings::umode_t {
        self.0.mode
    }

    /// Returns the numbers of the user and of the group that own it.
    pub(crate) fn owner(&self) -> (u32, u32) {
        (self.0.uid.val, self.0.gid.val)
    }

    /// Returns the time of the last modification.
    pub(crate) fn modified(&self) -> bindings::timespec64 {
        self.0.mtime
    }

    /// Returns the device that its filesystem shows.
    pub(crate) fn dev(&self) -> Device {
        Device(self.0.dev)
    }
}

/// The number of a device, as the kernel has it.
#[derive(Clone, Copy)]
pub(crate) struct Device(bindings::dev_t);

impl Device {
    /// The number of bits of a minor number: `MINORBITS`.
    const MINOR_BITS: u32 = 20;

    /// Returns the major number.
    pub(crate) fn major(self) -> u32 {
        self.0 >> Self::MINOR_BITS
    }

    /// Returns the minor number.
    pub(crate) fn minor(self) -> u32 {
        self.0 & ((1 << Self::MINOR_BITS) - 1)
    }
}

/// The figures of a filesystem: `struct kstatfs`.
pub(crate) struct Statistics(pub(super) bindings::kstatfs);

impl Statistics {
    /// Returns the size in bytes, which is 0 for a tmpfs without a limit.
    ///
    /// # Errors
    ///
    /// `EOVERFLOW` if the filesystem has no valid block size.
    pub(crate) fn size(&self) -> Result<u64> {
        let block_size = u64::try_from(self.0.f_bsize).map_err(|_| EOVERFLOW)?;
        Ok(self.0.f_blocks.saturating_mul(block_size))
    }

    /// Returns the number of files that it may have, which is 0 for a tmpfs without a limit.
    pub(crate) fn files(&self) -> u64 {
        self.0.f_files
    }

    /// Checks whether there is no room for another block or for another file.
    pub(crate) fn is_full(&self) -> bool {
        // A tmpfs without a limit has none of either.
        let is_used_up = |all: u64, free: u64| all > 0 && free == 0;
        is_used_up(self.0.f_blocks, self.0.f_bfree) || is_used_up(self.0.f_files, self.0.f_ffree)
    }
}
