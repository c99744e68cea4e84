# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Debian's policy for SELinux, made from its package into build/selinux. Nothing of it is installed
# on the system. Needs apt.sh.

SELINUX_DIR=$BUILD/selinux

# find_selinux: build/selinux/policy, for the kernel, and build/selinux/file_contexts, for files.
find_selinux() {
	[ ! -s "$SELINUX_DIR/file_contexts" ] || return 0
	on_debian || die "the policy is made from Debian's package, and this is not Debian: put policy, file_contexts and file_contexts.subs_dist into ${SELINUX_DIR#"$ROOT"/}"
	install_packages policycoreutils semodule-utils selinux-utils bzip2
	step "making Debian's SELinux policy (into build/selinux)" make_selinux
}

# As the package's own postinst does it, into a directory.
make_selinux() {
	local work=$SELINUX_DIR/work modules=() module place
	place=$work/usr/share/selinux/default
	apt_root policy "$(debian_codename)"
	fetch_deb "$BUILD/apt/policy" selinux-policy-default
	rm -rf "$SELINUX_DIR"
	mkdir -p "$work/var/lib/selinux/default"
	dpkg-deb -x "$DEB" "$work"
	printf 'SELINUX=enforcing\nSELINUXTYPE=default\n' > "$work/etc/selinux/config"
	while read -r module; do
		modules+=(-i "$place/$module.pp.bz2")
	done < <(tr ' ' '\n' < "$place/.modules")
	PATH=$PATH:/usr/sbin logged semodule --noreload --store=default --path="$work" -X 100 "${modules[@]}" ||
		die "Debian's SELinux policy could not be made: see above"
	cp "$work"/etc/selinux/default/policy/policy.* "$SELINUX_DIR/policy"
	cp "$work/etc/selinux/default/contexts/files/file_contexts.subs_dist" "$SELINUX_DIR/"
	cp "$work/etc/selinux/default/contexts/files/file_contexts" "$SELINUX_DIR/"
	rm -rf "$work"
}
