// SPDX-License-Identifier: GPL-2.0-only
//! The processor's own clock.

/// Cycles since the machine was reset.
///
/// On QEMU's instruction-counting clock a cycle is a nanosecond. The kernel's clocks are of no use for when
/// something happened: before it has found a good one it counts in timer ticks, and loses what is left of one.
#[expect(unsafe_code, reason = "an instruction, which the standard library takes for unsafe")]
pub fn now() -> u64 {
    // SAFETY: Every x86_64 processor has this instruction, and the kernel allows it.
    unsafe { core::arch::x86_64::_rdtsc() }
}
