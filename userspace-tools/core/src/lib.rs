// SPDX-License-Identifier: GPL-2.0-only

//! The parts of initoverlayfs that the kernel and the host share: the very files of `rust/` that
//! the kernel builds, compiled for the host.

#[path = "../../../rust/initrd/mod.rs"]
pub mod initrd;
#[path = "../../../rust/options.rs"]
pub mod options;

/// The kernel's `crc32c()`: no inversion before or after. An [`initrd::Crc32c`].
pub fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}
