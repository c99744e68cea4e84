# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Says what a kernel's configuration lacks for initoverlayfs. The configurator of the Linux tree judges. Needs common.sh,
# and the functions of scripts/graft that look at a tree.

# The needs of initoverlayfs: these lines, and those of scripts/config/layers.config.
WANTED='RUST=y BLK_DEV_INITRD=y BLOCK=y SYSFS=y SHMEM=y TMPFS=y INITOVERLAYFS=y'
# Lines that end every conflict with RUST (see init/Kconfig) and INITOVERLAYFS. In this order, each is left out if it can be.
CURES='DEBUG_INFO_BTF=n MODVERSIONS=n KASAN=n CFI=n LTO_NONE=y RANDSTRUCT_NONE=y GENDWARFKSYMS=y INITRAMFS_FORCE=n'

# uncompressed FILE
uncompressed() {
	case $1 in
	*.gz) gzip -dc "$1" ;;
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -dcq "$1" ;;
	*) cat "$1" ;;
	esac
}

# value CONFIG SYMBOL: the last line counts, and a symbol without one is n.
value() {
	sed -n "s/^CONFIG_$2=//p; s/^# CONFIG_$2 is not set\$/n/p" "$1" | tail -n 1 | grep . || echo n
}

# lacking CONFIG SYMBOL=VALUE...: those that CONFIG has otherwise.
lacking() {
	local line
	for line in "${@:2}"; do
		[ "$(value "$1" "${line%=*}")" = "${line#*=}" ] || printf '%s\n' "$line"
	done
}

# as_lines SYMBOL=VALUE...: as a configuration has them.
as_lines() {
	[ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^\(.*\)=n$/# CONFIG_\1 is not set/; t; s/^/CONFIG_/'
}

# report KIND SYMBOL=VALUE...
report() {
	local line
	for line in "${@:2}"; do
		say "  $(printf '%-8s' "$1")  $line (is $(value "$work/config" "${line%=*}"))"
	done
}

# find_tree: sets kdir to KDIR, or to the tree that scripts/setup found.
find_tree() {
	kdir=${KDIR-}
	if [ -r "$BUILD/tools.env" ]; then
		set -a
		# shellcheck source=/dev/null
		. "$BUILD/tools.env"
		set +a
	fi
	kdir=${kdir:-${KDIR-}}
	[ -n "$kdir" ] || die "no Linux tree to ask: set KDIR to one, or run 'make setup'"
	[ -d "$kdir" ] || die "KDIR=$kdir is not a directory"
	kdir=$(cd "$kdir" && pwd)
	check_is_kernel "$kdir"
	check_can_host_us "$kdir"
}

# find_make: sets the arguments of the kernel's make: the machine, the compilers of the kind that made the configuration,
# and where the answer goes. Our files need not be in the tree.
find_make() {
	local name top=Kconfig
	ARCH=$(sed -nE 's/^CONFIG_(X86_64|ARM64)=y$/\L\1/p; s/^CONFIG_RISCV=y$/riscv64/p' "$work/config" | tail -n 1)
	[ -n "$ARCH" ] ||
		die "$config is for a machine that initoverlayfs does not know: x86_64, arm64 and 64-bit RISC-V are known"
	# shellcheck source-path=SCRIPTDIR source=machine.sh
	. "$ROOT/scripts/lib/machine.sh"
	for name in RUSTC RUSTFMT BINDGEN RUST_LIB_SRC; do
		[ -z "${!name-}" ] || arguments+=("$name=${!name}")
	done
	if [ "$(value "$work/config" CC_IS_CLANG)" = y ] || { ! is_native && ! command -v "$GNU-gcc" > /dev/null; }; then
		arguments+=("LLVM=${LLVM:-1}")
	elif ! is_native; then
		arguments+=("CROSS_COMPILE=$GNU-")
	fi
	if ! grep -qxF "$KCONFIG_LINE" "$kdir/fs/Kconfig"; then
		top=$work/Kconfig
		{ cat "$kdir/Kconfig"; printf 'source "%s"\n' "$ROOT/Kconfig"; } > "$top"
	fi
	# A tree that was built in place takes no O=.
	name=KCONFIG_CONFIG=$work/answer/.config
	[ -e "$kdir/.config" ] || [ -e "$kdir/include/config" ] || name=O=$work/answer
	arguments+=("ARCH=$KERNEL_ARCH" "KBUILD_KCONFIG=$top" "$name")
}

# ask SYMBOL=VALUE...: whether the tree's configurator gives INITOVERLAYFS=y to CONFIG with these lines. If so, what it made
# of them is kept in $work/taken.
ask() {
	{ cat "$work/config"; as_lines "$@"; } > "$work/answer/.config"
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u LLVM -u CROSS_COMPILE LC_ALL=C \
		make -C "$kdir" "${arguments[@]}" olddefconfig < /dev/null > "$work/log" 2>&1 ||
		{ tail -n 20 "$work/log" >&2; die "the configurator of $kdir failed: see above"; }
	[ "$(value "$work/answer/.config" INITOVERLAYFS)" = y ] && cp "$work/answer/.config" "$work/taken"
}

# cure: sets cures to those of CURES that INITOVERLAYFS is not offered without.
cure() {
	local line fewer
	# shellcheck disable=SC2086 # one word for each
	mapfile -t cures < <(lacking "$work/answer/.config" $CURES)
	ask "${missing[@]}" "${cures[@]}" || return
	for line in "${cures[@]}"; do
		mapfile -t fewer < <(printf '%s\n' "${cures[@]}" | grep -vxF "$line")
		! ask "${missing[@]}" "${fewer[@]}" || cures=("${fewer[@]}")
	done
}

# check_config CONFIG [FRAGMENT]
check_config() {
	local config=$1 name tree kdir work layers arguments=() missing cures=() refused
	{ [ -r "$config" ] && [ ! -d "$config" ]; } || die "$config is not a file that can be read"
	if [ $# -eq 2 ]; then
		{ [ ! -d "$2" ] && [ ! "$config" -ef "$2" ]; } || die "$2 cannot become the fragment: name another file"
		# What an earlier run wrote is not to be taken for the answer.
		[ ! -f "$2" ] || : > "$2"
	fi
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # now
	trap "rm -rf '$work'" EXIT
	mkdir "$work/answer"
	uncompressed "$config" | tr -d '\r' > "$work/config" || die "$config cannot be unpacked"
	grep -q '^CONFIG_' "$work/config" || die "$config is no configuration of a kernel"
	check_project
	find_tree
	find_make
	name=$(basename "$config")
	tree="Linux $(tree_version "$kdir")"
	layers=$(sed -n 's/^CONFIG_//p' "$ROOT/scripts/config/layers.config")
	# shellcheck disable=SC2086 # one word for each
	mapfile -t missing < <(lacking "$work/config" $WANTED $layers)
	[ ${#missing[@]} -gt 0 ] || { say "$name: nothing is missing for initoverlayfs on $tree"; return; }
	say "$name: for initoverlayfs on $tree:"
	report missing "${missing[@]}"
	say "asking the configurator of $kdir: up to a minute"
	if ! ask "${missing[@]}" && ! cure; then
		awk '/^[a-z]/ { on = /^config (RUST|INITOVERLAYFS)$/; if (on) print }
			on && (more || /^\tdepends on/) { print; more = /\\$/ }' "$kdir/init/Kconfig" "$ROOT/Kconfig" >&2
		die "$tree does not take it: see what is needed above. 'make rustavailable' in $kdir says what Rust's tools lack"
	fi
	report conflict "${cures[@]}"
	# Such as a compression of EROFS that the tree does not know.
	mapfile -t refused < <(lacking "$work/taken" "${missing[@]}")
	report refused "${refused[@]}"
	say "$tree takes it, with this machine's tools: INITOVERLAYFS=y"
	[ $# -eq 1 ] || exec > "$2"
	echo "# What $name lacks for initoverlayfs: scripts/graft --check-config"
	as_lines "${missing[@]}" "${cures[@]}" | grep -vxF -f <(as_lines "${refused[@]}") || true
}
