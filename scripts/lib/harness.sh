# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the boot harness in qemu-tests/ reads from its environment.

# load_harness: the tools, the kernel under test (that of the packages, with PACKAGED; KERNEL, with its KERNEL_CONFIG, if
# it is set), and how to run a guest.
load_harness() {
	load_tools
	: "${CARGO:?}"
	export BUILD
	if [ -n "${PACKAGED-}" ]; then
		KERNEL=$DISTRO_DIR/kernel.image
		KERNEL_CONFIG=$DISTRO_DIR/kernel.config
	elif [ -n "${KERNEL-}" ]; then
		# The tests run in other directories.
		KERNEL=$(realpath "$KERNEL")
		KERNEL_CONFIG=$(realpath "${KERNEL_CONFIG:-${KERNEL%/*}/config}")
	else
		KERNEL=$(kernel_dir)/$IMAGE
		KERNEL_CONFIG=$(kernel_dir)/config
	fi
	export KERNEL KERNEL_CONFIG
	# The tests know the machine whose probe they were built with.
	export CARGO_TARGET_DIR=$BUILD/target$FOREIGN
	# What watches every access of a guest makes it slow; the first complaint ends it.
	if [ "${CONFIG-}" = debug ]; then
		export QEMU_TIMEOUT_SCALE=${QEMU_TIMEOUT_SCALE:-10}
		export KERNEL_APPEND="panic_on_warn=1 $DEBUG_PARAMETERS ${KERNEL_APPEND-}"
	fi
	export DISTRO_DIR
	QEMU_ACCEL=$("$ROOT/scripts/accel")
	# A processor that is asked to keep tags.
	[ "${CONFIG-}" != mte ] || QEMU_ACCEL+=' -machine mte=on'
	export QEMU_ACCEL
	[ -f "$KERNEL" ] || die "${KERNEL#"$ROOT"/} is missing: run 'make kernel${CONFIG:+ CONFIG=$CONFIG}' first"
}
