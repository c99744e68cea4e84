# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the boot harness in qemu-tests/ reads from its environment.

# load_harness: the tools, the kernel under test, and how to run a guest.
load_harness() {
	load_tools
	: "${CARGO:?}"
	export BUILD
	KERNEL=$(kernel_dir)/bzImage
	KERNEL_CONFIG=$(kernel_dir)/config
	export KERNEL KERNEL_CONFIG
	export CARGO_TARGET_DIR=$BUILD/target
	# What watches every access of a guest makes it slow; the first complaint ends it.
	# no5lvl: while the processor is identified, KASAN takes an interrupt's accesses
	# for wild ones if there are five levels of page tables.
	if [ "${CONFIG-}" = debug ]; then
		export QEMU_TIMEOUT_SCALE=${QEMU_TIMEOUT_SCALE:-10}
		export KERNEL_APPEND="panic_on_warn=1 no5lvl ${KERNEL_APPEND-}"
	fi
	QEMU_ACCEL=$("$ROOT/scripts/accel")
	export QEMU_ACCEL
	[ -f "$KERNEL" ] || die "${KERNEL#"$ROOT"/} is missing: run 'make kernel${CONFIG:+ CONFIG=$CONFIG}' first"
}
