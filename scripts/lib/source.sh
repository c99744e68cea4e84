# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Programs that the system may have too old: Debian's source is built into build/host
# then. Needs apt.sh.

# find_or_build PACKAGE OLDEST PROGRAM CHECK BUILDER BUILD_PACKAGE...: finds PROGRAM, one for
# which CHECK succeeds: the system's, a newer one of the system's, or what BUILDER makes
# with these packages. PLACE is the directory that it is in.
find_or_build() {
	local package=$1 oldest=$2 program=$3 check=$4 builder=$5
	shift 5
	PLACE=$BUILD/host/bin
	if ! "$check" "$program"; then
		! "$check" "$PLACE/$program" || return 0
		if on_debian && at_least "$(candidate "$package")" "$oldest"; then
			install_packages "$package"
			hash -r
		fi
	fi
	if "$check" "$program"; then
		PLACE=$(dirname "$(command -v "$program")")
		return
	fi
	on_debian || die "$package $oldest or newer, with all that it can be built with, are missing: install them"
	install_packages "$@"
	step "building $package from Debian's source (into build/host)" "$builder"
}

# companion PROGRAM: one of the same package, which need not be in the same directory: Debian 13
# has mkfs.btrfs in /usr/sbin, and btrfs in /usr/bin.
companion() {
	if [ -x "$PLACE/$1" ]; then
		echo "$PLACE/$1"
	else
		command -v "$1" || true
	fi
}

# first_version COMMAND: the first number with dots that it says of itself.
first_version() {
	local text
	text=$("$1" --version 2>/dev/null) && [[ $text =~ [0-9]+(\.[0-9]+)+ ]] && echo "${BASH_REMATCH[0]}"
}
