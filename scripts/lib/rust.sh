# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The Rust side of a kernel build: compiler, bindgen, library source; cargo-fuzz.
# Needs apt.sh and needs.sh.

# What Linux 7.3 asks for (scripts/min-tool-version.sh).
RUSTC_OLDEST=1.85
BINDGEN_OLDEST=0.71.1
# Built when neither PATH nor Debian has one new enough.
BINDGEN_PINNED=0.73.2
# The newest that RUSTC_OLDEST builds.
CARGO_FUZZ_PINNED=0.13.1

# version_of COMMAND...: the first dotted number in what it prints.
version_of() {
	"$@" --version 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1
}

is_new_rustc() {
	local version
	version=$(version_of rustc) || return 1
	[ -n "$version" ] && at_least "$version" $RUSTC_OLDEST && command -v cargo > /dev/null
}

# Debian names its newest compiler after the web browsers it is kept for, where
# the release's own is too old for them, and for us.
debian_rust_packages() {
	local names
	for names in "rustc cargo rust-src rustfmt rust-clippy" \
		"rustc-web cargo-web rust-web-src rustfmt-web rust-web-clippy"; do
		if at_least "$(candidate "${names%% *}")" $RUSTC_OLDEST; then
			echo "$names"
			return
		fi
	done
}

find_rustc() {
	local packages sysroot
	if ! is_new_rustc; then
		on_debian || die "rustc and cargo $RUSTC_OLDEST or newer are missing"
		packages=$(debian_rust_packages)
		if [ -z "$packages" ]; then
			update_system_lists
			packages=$(debian_rust_packages)
		fi
		[ -n "$packages" ] || die "apt offers no rustc $RUSTC_OLDEST: install one, for instance with rustup"
		# shellcheck disable=SC2086 # one word for each package
		install_packages $packages
		hash -r
		is_new_rustc || die "rustc in PATH is older than $RUSTC_OLDEST: $(command -v rustc) hides the one installed"
	fi
	# rustup's commands are launchers, which cost time on each of many calls.
	sysroot=$(rustc --print sysroot)
	found RUSTC "$sysroot/bin/rustc"
	found_or_not RUSTFMT "$(beside_rustc rustfmt)"
	found_or_not CLIPPY_DRIVER "$(beside_rustc clippy-driver)"
	found CARGO "$(command -v cargo)"
}

# beside_rustc NAME: absent is no error: only 'make check' needs these.
beside_rustc() {
	if [ -x "$(dirname "$RUSTC")/$1" ]; then
		echo "$(dirname "$RUSTC")/$1"
	else
		command -v "$1" || true
	fi
}

is_new_bindgen() {
	local version
	version=$(version_of "$1") || return 1
	[ -n "$version" ] && at_least "$version" $BINDGEN_OLDEST
}

find_bindgen() {
	local ours=$BUILD/host/bin/bindgen
	if is_new_bindgen bindgen; then
		found BINDGEN "$(command -v bindgen)"
	elif is_new_bindgen "$ours"; then
		found BINDGEN "$ours"
	elif on_debian && at_least "$(candidate bindgen)" $BINDGEN_OLDEST; then
		install_packages bindgen
		found BINDGEN "$(command -v bindgen)"
	else
		step "building bindgen-cli $BINDGEN_PINNED (cargo, into build/host)" build_bindgen
		found BINDGEN "$ours"
	fi
}

build_bindgen() {
	# It runs for seconds: optimising it further would take minutes.
	install_crate bindgen-cli $BINDGEN_PINNED 1
}

# install_crate NAME VERSION LEVEL: its command, optimised to LEVEL, into build/host.
install_crate() {
	local work=$BUILD/install-$1
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=$3 \
		CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR=$work logged "$CARGO" install --locked --force \
		--version "$2" --root "$BUILD/host" "$1" ||
		die "$1 could not be built: see above"
	rm -rf "$work"
}

# Sets CARGO_FUZZ. Only scripts/fuzz asks for it, as only fuzzing needs it.
find_cargo_fuzz() {
	CARGO_FUZZ=$BUILD/host/bin/cargo-fuzz
	if is_new_cargo_fuzz cargo-fuzz; then
		CARGO_FUZZ=$(command -v cargo-fuzz)
	elif ! is_new_cargo_fuzz "$CARGO_FUZZ"; then
		# It only calls cargo.
		step "building cargo-fuzz $CARGO_FUZZ_PINNED (cargo, into build/host)" \
			install_crate cargo-fuzz $CARGO_FUZZ_PINNED 0
	fi
}

is_new_cargo_fuzz() {
	local version
	version=$(version_of "$1") || return 1
	[ -n "$version" ] && at_least "$version" $CARGO_FUZZ_PINNED
}

# The library's source must be the compiler's own, to the last digit.
find_rust_library() {
	local library version place
	library=${RUST_LIB_SRC_WANTED:-$("$RUSTC" --print sysroot)/lib/rustlib/src/rust/library}
	if ! is_library "$library"; then
		[ -z "$RUST_LIB_SRC_WANTED" ] || die "RUST_LIB_SRC=$library holds no core/src/lib.rs"
		version=$(version_of "$RUSTC")
		place=$BUILD/src/rust-src-$version
		if [ ! -f "$place.unpacked" ] && ! add_by_rustup "$library"; then
			on_debian || die "the source of Rust's library is missing: rustup component add rust-src"
			step "fetching the source of Rust's library $version (Debian's rust-src)" \
				fetch_rust_library "$version" "$place"
		fi
		[ ! -f "$place.unpacked" ] || library=$(echo "$place"/usr/src/rustc-*/library)
		is_library "$library" || die "$library is incomplete: remove $place.unpacked and run this again"
	fi
	found RUST_LIB_SRC "$library"
}

is_library() {
	[ -f "$1/core/src/lib.rs" ]
}

# add_by_rustup LIBRARY: where it is then.
add_by_rustup() {
	command -v rustup > /dev/null || return 1
	say "setup: asking rustup for the source of Rust's library"
	timeout 20 rustup component add rust-src >> "$LOG" 2>&1 < /dev/null &&
		is_library "$1" && return
	say "setup:   rustup does not reach it: Debian's package serves as well"
	return 1
}

# fetch_rust_library VERSION PLACE: from the first suite that has this version.
fetch_rust_library() {
	local version=$1 place=$2 root found
	# shellcheck disable=SC2046 # one word for each suite
	apt_root kernel $(kernel_suites)
	root=$BUILD/apt/kernel
	found=$(rust_src_version "$root" "$version")
	if [ -z "$found" ]; then
		apt_root unstable testing unstable
		root=$BUILD/apt/unstable
		found=$(rust_src_version "$root" "$version")
	fi
	[ -n "$found" ] || die "no Debian suite has rust-src $version: run 'rustup component add rust-src',
or use one of these compilers: $(versions_in "$BUILD/apt/kernel" rust-src | tr '\n' ' ')
or set RUST_LIB_SRC to the library directory of Rust $version's source"
	fetch_deb "$root" "rust-src=$found"
	rm -rf "$place"
	mkdir -p "$place"
	dpkg-deb -x "$DEB" "$place"
	touch "$place.unpacked"
}

# Debian's versions are the upstream one, then + or ~ or - and Debian's own.
rust_src_version() {
	versions_in "$1" rust-src | grep -m 1 -E "^${2//./\\.}[+~-]" || true
}
