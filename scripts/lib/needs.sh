# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What must be on the system, what for, and which Debian package brings it.
# Needs apt.sh.

# test|Debian package|what for
NEEDS='
command:make|make|every build
command:gcc|gcc|cargo links with it
header:stdlib.h|libc6-dev|host programs, and the static test init
command:flex|flex|the kernel configurator
command:bison|bison|the kernel configurator
command:bc|bc|the kernel build
command:perl|perl|the kernel build, checkpatch
command:python3|python3|the kernel build
command:xz|xz-utils|unpacking the kernel, test archives
command:tar|tar|unpacking the kernel
command:lz4|lz4|the kernel image, test archives
command:zstd|zstd|test archives
command:gzip|gzip|test archives
command:bzip2|bzip2|test archives
command:lzop|lzop|test archives
command:cpio|cpio|test archives
command:mke2fs|e2fsprogs|the disk of the boot tests, ext4 images
command:mksquashfs|squashfs-tools|squashfs images
command:fakeroot|fakeroot|squashfs images
command:setfattr|attr|extended attributes in images
command:matchpathcon|selinux-utils|SELinux labels in images
command:c++|g++|libFuzzer
command:shellcheck|shellcheck|make check
command:git|git|make check
command:flock|util-linux|one build at a time
header:gelf.h|libelf-dev|objtool
header:openssl/ssl.h|libssl-dev|signatures, and keys in the kernel
command:pkg-config|pkg-config|finding OpenSSL
command:openssl|openssl|the keys of the tests
command:fsverity|fsverity|comparing seals with those of fsverity-utils
'
NEEDS+="command:$QEMU_PROGRAM|$QEMU_PACKAGE|booting
"
# Debian's names have no underscore.
is_native || NEEDS+="command:$GNU-gcc|gcc-${GNU//_/-}|programs for the guest
file:/usr/$GNU/lib/libc.a|libc6-dev-$DEBIAN_ARCH-cross|programs for the guest
"

# The oldest LLVM that Linux 7.3 builds with, and the one to install.
LLVM_OLDEST=17
LLVM_DEBIAN=19

have() {
	case $1 in
	command:*) command -v "${1#*:}" > /dev/null ;;
	file:*) [ -f "${1#*:}" ] ;;
	header:*) gcc -E -include "${1#*:}" -x c - < /dev/null > /dev/null 2>&1 ;;
	esac
}

# Lines of NEEDS that are not met.
unmet() {
	local line
	while IFS= read -r line; do
		[ -z "$line" ] || have "${line%%|*}" || printf '%s\n' "$line"
	done <<< "$NEEDS"
}

# is_llvm SUFFIX: whether clang-SUFFIX and its companions are here and new enough.
is_llvm() {
	local tool version
	for tool in clang ld.lld llvm-ar llvm-nm llvm-objcopy llvm-objdump llvm-readelf llvm-strip; do
		command -v "$tool$1" > /dev/null || return 1
	done
	version=$("clang$1" -dumpversion) || return 1
	at_least "$version" $LLVM_OLDEST && [ -n "$(libclang_dir "$1")" ]
}

# libclang_dir SUFFIX: where the libclang of the same LLVM is (bindgen loads it).
libclang_dir() {
	local dir clang
	clang=$(readlink -f "$(command -v "clang$1")")
	for dir in "$(dirname "$clang")/../lib" /usr/lib64 /usr/lib; do
		if compgen -G "$dir/libclang*.so*" > /dev/null; then
			(cd "$dir" && pwd)
			return
		fi
	done
}

# Sets LLVM (the suffix, or 1 for none, as the kernel's make takes it).
find_llvm() {
	local suffix
	for suffix in "-$LLVM_DEBIAN" "" -22 -21 -20 -18 -17; do
		if is_llvm "$suffix"; then
			found LLVM "${suffix:-1}"
			found LIBCLANG_PATH "$(libclang_dir "$suffix")"
			return
		fi
	done
	return 1
}

# On a system that is not ours to install on: all that is missing, one a line.
name_missing() {
	local line why
	unmet | while IFS='|' read -r line _ why; do
		echo "  ${line#*:} (${line%%:*}): $why"
	done
	find_llvm || echo "  LLVM $LLVM_OLDEST or newer (clang, lld, llvm, libclang): the kernel, bindgen"
	is_new_rustc || echo "  rustc and cargo $RUSTC_OLDEST or newer: the module, its tools and tests"
	is_good_mkfs mkfs.erofs ||
		echo "  erofs-utils $EROFS_OLDEST or newer with lz4, lzma, deflate and zstd: the demo image, test images"
	is_good_btrfs mkfs.btrfs || echo "  btrfs-progs $BTRFS_OLDEST or newer: btrfs images"
	! is_native || is_static "$(command -v busybox || true)" || echo "  busybox, statically linked: the demo image"
}

find_system_tools() {
	local missing
	if on_debian; then
		missing=$(unmet)
		# shellcheck disable=SC2046 # one word for each package
		install_packages $(cut -s -d '|' -f 2 <<< "$missing" | sort -u) ca-certificates
		missing=$(unmet)
		[ -z "$missing" ] || die "still missing after installing: $missing"
		if ! find_llvm; then
			install_packages {clang,lld,llvm}-$LLVM_DEBIAN libclang-$LLVM_DEBIAN-dev
			find_llvm || die "LLVM is still missing after installing clang-$LLVM_DEBIAN"
		fi
	else
		missing=$(name_missing)
		[ -z "$missing" ] || die "this is not Debian, so nothing is installed. Missing:
$missing
Install these with your system's package manager, then run this again."
		find_llvm
	fi
	found MKE2FS "$(command -v mke2fs)"
}
