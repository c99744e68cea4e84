# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Packages: installed into the system by the system's apt, or fetched into
# build/ from newer suites by an apt root of our own. Needs steps.sh.
#
# apt checks the archive's signature and every file's checksum. What came whole is
# kept and checked again; a file that was interrupted is fetched anew. No mirror's
# address stands in this project: the newer suites are asked of the mirror that the
# system's apt already uses.

DOWNLOADS=$BUILD/download

on_debian() {
	[ "$(. /etc/os-release 2>/dev/null && echo "${ID-}")" = debian ] &&
		command -v apt-get > /dev/null
}

# Testing and unstable, which say the same of themselves, are sid here.
debian_codename() {
	if grep -qs /sid /etc/debian_version; then
		echo sid
	else
		(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
	fi
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo > /dev/null; then
		sudo "$@"
	else
		die "root is needed for '$*': install sudo, or run it yourself as root"
	fi
}

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# candidate PACKAGE: the version the system's apt would install, or nothing.
candidate() {
	LC_ALL=C apt-cache policy "$1" 2>/dev/null |
		awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

UPDATED=no

update_system_lists() {
	[ $UPDATED = no ] || return 0
	UPDATED=yes
	step "reading the package lists (apt-get update)" logged as_root apt-get update
}

# apt_install ROOT ARGUMENT...: ROOT as for apt_get_in. Takes nothing away from the system.
apt_install() {
	local root=$1 options=()
	shift
	[ "$root" = system ] || options=(-c "$root/apt.conf")
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get "${options[@]}" install --yes --no-install-recommends --no-remove "$@"
}

# install_packages PACKAGE...: those that are missing.
install_packages() {
	local package missing=()
	for package in "$@"; do
		is_installed "$package" || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	for package in "${missing[@]}"; do
		[ -n "$(candidate "$package")" ] || update_system_lists
	done
	step "installing ${missing[*]} (apt-get)" install_missing "${missing[@]}"
}

install_missing() {
	local package missing=()
	quietly apt_install system "$@" && return
	# The lists may be older than the mirror's newest files.
	if [ $UPDATED = no ]; then
		update_system_lists
		quietly apt_install system "$@" && return
	fi
	# One of them stands in the way of the others.
	for package in "$@"; do
		quietly apt_install system "$package" || missing+=("$package")
	done
	for package in "${missing[@]}"; do
		install_backport "$package" || die "apt-get could not install $package: see above"
	done
}

# install_backport PACKAGE: for a system that has a part of the same software from
# its backports, beside which the release's own version cannot be installed.
install_backport() {
	local codename suite
	codename=$(debian_codename)
	suite=$codename-backports
	apt_root backports "$codename" "$suite"
	step "installing $1 from $suite" logged apt_install "$BUILD/apt/backports" -t "$suite" "$1"
}

# The address of the mirror that the system's main suite comes from.
mirror() {
	local codename
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(RELEASE) $(REPO_URI)' |
		awk -v release="$codename" '
			$1 != "Packages" || $2 != "main" || seen { next }
			$3 == release || $3 ~ /^((old)?stable|testing|unstable|sid)$/ { print $4; seen = 1 }
		'
}

# The suites that carry a kernel new enough, for this system.
kernel_suites() {
	local codename
	codename=$(debian_codename)
	case $codename in
	bookworm | trixie) echo trixie trixie-backports ;;
	# Where a kernel may be in the backports first.
	sid) echo sid trixie-backports ;;
	*) echo "$codename" "$codename-backports" ;;
	esac
}

keyring() {
	local file
	for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		[ ! -r "$file" ] || { echo "$file"; return; }
	done
	die "Debian's archive keys are missing: apt-get install debian-archive-keyring"
}

# guest_root: the root for packages of the machine that is booted.
guest_root() {
	local suites
	if is_native; then
		echo system
	else
		# The suite that the kernel comes from: Debian 12 knows no riscv64.
		suites=$(kernel_suites)
		GUEST_ARCHITECTURE=$DEBIAN_ARCH apt_root "$DEBIAN_ARCH" "${suites%% *}"
		echo "$BUILD/apt/$DEBIAN_ARCH"
	fi
}

# load_validity: this machine's choice for a new system's apt, as VALIDITY, an option or none. A mirror that is a copy of some day
# says that it is out of date.
load_validity() {
	# shellcheck disable=SC2034 # for the caller
	mapfile -t VALIDITY < <(apt-config dump Acquire::Check-Valid-Until)
}

# apt_root NAME SUITE...: an apt root in build/apt/NAME for those suites, and for packages of
# GUEST_ARCHITECTURE or this system's.
apt_root() {
	local root=$BUILD/apt/$1 uri keys suite
	shift
	[ $# -gt 0 ] || die "it is not known which of Debian's suites to read"
	[ ! -s "$root/sources.list" ] || return 0
	uri=$(mirror)
	if [ -z "$uri" ]; then
		update_system_lists
		uri=$(mirror)
	fi
	[ -n "$uri" ] || die "apt-get indextargets shows no Debian mirror: is there one in /etc/apt/sources.list*?"
	keys=$(keyring)
	mkdir -p "$root/preferences.d" "$root/state/lists/partial" "$root/cache/archives/partial"
	cat > "$root/apt.conf" <<-EOF
		Dir::Etc::sourcelist "$root/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::Etc::preferences "$root/preferences";
		Dir::Etc::preferencesparts "$root/preferences.d";
		Dir::State "$root/state";
		Dir::State::status "/var/lib/dpkg/status";
		Dir::Cache "$root/cache";
		Acquire::Languages "none";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
	EOF
	[ -z "${GUEST_ARCHITECTURE-}" ] || cat >> "$root/apt.conf" <<-EOF
		APT::Architecture "$GUEST_ARCHITECTURE";
		APT::Architectures { "$GUEST_ARCHITECTURE"; };
	EOF
	for suite in "$@"; do
		printf 'deb [signed-by=%s] %s %s main\n' "$keys" "$uri" "$suite"
		printf 'deb-src [signed-by=%s] %s %s main\n' "$keys" "$uri" "$suite"
	done > "$root/sources.list.new"
	step "reading the package lists of $* (into build/apt)" update_root "$root"
}

update_root() {
	# Renamed only when the lists are there: an interrupted start is repeated.
	if ! logged apt_get_in "$1" -o Dir::Etc::sourcelist="$1/sources.list.new" \
		-o APT::Update::Error-Mode=any update; then
		# gpgv's words, and sqv's, which newer systems have instead.
		if tail -n 40 "$LOG" | grep -q -e NO_PUBKEY -e 'Missing key'; then
			die "the archive's newer key is unknown here: apt-get install --only-upgrade debian-archive-keyring"
		fi
		die "the package lists could not be read: see above"
	fi
	mv "$1/sources.list.new" "$1/sources.list"
}

# apt_get_in ROOT ARGUMENT...: ROOT is a root made above, or "system".
apt_get_in() {
	local root=$1 options=()
	shift
	[ "$root" = system ] || options=(-c "$root/apt.conf")
	# Our downloads go where apt's own user may not write: as root it would
	# complain and then do it as root.
	[ "$(id -u)" != 0 ] || options+=(-o APT::Sandbox::User=root)
	LC_ALL=C apt-get "${options[@]}" "$@"
}

# versions_in ROOT PACKAGE: newest first.
versions_in() {
	LC_ALL=C apt-cache -c "$1/apt.conf" madison "$2" 2>/dev/null |
		awk -F ' *[|] *' '$3 ~ /Packages$/ { print $2 }' | sort -rV | uniq
}

# fetch_deb ROOT PACKAGE[=VERSION]: into build/download, unless the same bytes
# are there already. The file's path is left in $DEB.
fetch_deb() {
	local root=$1 package=$2 wanted
	wanted=$(deb_uri "$root" "$package")
	if [ -z "$wanted" ]; then
		refresh "$root"
		wanted=$(deb_uri "$root" "$package")
	fi
	[ -n "$wanted" ] || die "apt knows no package $package"
	# A line is: 'uri' name size SHA256:sum
	DEB=$DOWNLOADS/$(cut -d ' ' -f 2 <<< "$wanted")
	! same_sum "$DEB" "${wanted##*:}" || return 0
	rm -f "$DEB"
	mkdir -p "$DOWNLOADS"
	download_deb "$root" "$package" || {
		refresh "$root"
		download_deb "$root" "$package" || die "apt could not download $package: see above"
	}
}

deb_uri() {
	apt_get_in "$1" download --print-uris "$2" 2>/dev/null | grep "^'" | tail -n 1 || true
}

download_deb() {
	(cd "$DOWNLOADS" && logged apt_get_in "$1" download "$2")
}

same_sum() {
	[ -f "$1" ] && [ "$(sha256sum < "$1")" = "$2  -" ]
}

refresh() {
	if [ "$1" = system ]; then
		update_system_lists
	else
		logged apt_get_in "$1" update || die "the package lists could not be read: see above"
	fi
}
