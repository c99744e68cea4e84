# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# erofs-utils: the system's where they are new enough, else Debian's source built
# into build/host. Needs source.sh.

EROFS_OLDEST=1.8
EROFS_BUILD_PACKAGES=(autoconf automake libtool pkg-config make gcc libc6-dev dpkg-dev
	liblz4-dev libzstd-dev liblzma-dev zlib1g-dev libdeflate-dev uuid-dev)

# is_good_mkfs COMMAND: new enough, with every compressor the kernel can read.
is_good_mkfs() {
	local text version name
	version=$(first_version "$1") || return 1
	at_least "$version" $EROFS_OLDEST || return 1
	text=$("$1" --version)
	for name in lz4 lz4hc lzma deflate zstd; do
		grep -qw "$name" <<< "$text" || return 1
	done
}

find_erofs() {
	find_or_build erofs-utils $EROFS_OLDEST mkfs.erofs is_good_mkfs build_erofs "${EROFS_BUILD_PACKAGES[@]}"
	found MKFS_EROFS "$PLACE/mkfs.erofs"
	found FSCK_EROFS "$(companion fsck.erofs)"
	found DUMP_EROFS "$(companion dump.erofs)"
}

build_erofs() {
	local work=$BUILD/src/erofs-utils built=$BUILD/host/bin/mkfs.erofs
	# shellcheck disable=SC2046 # one word for each suite
	apt_root kernel $(kernel_suites)
	rm -rf "$work"
	mkdir -p "$work"
	(cd "$work" && compile_erofs) || die "erofs-utils could not be built: see above"
	is_good_mkfs "$built" ||
		die "erofs-utils were built without a compressor: $("$built" --version)"
	rm -rf "$work"
}

# apt has checked the files' sums; dpkg-source has no keys to check them again.
compile_erofs() {
	local jobs
	jobs=$(nproc) &&
		logged apt_get_in "$BUILD/apt/kernel" source --download-only erofs-utils &&
		logged dpkg-source --no-check -x ./*.dsc source &&
		cd source &&
		logged autoreconf --install &&
		logged ./configure --prefix="$BUILD/host" \
			--enable-lz4 --enable-lzma --with-zlib --with-libdeflate --with-libzstd \
			--enable-multithreading --disable-fuse --without-selinux &&
		logged make -j"$jobs" &&
		logged make install
}
