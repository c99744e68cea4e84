# SPDX-License-Identifier: GPL-2.0-only
#
# What our files say of places and names that are others in the kernel's tree.
s|Documentation/kernel-parameters\.txt|Documentation/admin-guide/kernel-parameters.txt|g
s|Documentation/image-format\.rst|Documentation/filesystems/initoverlayfs.rst|g
s|Documentation/boot\.rst of the project|Documentation/admin-guide/initoverlayfs.rst|g
s|\bcrate::sys::vfs\b|kernel::fs|g
s|\bcrate::sys::initcall\b|kernel::initcall|g
s|\binitoverlayfs_macros\b|kernel::macros|g
# The kernel crate knows the structure, once its header is among those that bindgen reads.
s|a new `struct fs_context`, which the kernel crate knows by name only\.|a new `struct fs_context`.|
s|\bkernel::bindings::fs_context\b|bindings::fs_context|
/let context: \*mut bindings::fs_context = context\.cast();/d
