#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Boots initrds in QEMU: an EROFS image, an archive of the same files, and an
# image that is cut. Needs mkfs.erofs, a C compiler, and QEMU.

set -ue

CROSS_COMPILE="${CROSS_COMPILE:-""}"
ACCEL="${ACCEL:--accel kvm -accel hvf -accel tcg}"

test_dir=$(realpath "$(dirname "$0")")
kernel_dir=$(realpath "$test_dir/../../../..")

tmp_dir=$(mktemp -d)

# shellcheck source=/dev/null
source "$test_dir/../kselftest/ktap_helpers.sh"

function usage() {
	cat <<EOF
$0 [-d build_dir] [-j jobs] [-k kernel] [-t target_arch] [-h]
Options:
	-d)	path to the kernel build directory
	-j)	number of jobs for compilation, similar to -j in make
	-k)	boot this kernel, and build none
	-t)	run test for target_arch, requires CROSS_COMPILE set
		supported targets: aarch64, x86_64
	-h)	display this help
Environment: LLVM=1 builds with clang, as usual. ACCEL="-accel tcg" emulates,
where the machine has a KVM that does not work.
EOF
}

function cleanup() {
	rm -fr "$tmp_dir"
	ktap_finished
}
trap cleanup EXIT

function skip() {
	ktap_test_skip "${1:-preparation}"
	exit "$KSFT_SKIP"
}

function build_kernel() {
	local build_dir=$1
	local wanted="$tmp_dir/wanted.config"

	mkdir -p "$build_dir"
	tee "$build_dir/.config" > "$wanted" <<EOF
CONFIG_RUST=y
CONFIG_BLK_DEV_INITRD=y
CONFIG_MISC_FILESYSTEMS=y
CONFIG_EROFS_FS=y
CONFIG_OVERLAY_FS=y
CONFIG_TMPFS=y
CONFIG_PROC_FS=y
CONFIG_BINFMT_ELF=y
CONFIG_PRINTK=y
CONFIG_TTY=y
CONFIG_INITOVERLAYFS=y
$QEMU_KCONFIG
EOF
	"${make[@]}" O="$build_dir" olddefconfig > /dev/null
	while read -r option ; do
		grep -qx "$option" "$build_dir/.config" || skip "$option is missing"
	done < "$wanted"
	"${make[@]}" O="$build_dir" "$KERNEL_IMAGE" > /dev/null
}

function make_initrds() {
	local tree="$tmp_dir/tree" block

	"${make[@]}" O="$tmp_dir/headers.build" headers_install \
		INSTALL_HDR_PATH="$tmp_dir/usr" > /dev/null
	mkdir -p "$tree/dev" "$tree/proc"
	"$CROSS_COMPILE"gcc -s -static -Os -nostdinc -nostdlib \
		-fno-asynchronous-unwind-tables -fno-ident -fno-stack-protector \
		-I "$tmp_dir/usr/include" -I "$kernel_dir/tools/include/nolibc" \
		-o "$tree/init" "$test_dir/init.c"
	for block in {0..255}; do
		head -c 4096 /dev/zero | tr '\0' "\\$(printf %o "$block")"
	done > "$tree/data"
	mkfs.erofs --quiet "$tmp_dir/image" "$tree" > /dev/null
	head -c 524288 "$tmp_dir/image" > "$tmp_dir/cut"

	cat > "$tmp_dir/list" <<EOF
dir /dev 0755 0 0
dir /proc 0755 0 0
nod /dev/console 0600 0 0 c 5 1
file /init $tree/init 0755 0 0
file /data $tree/data 0644 0 0
EOF
	cc -o "$tmp_dir/gen_init_cpio" "$kernel_dir/usr/gen_init_cpio.c"
	"$tmp_dir/gen_init_cpio" "$tmp_dir/list" > "$tmp_dir/archive"
}

# boots NAME INITRD OPTION LINE: whether the kernel's console gets that line.
function boots() {
	local console="$tmp_dir/console"

	# shellcheck disable=SC2086 # several words
	timeout 120 $QEMU_CMD -m 512M -no-reboot -nographic -nodefaults \
		$ACCEL \
		-serial file:"$console" -kernel "$kernel" -initrd "$tmp_dir/$2" \
		-append "$KERNEL_CMDLINE panic=-1 $3" || true
	if grep -qF "$4" "$console"; then
		ktap_test_pass "$1"
	else
		sed 's/^/# /' "$console"
		ktap_test_fail "$1"
	fi
}

function main() {
	local build_dir="$kernel_dir/.initoverlayfs" kernel=""
	local jobs=$(($(nproc) * 2)) target make arch
	target=$(uname -m)

	while getopts 'hd:j:k:t:' opt; do
		case $opt in
		d) build_dir=$OPTARG ;;
		j) jobs=$OPTARG ;;
		k) kernel=$OPTARG ;;
		t) target=$OPTARG ;;
		h) usage; exit 0 ;;
		*) usage; exit 1 ;;
		esac
	done

	ktap_print_header
	ktap_set_plan 3
	# skip the test if any of the preparation steps fails
	set -o errtrace
	trap skip ERR
	if [[ "$target" != "$(uname -m)" && -z "$CROSS_COMPILE" ]]; then
		skip "cross-platform testing needs CROSS_COMPILE"
	fi
	case $target in
	aarch64) arch=arm64 ;;
	x86_64) arch=x86 ;;
	*) skip "architecture $target is not supported" ;;
	esac
	# shellcheck source=/dev/null
	source "$test_dir/$arch.conf"
	command -v mkfs.erofs > /dev/null || skip "mkfs.erofs is missing"

	make=(make -s -C "$kernel_dir" ARCH="$arch" CROSS_COMPILE="$CROSS_COMPILE" -j"$jobs")
	if [[ -z $kernel ]]; then
		build_kernel "$build_dir"
		kernel="$build_dir/arch/$arch/boot/$KERNEL_IMAGE"
	fi
	make_initrds
	trap - ERR

	boots "image" image initoverlayfs=require "selftest: root=overlay written=1 whole=1"
	boots "archive" archive initoverlayfs=auto "selftest: root=rootfs written=1 whole=1"
	boots "cut image" cut initoverlayfs=require \
		"Kernel panic - not syncing: initoverlayfs: required, but"
}

main "$@"
