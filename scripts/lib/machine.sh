# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The machine that is built for and booted: ARCH, as the kernel names it, or this one. All names that
# a machine has elsewhere stand here, and in qemu-tests/src/target.rs. Needs common.sh.
# shellcheck disable=SC2034 # for whoever sources this

HOST=$(uname -m)
DEBUG_PARAMETERS=
STUB=
case ${ARCH:=$HOST} in
x86_64)
	IMAGE=bzImage
	BOOT_IMAGE=arch/x86/boot/bzImage
	QEMU_PROGRAM=qemu-system-x86_64
	QEMU_PACKAGE=qemu-system-x86
	QEMU_MACHINE=
	CONSOLE='console=ttyS0 no_timer_check tsc=nowatchdog'
	# While the processor is identified, KASAN takes an interrupt's accesses for wild ones
	# if there are five levels of page tables.
	DEBUG_PARAMETERS=no5lvl
	FIRMWARE_PACKAGE=ovmf
	FIRMWARE=OVMF/OVMF_CODE_4M.fd
	RESULT_PORT=/dev/ttyS1
	DEBIAN_ARCH=amd64
	GNU=x86_64-linux-gnu
	RUST_TARGET=x86_64-unknown-linux-gnu
	;;
arm64 | aarch64)
	ARCH=arm64
	IMAGE=Image
	BOOT_IMAGE=arch/arm64/boot/Image
	QEMU_PROGRAM=qemu-system-aarch64
	QEMU_PACKAGE=qemu-system-arm
	QEMU_MACHINE='-machine virt'
	CONSOLE=console=ttyAMA0
	FIRMWARE_PACKAGE=qemu-efi-aarch64
	# The others know no TPM.
	FIRMWARE=AAVMF/AAVMF_CODE.secboot.fd
	# systemd-stub. The emulator takes a unified kernel image with an initrd, where that of x86 takes Linux only.
	STUB=linuxaa64.efi.stub
	RESULT_PORT=/dev/ttyS0
	DEBIAN_ARCH=arm64
	GNU=aarch64-linux-gnu
	RUST_TARGET=aarch64-unknown-linux-gnu
	;;
riscv64)
	IMAGE=Image
	BOOT_IMAGE=arch/riscv/boot/Image
	QEMU_PROGRAM=qemu-system-riscv64
	# Debian 12 has it in qemu-system-misc, but not in its backports.
	QEMU_PACKAGE=qemu-system-riscv
	QEMU_MACHINE='-machine virt'
	CONSOLE=console=ttyS0
	FIRMWARE_PACKAGE=qemu-efi-riscv64
	FIRMWARE=qemu-efi-riscv64/RISCV_VIRT_CODE.fd
	RESULT_PORT=/dev/ttyS1
	DEBIAN_ARCH=riscv64
	GNU=riscv64-linux-gnu
	RUST_TARGET=riscv64gc-unknown-linux-gnu
	;;
*)
	die "ARCH=$ARCH: x86_64, arm64 and riscv64 are known"
	;;
esac
case $ARCH in
riscv64) KERNEL_ARCH=riscv ;;
*) KERNEL_ARCH=$ARCH ;;
esac
export ARCH

# is_native: whether the machine is the one that this runs on.
is_native() {
	[ "$GNU" = "$HOST-linux-gnu" ]
}

# What another machine than this one has beside: build/demo.erofs, and build/demo-arm64.erofs.
FOREIGN=
is_native || FOREIGN=-$ARCH
# A Debian to boot: trixie, or SUITE.
DISTRO_DIR=$BUILD/distro$FOREIGN
[ "${SUITE:-trixie}" = trixie ] || DISTRO_DIR+=-$SUITE
# The machine's emulator and programs, as scripts/setup found them.
GUEST_TOOLS=$BUILD/tools-$ARCH.env
