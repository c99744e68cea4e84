# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Keys for the tests, in build/keys: made once, for this machine only. Needs common.sh.
#
#     trusted.{key,pem}    the kernel under test trusts it
#     expired.{key,pem}    so it does this one, though it has expired
#     other.{key,pem}      nobody trusts it

KEYS=$BUILD/keys

# make_key NAME OPTION...: the options are those of `openssl x509`.
make_key() {
	local name=$1
	shift
	if ! openssl req -new -newkey rsa:2048 -nodes -keyout "$KEYS/$name.key" -out "$KEYS/$name.csr" \
		-subj "/CN=initoverlayfs test: $name" 2> "$KEYS/$name.log" ||
		! openssl x509 -req -in "$KEYS/$name.csr" -signkey "$KEYS/$name.key" -sha256 \
			-extfile "$KEYS/extensions" -out "$KEYS/$name.pem" "$@" 2>> "$KEYS/$name.log"; then
		die "openssl could not make a key: see build/keys/$name.log"
	fi
	rm -f "$KEYS/$name.csr"
}

# Makes them if they are not there; prints the file with what the kernel trusts.
trusted_keys() {
	if [ ! -s "$KEYS/kernel.pem" ]; then
		rm -rf "$KEYS"
		mkdir -p "$KEYS"
		printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=digitalSignature' \
			'subjectKeyIdentifier=hash' 'authorityKeyIdentifier=keyid' > "$KEYS/extensions"
		make_key trusted -days 36500
		make_key other -days 36500
		# Ended before it began to be used: every OpenSSL takes a negative number of days.
		make_key expired -days -1
		cat "$KEYS/trusted.pem" "$KEYS/expired.pem" > "$KEYS/kernel.pem.new"
		mv "$KEYS/kernel.pem.new" "$KEYS/kernel.pem"
	fi
	echo "$KEYS/kernel.pem"
}
