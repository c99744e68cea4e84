# SPDX-License-Identifier: GPL-2.0-only
#
# perl -0p: takes away what is only for a build outside of the kernel's tree. An item begins with its attribute, and ends
# with the first line of the same indent that ends it.
s/^( *)#\[cfg\(out_of_tree\)\]\n(?:\1.*\n)*?\1(?!\/\/)(?=\S).*[;,}]\n//mg;
# The lints that generated code needs.
s/^#!\[allow\(\n.*?^\)\]\n\n//ms if $ARGV =~ m{sys/bindings/mod\.rs$};
s/\n{3,}/\n\n/g;
s/\n+\z/\n/;
