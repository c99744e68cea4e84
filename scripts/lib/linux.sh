# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The kernel's source: the user's own tree, or Debian's package, the pinned or the newest one. Needs apt.sh.

LINUX_PINNED=7.3
LINUX_OLDEST=7.3

find_linux() {
	if [ -n "$KDIR_WANTED" ]; then
		[ -f "$KDIR_WANTED/Makefile" ] || die "KDIR=$KDIR_WANTED is not a Linux source tree: it has no Makefile"
		found KDIR "$(cd "$KDIR_WANTED" && pwd)"
		return
	fi
	if [ "$KVERSION_WANTED" = newest ]; then
		find_newest_linux
		return
	fi
	if [ -z "$(unpacked_linux)" ]; then
		on_debian || die "the Linux source is missing: name a tree of yours, $LINUX_OLDEST or newer: make KDIR=..."
		step "fetching the Linux source (Debian's linux-source)" fetch_linux
	fi
	found KDIR "$(unpacked_linux)"
}

# Beyond the pinned one, release candidates included. The lists are read anew.
find_newest_linux() {
	local root=$BUILD/apt/newest name
	on_debian || die "KVERSION=newest looks among Debian's packages, and this is not Debian: name a tree of yours: make KDIR=..."
	rm -rf "$root"
	# shellcheck disable=SC2046 # one word for each suite
	apt_root newest $(kernel_suites) sid experimental
	name=$(LINUX_PINNED='' offered_linux "$root")
	[ "$name" != "linux-source-$LINUX_PINNED" ] ||
		say "setup: NOTE: Debian's suites have nothing newer than linux-source-$LINUX_PINNED"
	[ -f "$BUILD/src/$name.unpacked" ] || step "fetching the Linux source (Debian's $name)" fetch_source "$root" "$name"
	found KDIR "$BUILD/src/$name"
}

fetch_source() {
	fetch_deb "$1" "$2"
	unpack_linux "$DEB" "$2"
}

# The pinned tree, or else the newest that is here complete.
unpacked_linux() {
	local mark
	for mark in "$BUILD/src/linux-source-$LINUX_PINNED.unpacked" \
		$(compgen -G "$BUILD/src/linux-source-*.unpacked" | sort -rV); do
		if [ -f "$mark" ] && [ -f "${mark%.unpacked}/Makefile" ]; then
			echo "${mark%.unpacked}"
			return
		fi
	done
}

fetch_linux() {
	local root=$BUILD/apt/kernel name
	# shellcheck disable=SC2046 # one word for each suite
	apt_root kernel $(kernel_suites)
	name=$(offered_linux "$root")
	[ -n "$name" ] || die "none of the suites $(kernel_suites) offers a linux-source of $LINUX_OLDEST or newer: name a tree of yours: make KDIR=..."
	[ "$name" = "linux-source-$LINUX_PINNED" ] ||
		say "setup: NOTE: linux-source-$LINUX_PINNED is gone from the mirror: taking $name instead"
	fetch_source "$root" "$name"
}

# offered_linux ROOT: the pinned package, or the newest one from LINUX_OLDEST on.
offered_linux() {
	local name newest
	newest=$(apt-cache -c "$1/apt.conf" pkgnames linux-source- |
		grep -E '^linux-source-[0-9]+\.[0-9]+$' | sort -V)
	for name in "linux-source-$LINUX_PINNED" $(tac <<< "$newest"); do
		if grep -qxF "$name" <<< "$newest" &&
			[ -n "$(versions_in "$1" "$name")" ] &&
			at_least "${name#linux-source-}" $LINUX_OLDEST; then
			echo "$name"
			return
		fi
	done
}

# unpack_linux DEB NAME: marked complete only at the end.
unpack_linux() {
	local place=$BUILD/src/$2
	rm -rf "$place" "$place.new"
	mkdir -p "$place.new"
	dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/src/$2.tar.xz" |
		tar -xJ -C "$place.new" --strip-components=1
	mv "$place.new" "$place"
	basename "$1" > "$place.unpacked"
}
