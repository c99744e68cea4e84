# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the boot harness in qemu-tests/ reads from its environment.

# load_harness: the tools, the kernel under test, and how to run a guest.
load_harness() {
	load_tools
	: "${CARGO:?}"
	export BUILD
	export KERNEL=$BUILD/x86_64/bzImage
	export KERNEL_CONFIG=$BUILD/x86_64/config
	export CARGO_TARGET_DIR=$BUILD/target
	QEMU_ACCEL=$("$ROOT/scripts/accel")
	export QEMU_ACCEL
	[ -f "$KERNEL" ] || die "build/x86_64/bzImage is missing: run 'make kernel' first"
}
