# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What every script here needs: where the project is, and how to speak.

# A command substitution ends at the first step that fails, as its script does.
shopt -s inherit_errexit

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$ROOT/build
# The script that sourced this file, as the user knows it.
ME=scripts/$(basename "$0")

say() {
	printf '%s\n' "$*" >&2
}

# Ends the script. The message names what is wrong and what to do about it.
die() {
	printf '%s: %s\n' "$ME" "$*" >&2
	exit 1
}

# seconds_since START: START is $EPOCHREALTIME as it was then.
seconds_since() {
	awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'
}

# at_least VERSION MINIMUM: compares dotted version numbers.
at_least() {
	[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# replace_if_changed NEW FILE: keeps FILE's time when nothing changed, so that
# whatever depends on it is not made again.
replace_if_changed() {
	if cmp -s "$1" "$2"; then
		rm -f "$1"
	else
		mv -f "$1" "$2"
	fi
}

# shellcheck source-path=SCRIPTDIR source=machine.sh
. "$ROOT/scripts/lib/machine.sh"

# kernel_dir: where the kernel is built that CONFIG names, a file in
# scripts/config/variants, or the usual one.
kernel_dir() {
	[ -z "${CONFIG-}" ] || [ -f "$ROOT/scripts/config/variants/$CONFIG.config" ] ||
		die "CONFIG=$CONFIG: there is no scripts/config/variants/$CONFIG.config"
	echo "$BUILD/$ARCH${CONFIG:+-$CONFIG}"
}

# load_tools: the tools that scripts/setup found, as variables of this shell and of
# what it starts.
load_tools() {
	local file
	for file in "$BUILD/tools.env" "$GUEST_TOOLS"; do
		[ -r "$file" ] || die "${file#"$ROOT"/} is missing: run 'make setup' first"
		set -a
		# shellcheck source=/dev/null
		. "$file"
		set +a
	done
}
