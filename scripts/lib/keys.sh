# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Keys for the tests, in build/keys: made once, for this machine only. Needs common.sh.
#
#     trusted.{key,pem}    the kernel under test trusts it
#     expired.{key,pem}    so it does this one, though it has expired
#     other.{key,pem}      nobody trusts it

KEYS=$BUILD/keys

# A certificate authority for openssl, which is told by `ca` alone when a certificate begins and
# ends, whatever its version.
authority() {
	cat <<-EOF
		[ca]
		default_ca = tests
		[tests]
		database = $KEYS/index
		new_certs_dir = $KEYS/issued
		rand_serial = yes
		unique_subject = no
		default_md = sha256
		policy = policy
		x509_extensions = extensions
		[policy]
		commonName = supplied
		[extensions]
		basicConstraints = critical,CA:FALSE
		keyUsage = digitalSignature
		subjectKeyIdentifier = hash
		authorityKeyIdentifier = keyid
	EOF
}

# make_key NAME FIRST LAST: valid between these two moments, YYYYMMDDHHMMSSZ.
make_key() {
	local file=$KEYS/$1
	if ! openssl req -new -newkey rsa:2048 -nodes -keyout "$file.key" -out "$file.csr" \
		-subj "/CN=initoverlayfs test: $1" 2> "$file.log" ||
		! openssl ca -config "$KEYS/authority" -selfsign -batch -notext -keyfile "$file.key" \
			-in "$file.csr" -startdate "$2" -enddate "$3" -out "$file.pem" > "$file.log" 2>&1; then
		die "openssl could not make a key: see build/keys/$1.log"
	fi
	rm -f "$file.csr"
}

# Makes them if they are not there; prints the file with what the kernel trusts.
trusted_keys() {
	if [ ! -s "$KEYS/kernel.pem" ]; then
		rm -rf "$KEYS"
		mkdir -p "$KEYS/issued"
		authority > "$KEYS/authority"
		: > "$KEYS/index"
		make_key trusted 20200101000000Z 21200101000000Z
		make_key other 20200101000000Z 21200101000000Z
		make_key expired 20200101000000Z 20200102000000Z
		cat "$KEYS/trusted.pem" "$KEYS/expired.pem" > "$KEYS/kernel.pem.new"
		mv "$KEYS/kernel.pem.new" "$KEYS/kernel.pem"
	fi
	echo "$KEYS/kernel.pem"
}
