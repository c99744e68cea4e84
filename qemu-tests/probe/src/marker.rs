// SPDX-License-Identifier: GPL-2.0-only
//! Bytes by which the host recognizes the memory of a kernel that has panicked.

/// How often the marker is in that memory.
pub const COUNT: usize = 1 << 16;

/// Returns the marker. An allocation of many of them starts at a multiple of its size.
pub fn bytes() -> [u8; 16] {
    std::array::from_fn(|index| u8::try_from(index).unwrap_or(0).wrapping_mul(151) ^ 0x5a)
}
