// SPDX-License-Identifier: GPL-2.0-only
//! The machines that are emulated: what each has of its own, and its names elsewhere.

/// A machine, as this project boots it.
pub struct Target {
    /// The name that the kernel has for the architecture.
    pub name: &'static str,
    /// The kernel's file in the build folder.
    pub kernel: &'static str,
    /// The emulator.
    pub qemu: &'static str,
    /// The emulator's arguments for the machine itself.
    pub machine: &'static [&'static str],
    /// The emulator's arguments for the second serial port, whose character device is `result`.
    pub result_port: &'static [&'static str],
    /// The guest's name for that port.
    pub result_device: &'static str,
    /// Parameters on each command line: the console, which is the first serial port.
    pub parameters: &'static str,
    /// The file that UEFI starts from a disk whose `EFI/BOOT` has it.
    pub boot_file: &'static str,
    /// The emulator's device for a TPM.
    pub tpm: &'static str,
    /// The machine in the header of its programs (`e_machine`).
    pub elf_machine: u16,
    /// Whether the kernel keeps a page of memory that is only partly the initrd's, which may hold something else
    /// (`free_initrd_mem()`). x86 reserves the last one as a whole.
    pub keeps_partial_pages: bool,
    /// The emulator's arguments for a machine whose kernel loads another one.
    pub kexec: &'static [&'static str],
    /// The processor whose clock counts instructions.
    pub counting_cpu: &'static str,
}

/// A 64-bit x86 PC.
///
/// A busy host may delay the emulated timer so long that the kernel takes it for broken and panics: `no_timer_check`
/// spares that test. Linux 7.3 may hang with two processors, before it has switched to the TSC. Its clocksource
/// watchdog (`watchdog_wait_seq()` in `kernel/time/clocksource.c`) then waits, interrupts off, for a processor that
/// `stop_machine()` holds. The limit to that wait is measured in jiffies, which stand still meanwhile:
/// `tsc=nowatchdog` keeps it from starting. The benchmark's processor lacks the features that make the kernel copy by `rep movsb`, which
/// would count each byte: with them, unpacking a cpio takes twice as long.
const X86_64: Target = Target {
    name: "x86_64",
    kernel: "x86_64/bzImage",
    qemu: "qemu-system-x86_64",
    machine: &[],
    result_port: &["-serial", "chardev:result"],
    result_device: "/dev/ttyS1",
    parameters: "console=ttyS0 no_timer_check tsc=nowatchdog",
    boot_file: "BOOTX64.EFI",
    tpm: "tpm-tis",
    elf_machine: 62,
    keeps_partial_pages: false,
    kexec: &[],
    counting_cpu: "max,-erms,-fsrm,-fsrs,-fzrm",
};

/// The machine "virt" with 64-bit Arm processors.
///
/// Its console comes up after the root is mounted. What is said before a panic of ours shows by `earlycon` only. The
/// benchmark's processor lacks the instructions that copy or clear any number of bytes (FEAT_MOPS), of which the
/// kernel makes use: they would count as one. kexec-tools refuse a device tree whose seed for KASLR was not wiped, as a kernel without
/// KASLR leaves it: with kexec, there is none.
const ARM64: Target = Target {
    name: "arm64",
    kernel: "arm64/Image",
    qemu: "qemu-system-aarch64",
    machine: &["-machine", "virt"],
    result_port: PCI_PORT,
    result_device: "/dev/ttyS0",
    parameters: "console=ttyAMA0 earlycon=pl011,0x9000000",
    boot_file: "BOOTAA64.EFI",
    tpm: "tpm-tis-device",
    elf_machine: 183,
    keeps_partial_pages: true,
    kexec: &["-machine", "dtb-randomness=off"],
    counting_cpu: "cortex-a76",
};

/// That machine with 64-bit RISC-V processors.
const RISCV64: Target = Target {
    name: "riscv64",
    kernel: "riscv64/Image",
    qemu: "qemu-system-riscv64",
    parameters: "console=ttyS0 earlycon=uart8250,mmio,0x10000000",
    boot_file: "BOOTRISCV64.EFI",
    elf_machine: 243,
    result_device: "/dev/ttyS1",
    kexec: &[],
    counting_cpu: "max",
    ..ARM64
};

/// A serial port for machines that have one only.
const PCI_PORT: &[&str] = &["-device", "pci-serial,chardev=result"];

/// Returns the machine that the build script has made the probe for.
pub fn target() -> &'static Target {
    match env!("GUEST") {
        "arm64" => &ARM64,
        "riscv64" => &RISCV64,
        _ => &X86_64,
    }
}
