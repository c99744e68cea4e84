# SPDX-License-Identifier: GPL-2.0-only
#
# perl -0p: makes a file of ours one of the kernel's own.
if ($ENV{PLACE} =~ m{^rust/kernel/}) {
	s/\bpub\(crate\)/pub/g;
	if (s/(\n?)\nuse crate::sys::bindings;\n/\n/) {
		s/^use kernel::\{\n/use crate::{\n    bindings,\n/m;
		s/^use kernel::prelude::\*;\n/use crate::{\n    bindings,\n    prelude::*, \/\/\n};\n/m;
	}
	s/^use kernel::/use crate::/mg;
}
s/\bcrate::sys::initcall\b/::kernel::initcall/g if $ENV{PLACE} =~ m{^rust/macros/};
# The kernel's helpers have no header.
s/\n#include "helpers\.h"\n// if $ENV{PLACE} =~ m{^rust/helpers/};
