// SPDX-License-Identifier: GPL-2.0-only
//! The processor's own clock.

/// Nanoseconds since the machine was reset, on QEMU's instruction-counting clock.
///
/// The processor's counter has that unit on this clock on x86_64. On RISC-V it has 100 ns, and an Arm processor says what it
/// has: 1 ns with QEMU's newer ones, 16 ns with those that are older than QEMU 9.1. The kernel's clocks are of no use for
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
        let (count, frequency): (u64, u64);
        // SAFETY: Every arm64 processor has this register, and the kernel allows reading it.
        unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) count) };
        // SAFETY: Likewise.
        unsafe { core::arch::asm!("mrs {}, cntfrq_el0", out(reg) frequency) };
        nanoseconds(count, frequency)
    }
    #[cfg(target_arch = "riscv64")]
    {
        let count: u64;
        // SAFETY: Every RISC-V processor that runs Linux has this register, and the kernel allows reading it.
        unsafe { core::arch::asm!("rdtime {}", out(reg) count) };
        count * 100
    }
}

/// Returns a counter's value in nanoseconds. The firmware may have left out to say how often it counts in a second.
#[cfg(any(target_arch = "aarch64", test))]
fn nanoseconds(count: u64, frequency: u64) -> u64 {
    let ns = u128::from(count) * 1_000_000_000 / u128::from(frequency.max(1));
    u64::try_from(ns).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[test]
    fn a_count_becomes_nanoseconds() {
        assert_eq!(nanoseconds(5, 1_000_000_000), 5);
        assert_eq!(nanoseconds(u64::MAX / 16, 62_500_000), u64::MAX / 16 * 16);
        assert_eq!(nanoseconds(1, 0), 1_000_000_000);
    }
}
