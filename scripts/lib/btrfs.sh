# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# btrfs-progs: the system's where they are new enough, else Debian's source built
# into build/host. Needs source.sh.

# The oldest whose mkfs.btrfs compresses, and makes subvolumes, of a directory.
BTRFS_OLDEST=6.14
BTRFS_BUILD_PACKAGES=(autoconf automake pkg-config make gcc libc6-dev dpkg-dev
	libblkid-dev uuid-dev zlib1g-dev liblzo2-dev libzstd-dev)

# is_good_btrfs COMMAND: new enough.
is_good_btrfs() {
	local version
	version=$(first_version "$1") && at_least "$version" $BTRFS_OLDEST
}

find_btrfs() {
	find_or_build btrfs-progs $BTRFS_OLDEST mkfs.btrfs is_good_btrfs build_btrfs "${BTRFS_BUILD_PACKAGES[@]}"
	found MKFS_BTRFS "$PLACE/mkfs.btrfs"
	found BTRFS "$(companion btrfs)"
}

build_btrfs() {
	local work=$BUILD/src/btrfs-progs built=$BUILD/host/bin/mkfs.btrfs
	# shellcheck disable=SC2046 # one word for each suite
	apt_root kernel $(kernel_suites)
	rm -rf "$work"
	mkdir -p "$work"
	(cd "$work" && fetch_btrfs_source && compile_btrfs) || die "btrfs-progs could not be built: see above"
	is_good_btrfs "$built" || die "the btrfs-progs that were built are too old: $("$built" --version)"
	rm -rf "$work"
}

# Upstream's tarball, whose sum apt has checked, without Debian's patches, which are for
# Debian's tests. A mirror may have lost the newest version that its lists name.
fetch_btrfs_source() {
	local version
	for version in $(btrfs_versions) again $(btrfs_versions); do
		if [ "$version" = again ]; then
			refresh "$BUILD/apt/kernel"
		elif apt_get_in "$BUILD/apt/kernel" source --download-only --tar-only \
			"btrfs-progs=$version" >> "$LOG" 2>&1 < /dev/null; then
			return
		fi
	done
	say "setup: no btrfs-progs of $BTRFS_OLDEST or newer could be downloaded: see ${LOG#"$ROOT"/}"
	return 1
}

# The sources that the lists offer and that are new enough, newest first.
btrfs_versions() {
	local version
	LC_ALL=C apt-cache -c "$BUILD/apt/kernel/apt.conf" showsrc --only-source btrfs-progs 2>/dev/null |
		sed -n 's/^Version: //p' | sort -rV | uniq |
		while IFS= read -r version; do
			! at_least "$version" $BTRFS_OLDEST || echo "$version"
		done
}

# Of all that they can do, what makes and reads images.
compile_btrfs() {
	local jobs
	jobs=$(nproc) &&
		mkdir source &&
		logged tar -xf ./*.orig.tar.* -C source --strip-components=1 &&
		cd source &&
		logged autoreconf --install &&
		logged ./configure --prefix="$BUILD/host" \
			--disable-documentation --disable-python --disable-convert \
			--disable-libudev --disable-backtrace --disable-zoned --enable-lzo --enable-zstd &&
		logged make -j"$jobs" btrfs mkfs.btrfs &&
		install -D -m 755 -t "$BUILD/host/bin" btrfs mkfs.btrfs
}
