# SPDX-License-Identifier: GPL-2.0-only
#
# Fills the paragraphs of a reStructuredText document to 80 columns, as the kernel's documents have them. Tables, titles
# and literal blocks stay as they are.

function indent(text) { match(text, /^ */); return RLENGTH }

# Prints what is gathered: first is its first line's indent, rest that of the others.
function flush(   i, n, word, line, gap) {
	n = split(text, word, " ")
	line = sprintf("%*s%s", first, "", word[1])
	for (i = 2; i <= n; i++) {
		gap = " "
		if (length(line " " word[i]) > 80) {
			print line
			line = sprintf("%*s", rest, "")
			gap = ""
		}
		line = line gap word[i]
	}
	if (n) print line
	text = ""
}

function block(   i, keep, level, marker) {
	level = indent(lines[1])
	if (literal && level <= above) literal = 0
	keep = literal
	for (i = 1; i <= count; i++)
		if (lines[i] ~ /^ *(==+|--+)( +==+)*$/ || lines[i] ~ /^\.\. /) keep = 1
	for (i = 1; i <= count; i++) {
		if (keep) { print lines[i]; continue }
		level = indent(lines[i])
		marker = match(substr(lines[i], level + 1), /^(\*|#\.) +/) ? RLENGTH : 0
		# A new paragraph: an item of a list, or another indent.
		if (text == "" || marker || level != rest) {
			flush()
			first = level
			rest = level + marker
		}
		text = text " " lines[i]
	}
	flush()
	if (!literal && lines[count] ~ /::$/) { literal = 1; above = indent(lines[count]) }
	count = 0
}

/^$/ { if (count) block(); print; next }
{ lines[++count] = $0 }
END { if (count) block() }
