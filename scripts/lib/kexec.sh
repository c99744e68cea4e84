# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# kexec-tools, built from Debian's source as a static program: it runs in an initrd without a C
# library. Nothing is installed on the system. Needs apt.sh.

KEXEC_PROGRAM=$BUILD/host$FOREIGN/bin/kexec
KEXEC_BUILD_PACKAGES=(autoconf automake make gcc libc6-dev dpkg-dev)

# find_kexec: makes the program if it is missing.
find_kexec() {
	[ ! -x "$KEXEC_PROGRAM" ] || return 0
	on_debian || die "kexec-tools are built from Debian's source, and this is not Debian: put a static kexec at ${KEXEC_PROGRAM#"$ROOT"/}"
	install_packages "${KEXEC_BUILD_PACKAGES[@]}"
	step "building kexec-tools from Debian's source (into build/host)" build_kexec
}

build_kexec() {
	local work=$BUILD/src/kexec-tools
	# shellcheck disable=SC2046 # one word for each suite
	apt_root kernel $(kernel_suites)
	rm -rf "$work"
	mkdir -p "$work"
	(cd "$work" && compile_kexec) || die "kexec-tools could not be built: see above"
	rm -rf "$work"
}

# apt has checked the files' sums; dpkg-source has no keys to check them again.
compile_kexec() {
	local host=()
	is_native || host=("--host=$GNU")
	logged apt_get_in "$BUILD/apt/kernel" source --download-only kexec-tools &&
		logged dpkg-source --no-check -x ./*.dsc source &&
		cd source &&
		logged autoreconf --install &&
		logged ./configure "${host[@]}" --without-xen --without-zlib --without-lzma LDFLAGS=-static &&
		logged make build/sbin/kexec &&
		install -D -m 755 build/sbin/kexec "$KEXEC_PROGRAM"
}
