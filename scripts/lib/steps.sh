# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# How the scripts which fetch and make things show what they do. Needs common.sh.

STEP_NAME=$(basename "$0")
LOG=$BUILD/$STEP_NAME.log

# step TEXT COMMAND...: says what is done, does it, says how long it took. The
# command runs in this shell, so it may set variables and die.
step() {
	local text=$1 start=$EPOCHREALTIME
	shift
	say "$STEP_NAME: $text"
	"$@"
	say "$STEP_NAME:   done in $(seconds_since "$start") s"
}

FOUND=()

# found NAME VALUE: sets the variable, and marks it for build/tools.env. What looks for the value
# may have failed where the shell does not notice.
found() {
	[ -n "$2" ] || die "$1 was looked for, and not found"
	case $2 in
	/*) [ -e "$2" ] || die "$1 was expected to be $2, and is not there" ;;
	esac
	found_or_not "$1" "$2"
}

# The same for what few need: the value may be empty.
found_or_not() {
	printf -v "$1" '%s' "$2"
	FOUND+=("$1")
}

# logged COMMAND...: its output goes to the log, and to the user if it fails.
logged() {
	local mark
	: >> "$LOG"
	mark=$(wc -l < "$LOG")
	quietly "$@" && return
	tail -n +"$((mark + 1))" "$LOG" | tail -n 40 >&2
	return 1
}

# quietly COMMAND...: its output goes to the log, for a step that may fail as another way is left.
quietly() {
	printf '\n$ %s\n' "$*" >> "$LOG"
	"$@" >> "$LOG" 2>&1 < /dev/null
}
