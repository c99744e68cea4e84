# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# How this project calls the kernel's own make. Needs common.sh and the tools.

# shellcheck source-path=SCRIPTDIR source=keys.sh
. "$ROOT/scripts/lib/keys.sh"

# Some of these names are for the scripts that source this file.
# shellcheck disable=SC2034
OUT=$(kernel_dir)
FRAGMENTS=$ROOT/scripts/config
# Objects of one tree are of no use to another, and not worth throwing away: the
# tree that was fetched has obj/, any other its own.
OBJ=$OUT/obj
# shellcheck disable=SC2034
case $KDIR in
"$BUILD"/*) ;;
*)
	OBJ=$(sha256sum <<< "$KDIR")
	OBJ=$OUT/obj-${OBJ:0:12}
	;;
esac
JOBS=${J:-$(nproc)}

# The keys that the kernel trusts, as a fragment: where they are depends on the build folder.
keys_fragment() {
	local file=$OUT/keys.config keys
	keys=$(trusted_keys)
	mkdir -p "$OUT"
	printf 'CONFIG_SYSTEM_TRUSTED_KEYS="%s"\n' "$keys" > "$file.new"
	replace_if_changed "$file.new" "$file"
	echo "$file"
}

# fragments: the files that a configuration is made from, one a line: the common
# ones, and that of the variant which CONFIG names.
fragments() {
	find "$FRAGMENTS" -maxdepth 1 -name '*.config' | sort
	echo "$FRAGMENTS/arch/$ARCH.config"
	keys_fragment
	[ -z "${CONFIG-}" ] || echo "$FRAGMENTS/variants/$CONFIG.config"
}

# One build at a time: object directories have no lock of their own.
lock_build() {
	mkdir -p "$OUT"
	exec 9> "$OUT/.lock"
	flock --nonblock 9 || {
		say "kernel: another build is running: waiting for it"
		flock 9
	}
}

# kernel_make OBJDIR ARGUMENT...
kernel_make() {
	local obj=$1
	shift
	# The caller's own make must not hand its flags and job slots down, and
	# nothing of this machine or hour may get into the kernel.
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES \
		LC_ALL=C \
		KBUILD_BUILD_TIMESTAMP='1970-01-01 00:00:00 UTC' \
		KBUILD_BUILD_VERSION=1 \
		KBUILD_BUILD_USER=initoverlayfs \
		KBUILD_BUILD_HOST=initoverlayfs \
		${LIBCLANG_PATH:+LIBCLANG_PATH="$LIBCLANG_PATH"} \
		make -C "$KDIR" O="$obj" ARCH="$KERNEL_ARCH" LLVM="$LLVM" \
		RUSTC="$RUSTC" RUSTFMT="$RUSTFMT" CLIPPY_DRIVER="$CLIPPY_DRIVER" \
		BINDGEN="$BINDGEN" RUST_LIB_SRC="$RUST_LIB_SRC" \
		"$@" < /dev/null
}

# What a configuration is made from, as one number.
config_key() {
	{
		printf '%s\n' "$KDIR" "$@"
		cat "$@" "$BUILD/tools.env" "$ROOT/Kconfig"
	} | sha256sum
}

# lost_symbols CONFIG FRAGMENT...: the fragments' lines that CONFIG contradicts.
lost_symbols() {
	awk '
		function symbol(line) {
			sub(/^# /, "", line)
			sub(/[= ].*/, "", line)
			return line
		}
		/^CONFIG_[A-Za-z0-9_]+=/ || /^# CONFIG_[A-Za-z0-9_]+ is not set$/ {
			if (FILENAME == ARGV[1]) {
				got[symbol($0)] = $0
				next
			}
			have = got[symbol($0)]
			# A symbol that depends on something unset is not written at all.
			if (have != $0 && !(have == "" && /^#/)) {
				name = FILENAME
				sub(/.*\//, "", name)
				printf "  %s: %s\n", name, $0
			}
		}
	' "$@"
}

# merge OBJDIR FRAGMENT...: merge_config.sh writes a .config of its own, because
# OBJDIR/.config is allnoconfig's to write.
merge() {
	local obj=$1
	shift
	"$KDIR/scripts/kconfig/merge_config.sh" -m -O "$obj/.merge" "$@" &&
		kernel_make "$obj" KCONFIG_ALLCONFIG="$obj/.merge/.config" allnoconfig
}

# configure OBJDIR FRAGMENT...: OBJDIR/.config from the fragments over nothing at
# all, when any of them changed; fails if the kernel does not take one of them.
configure() {
	local obj=$1 key lost
	shift
	key=$(config_key "$@")
	if [ -f "$obj/.config" ] && [ "$key" = "$(cat "$obj/.initoverlayfs-config" 2>/dev/null)" ]; then
		return
	fi
	mkdir -p "$obj"
	rm -f "$obj/.initoverlayfs-config"
	say "kernel: configuring from $# fragments in scripts/config"
	mkdir -p "$obj/.merge"
	if ! merge "$obj" "$@" > "$obj/.merge/log" 2>&1; then
		cat "$obj/.merge/log" >&2
		die "the kernel could not be configured: see above"
	fi
	lost=$(lost_symbols "$obj/.config" "$@")
	if [ -n "$lost" ]; then
		kernel_make "$obj" rustavailable 2>&1 | sed 's/^/  | /' >&2 || true
		die "$KDIR does not take these symbols (something they depend on is missing; 'Rust is available!' should stand above):
$lost"
	fi
	printf '%s\n' "$key" > "$obj/.initoverlayfs-config"
}

# our_diagnostics LOG: warnings and errors that name our files or our symbols.
# Diagnostics are blocks between empty lines; steps are indented by two blanks.
our_diagnostics() {
	sed -E '/^  [A-Z]+( \[[A-Z]\]| [A-Z])? +[^ ]+$/d' "$1" |
		awk -v RS= '/[Ww]arning|WARNING|[Ee]rror/ && /initoverlayfs/ { print; print "" }'
}

# watch LOG PID: one line of progress while a build writes its log.
watch() {
	local log=$1 pid=$2 start=$SECONDS steps said=0
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		steps=$(grep -cE '^  [A-Z]' "$log" || true)
		if [ -t 2 ]; then
			printf '\rkernel: %d steps, %d s ' "$steps" $((SECONDS - start)) >&2
		elif [ $((SECONDS - start - said)) -ge 30 ]; then
			said=$((SECONDS - start))
			say "kernel: $steps steps, $said s"
		fi
	done
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

# build OBJDIR LOG TARGET...: make, with the output in LOG and progress shown.
build() {
	local obj=$1 log=$2 start=$EPOCHREALTIME pid status=0
	shift 2
	: > "$log"
	# In a group of its own, which ends when this script does, and without its lock.
	set -m
	kernel_make "$obj" -j"$JOBS" "$@" > "$log" 2>&1 9>&- &
	set +m
	pid=$!
	# shellcheck disable=SC2064 # now
	trap "kill -- -$pid 2> /dev/null || true" EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	watch "$log" "$pid"
	wait "$pid" || status=$?
	trap - EXIT INT TERM
	our_diagnostics "$log" > "$log.ours"
	cat "$log.ours" >&2
	if [ $status -ne 0 ]; then
		[ -s "$log.ours" ] || tail -n 40 "$log" >&2
		die "the build failed: see above, and all of it in ${log#"$ROOT"/}"
	fi
	say "kernel: $(grep -cE '^  [A-Z]' "$log" || true) steps in $(seconds_since "$start") s"
}
