// SPDX-License-Identifier: GPL-2.0-only
//! The processor's own clock.

/// Nanoseconds since the machine was reset, on QEMU's instruction-counting clock.
///
/// The processor's counter has that unit on this clock; on RISC-V it has 100 ns. The kernel's clocks are of no use for
/// when something happened: before it has found a good one it counts in timer ticks, and loses what is left of one.
#[expect(unsafe_code, reason = "an instruction, which the standard library takes for unsafe")]
pub fn now() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: Every x86_64 processor has this instruction, and the kernel allows it.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let count: u64;
        // SAFETY: Every arm64 processor has this register, and the kernel allows reading it.
        unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) count) };
        count
    }
    #[cfg(target_arch = "riscv64")]
    {
        let count: u64;
        // SAFETY: Every RISC-V processor that runs Linux has this register, and the kernel allows reading it.
        unsafe { core::arch::asm!("rdtime {}", out(reg) count) };
        count * 100
    }
}
